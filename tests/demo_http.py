#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo_http.py PROGRAM: the tool that fetches URLs, against a server in this process: what it sends,
where it writes, and its exit status."""
import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import threading

PROGRAM = os.path.abspath(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what was asked; /missing is 404, /silent never answers."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        if self.path == "/silent":
            DONE.wait(60)
        text = f"{self.command} {self.path} {self.headers.get('X-Name', '-')} {body}".encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)


def check(condition, what, done):
    if not condition:
        sys.exit(f"{what}: {done.returncode}\n{done.stdout}\n{done.stderr}")


def serve(certificate=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def over_tls(folder):
    certificate = f"{folder}/certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", certificate, "-out",
                    f"{folder}/alone.pem"], check=True, capture_output=True)
    with open(f"{folder}/alone.pem", encoding="utf-8") as alone, \
            open(certificate, "a", encoding="utf-8") as file:
        file.write(alone.read())
    url = f"https://localhost:{serve(certificate)}/x"
    done = run(url)
    check(done.returncode == 1 and "TLS" in done.stderr and "certificate" in done.stderr,
          "a certificate that nobody trusts", done)
    for words in (["--cacert", f"{folder}/alone.pem"], ["--insecure"]):
        done = run(*words, url)
        check((done.returncode, done.stdout) == (0, "GET /x - "), f"{words[0]}", done)


DONE = threading.Event()
base = f"http://127.0.0.1:{serve()}"

done = run(base + "/a?b")
check((done.returncode, done.stdout, done.stderr) == (0, "GET /a?b - ", ""), "GET", done)
done = run("-d", "data", "-H", "X-Name: me", base)
check((done.returncode, done.stdout) == (0, "POST / me data"), "POST", done)
done = run("-X", "PUT", "-d", "data", "-i", base + "/x")
check(done.stdout.startswith("HTTP/1.1 200 OK\n") and done.stdout.endswith("\n\nPUT /x - data"),
      "-X and -i", done)
done = run(base + "/missing")
check((done.returncode, done.stdout) == (1, "GET /missing - "), "a status of 404", done)
with tempfile.TemporaryDirectory() as folder:
    done = run("-o", folder + "/out", base + "/x")
    with open(folder + "/out", encoding="utf-8") as file:
        check((done.returncode, done.stdout, file.read()) == (0, "", "GET /x - "), "-o", done)
    done = run("-o", folder + "/none/out", base + "/x")
    check(done.returncode != 0 and "none/out" in done.stderr, "-o that cannot be written", done)
with tempfile.TemporaryDirectory() as folder:
    over_tls(folder)
done = run("--timeout", "0.2", base + "/silent")
check(done.returncode == 1 and "deadline" in done.stderr, "--timeout", done)
done = run("--proxy", base, "http://nowhere.invalid/x")
check(done.stdout == "GET http://nowhere.invalid/x - ", "--proxy", done)
for words in ([], [base, base], ["-X"], ["-H", "no colon", base], ["--timeout", "x", base],
              ["--timeout", "-1", base], ["--none", base]):
    done = run(*words)
    check(done.returncode == 2 and "usage: " in done.stderr and done.stdout == "",
          f"not refused: {words}", done)
for words in (["no url"], ["ftp://h/"], ["http://127.0.0.1:1/"], ["-H", "a: b\rc", base]):
    done = run(*words)
    check(done.returncode == 1 and done.stderr.startswith("http: ") and done.stdout == "",
          f"not told: {words}", done)
check(run("--help").stdout.startswith("usage: "), "--help", run("--help"))
DONE.set()
