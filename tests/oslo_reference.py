"""Prints how oslo.config, SQLAlchemy and the database drivers read configurations and URLs.

Reads {"configurations": [{"places": [["file" or "dir", path]], "environment": {name: value}}], "urls": [text]}
as JSON from standard input and writes a list for each, as JSON, to standard output. A refused one is
{"refused": class of the error}. Run it with the interpreter of a virtual environment that contains Cinder.
"""

import json
import os
import ssl
import sys

import psycopg2.extensions
import pymysql.connections
import sqlalchemy
from oslo_config import cfg

# Cinder's own names, types and defaults; my_ip stands for the hundreds of options that have a default.
OPTIONS = {
    "DEFAULT": [
        cfg.IntOpt("service_down_time", default=60),
        cfg.IntOpt("report_interval", default=10),
        cfg.StrOpt("my_ip", default="192.0.2.1"),
        cfg.StrOpt("host", default="node"),
        cfg.StrOpt("state_path", default="/var/lib/cinder"),
    ],
    "database": [
        cfg.StrOpt("connection", secret=True),
        cfg.StrOpt("slave_connection", secret=True),
        cfg.StrOpt("mysql_sql_mode", default="TRADITIONAL"),
    ],
    "nova": [cfg.StrOpt("region_name")],
}


class Recorder(ssl.SSLContext):
    """A TLS context that records the names of its files instead of reading them."""

    def __new__(cls, cafile=None, capath=None):
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self.files = {"ca": cafile, "cert": None, "key": None}
        return self

    def __init__(self, *_args, **_keywords):
        pass

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        self.files.update(cert=certfile, key=keyfile)


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        return {"refused": type(error).__name__}


def read(case):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        del os.environ[name]
    os.environ.update(case["environment"])
    conf = cfg.ConfigOpts()
    for group, options in OPTIONS.items():
        conf.register_opts(options, group=None if group == "DEFAULT" else group)
    conf([f"--config-{kind}={path}" for kind, path in case["places"]], project="cinder",
         default_config_files=[], default_config_dirs=[])
    return {
        "connection": attempt(lambda: conf.database.connection),
        "service_down_time": attempt(lambda: conf.service_down_time),
        "report_interval": attempt(lambda: conf.report_interval),
    }


def mysql(arguments):
    pymysql.connections.DEFAULT_USER = None
    pymysql.connections.ssl.create_default_context = Recorder
    connection = pymysql.connections.Connection(defer_connect=True, **arguments)
    if not connection.ssl:
        mode, files = "Disabled", {"ca": None, "cert": None, "key": None}
    else:
        files = connection.ctx.files
        if not connection._ssl_required:
            mode = "Preferred"
        elif connection.ctx.verify_mode == ssl.CERT_NONE:
            mode = "Required"
        else:
            mode = "VerifyFull" if connection.ctx.check_hostname else "VerifyCa"
    return {
        "user": connection.user,
        "password": connection.password.decode("latin1") or None,
        "host": connection.host,
        "port": connection.port,
        "socket": connection.unix_socket,
        "database": connection.db,
        "tls": {"mode": mode, **files},
    }


def postgres(arguments):
    # libpq itself reads the options here, so it refuses an unknown one. Its manual defines the modes.
    options = psycopg2.extensions.parse_dsn(psycopg2.extensions.make_dsn(**arguments))
    ca = options.get("sslrootcert")
    mode = options.get("sslmode", "prefer")
    if mode == "require" and ca:
        mode = "verify-ca"
    host = options.get("host")
    port = options.get("port")
    is_folder = host is not None and host.startswith("/")
    return {
        "user": options.get("user"),
        "password": options.get("password"),
        "host": None if is_folder else host,
        "port": int(port) if port and port.isdigit() else port,
        "socket": host if is_folder else None,
        "database": options.get("dbname"),
        "tls": {
            "mode": {
                "disable": "Disabled",
                "allow": "Preferred",
                "prefer": "Preferred",
                "require": "Required",
                "verify-ca": "VerifyCa",
                "verify-full": "VerifyFull",
            }[mode],
            "ca": ca,
            "cert": options.get("sslcert"),
            "key": options.get("sslkey"),
        },
    }


def sqlite(file):
    here = os.getcwd() + "/"
    return {
        "user": None,
        "password": None,
        "host": None,
        "port": None,
        "socket": None,
        "database": file.removeprefix(here),
        "tls": {"mode": "Disabled", "ca": None, "cert": None, "key": None},
    }


def connect(text):
    url = sqlalchemy.make_url(text)
    # The default driver of a scheme need not be installed.
    backend = url.get_backend_name()
    driver = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg2"}
    url = url.set(drivername=driver.get(backend, url.drivername))
    dialect = sqlalchemy.create_engine(url).dialect
    positional, arguments = dialect.create_connect_args(url)
    if backend == "sqlite":
        return sqlite(positional[0])
    return {"mysql": mysql, "mariadb": mysql, "postgresql": postgres}[backend](arguments)


def main():
    asked = json.load(sys.stdin)
    answer = {
        "configurations": [attempt(read, case) for case in asked["configurations"]],
        "urls": [attempt(connect, url) for url in asked["urls"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
