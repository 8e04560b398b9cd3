#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo_mqtt.py PROGRAM: the MQTT tool against mosquitto: what it publishes and prints, and its exit
status."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)


def check(condition, what, done):
    if not condition:
        sys.exit(f"{what}: {done.returncode}\n{done.stdout}\n{done.stderr}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(folder, port):
    with open(folder + "/conf", "w", encoding="utf-8") as file:
        file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    server = subprocess.Popen(["mosquitto", "-c", folder + "/conf"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server
        except OSError:
            continue
    sys.exit("mosquitto does not come up")


def talk(port):
    host = f"127.0.0.1:{port}"
    for version in ("3", "5"):
        for qos in ("0", "1", "2"):
            done = run("pub", "-V", version, "-q", qos, "-r", host, "kept/" + qos, "text " + qos)
            check((done.returncode, done.stdout, done.stderr) == (0, "", ""), "pub", done)
        done = run("sub", "-V", version, "-q", "2", "-v", "-c", "3", "mqtt://" + host, "kept/0",
                   "kept/1", "kept/2")
        lines = sorted(done.stdout.splitlines())
        check(done.returncode == 0 and lines == [f"kept/{q} text {q}" for q in "012"], "sub", done)
    done = run("sub", "--timeout", "0.2", host, "silent")
    check(done.returncode == 1 and "deadline" in done.stderr, "--timeout", done)
    for words in (["pub", host, "wild/#", "x"], ["sub", host, "a#"]):
        done = run(*words)
        check(done.returncode == 1 and done.stderr.startswith("mqtt: "), f"not told: {words}", done)


for words in ([], ["pub"], ["pub", "host", "topic"], ["sub", "host"], ["other", "host", "topic"],
              ["pub", "-q", "3", "host", "topic", "x"], ["sub", "-c", "0", "host", "topic"],
              ["sub", "-V", "4", "host", "topic"], ["pub", "http://host", "topic", "x"],
              ["sub", "--none", "host", "topic"]):
    done = run(*words)
    check(done.returncode == 2 and "usage: " in done.stderr and done.stdout == "",
          f"not refused: {words}", done)
done = run("pub", f"127.0.0.1:{free_port()}", "topic", "x")
check(done.returncode == 1 and "refused" in done.stderr, "nobody listens", done)
check(run("--help").stdout.startswith("usage: "), "--help", run("--help"))
if shutil.which("mosquitto"):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        port = free_port()
        server = start_server(folder, port)
        try:
            talk(port)
        finally:
            server.terminate()
            server.wait()
