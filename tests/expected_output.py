#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""expected_output.py FILE COMMAND...: the command must end with 0 and print what FILE holds, if
there is such a file."""
import difflib
import os
import subprocess
import sys

file, command = sys.argv[1], sys.argv[2:]
try:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100,
                          stdin=subprocess.DEVNULL)
except subprocess.TimeoutExpired as late:
    sys.exit(f"still running after 100 s; printed:\n{late.stdout}\n{late.stderr}")
output = done.stdout.replace("\r\n", "\n")
if done.returncode != 0:
    sys.exit(f"ended with {done.returncode}; printed:\n{output}\n{done.stderr}")
if os.path.exists(file):
    with open(file, encoding="utf-8") as expected:
        difference = "".join(difflib.unified_diff(
            expected.read().splitlines(True), output.splitlines(True), file, "printed"))
    if difference:
        sys.exit(difference)
