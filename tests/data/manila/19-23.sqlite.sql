-- Services and their zones of Manila, releases 19 to 23, on SQLite:
-- with the columns that the migration cdefa6287df8 leaves.
CREATE TABLE availability_zones (
  created_at DATETIME,
  updated_at DATETIME,
  deleted_at DATETIME,
  deleted VARCHAR(36),
  id VARCHAR(36) NOT NULL,
  name VARCHAR(255),
  PRIMARY KEY (id),
  CONSTRAINT az_name_uc UNIQUE (name, deleted)
);
CREATE TABLE services (
  created_at DATETIME,
  updated_at DATETIME,
  deleted_at DATETIME,
  deleted INTEGER,
  id INTEGER NOT NULL,
  host VARCHAR(255),
  "binary" VARCHAR(255),
  topic VARCHAR(255),
  report_count INTEGER NOT NULL,
  disabled BOOLEAN,
  availability_zone_id VARCHAR(36),
  state VARCHAR(36),
  disabled_reason VARCHAR(255),
  ensuring BOOLEAN NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  CONSTRAINT service_az_id_fk FOREIGN KEY (availability_zone_id) REFERENCES availability_zones (id)
);
