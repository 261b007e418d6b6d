-- Services and their zones of Manila, releases 8 to 10, on MariaDB and MySQL:
-- as the migration 478c445d8d3e of Manila 23.0.1 leaves them.
CREATE TABLE availability_zones (
  created_at datetime,
  updated_at datetime,
  deleted_at datetime,
  deleted varchar(36),
  id varchar(36) NOT NULL,
  name varchar(255),
  PRIMARY KEY (id),
  CONSTRAINT az_name_uc UNIQUE (name, deleted)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
CREATE TABLE services (
  created_at datetime,
  updated_at datetime,
  deleted_at datetime,
  deleted int(11),
  id int(11) NOT NULL AUTO_INCREMENT,
  host varchar(255),
  `binary` varchar(255),
  topic varchar(255),
  report_count int(11) NOT NULL,
  disabled tinyint(1),
  availability_zone_id varchar(36),
  PRIMARY KEY (id),
  CONSTRAINT service_az_id_fk FOREIGN KEY (availability_zone_id) REFERENCES availability_zones (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
