'use strict';
// wasmrt for Node. See lib/types.js for every option, and docs/node.md for how it is used. types/ is made of these files: `npm run types`.

const { native } = require('./lib/native.js');
const { WasmrtError, GuestEndedError, AbortError } = require('./lib/errors.js');
const { Module, Runtime } = require('./lib/runtime.js');
const { Run } = require('./lib/run.js');
const { Instance, Memory } = require('./lib/instance.js');

/** @type {Runtime | undefined} */
let shared;

/** The runtime of those who make none: the cache that the environment names, no ceiling, 64 runs at once. */
function defaultRuntime() {
  shared ??= new Runtime();
  return shared;
}

/**
 * Runs a module to its end, on the default runtime.
 * @param {ModuleSource} module
 * @param {RunOptions} [options]
 */
async function run(module, options) {
  return defaultRuntime().run(module, options);
}

/**
 * Makes an instance on the default runtime.
 * @param {ModuleSource} module
 * @param {InstanceOptions} [options]
 */
async function instantiate(module, options) {
  return defaultRuntime().instantiate(module, options);
}

/**
 * Starts a run on the default runtime.
 * @param {Module | Uint8Array | ArrayBuffer} module
 * @param {RunOptions} [options]
 */
function start(module, options) {
  return defaultRuntime().start(module, options);
}

/**
 * The version of this package.
 * @type {string}
 */
const version = native.version();

exports.run = run;
exports.instantiate = instantiate;
exports.start = start;
exports.defaultRuntime = defaultRuntime;
exports.version = version;
exports.AbortError = AbortError;
exports.GuestEndedError = GuestEndedError;
exports.Instance = Instance;
exports.Memory = Memory;
exports.Module = Module;
exports.Run = Run;
exports.Runtime = Runtime;
exports.WasmrtError = WasmrtError;

// The words, for those who say `import type`.
/**
 * An engine.
 * @typedef {import('./lib/types.js').EngineName} EngineName
 */
/**
 * How an engine runs a guest: instruction by instruction, native code made quickly, or optimised.
 * @typedef {import('./lib/types.js').Tier} Tier
 */
/**
 * A size: bytes, or text such as `'64Mi'` or `'1.5g'`.
 * @typedef {import('./lib/types.js').Size} Size
 */
/**
 * A count: a whole number, or text such as `'1_000_000'`.
 * @typedef {import('./lib/types.js').Count} Count
 */
/**
 * A time: seconds, text such as `'500ms'` or `'2min'`, or milliseconds.
 * @typedef {import('./lib/types.js').Span} Span
 */
/**
 * As much as the machine gives. There is no other way to say it.
 * @typedef {import('./lib/types.js').Unlimited} Unlimited
 */
/**
 * What a module is made of: a path, a URL of a file, or bytes.
 * @typedef {import('./lib/types.js').ModuleSource} ModuleSource
 */
/**
 * What bounds a guest. A limit that is left out has its default.
 * @typedef {import('./lib/types.js').Limits} Limits
 */
/**
 * A file or directory of this machine under a path of the guest.
 * @typedef {import('./lib/types.js').Preopen} Preopen
 */
/**
 * What a guest may reach over the network: nothing, but for what rules name (docs/network.md).
 * @typedef {import('./lib/types.js').Network} Network
 */
/**
 * Where standard input comes from. Text is given as the option `input`.
 * @typedef {import('./lib/types.js').Stdin} Stdin
 */
/**
 * Where an output goes. `'capture'` means into the outcome; the guest is ended when it writes more than the cap.
 * @typedef {import('./lib/types.js').Stdout} Stdout
 */
/**
 * What a guest is given, apart from what calls it.
 * @typedef {import('./lib/types.js').GuestOptions} GuestOptions
 */
/**
 * How a run is asked for.
 * @typedef {import('./lib/types.js').RunOptions} RunOptions
 */
/**
 * A value that crosses between guest and host: BigInt for i64, number for i32, f32 and f64.
 * @typedef {import('./lib/types.js').Value} Value
 */
/**
 * The type of a value.
 * @typedef {import('./lib/types.js').ValueType} ValueType
 */
/**
 * One frame of a backtrace.
 * @typedef {import('./lib/types.js').Frame} Frame
 */
/**
 * A trap: what happened, and where in the guest.
 * @typedef {import('./lib/types.js').Trap} Trap
 */
/**
 * The limits that end a guest.
 * @typedef {import('./lib/types.js').LimitKind} LimitKind
 */
/**
 * How a guest ended.
 * @typedef {import('./lib/types.js').ExitStatus} ExitStatus
 */
/**
 * What a run used. Null where it could not be measured. Times are seconds.
 * @typedef {import('./lib/types.js').Usage} Usage
 */
/**
 * The end of a run that started. Whatever a guest does to itself is told here, and is no error.
 * @typedef {import('./lib/types.js').Outcome} Outcome
 */
/**
 * The stable names of the kinds of errors.
 * @typedef {import('./lib/types.js').ErrorCode} ErrorCode
 */
/**
 * How a runtime is set up.
 * @typedef {import('./lib/types.js').RuntimeOptions} RuntimeOptions
 */
/**
 * How many runs there are.
 * @typedef {import('./lib/types.js').RuntimeStatus} RuntimeStatus
 */
/**
 * What a module wants or offers.
 * @typedef {import('./lib/types.js').ExternType} ExternType
 */
/**
 * A module, looked at from outside.
 * @typedef {import('./lib/types.js').Inspection} Inspection
 */
/**
 * An engine as it was found on this machine.
 * @typedef {import('./lib/types.js').EngineStatus} EngineStatus
 */
/**
 * One thing of this machine that was looked at.
 * @typedef {import('./lib/types.js').Check} Check
 */
/**
 * What a host function finds as `this`: the guest that calls it.
 * @typedef {import('./lib/types.js').Caller} Caller
 */
/**
 * A function that a guest calls. In calls on another thread (`instance.call`) it may return a promise.
 * @typedef {import('./lib/types.js').HostFunction} HostFunction
 */
/**
 * What a guest is offered besides WASI. A plain function has the types with which the module imports it.
 * @typedef {import('./lib/types.js').Imports} Imports
 */
/**
 * How an instance is made. Its limits of fuel and wall time hold for each call.
 * @typedef {import('./lib/types.js').InstanceOptions} InstanceOptions
 */
/**
 * What bounds one call, below what the instance's limits say.
 * @typedef {import('./lib/types.js').CallOptions} CallOptions
 */
/**
 * What a call used.
 * @typedef {import('./lib/types.js').CallUsage} CallUsage
 */
/**
 * The end of a call that returned.
 * @typedef {import('./lib/types.js').CallResult} CallResult
 */
/**
 * An exported function. The call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning.
 * @typedef {import('./lib/types.js').ExportedFunction} ExportedFunction
 */
/**
 * A port of this machine that the system chose for a guest.
 * @typedef {import('./lib/types.js').PublishedPort} PublishedPort
 */
