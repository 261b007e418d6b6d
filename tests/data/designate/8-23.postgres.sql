-- Services of Designate, releases 8 to 23, on PostgreSQL; before 23 without STOPPED: as its models say. Its migrations
-- end with an error there.
CREATE TYPE service_statuses_enum AS ENUM ('UP', 'DOWN', 'WARNING', 'STOPPED');
CREATE TABLE service_statuses (
  id uuid NOT NULL,
  created_at timestamp without time zone,
  updated_at timestamp without time zone,
  service_name character varying(40) NOT NULL,
  hostname character varying(255) NOT NULL,
  heartbeated_at timestamp without time zone,
  status service_statuses_enum,
  stats text NOT NULL,
  capabilities text NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT unique_service_status UNIQUE (service_name, hostname)
);
