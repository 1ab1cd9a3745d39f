/**
 * An engine.
 */
export type EngineName = import("./lib/types.js").EngineName;
/**
 * How an engine runs a guest: instruction by instruction, native code made quickly, or optimised.
 */
export type Tier = import("./lib/types.js").Tier;
/**
 * A size: bytes, or text such as `'64Mi'` or `'1.5g'`.
 */
export type Size = import("./lib/types.js").Size;
/**
 * A count: a whole number, or text such as `'1_000_000'`.
 */
export type Count = import("./lib/types.js").Count;
/**
 * A time: seconds, text such as `'500ms'` or `'2min'`, or milliseconds.
 */
export type Span = import("./lib/types.js").Span;
/**
 * As much as the machine gives. There is no other way to say it.
 */
export type Unlimited = import("./lib/types.js").Unlimited;
/**
 * What a module is made of: a path, a URL of a file, or bytes.
 */
export type ModuleSource = import("./lib/types.js").ModuleSource;
/**
 * What bounds a guest. A limit that is left out has its default.
 */
export type Limits = import("./lib/types.js").Limits;
/**
 * A file or directory of this machine under a path of the guest.
 */
export type Preopen = import("./lib/types.js").Preopen;
/**
 * What a guest may reach over the network: nothing, but for what rules name (docs/network.md).
 */
export type Network = import("./lib/types.js").Network;
/**
 * Where standard input comes from. Text is given as the option `input`.
 */
export type Stdin = import("./lib/types.js").Stdin;
/**
 * Where an output goes. `'capture'` means into the outcome; the guest is ended when it writes more than the cap.
 */
export type Stdout = import("./lib/types.js").Stdout;
/**
 * What a guest is given, apart from what calls it.
 */
export type GuestOptions = import("./lib/types.js").GuestOptions;
/**
 * How a run is asked for.
 */
export type RunOptions = import("./lib/types.js").RunOptions;
/**
 * A value that crosses between guest and host: BigInt for i64, number for i32, f32 and f64.
 */
export type Value = import("./lib/types.js").Value;
/**
 * The type of a value.
 */
export type ValueType = import("./lib/types.js").ValueType;
/**
 * One frame of a backtrace.
 */
export type Frame = import("./lib/types.js").Frame;
/**
 * A trap: what happened, and where in the guest.
 */
export type Trap = import("./lib/types.js").Trap;
/**
 * The limits that end a guest.
 */
export type LimitKind = import("./lib/types.js").LimitKind;
/**
 * How a guest ended.
 */
export type ExitStatus = import("./lib/types.js").ExitStatus;
/**
 * What a run used. Null where it could not be measured. Times are seconds.
 */
export type Usage = import("./lib/types.js").Usage;
/**
 * The end of a run that started. Whatever a guest does to itself is told here, and is no error.
 */
export type Outcome = import("./lib/types.js").Outcome;
/**
 * The stable names of the kinds of errors.
 */
export type ErrorCode = import("./lib/types.js").ErrorCode;
/**
 * How a runtime is set up.
 */
export type RuntimeOptions = import("./lib/types.js").RuntimeOptions;
/**
 * How many runs there are.
 */
export type RuntimeStatus = import("./lib/types.js").RuntimeStatus;
/**
 * What a module wants or offers.
 */
export type ExternType = import("./lib/types.js").ExternType;
/**
 * A module, looked at from outside.
 */
export type Inspection = import("./lib/types.js").Inspection;
/**
 * An engine as it was found on this machine.
 */
export type EngineStatus = import("./lib/types.js").EngineStatus;
/**
 * One thing of this machine that was looked at.
 */
export type Check = import("./lib/types.js").Check;
/**
 * What a host function finds as `this`: the guest that calls it.
 */
export type Caller = import("./lib/types.js").Caller;
/**
 * A function that a guest calls. In calls on another thread (`instance.call`) it may return a promise.
 */
export type HostFunction = import("./lib/types.js").HostFunction;
/**
 * What a guest is offered besides WASI. A plain function has the types with which the module imports it.
 */
export type Imports = import("./lib/types.js").Imports;
/**
 * How an instance is made. Its limits of fuel and wall time hold for each call.
 */
export type InstanceOptions = import("./lib/types.js").InstanceOptions;
/**
 * What bounds one call, below what the instance's limits say.
 */
export type CallOptions = import("./lib/types.js").CallOptions;
/**
 * What a call used.
 */
export type CallUsage = import("./lib/types.js").CallUsage;
/**
 * The end of a call that returned.
 */
export type CallResult = import("./lib/types.js").CallResult;
/**
 * An exported function. The call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning.
 */
export type ExportedFunction = import("./lib/types.js").ExportedFunction;
/**
 * A port of this machine that the system chose for a guest.
 */
export type PublishedPort = import("./lib/types.js").PublishedPort;
/**
 * Runs a module to its end, on the default runtime.
 * @param {ModuleSource} module
 * @param {RunOptions} [options]
 */
export function run(module: ModuleSource, options?: RunOptions): Promise<import("./lib/types.js").Outcome>;
/**
 * Makes an instance on the default runtime.
 * @param {ModuleSource} module
 * @param {InstanceOptions} [options]
 */
export function instantiate(module: ModuleSource, options?: InstanceOptions): Promise<Instance>;
/**
 * Starts a run on the default runtime.
 * @param {Module | Uint8Array | ArrayBuffer} module
 * @param {RunOptions} [options]
 */
export function start(module: Module | Uint8Array | ArrayBuffer, options?: RunOptions): Run;
/** The runtime of those who make none: the cache that the environment names, no ceiling, 64 runs at once. */
export function defaultRuntime(): Runtime;
/**
 * The version of this package.
 * @type {string}
 */
export const version: string;
import { AbortError } from "./lib/errors.js";
import { GuestEndedError } from "./lib/errors.js";
import { Instance } from "./lib/instance.js";
import { Memory } from "./lib/instance.js";
import { Module } from "./lib/runtime.js";
import { Run } from "./lib/run.js";
import { Runtime } from "./lib/runtime.js";
import { WasmrtError } from "./lib/errors.js";
export { AbortError, GuestEndedError, Instance, Memory, Module, Run, Runtime, WasmrtError };
