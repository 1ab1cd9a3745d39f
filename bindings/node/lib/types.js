'use strict';
// The words of the package: what options and answers are made of. Types only: there is nothing here to run.

/**
 * An engine.
 * @typedef {'wasmedge' | 'wasmtime' | 'wasmer'} EngineName
 */

/**
 * How an engine runs a guest: instruction by instruction, native code made quickly, or optimised.
 * @typedef {'interpreter' | 'baseline' | 'optimized'} Tier
 */

/**
 * A size: bytes, or text such as `'64Mi'` or `'1.5g'`.
 * @typedef {number | bigint | string} Size
 */

/**
 * A count: a whole number, or text such as `'1_000_000'`.
 * @typedef {number | bigint | string} Count
 */

/**
 * A time: seconds, text such as `'500ms'` or `'2min'`, or milliseconds.
 * @typedef {number | string | { ms: number }} Span
 */

/**
 * As much as the machine gives. There is no other way to say it.
 * @typedef {'unlimited'} Unlimited
 */

/**
 * What a module is made of: a path, a URL of a file, or bytes.
 * @typedef {string | URL | import('./runtime.js').Module | Uint8Array | ArrayBuffer} ModuleSource
 */

/**
 * What bounds a guest. A limit that is left out has its default.
 * @typedef {object} Limits
 * @property {Size | Unlimited} [memoryBytes] Sum of all linear memories. Default 512 MiB. Growing beyond it fails inside the guest, as the specification says.
 * @property {Count | Unlimited} [tableElements] Sum of all table elements. Default 1 Mi.
 * @property {Count | Unlimited} [callDepth] Nested calls; functions with large frames count more than once. Default 32,768.
 * @property {Count | Unlimited} [fuel] Units of fuel, the same for a program on every engine. Default unlimited.
 * @property {Span | Unlimited} [cpuTime] Processor time, user and system. Default unlimited.
 * @property {Span | Unlimited} [wallTime] Wall-clock time. Default unlimited.
 * @property {Size | Unlimited} [outputBytes] Sum of what is written to stdout and stderr. Default 64 MiB when one of them is captured, else unlimited.
 * @property {Count | Unlimited} [openFiles] Files, directories and sockets open at once. Default 256.
 * @property {Size | Unlimited} [writtenBytes] Sum of what is written to files. Default unlimited.
 * @property {Count | Unlimited} [openSockets] Sockets open at once. Default 128.
 * @property {Count | Unlimited} [listenBacklog] Connections that may wait to be accepted, for each listener. Default 128.
 * @property {Size | Unlimited} [receivedBytes] Sum of what is received over the network. Default unlimited.
 * @property {Size | Unlimited} [sentBytes] Sum of what is sent over the network. Default unlimited.
 * @property {Size | Unlimited} [moduleBytes] Size of the module. Default 256 MiB.
 * @property {Span | Unlimited} [compileTime] Time of preparing and compiling. Default 120 s.
 */

/**
 * A file or directory of this machine under a path of the guest.
 * @typedef {object} Preopen
 * @property {string} host On this machine. Relative paths begin at the current directory.
 * @property {string} guest Where the guest finds it.
 * @property {'ro' | 'rw'} [access] Read-only or read-write, which is the default.
 */

/**
 * What a guest may reach over the network: nothing, but for what rules name (docs/network.md).
 * @typedef {object} Network
 * @property {string[]} [allow] `connect=HOST|CIDR[:PORTS]`, `listen=ADDRESS:PORT`, `resolve=NAME|*`.
 * @property {string[]} [publish] Ports of this machine that are the guest's: `[ADDRESS:]PORT:GUEST_PORT[/udp]`; port 0 is one that the system chooses (`run.published()`).
 */

/**
 * Where standard input comes from. Text is given as the option `input`.
 * @typedef {'inherit' | 'ignore' | 'pipe' | Uint8Array | ArrayBuffer | import('node:stream').Readable | import('node:stream/web').ReadableStream | AsyncIterable<Uint8Array | string> | { file: string }} Stdin
 */

/**
 * Where an output goes. `'capture'` means into the outcome; the guest is ended when it writes more than the cap.
 * @typedef {'inherit' | 'ignore' | 'capture' | 'pipe' | import('node:stream').Writable | import('node:stream/web').WritableStream | { capture: Size } | { file: string }} Stdout
 */

/**
 * What a guest is given, apart from what calls it.
 * @typedef {object} GuestOptions
 * @property {'auto' | EngineName} [engine] The engine. `'auto'`, the default, takes the best that is there and has what the module needs.
 * @property {'process' | 'in-process'} [isolation] What stands between the guest and this process.
 * @property {boolean} [requireOsSandbox] Refuses to run where the kernel lacks a part of the second wall: Landlock and seccomp.
 * @property {'auto' | 'always' | 'cached' | 'never'} [aot] When to compile ahead, on engines that can also interpret.
 * @property {0 | 1 | 2 | 3} [optimize] How much to optimise when compiling.
 * @property {string[]} [args] The guest's arguments; the first one is its name for itself.
 * @property {Record<string, string | undefined>} [env] The guest's environment. Nothing of this process's is in it.
 * @property {string[]} [inheritEnv] Names of variables of this process to pass on.
 * @property {(string | Preopen)[]} [preopens] The files and directories that it is given: objects, or `'HOST:GUEST'` and `'HOST:GUEST:ro'`.
 * @property {Stdin} [stdin] Standard input. Default `'inherit'`.
 * @property {string | Uint8Array | ArrayBuffer} [input] Text or bytes as standard input.
 * @property {Stdout} [stdout] Standard output. Default `'inherit'`.
 * @property {Stdout} [stderr] Standard error. Default `'inherit'`.
 * @property {Network} [network] What it may reach over the network.
 * @property {'real' | Date | { unixSeconds: number | bigint }} [clock] The time that it sees: the machine's, or one that starts here and moves with each reading.
 * @property {'real' | { seed: number | bigint }} [random] The randomness that it sees.
 * @property {Limits} [limits] What bounds it.
 * @property {string | Record<string, unknown>} [spec] A run spec as JSON (docs/run-spec.schema.json), for what is shared with other programs. Other options go before it.
 */

/**
 * How a run is asked for.
 * @typedef {object} RunOptionsOwn
 * @property {string | { name: string; args?: (string | number | bigint)[] }} [invoke] An export to call instead of `_start`, with arguments as text.
 * @property {AbortSignal} [signal] Ends the guest: the run then fails with an AbortError.
 * @property {'wait' | 'refuse' | { wait: number }} [whenFull] What to do when as many runs are under way and wait as may.
 */

/**
 * How a run is asked for.
 * @typedef {GuestOptions & RunOptionsOwn} RunOptions
 */

/**
 * A port of this machine that the system chose for a guest.
 * @typedef {object} PublishedPort
 * @property {string} address Where the machine listens.
 * @property {number} port On which port.
 * @property {number} guestPort Which port that is to the guest.
 * @property {'tcp' | 'udp'} protocol Connections or datagrams.
 */

/**
 * A value that crosses between guest and host: BigInt for i64, number for i32, f32 and f64.
 * @typedef {number | bigint} Value
 */

/**
 * The type of a value.
 * @typedef {'i32' | 'i64' | 'f32' | 'f64'} ValueType
 */

/**
 * One frame of a backtrace.
 * @typedef {object} Frame
 * @property {number} function
 * @property {string} [name]
 * @property {number} [offset]
 * @property {string} [source]
 */

/**
 * A trap: what happened, and where in the guest.
 * @typedef {object} Trap
 * @property {string} kind
 * @property {string} [detail]
 * @property {Frame[]} [backtrace]
 */

/**
 * The limits that end a guest.
 * @typedef {'wall-time' | 'cpu-time' | 'fuel' | 'output-bytes' | 'written-bytes' | 'received-bytes' | 'sent-bytes' | 'memory'} LimitKind
 */

/**
 * How a guest ended.
 * @typedef {{ kind: 'exited'; code: number } | { kind: 'trapped'; trap: Trap } | { kind: 'limit-reached'; limit: LimitKind } | { kind: 'signaled'; signal: number } | { kind: 'engine-crashed'; signal: number }} ExitStatus
 */

/**
 * What a run used. Null where it could not be measured. Times are seconds.
 * @typedef {object} Usage
 * @property {number} wallTime
 * @property {number} cpuTime
 * @property {number} peakMemoryBytes
 * @property {number | null} memoryPages
 * @property {number | null} fuel
 * @property {number} outputBytes
 * @property {number} writtenBytes
 * @property {number} receivedBytes
 * @property {number} sentBytes
 * @property {number | null} compileTime
 */

/**
 * The end of a run that started. Whatever a guest does to itself is told here, and is no error.
 * @typedef {object} Outcome
 * @property {ExitStatus} status How it ended.
 * @property {boolean} success Whether it ended by itself with code 0.
 * @property {number} exitCode The exit code that a command line would have: 124 for a deadline, 134 for a trap, and so on.
 * @property {Usage} usage What it used.
 * @property {EngineName} engine The engine that ran it.
 * @property {Tier} tier How the engine ran it.
 * @property {Value[]} results What an invoked export returned.
 * @property {Buffer} [stdout] Standard output, when it was captured.
 * @property {Buffer} [stderr] Standard error, when it was captured.
 * @property {string[]} refusals What the host refused while it ran: a line each.
 * @property {{ landlock: number | null; seccomp: boolean }} [osSandbox] What the kernel enforced on its process.
 */

/**
 * The stable names of the kinds of errors.
 * @typedef {'invalid-input' | 'not-found' | 'permission-denied' | 'not-wasm' | 'invalid-module' | 'limit-exceeded' | 'missing-imports' | 'missing-export' | 'unsupported' | 'denied' | 'engine-unavailable' | 'compile-failed' | 'address-in-use' | 'cancelled' | 'busy' | 'internal' | 'guest-ended'} ErrorCode
 */

/**
 * How a runtime is set up.
 * @typedef {object} RuntimeOptions
 * @property {string | false} [cache] Where native code is kept; `false` for nowhere. Default: as the environment says.
 * @property {number} [cacheBytes] What the cache may take. Default 2 GiB.
 * @property {{ limits?: Limits; engines?: EngineName[]; preopens?: boolean; network?: boolean }} [ceiling] What no run may exceed.
 * @property {string} [worker] The executable `wasmrt-worker`, where it does not lie beside this package.
 * @property {number} [maxRuns] How many runs may be under way at once. Default 64.
 * @property {number} [queue] How many may wait. Default 512.
 */

/**
 * How many runs there are.
 * @typedef {object} RuntimeStatus
 * @property {number} running
 * @property {number} queued
 * @property {number} maxRuns
 * @property {number} queue
 * @property {number | null} worker The process in which guests are started; null before the first run.
 * @property {number} restarts How often it had to be started again.
 */

/**
 * What a module wants or offers.
 * @typedef {{ kind: 'function'; params: string[]; results: string[] } | { kind: 'memory' | 'table'; minimum: number; maximum: number | null } | { kind: 'global'; content: string; mutable: boolean } | { kind: 'tag' }} ExternType
 */

/**
 * A module, looked at from outside.
 * @typedef {object} Inspection
 * @property {number} bytes
 * @property {{ imports: { module: string; name: string; type: ExternType }[]; exports: { name: string; type: ExternType }[]; [more: string]: unknown; }} info
 * @property {{ engine: EngineName; tiers: Tier[]; reason: string | null }[]} engines
 * @property {EngineName | null} auto The engine that `'auto'` would take.
 * @property {string | null} unresolved Imports that nobody offers, as one sentence.
 */

/**
 * An engine as it was found on this machine.
 * @typedef {object} EngineStatus
 * @property {EngineName} name
 * @property {{ engine: EngineName; version: string; path: string | null; [more: string]: unknown }} [capabilities]
 * @property {{ kind: ErrorCode; message: string; hint?: string }} [error]
 */

/**
 * One thing of this machine that was looked at.
 * @typedef {object} Check
 * @property {string} name
 * @property {'good' | 'degraded' | 'broken'} health
 * @property {string} found
 * @property {string | null} fix
 */

/**
 * What a host function finds as `this`: the guest that calls it.
 * @typedef {object} Caller
 * @property {import('./instance.js').Memory} memory
 */

/**
 * A function that a guest calls. In calls on another thread (`instance.call`) it may return a promise.
 * @typedef {(this: Caller, ...args: any[]) => void | Value | Value[] | Promise<void | Value | Value[]>} HostFunction
 */

/**
 * What a guest is offered besides WASI. A plain function has the types with which the module imports it.
 * @typedef {Record<string, Record<string, HostFunction | { params?: ValueType[]; results?: ValueType[]; call: HostFunction } | { memory: number }>>} Imports
 */

/**
 * How an instance is made. Its limits of fuel and wall time hold for each call.
 * @typedef {object} InstanceOptionsOwn
 * @property {Imports} [imports]
 * @property {'inherit' | 'ignore' | Uint8Array | ArrayBuffer | { file: string }} [stdin]
 * @property {'inherit' | 'ignore' | 'capture' | { capture: Size } | { file: string }} [stdout]
 * @property {'inherit' | 'ignore' | 'capture' | { capture: Size } | { file: string }} [stderr]
 */

/**
 * How an instance is made. Its limits of fuel and wall time hold for each call.
 * @typedef {Omit<GuestOptions, 'stdin' | 'stdout' | 'stderr'> & InstanceOptionsOwn} InstanceOptions
 */

/**
 * What bounds one call, below what the instance's limits say.
 * @typedef {object} CallOptions
 * @property {Count} [fuel]
 * @property {Span} [wallTime]
 */

/**
 * What a call used.
 * @typedef {object} CallUsage
 * @property {number} wallTime Seconds.
 * @property {number | null} fuel
 */

/**
 * The end of a call that returned.
 * @typedef {object} CallResult
 * @property {any} value What the function returned: nothing, one value, or a list.
 * @property {Value[]} values
 * @property {CallUsage} usage
 */

/**
 * An exported function. The call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning.
 * @typedef {(...args: Value[]) => any} ExportedFunction
 */

module.exports = {};
