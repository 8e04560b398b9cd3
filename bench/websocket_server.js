// SPDX-License-Identifier: MIT
// node websocket_server.js PORT: answers every message with itself, on the npm package `ws`.
'use strict';

function load(name) {
    try {
        return require(name);
    } catch (error) {
        return require('/usr/share/nodejs/' + name); // Debian's, for a node that is not
    }
}

const { WebSocketServer } = load('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
