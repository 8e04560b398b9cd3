#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo_streams.py WEBSOCKET SSE: the two tools against servers: what they print and how they end."""
import http.server
import pathlib
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 100


def run(*words, given=b""):
    done = subprocess.run(words, input=given, capture_output=True, timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def expect(what, got, expected):
    if got != expected:
        sys.exit(f"{what}: {got!r}, expected {expected!r}")


# ---- websocket, against the npm package ws

def start_node():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    node = subprocess.Popen(["node", HERE / "data/websocket_server.js", str(port)])
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.01)
    return node, f"ws://127.0.0.1:{port}/"


def check_websocket(program):
    node, url = start_node()
    try:
        code, out, _ = run(program, url, given=b"hello\nworld\n\nno end")
        expect("lines", (code, out), (0, b"hello\nworld\n\nno end\n"))
        long = b"x" * 100000 + b"\n"
        expect("a long line", run(program, "--deflate", url, given=long)[:2], (0, long))
        code, _, error = run(program, url, given=b"!close 4001 bye\n")
        expect("a close", (code, "4001 bye" in error), (1, True))
        code, _, error = run(program, url + "forbidden")
        expect("a refusal", (code, "403 Forbidden" in error), (1, True))
        expect("no text", run(program, url, given=b"\xff\n")[0], 1)
        code, out, _ = run(program, "-H", "X-Word: of", "--origin", "here", "--protocol", "chat", url,
                           given=b"!headers\n")
        for part in b'"x-word":"of"', b'"origin":"here"', b'"sec-websocket-protocol":"chat"':
            expect("headers", part in out, True)
    finally:
        node.terminate()
        node.wait()
    expect("nobody there", run(program, url)[0], 1)


# ---- sse, against a server that ends each stream after two events

class Events(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/events":
            self.send_error(404)
            return
        last = int(self.headers.get("Last-Event-ID", 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number in range(last + 1, last + 3):
            self.wfile.write(f"retry: 1\nid: {number}\ndata: a{number}\ndata: b\n\n".encode())

    def log_message(self, *_):
        pass


def event(number):
    return f"id: {number}\ndata: a{number}\ndata: b\n\n".encode()


def check_sse(program):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Events)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    code, out, _ = run(program, "--count", "5", url + "events")
    expect("five events", (code, out), (0, b"".join(map(event, range(1, 6)))))
    code, out, _ = run(program, "--last-id", "41", "--once", url + "events")
    expect("one connection", (code, out), (0, event(42) + event(43)))
    code, _, error = run(program, url)
    expect("no such page", (code, "404" in error), (1, True))
    server.shutdown()


def main():
    websocket, sse = sys.argv[1:]
    check_websocket(websocket)
    check_sse(sse)
    for program in websocket, sse:
        expect("no URL", run(program)[0], 2)
        expect("no such option", run(program, "--nonsense", "ws://x/")[0], 2)
        expect("a wrong header", run(program, "-H", "no colon", "ws://x/")[0], 2)
        expect("help", run(program, "--help")[0], 0)


main()
