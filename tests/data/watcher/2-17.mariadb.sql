-- Services of Watcher, releases 2 to 17, on MariaDB and MySQL: as the migrations of 2.0.0 and 17.0.0 leave them.
CREATE TABLE services (
  created_at datetime,
  updated_at datetime,
  deleted_at datetime,
  deleted int(11),
  id int(11) NOT NULL AUTO_INCREMENT,
  name varchar(255) NOT NULL,
  host varchar(255) NOT NULL,
  last_seen_up datetime,
  PRIMARY KEY (id),
  CONSTRAINT uniq_services0host0name0deleted UNIQUE (host, name, deleted)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
