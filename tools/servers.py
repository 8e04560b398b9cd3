#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Starts the servers that the tools in demos/ can talk to, on loopback, and prints how: nginx, redis
and mosquitto, each in clear and with TLS, and an echo for WebSocket. Everything they need is made in
build/servers, a certificate authority among it. Ctrl-C ends them all."""

import asyncio
import pathlib
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "servers"
PORTS = {
    "http": 7080, "https": 7443, "redis": 7379, "rediss": 7380, "mqtt": 7883, "mqtts": 7884,
    "ws": 7081, "wss": 7444,
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
    make run DEMO=http ARGS="--ca build/servers/ca.pem https://localhost:{https}/data.json"
    make run DEMO=sse ARGS="--count 5 http://127.0.0.1:{http}/three.events"
    make run DEMO=websocket ARGS="ws://127.0.0.1:{ws}/"
    make run DEMO=websocket ARGS="--ca build/servers/ca.pem wss://localhost:{wss}/"
    make run DEMO=redis ARGS="-u redis://127.0.0.1:{redis} PING"
    make run DEMO=redis ARGS="--ca build/servers/ca.pem -u rediss://localhost:{rediss} PING"
    make run DEMO=mqtt ARGS="sub mqtt://127.0.0.1:{mqtt} test/#"
    make run DEMO=mqtt ARGS="--ca build/servers/ca.pem pub mqtts://localhost:{mqtts} test/a hello"
"""


def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, cwd=FOLDER, check=True, capture_output=True)


def certificates():
    """A CA, and what it has signed for localhost and for a client."""
    if (FOLDER / "client.pem").exists():
        return
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
            "/CN=smallOS test CA", "-keyout", "ca.key", "-out", "ca.pem")
    names = {"server": "subjectAltName=DNS:localhost,IP:127.0.0.1", "client": "keyUsage=digitalSignature"}
    for name, extension in names.items():
        (FOLDER / f"{name}.ext").write_text(extension + "\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "3650", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    for key in FOLDER.glob("*.key"):  # servers give up root's rights before they read them
        key.chmod(0o644)


def files():
    www = FOLDER / "www"
    www.mkdir(parents=True, exist_ok=True)
    for folder in (FOLDER, www):
        folder.chmod(0o755)
    (www / "index.txt").write_text("Hello from nginx.\n")
    (www / "data.json").write_text('{"numbers": [' + ", ".join(map(str, range(1000))) + "]}\n")
    (www / "three.events").write_text(EVENTS)
    (www / "1k.txt").write_text("x" * 1023 + "\n")
    (FOLDER / "nginx.conf").write_text(NGINX.format(**PORTS))
    (FOLDER / "mosquitto.conf").write_text(MOSQUITTO.format(**PORTS))


def commands():
    tls = ["--tls-port", str(PORTS["rediss"]), "--tls-cert-file", "server.pem", "--tls-key-file",
           "server.key", "--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no"]
    return {
        "nginx": ["nginx", "-p", str(FOLDER), "-e", "stderr", "-c", str(FOLDER / "nginx.conf")],
        "redis-server": ["redis-server", "--bind", "127.0.0.1", "--port", str(PORTS["redis"]),
                         "--save", "", "--loglevel", "warning"] + tls,
        "mosquitto": ["mosquitto", "-c", "mosquitto.conf"],
    }


async def websocket_echo():
    import ssl
    import websockets

    async def echo(connection, _path=None):
        async for message in connection:
            await connection.send(message)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "server.pem", FOLDER / "server.key")
    await websockets.serve(echo, "127.0.0.1", PORTS["ws"])
    await websockets.serve(echo, "127.0.0.1", PORTS["wss"], ssl=context)


async def run():
    """Starts all of them; ends when it is told to, or with the first that ends by itself."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running = {}
    status = 0
    try:
        await websocket_echo()
        for name, command in commands().items():
            program = shutil.which(command[0], path=path) or command[0]
            with open(FOLDER / f"{name}.log", "w", encoding="utf-8") as log:
                process = await asyncio.create_subprocess_exec(
                    program, *command[1:], cwd=FOLDER, start_new_session=True, stdout=log, stderr=log)
            running[asyncio.create_task(process.wait())] = (name, process)
        print(URLS.format(**PORTS), flush=True)
        waiting = asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            print(f"servers: {running[task][0]} has ended with {task.result()}: see "
                  f"{FOLDER}/{running[task][0]}.log", file=sys.stderr)
            status = 1
    finally:
        for task, (_, process) in running.items():
            if not task.done():
                process.terminate()
        for task in running:
            await task
    return status


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    certificates()
    files()
    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
