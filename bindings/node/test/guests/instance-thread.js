'use strict';
// A thread that uses an instance, and is ended while the guest computes on yet another thread.

const { parentPort } = require('node:worker_threads');
const { instantiate } = require('../..');

parentPort.once('message', async (bytes) => {
  const own = () => {
    throw new TypeError('of its own');
  };
  const instance = await instantiate(Buffer.from(bytes), { engine: 'wasmtime', imports: { env: { double: own, log() {} } } });
  const sum = instance.exports.add(1, 2);
  let caught;
  try {
    instance.exports.double(1);
  } catch (error) {
    caught = `a ${error.name} ${error.message}`;
  }
  await instance.reset();
  instance.call('spin').catch(() => {});
  parentPort.postMessage([sum, caught]);
});
