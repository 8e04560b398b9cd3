// SPDX-License-Identifier: MIT
// node websocket_server.js PORT [CERTIFICATE KEY]: answers every message with itself, on the npm
// package `ws`; with TLS if there is a certificate. A text that begins with ! is an order.
'use strict';

function load(name) {
    try {
        return require(name);
    } catch (error) {
        return require('/usr/share/nodejs/' + name); // Debian's, for a node that is not
    }
}

const fs = require('fs');
const [port, certificate, key] = process.argv.slice(2);
const listener = certificate === undefined
    ? require('http').createServer()
    : require('https').createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });

const { WebSocketServer } = load('ws');
const server = new WebSocketServer({
    server: listener,
    maxPayload: 1 << 26,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (protocols) => (protocols.has('chat') ? 'chat' : false),
    verifyClient: (info, answer) =>
        info.req.url === '/forbidden' ? answer(false, 403, 'Forbidden') : answer(true),
});

const orders = {
    close: (socket, code, reason) => socket.close(Number(code), reason),
    ping: (socket, text) => socket.ping(text),
    terminate: (socket) => socket.terminate(),
    zeros: (socket, size) => socket.send(Buffer.alloc(Number(size))),
    headers: (socket) => socket.send(JSON.stringify(socket.fields)),
    target: (socket) => socket.send(socket.target),
    parts: (socket, ...parts) => {
        parts.forEach((part, at) => socket.send(part, { fin: at === parts.length - 1 }));
    },
    deaf: (socket) => socket.send('from now on', () => socket._socket.pause()),
};

server.on('connection', (socket, request) => {
    socket.fields = request.headers;
    socket.target = request.url;
    socket.on('error', () => {});
    socket.on('pong', (data) => socket.send('pong ' + data));
    socket.on('message', (data, isBinary) => {
        const words = isBinary ? [''] : data.toString().split(' ');
        if (words[0].startsWith('!'))
            orders[words[0].slice(1)](socket, ...words.slice(1));
        else
            socket.send(data, { binary: isBinary });
    });
});

listener.listen(Number(port), '127.0.0.1');
