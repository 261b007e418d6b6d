# shellcheck shell=bash
# What tests/dockerfile and tests/packages have in common. To be sourced; what is set there is $temporary, a folder, and
# $port, the exporter's.
# shellcheck disable=SC2154

# Runs this script again as root in a mount namespace of its own, with the arguments `--inside` and those given, so
# that no mount outlives it whatever happens. Returns 1 where that is refused.
run_inside() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo --preserve-env)
    "${as_root[@]}" unshare --mount true 2>/dev/null || return 1
    exec "${as_root[@]}" unshare --mount "$0" --inside "$@"
}

free_port() {
    python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# Waits until the exporter answers at the path $1 of the port $port with something that has a line like $2; fails
# when the command from $4 on does, and after 60 s, and then shows the log $3.
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
