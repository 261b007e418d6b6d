# shellcheck shell=bash
# Servers newer than Debian 12's: packages of later suites of Debian, unpacked into target/tests/newer. Nothing is
# installed on the machine. Scripts that set $root source this file.
# shellcheck disable=SC2154

newer=$root/target/tests/newer

# Unpacks packages into the folder $newer/$1, unless they are there. $2 is the suite of Debian; suites move on, so the
# versions are those of the day. Prints the reason and returns 1 where that is impossible.
unpack_newer() {
    local folder=$newer/$1 suite=$2 mirror log=$newer/$1.log
    shift 2
    [ ! -e "$folder.complete" ] || return 0
    mkdir -p "$newer"
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        echo "apt has no mirror of Debian"
        return 1
    fi
    rm -rf "$folder"
    # Nothing in these packages is run as root, and no rights are needed.
    if ! mmdebstrap --mode=chrootless --variant=extract --include="$*" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
        "$suite" "$folder" "$mirror" >"$log" 2>&1; then
        echo "$* of Debian $suite can't be unpacked: $(grep '^E:' "$log" | head -n 1)"
        rm -rf "$folder"
        return 1
    fi
    touch "$folder.complete"
}

# Prints the address of Debian's mirror in apt's own sources; nothing on another distribution.
debian_mirror() {
    # shellcheck disable=SC2016 # apt expands them
    apt-get indextargets --format '$(SITE) $(ORIGIN)/$(LABEL)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's, Debian/Debian$,,p' | head -n 1
}

# Writes a command $1 that runs the server of the unpacked MySQL in $2: that needs newer libraries than the machine's.
wrap_mysqld() {
    local loader libraries
    loader=$(find "$2"/usr/lib* -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
    libraries=$(dirname "$(find "$2/usr/lib" -name libc.so.6)")
    cat >"$1" <<SH
#!/bin/sh
exec '$loader' --library-path '$libraries' '$2/usr/sbin/mysqld' "\$@" --basedir='$2/usr'
SH
    chmod 755 "$1"
}
