# SPDX-License-Identifier: MIT
"""websocket_server.py PORT: answers every message with itself, on Python's websockets."""
import asyncio
import sys

import websockets


async def echo(socket, path=None):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.exceptions.ConnectionClosedError:
        pass


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=1 << 26):
        await asyncio.Future()


asyncio.run(main())
