-- Services and their zones of Manila, release 18, on PostgreSQL:
-- as the migration 99d328f0a3d2 of Manila 23.0.1 leaves them.
CREATE TABLE availability_zones (
  created_at timestamp without time zone,
  updated_at timestamp without time zone,
  deleted_at timestamp without time zone,
  deleted character varying(36),
  id character varying(36) NOT NULL,
  name character varying(255),
  PRIMARY KEY (id),
  CONSTRAINT az_name_uc UNIQUE (name, deleted)
);
CREATE TABLE services (
  created_at timestamp without time zone,
  updated_at timestamp without time zone,
  deleted_at timestamp without time zone,
  deleted integer,
  id serial NOT NULL,
  host character varying(255),
  "binary" character varying(255),
  topic character varying(255),
  report_count integer NOT NULL,
  disabled boolean,
  availability_zone_id character varying(36),
  state character varying(36),
  disabled_reason character varying(255),
  PRIMARY KEY (id),
  CONSTRAINT service_az_id_fk FOREIGN KEY (availability_zone_id) REFERENCES availability_zones (id)
);
