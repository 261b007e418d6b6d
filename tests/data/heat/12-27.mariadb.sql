-- Engines of Heat, releases 12 to 27, on MariaDB and MySQL: as the migration
-- c6214ca60943, which holds those of release 12, and 27.0.1 leave them.
CREATE TABLE service (
  id varchar(36) NOT NULL,
  engine_id varchar(36) NOT NULL,
  host varchar(255) NOT NULL,
  hostname varchar(255) NOT NULL,
  `binary` varchar(255) NOT NULL,
  topic varchar(255) NOT NULL,
  report_interval int(11) NOT NULL,
  created_at datetime,
  updated_at datetime,
  deleted_at datetime,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
