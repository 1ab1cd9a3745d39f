'use strict';
// wasmrt for Node. See index.d.ts for every option, and docs/node.md for how it is used.

const { native } = require('./lib/native.js');
const { WasmrtError, GuestEndedError, AbortError } = require('./lib/errors.js');
const { Module, Runtime } = require('./lib/runtime.js');
const { Run } = require('./lib/run.js');
const { Instance, Memory } = require('./lib/instance.js');

let shared;

/** The runtime of those who make none: the cache that the environment names, no ceiling, 64 runs at once. */
function defaultRuntime() {
  shared ??= new Runtime();
  return shared;
}

exports.run = async (module, options) => defaultRuntime().run(module, options);
exports.instantiate = async (module, options) => defaultRuntime().instantiate(module, options);
exports.start = (module, options) => defaultRuntime().start(module, options);
exports.defaultRuntime = defaultRuntime;
exports.version = native.version();
exports.AbortError = AbortError;
exports.GuestEndedError = GuestEndedError;
exports.Instance = Instance;
exports.Memory = Memory;
exports.Module = Module;
exports.Run = Run;
exports.Runtime = Runtime;
exports.WasmrtError = WasmrtError;
