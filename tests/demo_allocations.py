#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo_allocations.py LIBRARY PROGRAM [WORD...]: runs a demo with each single one of its allocations
failing, by the preloaded LIBRARY. It must do its work all the same, or say what is wrong and end
with a status; never crash, never hang."""
import os
import subprocess
import sys
import tempfile

LIBRARY, WORDS = os.path.abspath(sys.argv[1]), [os.path.abspath(sys.argv[2]), *sys.argv[3:]]


def run(**environment):
    return subprocess.run(WORDS, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LD_PRELOAD": LIBRARY, **environment})


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/count"
        done = run(COUNT_ALLOCATIONS=path)
        if done.returncode != 0:
            sys.exit(f"fails without a failing allocation\n{done.stdout}\n{done.stderr}")
        with open(path, encoding="utf-8") as file:
            count = int(file.read())
    if count == 0:
        sys.exit("no allocation was counted")
    told = 0
    for number in range(1, count + 1):
        done = run(FAIL_ALLOCATION=str(number))
        # The simulation, which is a tool for tests, ends with a message and abort() itself.
        simulation = done.returncode == -6 and "sim: the machine is out of memory" in done.stderr
        if done.returncode not in (0, 1, 2) and not simulation:
            sys.exit(f"allocation {number} of {count}: status {done.returncode}\n{done.stderr}")
        if done.returncode != 0 and done.stdout.strip() == "" and done.stderr.strip() == "":
            sys.exit(f"allocation {number} of {count}: failed without a word")
        told += done.returncode != 0
    print(f"{count} allocations, {told} of them cannot be done without")


main()
