#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo_redis.py PROGRAM: the tool that talks to Redis, against a redis-server: it prints what redis-cli
prints, and its exit status."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "REDIS_PASSWORD"}
COMMANDS = [
    ["ping"], ["set", "a", "text"], ["get", "a"], ["get", "none"], ["strlen", "a"], ["incr", "a"],
    ["nosuch", "command"], ["set", "b", 'quotes " and \\ \n \t \x01'], ["get", "b"],
    ["rpush", "list", *"abcdefghijkl"], ["lrange", "list", "0", "-1"], ["lrange", "none", "0", "-1"],
    ["hset", "h", "one", "1"], ["hgetall", "h"], ["hgetall", "none"], ["sadd", "s", "x"],
    ["smembers", "s"], ["zadd", "z", "1.5", "x", "2", "y"], ["zrange", "z", "0", "-1", "withscores"],
    ["zscore", "z", "x"], ["eval", "return {1,{2,{3,'x'}},{},'y'}", "0"],
    ["eval", "redis.setresp(3) return {map={a=1}}", "0"], ["echo", ""],
]
CHANGING = ("rpush", "hset", "sadd", "zadd")  # they answer otherwise the second time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run(*words, **how):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False,
                          env=ENVIRONMENT, **how)


def check(condition, what, done):
    if not condition:
        sys.exit(f"{what}: {done.returncode}\n{done.stdout}\n{done.stderr}")


def it_prints_what_redis_cli_prints(port):
    if not shutil.which("redis-cli"):
        return
    for raw, ours, theirs in (("--raw", "", "-3"), ("--no-raw", "", "-3"),
                              ("--no-raw", "-2", "-2")):
        for command in COMMANDS:
            done = run(raw, *filter(None, [ours]), "-p", port, *command)
            if command[0] in CHANGING:
                continue
            expected = subprocess.run(["redis-cli", raw, theirs, "-p", port, *command],
                                      capture_output=True, text=True, timeout=60, check=False).stdout
            check(done.stdout.rstrip("\n") == expected.rstrip("\n"),
                  f"{raw} {theirs} {command}: expected\n{expected}", done)
            check(done.stderr == "", "something on the standard error", done)


def the_exit_status_says_how_it_went(port):
    check(run("-p", port, "ping").returncode == 0, "ping", run("-p", port, "ping"))
    done = run("-p", port, "nosuch")
    check(done.returncode == 1 and done.stdout.startswith("ERR unknown command"), "an error", done)
    done = run("-p", free_port(), "ping")
    check(done.returncode == 1 and "connection refused" in done.stderr, "no server", done)
    done = run("-u", f"redis://somebody:wrong@127.0.0.1:{port}/", "ping")
    check(done.returncode == 1 and "WRONGPASS" in done.stderr, "a wrong password", done)
    done = run("-p", port, "--timeout", "0.1", "blpop", "none", "0")
    check(done.returncode == 1 and "deadline" in done.stderr, "a time-out", done)
    done = run("-c", "-p", port, "get", "a")
    check(done.returncode == 1 and "cluster" in done.stderr, "no cluster", done)
    for words in ([], ["subscribe"], ["-p", "x", "ping"], ["-p", "65536", "ping"], ["-n", "-1", "ping"],
                  ["-u", "http://x/", "ping"], ["-u", "redis://x/y", "ping"], ["-m", "0", "ping"],
                  ["--nonsense", "ping"], ["-c", "subscribe", "a"], ["--timeout", "-1", "ping"]):
        done = run(*words)
        check(done.returncode == 2 and "usage: " in done.stderr, f"not refused: {words}", done)
    done = run("--help")
    check(done.returncode == 0 and done.stdout.startswith("usage: "), "--help", done)


def messages_are_printed(port):
    reader = subprocess.Popen([PROGRAM, "-p", port, "-m", "2", "subscribe", "news"], text=True,
                              stdout=subprocess.PIPE, env=ENVIRONMENT)
    for text in ("one", "two"):
        while run("-p", port, "publish", "news", text).stdout != "1\n":
            time.sleep(0.01)
    out, _ = reader.communicate(timeout=60)
    if out != "message\nnews\none\nmessage\nnews\ntwo\n" or reader.returncode != 0:
        sys.exit(f"messages: {reader.returncode}\n{out}")


def databases_and_sockets(port, folder):
    url = f"redis://127.0.0.1:{port}/3"
    run("-u", url, "set", "where", "three")
    done = run("-n", "3", "-s", f"{folder}/socket", "get", "where")
    check(done.stdout == "three\n", "a database over a local socket", done)


def main():
    if not shutil.which("redis-server"):
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                                   "--dir", folder, "--unixsocket", f"{folder}/socket"],
                                  stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while run("-p", port, "ping").returncode != 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            it_prints_what_redis_cli_prints(port)
            the_exit_status_says_how_it_went(port)
            messages_are_printed(port)
            databases_and_sockets(port, folder)
        finally:
            server.terminate()
            server.wait()


main()
