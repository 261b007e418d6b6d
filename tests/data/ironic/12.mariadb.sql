-- Conductors of Ironic, release 12, on MariaDB and MySQL: as the migration 1e15e7122cc9, its last, leaves them. Release 39 has
-- another character set.
CREATE TABLE conductors (
  created_at datetime,
  updated_at datetime,
  id int(11) NOT NULL AUTO_INCREMENT,
  hostname varchar(255) NOT NULL,
  drivers text,
  online tinyint(1),
  version varchar(15),
  conductor_group varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  CONSTRAINT uniq_conductors0hostname UNIQUE (hostname)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
