#!/usr/bin/env python3
"""Counts the instructions that a poll takes for each service, by callgrind, and compares them with those stored.

    benches/instructions.py              fails where one differs by more than 3 % from instructions.json
    benches/instructions.py --update     stores what is counted

It is no timer: the figures are the same on a busy machine. They are those of the release build, by the version of
Rust that is stored with them; another version makes other code, and is only reported. Needs valgrind.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
STORED = HERE / "instructions.json"
TOLERANCE = 0.03
SERVICES, FEW, MANY = 200, 10, 30
WHAT = ("decode", "track", "render", "compress")


def main():
    update = sys.argv[1:] == ["--update"]
    if sys.argv[1:] and not update:
        sys.exit(__doc__)
    program = build()
    counts = {what: round(each_row(program, what)) for what in WHAT}
    # A picture is rendered of what was tracked.
    counts["render"] -= counts["track"]
    counts["compress"] -= counts["track"]
    counted = {"rustc": rustc(), "instructions": counts}
    if update:
        STORED.write_text(json.dumps(counted, indent=1) + "\n")
    stored = json.loads(STORED.read_text())
    comparable = stored["rustc"] == counted["rustc"]
    failed = False
    for what, count in counts.items():
        expected = stored["instructions"][what]
        change = count / expected - 1
        differs = abs(change) > TOLERANCE
        print(f"{what}: {count} instructions a service and poll, {change:+.1%} of {expected}{' !' if differs else ''}")
        failed |= differs
    if failed and comparable:
        sys.exit("more than 3 % off: find out why; if it is meant, store it with benches/instructions.py --update")
    if failed:
        print(f"not comparable: stored by {stored['rustc']}, counted by {counted['rustc']}")


def build():
    """Builds the program that does the work, and returns where it is."""
    command = ["cargo", "build", "--locked", "--quiet", "--release", "--example", "instructions"]
    subprocess.run(command, cwd=HERE.parent, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    return target / "release" / "examples" / "instructions"


def rustc():
    return subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()


def each_row(program, what):
    """Returns the instructions of a poll for each service."""
    # SQLite's driver has a thread of its own, and the two wait for each other now and then: the least counts.
    runs = 7 if what == "decode" else 1
    few, many = (min(total(program, what, polls) for _ in range(runs)) for polls in (FEW, MANY))
    return (many - few) / (MANY - FEW) / SERVICES


def total(program, what, polls):
    with tempfile.TemporaryDirectory(prefix="heartbeat-instructions.") as folder:
        # Without addresses and variables of this machine, which move a count by a little.
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program]
        done = subprocess.run(
            [*command, what, str(SERVICES), str(polls)],
            capture_output=True, text=True, env={"PATH": os.environ["PATH"], "TMPDIR": folder},
        )
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or not found:
            sys.exit(f"{what}: exit code {done.returncode}\n{done.stderr}")
        return int(found[1])


if __name__ == "__main__":
    main()
