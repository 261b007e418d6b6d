# shellcheck shell=bash
# Functions of tests/dockerfile and tests/packages, which source this file. They set $temporary, a folder, and $port,
# the exporter's.
# shellcheck disable=SC2154

# Runs this script again as root in its own mount namespace, with `--inside` before the given arguments: no mount
# outlives it. Returns 1 if the system refuses the namespace.
run_inside() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo --preserve-env)
    "${as_root[@]}" unshare --mount true 2>/dev/null || return 1
    exec "${as_root[@]}" unshare --mount "$0" --inside "$@"
}

free_port() {
    python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# Waits until the exporter answers the path $1 on the port $port with a line that matches $2. Fails with the log $3
# when the command from $4 on fails, or after 60 s.
answers() {
    local deadline=$((SECONDS + 60))
    until curl --silent --fail --output "$temporary/answer" "http://127.0.0.1:$port$1" &&
        grep --quiet "$2" "$temporary/answer"; do
        "${@:4}" || fail "the exporter ended" "$3"
        [ "$SECONDS" -lt "$deadline" ] || fail "no answer from $1 like $2" "$3"
        sleep 0.1
    done
}

# Runs a command and shows its output only when it fails.
quietly() {
    "$@" >"$temporary/log" 2>&1 || fail "$1 $2 failed" "$temporary/log"
}

expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"
}

fail() {
    echo "${0##*/}: $1" >&2
    [ -z "${2:-}" ] || tail -n 40 "$2" >&2
    exit 1
}
