#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs what must fail, and checks that it fails for the reason its source names.

expect.py compile gcc|clang SOURCE COMPILER FLAG...   every error must match an expectation
expect.py trap SOURCE PROGRAM                         must abort, stderr must match them all

An expectation is a comment in the source: /* expect: regex */, for one compiler
/* expect(gcc): regex */.
"""
import os
import re
import signal
import subprocess
import sys


def expectations(source, family):
    with open(source, encoding="utf-8") as file:
        found = re.findall(r"/\*\s*expect(?:\((\w+)\))?:\s*(.*?)\s*\*/", file.read())
    found = [regex for who, regex in found if who in ("", family)]
    if not found:
        sys.exit(f"{source}: no expectation")
    return found


def fail(why, output):
    sys.exit(f"{why}\n--- output ---\n{output}")


def check_compile(family, source, command):
    wanted = expectations(source, family)
    command = [*command, "-c", "-o", os.devnull, source]
    done = subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode == 0:
        fail(f"{source} compiled, but must not", done.stderr)
    errors = [line for line in done.stderr.splitlines() if re.search(r"\berror: ", line)]
    for regex in wanted:
        if not any(re.search(regex, line) for line in errors):
            fail(f"no error matches: {regex}", done.stderr)
    for line in errors:
        if not any(re.search(regex, line) for regex in wanted):
            fail(f"an error that nobody expects: {line}", done.stderr)


def check_trap(source, program):
    wanted = expectations(source, "")
    try:
        done = subprocess.run([program], capture_output=True, text=True, timeout=50,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        fail("still running after 50 s", late.stderr)
    if done.returncode != -signal.SIGABRT:
        fail(f"must abort, but ended with {done.returncode}", done.stderr)
    for regex in wanted:
        if not re.search(regex, done.stderr):
            fail(f"stderr does not match: {regex}", done.stderr)


if sys.argv[1] == "compile":
    check_compile(sys.argv[2], sys.argv[3], sys.argv[4:])
else:
    check_trap(sys.argv[2], sys.argv[3])
