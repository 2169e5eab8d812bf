#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.js <<'JS'
const http = require('http'), dgram = require('dgram'), { execFile } = require('child_process');
const { Worker, isMainThread, parentPort } = require('worker_threads');
if (!isMainThread) {
  let sum = 0; for (let i = 0; i < 5e6; i++) sum = (sum * 31 + i) | 0;
  parentPort.postMessage(sum);
} else (async () => {
  // Warm enough for the just-in-time compiler, with the network calls made from compiled code.
  const server = http.createServer((q, s) => s.end(q.url)).listen(0, '127.0.0.1');
  await new Promise(r => server.on('listening', r));
  const get = path => new Promise((ok, bad) => http.get({ host: '127.0.0.1', port: server.address().port, path, agent: false }, a => {
    let t = ''; a.on('data', d => t += d).on('end', () => ok(t));
  }).on('error', bad));
  let length = 0;
  for (let i = 0; i < 300; i++) length += (await get('/' + i)).length;
  console.log('http', length);
  server.close();
  console.log('child', await new Promise((ok, bad) => execFile('echo', ['hello'], (e, out) => e ? bad(e) : ok(out.trim()))));
  console.log('worker', await new Promise(ok => new Worker(__filename).on('message', ok)));
  const socket = dgram.createSocket('udp4');
  await new Promise(r => socket.bind(0, '127.0.0.1', r));
  for (let i = 0; i < 200; i++) {
    const got = new Promise(r => socket.once('message', r));
    socket.send('d' + i, socket.address().port, '127.0.0.1'); await got;
  }
  console.log('datagrams 200'); socket.close();
})();
JS
node work.js
