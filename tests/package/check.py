#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py BUILD SCRATCH: installs the build, moves the result elsewhere, and has a program use it
through its CMake package and through pkg-config."""
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
build, scratch = map(os.path.abspath, sys.argv[1:])


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout}")
    return done.stdout


shutil.rmtree(scratch, ignore_errors=True)
run("cmake", "--install", build, "--prefix", f"{scratch}/first")
os.rename(f"{scratch}/first", f"{scratch}/moved")

run("cmake", "-S", HERE, "-B", f"{scratch}/cmake", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={scratch}/moved")
run("cmake", "--build", f"{scratch}/cmake")
run(f"{scratch}/cmake/user")

pc = glob.glob(f"{scratch}/moved/**/smallos.pc", recursive=True)[0]
environment = {**os.environ, "PKG_CONFIG_PATH": os.path.dirname(pc)}
flags = run("pkg-config", "--cflags", "--libs", "smallos", env=environment).split()
run("gcc", f"{HERE}/user.c", "-o", f"{scratch}/user", *flags)
run(f"{scratch}/user")

for path in glob.glob(f"{scratch}/moved/**/*", recursive=True):
    if path.endswith((".cmake", ".pc", ".h")):
        with open(path, encoding="utf-8") as file:
            if scratch in file.read():
                sys.exit(f"{path} names the place it was installed to")
