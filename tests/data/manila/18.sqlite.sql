-- Services and their zones of Manila, release 18, on SQLite:
-- with the columns that the migration 99d328f0a3d2 leaves.
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
  PRIMARY KEY (id),
  CONSTRAINT service_az_id_fk FOREIGN KEY (availability_zone_id) REFERENCES availability_zones (id)
);
