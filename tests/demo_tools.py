#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""demo_tools.py FOLDER: what the tools among the demos (in FOLDER) print, and how they end, against the
servers of tools/servers.py: in clear, with TLS, refused by TLS, called wrongly, with nobody there."""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parent.parent
NUMBERS = '{"numbers": [' + ", ".join(map(str, range(1000))) + "]}\n"


class Servers:
    """tools/servers.py with ports that nobody uses; `ports` as it prints them, by scheme."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as probe:  # theirs are below the ephemeral ones, and follow on it
            probe.bind(("127.0.0.1", 0))
            base = 10000 + probe.getsockname()[1] % 20 * 1000
        self.process = subprocess.Popen(
            [ROOT / "tools/servers.py", "--folder", self.folder.name, "--port", str(base)],
            stdout=subprocess.PIPE, text=True)
        self.ports = {}
        for line in self.process.stdout:
            self.ports.update(re.findall(r"(\w+)://[a-z0-9.]+:(\d+)", line))
            if "mqtts://" in line:
                break
        if not self.ports:
            sys.exit("the servers do not start")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.folder.cleanup()

    def url(self, scheme, path=""):
        host = "localhost" if scheme in ("https", "rediss", "mqtts", "wss") else "127.0.0.1"
        return f"{scheme}://{host}:{self.ports[scheme]}{path}"

    def cacert(self):
        return ["--cacert", self.folder.name + "/ca.pem"]


def run(tool, *words, status=0, output=None, error=""):
    done = subprocess.run([FOLDER / tool, *words], capture_output=True, text=True, timeout=60, check=False)
    said = f"{tool} {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    if done.returncode != status or (output is not None and done.stdout != output):
        sys.exit(said + (f"\nexpected {status}\n{output}" if output is not None else ""))
    if error.lower() not in done.stderr.lower():
        sys.exit(f"{said}\nexpected an error with: {error}")
    return done.stdout


def http(servers):
    run("http", servers.url("http", "/index.txt"), output="Hello from nginx.\n")
    run("http", servers.url("http", "/moved"), output="Hello from nginx.\n")
    run("http", *servers.cacert(), servers.url("https", "/data.json"), output=NUMBERS)
    run("http", "-X", "DELETE", servers.url("http", "/echo"), output="DELETE /echo\n")
    run("http", servers.url("http", "/none"), status=1)
    run("http", servers.url("https", "/data.json"), status=1, error="certificate")


def sse(servers):
    output = run("sse", "--count", "4", servers.url("http", "/three.events"))
    for number in (1, 2, 3):  # it comes back for the fourth
        if output.count(f"event {number}") != (2 if number == 1 else 1):
            sys.exit(f"sse: {output}")


def websocket(servers):
    for words in ([servers.url("ws", "/")], [*servers.cacert(), servers.url("wss", "/")]):
        with subprocess.Popen([FOLDER / "websocket", *words], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as tool:
            for line in ("one\n", "two\n"):
                tool.stdin.write(line)
                tool.stdin.flush()
                if tool.stdout.readline() != line:
                    sys.exit(f"websocket {words}: no echo")
            tool.stdin.close()  # which ends it
            if tool.wait(timeout=60) != 0:
                sys.exit(f"websocket {words}: {tool.returncode}")


def redis(servers):
    run("redis", "-u", servers.url("redis"), "SET", "key", "value", output="OK\n")
    run("redis", *servers.cacert(), "-u", servers.url("rediss"), "GET", "key", output="value\n")
    run("redis", "-u", servers.url("redis"), "NOSUCH", status=1)


def mqtt(servers):
    topic, url = "test/demo", servers.url("mqtt")
    run("mqtt", "pub", "-r", url, topic, "kept")
    if "kept" not in run("mqtt", "sub", "-c", "1", url, topic):
        sys.exit("mqtt sub: the retained message does not come")
    run("mqtt", "pub", "-q", "2", *servers.cacert(), servers.url("mqtts"), topic, "again")


def main():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        refused = {"http": [f"http://{dead}/"], "sse": [f"http://{dead}/"],
                   "websocket": [f"ws://{dead}/"], "redis": ["-u", f"redis://{dead}", "PING"],
                   "mqtt": ["pub", f"mqtt://{dead}", "a", "b"]}
        for tool, words in refused.items():
            run(tool, "--timeout", "10", *words, status=1, error="refused")
            run(tool, status=2, error="usage: ")
            run(tool, "--nonsense", *words, status=2, error="usage: ")
    with Servers() as servers:
        for test in (http, sse, websocket, redis, mqtt):
            test(servers)


if __name__ == "__main__":
    main()
