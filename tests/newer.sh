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
        echo "apt knows no mirror of Debian (after apt-get update)"
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

# Makes an unpacked program runnable, which needs newer libraries than the machine's: a script in its place runs it with
# its own loader. $1 is the folder of unpack_newer, $2 the program in it; further arguments are added to the program's.
wrap_newer() {
    local folder=$newer/$1 program=$newer/$1/$2 loader libraries
    loader=$(find "$folder"/usr/lib* -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
    libraries=$(dirname "$(find "$folder/usr/lib" -name libc.so.6)")
    [ -e "$program.real" ] || mv "$program" "$program.real"
    shift 2
    printf '#!/bin/sh\nexec %s --library-path %s %s "$@" %s\n' \
        "${loader@Q}" "${libraries@Q}" "${program@Q}.real" "${*@Q}" >"$program"
    chmod 755 "$program"
}
