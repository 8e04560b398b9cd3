#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Starts the servers that the tools in demos/ can talk to, on loopback, and prints how: nginx, redis
and mosquitto, each in clear and with TLS, and an echo for WebSocket. Everything they need is made in
build/servers, a certificate authority among it. Ctrl-C ends them all."""

import argparse
import asyncio
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys

import websockets

OFFSETS = {
    "http": 80, "https": 443, "redis": 379, "rediss": 380, "mqtt": 883, "mqtts": 884, "ws": 81, "wss": 444,
}

NGINX = """
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes 1;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    types {{ text/html html; text/plain txt; application/json json; text/event-stream events; }}
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    gzip on;
    gzip_types application/json text/plain;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        root www;
        location = /moved {{ return 302 /index.txt; }}
        location = /echo {{ return 200 "$request_method $request_uri\\n"; }}
    }}
}}
"""
MOSQUITTO = """
persistence false
allow_anonymous true
listener {mqtt} 127.0.0.1
listener {mqtts} 127.0.0.1
cafile ca.pem
certfile server.pem
keyfile server.key
"""
EVENTS = "retry: 2000\n\n" + "".join(f"id: {n}\ndata: event {n}\n\n" for n in range(1, 4))
URLS = """
Servers for the tools in demos/ (Ctrl-C ends them). Build a tool and start it with, for example:

    make run DEMO=http ARGS="http://127.0.0.1:{http}/index.txt"
    make run DEMO=http ARGS="--cacert {folder}/ca.pem https://localhost:{https}/data.json"
    make run DEMO=sse ARGS="--count 5 http://127.0.0.1:{http}/three.events"
    make run DEMO=websocket ARGS="ws://127.0.0.1:{ws}/"
    make run DEMO=websocket ARGS="--cacert {folder}/ca.pem wss://localhost:{wss}/"
    make run DEMO=redis ARGS="-u redis://127.0.0.1:{redis} PING"
    make run DEMO=redis ARGS="--cacert {folder}/ca.pem -u rediss://localhost:{rediss} PING"
    make run DEMO=mqtt ARGS="sub mqtt://127.0.0.1:{mqtt} test/#"
    make run DEMO=mqtt ARGS="--cacert {folder}/ca.pem pub mqtts://localhost:{mqtts} test/a hello"
"""


class Servers:
    def __init__(self, folder, first_port):
        self.folder = folder
        self.ports = {name: first_port + offset for name, offset in OFFSETS.items()}

    def openssl(self, *arguments):
        subprocess.run(("openssl",) + arguments, cwd=self.folder, check=True, capture_output=True)

    def certificates(self):
        """A CA, and what it has signed for localhost and for a client."""
        if (self.folder / "client.pem").exists():
            return
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
                     "/CN=smallOS test CA", "-keyout", "ca.key", "-out", "ca.pem")
        self.signed("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.signed("client", "keyUsage=digitalSignature")
        for key in self.folder.glob("*.key"):  # servers give up root's rights before they read them
            key.chmod(0o644)

    def signed(self, name, extension):
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "3650", "-extfile", f"{name}.ext",
                     "-out", f"{name}.pem")

    def files(self):
        www = self.folder / "www"
        www.mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, www):
            folder.chmod(0o755)
        (www / "index.txt").write_text("Hello from nginx.\n")
        (www / "data.json").write_text('{"numbers": [' + ", ".join(map(str, range(1000))) + "]}\n")
        (www / "three.events").write_text(EVENTS)
        (self.folder / "nginx.conf").write_text(NGINX.format(**self.ports))
        (self.folder / "mosquitto.conf").write_text(MOSQUITTO.format(**self.ports))

    def commands(self):
        ports = {name: str(port) for name, port in self.ports.items()}
        return {
            "nginx": ["-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf")],
            "redis-server": ["--bind", "127.0.0.1", "--port", ports["redis"], "--save", "",
                             "--tls-port", ports["rediss"], "--tls-cert-file", "server.pem",
                             "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem",
                             "--tls-auth-clients", "no"],
            "mosquitto": ["-c", "mosquitto.conf"],
        }

    async def websocket_echo(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        await websockets.serve(echo, "127.0.0.1", self.ports["ws"])
        await websockets.serve(echo, "127.0.0.1", self.ports["wss"], ssl=context)

    async def start(self, name, arguments):
        program = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or name
        with open(self.folder / f"{name}.log", "w", encoding="utf-8") as log:
            return await asyncio.create_subprocess_exec(
                program, *arguments, cwd=self.folder, start_new_session=True, stdout=log, stderr=log)

    async def listening(self):
        for port in self.ports.values():
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)


async def echo(connection, _path=None):
    async for message in connection:
        await connection.send(message)


async def run(servers):
    """Starts all of them; ends when it is told to, or with the first that ends by itself."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running = {}
    try:
        await servers.websocket_echo()
        for name, arguments in servers.commands().items():
            process = await servers.start(name, arguments)
            running[asyncio.create_task(process.wait())] = (name, process)
        waiting = asyncio.create_task(stopped.wait())
        listening = asyncio.create_task(servers.listening())
        done, _ = await asyncio.wait([waiting, listening, *running],
                                     return_when=asyncio.FIRST_COMPLETED)
        if listening in done:
            print(URLS.format(folder=servers.folder, **servers.ports), flush=True)
            done, _ = await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
        ended = [running[task][0] for task in done if task in running]
        for name in ended:
            print(f"{name} has ended: see {servers.folder}/{name}.log", file=sys.stderr)
        return 1 if ended else 0
    finally:
        for task, (_, process) in running.items():
            if not task.done():
                process.terminate()
        for task in running:
            await task


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="build/servers", help="where their files are")
    parser.add_argument("--port", type=int, default=7000, help="their ports follow on this one")
    options = parser.parse_args()
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    servers = Servers(folder.resolve(), options.port)
    servers.certificates()
    servers.files()
    return asyncio.run(run(servers))


if __name__ == "__main__":
    sys.exit(main())
