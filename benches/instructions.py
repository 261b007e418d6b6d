#!/usr/bin/env python3
"""Counts the instructions that a poll takes for each service, with callgrind, and compares them with stored counts.

    benches/instructions.py              fails where a count exceeds that of instructions.json by more than 10 %
    benches/instructions.py --accept     stores the counts

Counts do not depend on the load of the machine. They are those of the release build, by the version of Rust that is
stored with them. Another version compiles to other code, so there a higher count is only reported. Needs valgrind.
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
TOLERANCE = 0.10
SERVICES, FEW, MANY = 200, 10, 30
ACCEPT = "find the cause, then accept the new counts with benches/instructions.py --accept"
WHAT = ("decode", "track", "render", "compress")


def main():
    accept = sys.argv[1:] == ["--accept"]
    if sys.argv[1:] and not accept:
        sys.exit(__doc__)
    program = build()
    counts = {what: round(each_row(program, what)) for what in WHAT}
    # Rendering and compressing start with tracking.
    counts["render"] -= counts["track"]
    counts["compress"] -= counts["track"]
    counted = {"rustc": rustc(), "instructions": counts}
    if accept:
        STORED.write_text(json.dumps(counted, indent=1) + "\n")
    stored = json.loads(STORED.read_text())
    changes = {what: count / stored["instructions"][what] - 1 for what, count in counts.items()}
    for what, change in changes.items():
        print(f"{what}: {counts[what]} instructions a service and poll, {change:+.1%}")
    if max(changes.values()) > TOLERANCE:
        if stored["rustc"] == counted["rustc"]:
            sys.exit(f"more than {TOLERANCE:.0%} above the stored count: {ACCEPT}")
        print(f"not comparable: stored by {stored['rustc']}, counted by {counted['rustc']}")
    elif min(changes.values()) < -TOLERANCE:
        print(f"more than {TOLERANCE:.0%} below the stored count: {ACCEPT}")


def build():
    """Builds the program whose instructions are counted, and returns its path."""
    command = ["cargo", "build", "--locked", "--quiet", "--release", "--example", "instructions"]
    subprocess.run(command, cwd=HERE.parent, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    return target / "release" / "examples" / "instructions"


def rustc():
    return subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()


def each_row(program, what):
    """Returns the instructions of a poll for each service."""
    # SQLite's driver runs in a second thread. The two sometimes wait for each other, so the lowest total is used.
    runs = 7 if what == "decode" else 1
    few, many = (min(total(program, what, polls) for _ in range(runs)) for polls in (FEW, MANY))
    return (many - few) / (MANY - FEW) / SERVICES


def total(program, what, polls):
    with tempfile.TemporaryDirectory(prefix="heartbeat-instructions.") as folder:
        # This machine's paths and variables would change the counts slightly.
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
