-- Services of Zun, releases 3 to 18, on MariaDB and MySQL: as the migrations of 3.0.1 and 18.0.0 leave them.
CREATE TABLE zun_service (
  id int(11) NOT NULL AUTO_INCREMENT,
  created_at datetime,
  updated_at datetime,
  report_count int(11) NOT NULL,
  host varchar(255),
  `binary` varchar(255),
  disabled tinyint(1),
  disabled_reason varchar(255),
  last_seen_up datetime,
  forced_down tinyint(1),
  availability_zone varchar(255),
  PRIMARY KEY (id),
  CONSTRAINT uniq_zun_service0host0binary UNIQUE (host, `binary`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
