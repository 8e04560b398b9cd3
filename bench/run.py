#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Measures smallOS and its peers side by side and prints one line a figure.

Every command measures one thing and prints lines `name value unit`. The commands of
one figure run in turn (ours, peer, peer, ours, ...) on one core, so that a slow
moment of the machine hits all of them, and each keeps its best run.

A missed bar is reported, not an error: a measurement is no test.
"""

import argparse
import fnmatch
import json
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 120


# ---- what is measured ----

@dataclass
class Command:
    """A command line; {build} and {python} are filled in. It runs in the project's
    root. `line` names the line to read if it is not the first one printed."""
    argv: str
    line: str = ""


@dataclass
class Peer:
    name: str
    command: Command
    ratio: float | None = None      # the bar for ours / peer; None: for comparison only


@dataclass
class Figure:
    name: str
    unit: str
    ours: Command
    peers: list[Peer] = field(default_factory=list)
    bar: float | None = None        # the bar for our own value
    more_is_better: bool = False
    runs: int | None = None         # for what does not vary between runs
    cores: int = 1


def ours(arguments):
    return Command("{build}/bench/bench_smallos " + arguments)


def cxx20(arguments, ratio=None, name="cxx20"):
    return Peer(name, Command("{build}/bench/peer_cxx20 " + arguments), ratio)


def epoll(arguments, ratio=None):
    return Peer("epoll", Command("{build}/bench/peer_epoll " + arguments), ratio)


def libuv(arguments, name="libuv"):
    return Peer(name, Command("{build}/bench/peer_libuv " + arguments))


def asyncio(arguments):
    return Peer("asyncio", Command("{python} bench/peer_asyncio.py " + arguments))


def ours_redis(arguments):
    return Command("{build}/bench/bench_redis " + arguments + " {redis}")


def hiredis(arguments, ratio=None):
    return Peer("hiredis", Command("{build}/bench/peer_hiredis " + arguments + " {redis}"), ratio)


def mqtt(arguments, ratio):
    """Ours and libmosquitto's publishing."""
    return (Command("{build}/bench/bench_mqtt " + arguments + " {mqtt}"),
            [Peer("libmosquitto",
                  Command("{build}/bench/peer_mosquitto " + arguments + " {mqtt}"), ratio)])


def ours_websocket(arguments=""):
    return Command("{build}/bench/bench_websocket " + arguments + " {websocket}")


def libwebsockets(arguments="", ratio=None):
    return Peer("libwebsockets",
                Command("{build}/bench/peer_libwebsockets " + arguments + " {websocket}"), ratio)


def http(mode, connections, requests):
    return Command(f"{{build}}/bench/bench_http {mode} http://127.0.0.1:{{http}}/1k "
                   f"{connections} {requests}")


def curl(connections, requests, ratio):
    return Peer("libcurl", Command(f"{{build}}/bench/peer_curl get http://127.0.0.1:{{http}}/1k "
                                   f"{connections} {requests}"), ratio)


SECURE = "https://localhost:{https}/1k 50 {requests} /tmp/smallos-http-{http}/cert.pem"


def https(mode, requests):
    return Command(f"{{build}}/bench/bench_http {mode} " + SECURE.replace("{requests}", requests))


def curl_tls(mode, requests, ratio):
    return Peer("libcurl", Command(f"{{build}}/bench/peer_curl {mode} " +
                                   SECURE.replace("{requests}", requests)), ratio)


FIGURES = [
    Figure("switch-2", "ns", ours("switch 2"),
           [cxx20("switch 2", 1.35), asyncio("switch 2")]),
    Figure("switch-1000", "ns", ours("switch 1000"),
           [cxx20("switch 1000", 1.35), asyncio("switch 1000")]),
    Figure("spawn", "ns", ours("spawn"),
           [cxx20("spawn", 1.0), cxx20("spawn-freelist", name="cxx20-freelist"),
            asyncio("spawn")],
           bar=45),
    Figure("memory", "bytes", ours("memory"),
           [cxx20("memory"), cxx20("memory-asleep", name="cxx20-asleep"), asyncio("memory")],
           bar=160, runs=3),
    Figure("sleepers", "s", ours("sleepers"),
           [cxx20("sleepers", 0.45), cxx20("sleepers-tuned", name="cxx20-tuned"),
            cxx20("sleepers-wheel", name="cxx20-wheel"), libuv("sleepers"),
            asyncio("sleepers")]),
    Figure("sleepers-ms", "s", ours("sleepers-ms"),
           [cxx20("sleepers", 0.45), cxx20("sleepers-tuned", name="cxx20-tuned"),
            cxx20("sleepers-wheel", name="cxx20-wheel")]),
    Figure("pairs-1", "/s", ours("pairs 1"),
           [epoll("pairs 1", 0.9), libuv("pairs 1"), libuv("pairs-stream 1", "libuv-stream"),
            asyncio("pairs 1")],
           more_is_better=True),
    Figure("pairs-1000", "/s", ours("pairs 1000"),
           [epoll("pairs 1000", 1.0), libuv("pairs 1000"),
            libuv("pairs-stream 1000", "libuv-stream"), asyncio("pairs 1000")],
           more_is_better=True),

    Figure("wake-timer", "steps", ours("wake-timer"), bar=2),
    Figure("wake-socket", "steps", ours("wake-socket"), bar=2),
    Figure("wake-signal", "steps", ours("wake-signal"), bar=2),
    Figure("wake-timer-epoll", "steps", ours("wake-timer --kernel epoll"), bar=8),
    Figure("wake-socket-epoll", "steps", ours("wake-socket --kernel epoll"), bar=8),
    Figure("wake-signal-epoll", "steps", ours("wake-signal --kernel epoll"), bar=8),

    Figure("redis-one", "/s", ours_redis("one"), [hiredis("one", 1.0)], more_is_better=True),
    Figure("redis-many", "/s", ours_redis("many"), [hiredis("many", 1.4)], more_is_better=True),
    Figure("redis-pipeline", "/s", ours_redis("pipeline"), [hiredis("pipeline", 1.0)],
           more_is_better=True),

    Figure("mqtt-qos0", "/s", *mqtt("qos0", 1.0), more_is_better=True),
    Figure("mqtt-qos1", "/s", *mqtt("qos1", 1.5), more_is_better=True),
    Figure("mqtt-qos1-one", "/s", *mqtt("one", 1.0), more_is_better=True),

    Figure("http", "/s", http("get", 50, 100000),
           [curl(50, 50000, 1.5),
            Peer("wrk", Command("{python} bench/peer_wrk.py http://127.0.0.1:{http}/1k 50"), 0.9)],
           more_is_better=True),
    Figure("https", "/s", https("get", "50000"), [curl_tls("get", "50000", 0.9)],
           more_is_better=True),
    Figure("https-resumed", "/s", https("new", "3000"), [curl_tls("new", "3000", 0.9)],
           more_is_better=True, runs=3),
    *[Figure(f"http-cpu-{count}", "us", http("cpu", count, 100000),
             [Peer("10 connections", http("cpu", 10, 100000), 1.5)], runs=3)
      for count in (100, 1000, 10000)],
    Figure("idle-connections", "bytes", http("idle", 10000, 0), bar=1024, runs=1),
    Figure("websocket", "ns", ours_websocket(), [libwebsockets(ratio=1.0)]),

    Figure("m3-flash-full", "bytes", Command("{python} bench/board.py flash-full"),
           bar=8192, runs=1),
    Figure("m3-flash-minimal", "bytes", Command("{python} bench/board.py flash-minimal"),
           bar=4096, runs=1),
    Figure("m3-task-ram", "bytes", Command("{python} bench/board.py task-ram"),
           bar=104, runs=1),
    Figure("m3-yield-O2", "instructions", Command("{python} bench/board.py yield-O2"),
           bar=51, runs=1),
    Figure("m3-yield-Os", "instructions", Command("{python} bench/board.py yield-Os"),
           bar=56, runs=1),
]


# ---- measuring ----

class Skip(Exception):
    """Why a command gives no value."""


class Server:
    """A server on a core of its own, for as long as the measurements that need it. Of `argv`
    {port} is filled in."""

    def __init__(self, argv):
        self.argv = shlex.split(argv)
        self.process = None
        self.port = 0

    def start(self, core):
        if self.process is not None or not shutil.which(self.argv[0]):
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        others = os.sched_getaffinity(0) - {core} or {core}
        self.process = subprocess.Popen(
            [word.format(port=self.port) for word in self.argv], cwd=ROOT,
            stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, others))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.01)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


SERVERS = {
    "redis": Server("redis-server --port {port} --bind 127.0.0.1 --save ''"),
    "mqtt": Server("mosquitto -p {port}"),
    "http": Server("sh bench/http_server.sh {port}"),
    "websocket": Server("node bench/websocket_server.js {port}"),
}


class Contestant:
    """One command of a figure and the values of its runs."""

    def __init__(self, command, figure, build):
        self.command = command
        self.figure = figure
        ports = {name: server.port for name, server in SERVERS.items()}
        ports["https"] = ports["http"] + 1
        self.argv = [word.format(build=build, python=sys.executable, **ports)
                     for word in command.argv.split()]
        self.values = []
        self.skipped = self.missing()

    def missing(self):
        program = self.argv[1] if self.argv[0] == sys.executable else self.argv[0]
        if "/" in program and not (ROOT / program).is_file():
            return f"{os.path.relpath(ROOT / program, ROOT)} is not there"
        if "/" not in program and not shutil.which(program):
            return f"{program} is not installed"
        return ""

    def run(self, core):
        if self.skipped:
            return
        try:
            self.values.append(self.measure(core))
        except Skip as why:
            self.skipped = str(why)

    def measure(self, core):
        def pin():
            os.sched_setaffinity(0, {core})
        try:
            done = subprocess.run(self.argv, cwd=ROOT, capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False,
                                  preexec_fn=pin if self.figure.cores == 1 else None)
        except subprocess.TimeoutExpired:
            raise Skip(f"took more than {TIMEOUT_S} s") from None
        except OSError as error:
            raise Skip(f"cannot be run: {error.strerror}") from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise Skip(f"exit status {done.returncode}" + (f": {said[-1]}" if said else ""))
        return self.parse(done.stdout)

    def parse(self, output):
        for words in map(str.split, output.splitlines()):
            if len(words) != 3 or self.command.line not in ("", words[0]):
                continue
            if words[2] != self.figure.unit:
                raise Skip(f"prints {words[2]}, not {self.figure.unit}")
            try:
                return float(words[1])
            except ValueError:
                continue
        wanted = self.command.line or "name"
        raise Skip(f"printed no line `{wanted} value {self.figure.unit}`")

    @property
    def value(self):
        # what failed in one of its runs is not to be trusted in the others
        if self.skipped or not self.values:
            return None
        return (max if self.figure.more_is_better else min)(self.values)


def judge(value, bar, figure):
    """Whether the bar is met; None where there is nothing to compare."""
    if value is None or bar is None:
        return None
    return value >= bar if figure.more_is_better else value <= bar


def measure(figure, build, runs, core):
    for name, server in SERVERS.items():
        if f"{{{name}}}" in figure.ours.argv:
            server.start(core)
    own = Contestant(figure.ours, figure, build)
    peers = [Contestant(peer.command, figure, build) for peer in figure.peers]
    for _ in range(min(runs, figure.runs or runs)):
        for contestant in [own, *peers]:
            contestant.run(core)

    result = {"name": figure.name, "unit": figure.unit,
              "better": "more" if figure.more_is_better else "less",
              **report(own), "bar": figure.bar,
              "met": judge(own.value, figure.bar, figure), "peers": []}
    for peer, contestant in zip(figure.peers, peers):
        ratio = own.value / contestant.value if own.value is not None and contestant.value else None
        result["peers"].append({"name": peer.name, **report(contestant), "ratio": ratio,
                                "bar": peer.ratio, "met": judge(ratio, peer.ratio, figure)})
    return result


def report(contestant):
    return {"value": contestant.value, "skipped": contestant.skipped or None,
            "runs": contestant.values, "command": contestant.command.argv}


# ---- printing ----

def number(value):
    return f"{value:.0f}" if value == int(value) or value >= 10000 else f"{value:.4g}"


def value_text(result, unit):
    return f"skipped: {result['skipped']}" if result["skipped"] else \
        f"{number(result['value'])} {unit}"


def bar_text(result, better):
    if result["bar"] is None:
        return ""
    sign = ">=" if better == "more" else "<="
    verdict = {True: " met", False: " MISSED", None: ""}[result["met"]]
    return f" (bar {sign} {number(result['bar'])}{verdict})"


def line_of(figure):
    better = figure["better"]
    parts = [f"{figure['name']} {value_text(figure, figure['unit'])}{bar_text(figure, better)}"]
    for peer in figure["peers"]:
        text = f"{peer['name']} {value_text(peer, figure['unit'])}"
        if peer["ratio"] is not None:
            text += f" ratio {peer['ratio']:.3g}"
        parts.append(text + bar_text(peer, better))
    return "  | ".join(parts)


def summary(results):
    verdicts = [judged["met"] for figure in results for judged in [figure, *figure["peers"]]
                if judged["bar"] is not None]
    return (f"# bars: {verdicts.count(True)} met, {verdicts.count(False)} missed, "
            f"{verdicts.count(None)} not measured")


def cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description="Measure smallOS and its peers.")
    parser.add_argument("--build", default="build/release", help="the release build")
    parser.add_argument("--out", default="build/bench.json", help="where the JSON goes")
    parser.add_argument("--runs", type=int, default=15, help="runs of each command")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="only figures of this name, beginning or pattern; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the figures and stop")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be at least 1")

    figures = [f for f in FIGURES if not options.only or
               any(f.name.startswith(o) or fnmatch.fnmatch(f.name, o) for o in options.only)]
    if not figures:
        parser.error("no such figure; --list shows them")
    if options.list:
        print("\n".join(f.name for f in figures))
        return

    # given relative to where the command was typed, used from the root
    build = Path(options.build).resolve()
    out = Path(options.out).resolve()
    core = max(os.sched_getaffinity(0))
    machine = {"cpu": cpu_model(), "kernel": platform.release(), "core": core}
    print(f"# {machine['cpu']}, Linux {machine['kernel']}, core {core}, "
          f"best of {options.runs} interleaved runs; ratio = smallOS / peer", flush=True)

    results = []
    try:
        for figure in figures:
            results.append(measure(figure, build, options.runs, core))
            print(line_of(results[-1]), flush=True)
    finally:
        for server in SERVERS.values():
            server.stop()
    print(summary(results))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": machine, "runs": options.runs, "figures": results},
                              indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
