'use strict';
// A thread that starts a guest which never ends, and says what it has heard of it.

const { parentPort } = require('node:worker_threads');
const wasmrt = require('../..');

parentPort.once('message', (bytes) => {
  const running = wasmrt.start(Buffer.from(bytes), { stdin: 'ignore', stdout: 'pipe' });
  running.wait().catch(() => {});
  running.stdout.once('data', (chunk) => parentPort.postMessage({ text: chunk.toString(), process: wasmrt.defaultRuntime().status.worker }));
});
