-- Services of Designate, releases 8 to 23, on MariaDB and MySQL; before 23 without STOPPED:
-- as `designate-manage database sync` of 23.0.0 leaves them.
CREATE TABLE service_statuses (
  id char(32) NOT NULL,
  created_at datetime,
  updated_at datetime,
  service_name varchar(40) NOT NULL,
  hostname varchar(255) NOT NULL,
  heartbeated_at datetime,
  status enum('UP','DOWN','WARNING','STOPPED'),
  stats text NOT NULL,
  capabilities text NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY unique_service_status (service_name, hostname)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
