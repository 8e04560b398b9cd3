#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo_runtime.py PROGRAM: what the runtime demo promises beside running: the same run from the same
seed, its options, and a clean end on SIGINT and SIGTERM."""
import os
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])


def run(*words, **how):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=100, **how)


def check(condition, what, done=None):
    if not condition:
        sys.exit(f"{what}\n{done.stdout}\n{done.stderr}" if done else what)


def the_same_seed_gives_the_same_run():
    first, second, other = run("--seed", "7"), run("--seed", "7"), run("--seed=8")
    check(first.returncode == 0 and other.returncode == 0, "a simulated run failed", first)
    check(first.stdout == second.stdout, "one seed, two stories", second)
    check(first.stdout != other.stdout, "two seeds, one story", other)
    check(first.stderr == "", "something was reported", first)


def options():
    usage = run("--help")
    check(usage.returncode == 0 and usage.stdout.startswith("usage: "), "--help", usage)
    for words in (["--seed"], ["--seed", "x"], ["--seed", "-1"], ["--seed", "1x"], ["--seed", ""],
                  ["--kernel", "vms"], ["--sneed", "1"], ["word"], ["--seed", "1", "--kernel", "poll"]):
        done = run(*words)
        check(done.returncode == 2 and "usage: " in done.stderr, f"not refused: {words}", done)


def configuration(folder):
    path = f"{folder}/smallos.config.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"priority_levels": 2, "task_capacity": 100}')
    for words in (["--config", path], []):
        done = run("--seed", "1", *words, cwd=folder)
        check(done.returncode == 0 and "2 priority levels" in done.stdout, "configuration", done)
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"task_capacity": 0}')
    done = run("--seed", "1", cwd=folder)
    check(done.returncode == 1 and "task_capacity" in done.stderr, "a bad configuration", done)
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"task_capacity": 3}')
    done = run("--seed", "1", cwd=folder)
    check(done.returncode == 1 and "task_capacity" in done.stderr, "too few tasks", done)
    done = run("--config", f"{folder}/none.json")
    check(done.returncode == 1 and "none.json" in done.stderr, "no such configuration", done)


def kernels(folder):
    for kernel in ("epoll", "poll"):
        done = run("--kernel", kernel, cwd=folder)
        check(done.returncode == 0 and f"({kernel})" in done.stdout, kernel, done)


def signals(folder):
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen([PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              cwd=folder) as program:
            for line in program.stdout:
                if "beat" in line:
                    break
            begun = time.monotonic()
            program.send_signal(number)
            rest, errors = program.communicate(timeout=60)
        check(program.returncode == 0, f"after signal {number}: {program.returncode}\n{errors}")
        check("everybody cleans up" in rest and "canceled" in rest, f"no table after {number}: {rest}")
        check(time.monotonic() - begun < 30, "took long to end")


with tempfile.TemporaryDirectory() as empty:
    os.environ.pop("SMALLOS_KERNEL", None)
    the_same_seed_gives_the_same_run()
    options()
    configuration(empty)
with tempfile.TemporaryDirectory() as empty:
    kernels(empty)
    signals(empty)
