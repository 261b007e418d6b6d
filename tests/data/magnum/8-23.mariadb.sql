-- Services of Magnum, releases 8 to 23, on MariaDB and MySQL: as the migrations of 8.2.1 and 23.0.0 leave them.
CREATE TABLE magnum_service (
  created_at datetime,
  updated_at datetime,
  id int(11) NOT NULL AUTO_INCREMENT,
  report_count int(11) NOT NULL,
  host varchar(255),
  `binary` varchar(255),
  disabled tinyint(1),
  disabled_reason varchar(255),
  last_seen_up datetime,
  forced_down tinyint(1),
  PRIMARY KEY (id),
  CONSTRAINT uniq_magnum_service0host0binary UNIQUE (host, `binary`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
