# shellcheck shell=bash
# The private servers of the tests: MariaDB, MySQL and PostgreSQL on free ports of 127.0.0.1, with the schema of a
# real Cinder, Manila, Ironic and Heat. Scripts source this file: start_servers exports these variables, stop_servers stops
# the servers.
#
#   HEARTBEAT_TEST_DIR                  the folder of everything below; tls/ holds {ca,server,client}.{pem,key}
#   HEARTBEAT_TEST_MARIADB              URL of the superuser, without a database
#   HEARTBEAT_TEST_MARIADB_SOCKET       the same server's socket
#   HEARTBEAT_TEST_MARIADB_DATA         data folder to copy, for a test that starts and kills its own server
#   HEARTBEAT_TEST_MYSQL                URL of the superuser, without a database
#   HEARTBEAT_TEST_MYSQL_SOCKET         the same server's socket
#   HEARTBEAT_TEST_MYSQL_DATA           data folder to copy; it holds MySQL's own certificates as well
#   HEARTBEAT_TEST_MYSQLD               the server's program
#   HEARTBEAT_TEST_POSTGRES             URL of the superuser, without a database
#   HEARTBEAT_TEST_POSTGRES_SOCKET_DIR  the folder of the same server's socket
#   HEARTBEAT_TEST_POSTGRES_DATA        data folder to copy
#   HEARTBEAT_TEST_SQLITE               file to copy
#   HEARTBEAT_TEST_PYTHON               Python with Cinder; Cinder's programs are in the same folder
#   HEARTBEAT_TEST_MANILA               Python with Manila; Manila's programs are in the same folder
#   HEARTBEAT_TEST_IRONIC               Python with Ironic; Ironic's programs are in the same folder
#   HEARTBEAT_TEST_HEAT                 Python with Heat; Heat's programs are in the same folder
#
# The servers, and the data folders, have the databases cinder_template, manila_template, ironic_template and
# heat_template. A server must run as the owner of its data folder. The variables of MySQL are absent where it can't be
# had: tests/newer.sh unpacks it.

# PostgreSQL refuses to run as root, so root runs all servers as the user that Debian's package creates.
# If this shell is killed, the servers are terminated.
as_server=(setpriv --pdeathsig TERM)
if [ "$(id -u)" = 0 ]; then
    as_server+=(--reuid=postgres --regid=postgres --init-groups)
fi
mariadb_pid=
mysql_pid=
postgres_pid=
step_pids=()

# Prints the folder of PostgreSQL's server programs, which Debian keeps out of PATH.
postgres_bin() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$initdb" ] && dirname "$initdb"
}

# Starts everything and exports HEARTBEAT_TEST_*. $1 to $4: Python environments with Cinder, Manila, Ironic and
# Heat; $5: MySQL's server, if any.
start_servers() {
    export HEARTBEAT_TEST_PYTHON=$1/bin/python HEARTBEAT_TEST_MANILA=$2/bin/python
    export HEARTBEAT_TEST_IRONIC=$3/bin/python HEARTBEAT_TEST_HEAT=$4/bin/python
    local mysql=()
    HEARTBEAT_TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/heartbeat-test.XXXXXX")
    export HEARTBEAT_TEST_DIR
    local dir=$HEARTBEAT_TEST_DIR
    chmod 755 "$dir"
    PATH=$PATH:/usr/sbin:$(postgres_bin)
    read -r mariadb_port mysql_port postgres_port < <(free_ports)
    export HEARTBEAT_TEST_MARIADB=mysql://root@127.0.0.1:$mariadb_port
    export HEARTBEAT_TEST_MARIADB_SOCKET=$dir/run/mariadb.sock
    export HEARTBEAT_TEST_MARIADB_DATA=$dir/fresh/mariadb
    if [ -n "${5:-}" ]; then
        mysql=(mysql)
        export HEARTBEAT_TEST_MYSQLD=$5
        export HEARTBEAT_TEST_MYSQL=mysql://root@127.0.0.1:$mysql_port
        export HEARTBEAT_TEST_MYSQL_SOCKET=$dir/run/mysql.sock
        export HEARTBEAT_TEST_MYSQL_DATA=$dir/fresh/mysql
    fi
    export HEARTBEAT_TEST_POSTGRES=postgres://postgres@127.0.0.1:$postgres_port
    export HEARTBEAT_TEST_POSTGRES_SOCKET_DIR=$dir/run
    export HEARTBEAT_TEST_POSTGRES_DATA=$dir/fresh/postgres
    export HEARTBEAT_TEST_SQLITE=$dir/cinder.sqlite

    make_certificates "$dir/tls"
    mkdir "$dir/data" "$dir/fresh" "$dir/run" "$dir/log"
    if [ "$(id -u)" = 0 ]; then
        chown postgres: "$dir/data" "$dir/run" "$dir/tls/server.key"
    fi
    in_parallel initialise_{mariadb,postgres} "${mysql[@]/#/initialise_}"
    launch_servers
    in_parallel sync_{mariadb,postgres,sqlite} "${mysql[@]/#/sync_}"
    # Only the data of a stopped server can be copied.
    halt_servers
    cp -a "$dir/data/." "$dir/fresh"
    launch_servers
}

# Stops the servers and removes their folder. May be called at any time, and twice.
stop_servers() {
    [ ${#step_pids[@]} = 0 ] || wait "${step_pids[@]}" || true
    halt_servers
    if [ -n "${HEARTBEAT_TEST_DIR:-}" ]; then
        kill_leftovers
        rm -rf "$HEARTBEAT_TEST_DIR"
        unset HEARTBEAT_TEST_DIR
    fi
}

# Kills the processes of an interrupted test: those with a path in our folder on their command line.
kill_leftovers() {
    local cmdline
    while read -r cmdline; do
        cmdline=${cmdline#/proc/}
        kill -KILL "${cmdline%/cmdline}" 2>/dev/null || true
    done < <(grep -laFs -f /dev/stdin /proc/[0-9]*/cmdline <<<"$HEARTBEAT_TEST_DIR/")
}

# Prints three different free ports of 127.0.0.1.
free_ports() {
    "$HEARTBEAT_TEST_PYTHON" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))'
}

# Runs functions in parallel, each with its own log; fails, and shows the log, when one of them fails.
# They run in the folder of the servers, since the servers' user may have no access to the current folder.
in_parallel() {
    local i steps=("$@") failed=0
    step_pids=()
    for i in "${!steps[@]}"; do
        (cd "$HEARTBEAT_TEST_DIR" && "${steps[i]}") >"$HEARTBEAT_TEST_DIR/log/${steps[i]}" 2>&1 &
        step_pids+=($!)
    done
    for i in "${!steps[@]}"; do
        if ! wait "${step_pids[i]}"; then
            failed=1
            echo "${steps[i]} failed:" >&2
            tail -n 30 "$HEARTBEAT_TEST_DIR/log/${steps[i]}" >&2
        fi
    done
    step_pids=()
    return "$failed"
}

# Creates a private authority in $1, and certificates of the servers and of one client, `heartbeat_cert`.
make_certificates() {
    mkdir "$1"
    certificate "$1" ca "/CN=heartbeat test authority" basicConstraints=critical,CA:TRUE
    certificate "$1" server /CN=localhost basicConstraints=CA:FALSE \
        subjectAltName=IP:127.0.0.1,DNS:localhost extendedKeyUsage=serverAuth
    certificate "$1" client /CN=heartbeat_cert basicConstraints=CA:FALSE extendedKeyUsage=clientAuth
}

# Creates $1/$2.key and $1/$2.pem with the subject $3 and extensions, signed by the authority; its own is self-signed.
certificate() {
    local path=$1/$2 subject=$3 extension signer=()
    shift 3
    [[ $path == */ca ]] || signer=(-CA "${path%/*}/ca.pem" -CAkey "${path%/*}/ca.key")
    for extension; do
        signer+=(-addext "$extension")
    done
    openssl req -x509 -config /dev/null -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "$subject" -keyout "$path.key" -out "$path.pem" "${signer[@]}" 2>"$path.log" ||
        { cat "$path.log" >&2; return 1; }
    chmod 600 "$path.key"
}

# The servers' time zone is not UTC, to find code that forgets that Cinder's times are in UTC.
# The settings are in the data folders: a copy of one starts with the same settings:
#   mariadbd --defaults-file=COPY/my.cnf --datadir=COPY --socket=SOCKET --port=PORT
#   $HEARTBEAT_TEST_MYSQLD, with the same options
#   postgres -D COPY -k SOCKET_DIR -p PORT
initialise_mariadb() {
    local data=$HEARTBEAT_TEST_DIR/data/mariadb
    "${as_server[@]}" mariadb-install-db --no-defaults --datadir="$data" \
        --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve
    cat >"$data/my.cnf" <<CNF
[mariadbd]
bind_address = 127.0.0.1
skip_name_resolve = on
max_connections = 300
innodb_buffer_pool_size = 64M
innodb_flush_log_at_trx_commit = 0
innodb_log_file_size = 16M
aria_pagecache_buffer_size = 8M
key_buffer_size = 8M
default_time_zone = '+05:45'
ssl_ca = $HEARTBEAT_TEST_DIR/tls/ca.pem
ssl_cert = $HEARTBEAT_TEST_DIR/tls/server.pem
ssl_key = $HEARTBEAT_TEST_DIR/tls/server.key
# Nodes of Galera that copy this folder to one another would need stunnel for TLS.
[sst]
ssl_mode = DISABLED
CNF
}

# A user whom a test creates is still there when it kills the server: unlike MariaDB's, MySQL's grants are in InnoDB.
initialise_mysql() {
    local data=$HEARTBEAT_TEST_DIR/data/mysql
    "${as_server[@]}" "$HEARTBEAT_TEST_MYSQLD" --no-defaults --datadir="$data" --initialize-insecure \
        --secure-file-priv=NULL --innodb-redo-log-capacity=16M
    cat >"$data/my.cnf" <<CNF
[mysqld]
bind_address = 127.0.0.1
skip_name_resolve = on
mysqlx = off
secure_file_priv = NULL
pid_file = mysqld.pid
disable_log_bin
max_connections = 300
innodb_buffer_pool_size = 64M
innodb_flush_log_at_trx_commit = 2
innodb_redo_log_capacity = 16M
default_time_zone = '+05:45'
ssl_ca = $HEARTBEAT_TEST_DIR/tls/ca.pem
ssl_cert = $HEARTBEAT_TEST_DIR/tls/server.pem
ssl_key = $HEARTBEAT_TEST_DIR/tls/server.key
CNF
}

initialise_postgres() {
    local data=$HEARTBEAT_TEST_DIR/data/postgres
    "${as_server[@]}" initdb --no-sync --no-locale --encoding=UTF8 --username=postgres --auth=trust -D "$data"
    cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 64MB
fsync = off
autovacuum = off
password_encryption = 'scram-sha-256'
timezone = 'Asia/Kathmandu'
ssl = on
ssl_ca_file = '$HEARTBEAT_TEST_DIR/tls/ca.pem'
ssl_cert_file = '$HEARTBEAT_TEST_DIR/tls/server.pem'
ssl_key_file = '$HEARTBEAT_TEST_DIR/tls/server.key'
CONF
    # The users heartbeat_tls and heartbeat_cert, if a test creates them, must use TLS.
    cat >"$data/pg_hba.conf" <<HBA
local   all all                          trust
host    all postgres        127.0.0.1/32 trust
hostssl all heartbeat_tls   127.0.0.1/32 scram-sha-256
hostssl all heartbeat_cert  127.0.0.1/32 cert
host    all heartbeat_tls   127.0.0.1/32 reject
host    all heartbeat_cert  127.0.0.1/32 reject
host    all all             127.0.0.1/32 scram-sha-256
HBA
}

# Starts the servers and waits until they answer.
launch_servers() {
    local dir=$HEARTBEAT_TEST_DIR data=$HEARTBEAT_TEST_DIR/data
    "${as_server[@]}" mariadbd --defaults-file="$data/mariadb/my.cnf" --datadir="$data/mariadb" \
        --port="$mariadb_port" --socket="$HEARTBEAT_TEST_MARIADB_SOCKET" >>"$dir/log/mariadbd" 2>&1 &
    mariadb_pid=$!
    if [ -n "${HEARTBEAT_TEST_MYSQLD:-}" ]; then
        "${as_server[@]}" "$HEARTBEAT_TEST_MYSQLD" --defaults-file="$data/mysql/my.cnf" --datadir="$data/mysql" \
            --port="$mysql_port" --socket="$HEARTBEAT_TEST_MYSQL_SOCKET" >>"$dir/log/mysqld" 2>&1 &
        mysql_pid=$!
    fi
    "${as_server[@]}" postgres -D "$data/postgres" -p "$postgres_port" \
        -k "$HEARTBEAT_TEST_POSTGRES_SOCKET_DIR" >>"$dir/log/postgres" 2>&1 &
    postgres_pid=$!
    wait_until "$mariadb_pid" "$dir/log/mariadbd" on_mariadb 'SELECT 1'
    [ -z "$mysql_pid" ] || wait_until "$mysql_pid" "$dir/log/mysqld" on_mysql 'SELECT 1'
    wait_until "$postgres_pid" "$dir/log/postgres" pg_isready -q -h 127.0.0.1 -p "$postgres_port"
}

# Waits until a command succeeds; fails with the log $2 when the process $1 has ended or 60 s have passed.
wait_until() {
    local pid=$1 log=$2 deadline=$((SECONDS + 60))
    shift 2
    until "$@" >>"$log" 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            echo "a server did not start:" >&2
            tail -n 30 "$log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# Stops the running servers: with a clean shutdown, and after 20 s by force.
halt_servers() {
    local pid
    [ -z "$mariadb_pid" ] || kill -TERM "$mariadb_pid" 2>/dev/null || true
    [ -z "$mysql_pid" ] || kill -TERM "$mysql_pid" 2>/dev/null || true
    [ -z "$postgres_pid" ] || kill -INT "$postgres_pid" 2>/dev/null || true
    for pid in $mariadb_pid $mysql_pid $postgres_pid; do
        timeout 20 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    mariadb_pid=
    mysql_pid=
    postgres_pid=
}

on_mariadb() {
    mariadb --no-defaults --user=root --socket="$HEARTBEAT_TEST_MARIADB_SOCKET" --execute "$1"
}

# By the socket: the client can't log in otherwise, without TLS, before MySQL has the password in its cache.
on_mysql() {
    mariadb --no-defaults --user=root --socket="$HEARTBEAT_TEST_MYSQL_SOCKET" --execute "$1"
}

sync_mariadb() {
    # An anonymous user would take precedence over any user with another host name.
    on_mariadb "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES;
        CREATE DATABASE cinder_template; CREATE DATABASE manila_template;
        CREATE DATABASE ironic_template; CREATE DATABASE heat_template"
    sync_projects mariadb "mysql+pymysql://root@127.0.0.1:$mariadb_port"
}

sync_mysql() {
    on_mysql "CREATE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
        CREATE DATABASE cinder_template; CREATE DATABASE manila_template;
        CREATE DATABASE ironic_template; CREATE DATABASE heat_template"
    sync_projects mysql "mysql+pymysql://root@127.0.0.1:$mysql_port"
}

sync_postgres() {
    createdb -h 127.0.0.1 -p "$postgres_port" -U postgres cinder_template
    createdb -h 127.0.0.1 -p "$postgres_port" -U postgres manila_template
    createdb -h 127.0.0.1 -p "$postgres_port" -U postgres ironic_template
    createdb -h 127.0.0.1 -p "$postgres_port" -U postgres heat_template
    sync_projects postgres "postgresql+psycopg2://postgres@127.0.0.1:$postgres_port"
}

sync_sqlite() {
    sync cinder "$HEARTBEAT_TEST_PYTHON" sqlite "sqlite:///$HEARTBEAT_TEST_SQLITE" cinder-manage db sync
}

# Lets all projects create their tables on the server $1 with the URL $2.
sync_projects() {
    sync cinder "$HEARTBEAT_TEST_PYTHON" "$1" "$2/cinder_template" cinder-manage db sync
    sync manila "$HEARTBEAT_TEST_MANILA" "$1" "$2/manila_template" manila-manage db sync
    sync ironic "$HEARTBEAT_TEST_IRONIC" "$1" "$2/ironic_template" ironic-dbsync create_schema
    sync heat "$HEARTBEAT_TEST_HEAT" "$1" "$2/heat_template" heat-manage db_sync
}

# Lets the project $1, of the Python $2, create its tables on the server $3 in the database with the URL $4, by the
# program and the arguments after them.
sync() {
    local state=$HEARTBEAT_TEST_DIR/$1-$3
    mkdir "$state"
    cat >"$state/$1.conf" <<CONF
[DEFAULT]
state_path = $state
use_stderr = true
[database]
connection = $4
[oslo_concurrency]
lock_path = $state
CONF
    "${2%/*}/$5" --config-file "$state/$1.conf" "${@:6}"
}
