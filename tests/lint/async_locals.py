#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""async_locals.py ROOT: runs async_locals.query over every file with an async function.

--samples checks the rule itself: in tests/lint/samples exactly the lines that carry the comment
/* finding */ must be found.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = ["src", "ports", "demos", "bench", "tests", "fuzz"]
WRONG_ON_PURPOSE = ["tests/trap/", "tests/compile_fail/", "tests/lint/"]
MESSAGE = {
    "local": "a local variable in a block that holds an await; put it into the frame",
    "inner_switch": "an await inside a switch of the function's own; use if, or another function",
}


def query(root, files):
    """The findings in the files, as (path, line, what)."""
    program = shutil.which("clang-query") or shutil.which("clang-query-14")
    if not program:
        sys.exit("clang-query is missing (package clang-tools)")
    flags = ["-std=gnu11", "-w", "-DSOS_SOURCE_DIR=\"\""]
    flags += [f"-I{root}/{folder}" for folder in ("include", "src", "tests/support", "bench", "ports/bare",
                                                  "demos/tool")]
    done = subprocess.run([program, "-f", f"{HERE}/async_locals.query", *files, "--", *flags],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=root)
    output = done.stdout + done.stderr
    broken = [line for line in output.splitlines() if re.search(r"\berror: |^\d+:\d+: ", line)]
    if done.returncode != 0 or broken:
        sys.exit("clang-query could not read everything:\n" + output)
    pattern = re.compile(r'^(.+?):(\d+):\d+: note: "(\w+)" binds here', re.M)
    found = {(os.path.relpath(os.path.join(root, path), root), int(line), what)
             for path, line, what in pattern.findall(output) if what in MESSAGE}
    return sorted(found)


def async_files(root):
    for folder in FOLDERS:
        for path in sorted(glob.glob(f"{root}/{folder}/**/*.[ch]", recursive=True)):
            name = os.path.relpath(path, root)
            if name.startswith(tuple(WRONG_ON_PURPOSE)):
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                if re.search(r"\basync_begin\(", file.read()):
                    yield path


def check(root):
    files = list(async_files(root))
    found = query(root, files) if files else []
    for path, line, what in found:
        print(f"{path}:{line}: {MESSAGE[what]}")
    print(f"async_locals: {len(files)} files, {len(found)} findings")
    return not found


def check_samples(root):
    good = True
    files = sorted(glob.glob(f"{HERE}/samples/*.c"))
    found = {(path, line) for path, line, _ in query(root, files)}
    wanted = set()
    for path in files:
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if "/* finding */" in text:
                    wanted.add((os.path.relpath(path, root), number))
    for path, line in sorted(wanted - found):
        print(f"{path}:{line}: not found, but is one")
        good = False
    for path, line in sorted(found - wanted):
        print(f"{path}:{line}: found, but is none")
        good = False
    print(f"async_locals --samples: {len(files)} files, {len(wanted)} findings wanted")
    return good and len(wanted) > 0


samples = sys.argv[1] == "--samples"
top = os.path.abspath(sys.argv[-1])
sys.exit(0 if (check_samples(top) if samples else check(top)) else 1)
