/**
 * An engine.
 */
export type EngineName = "wasmedge" | "wasmtime" | "wasmer";
/**
 * How an engine runs a guest: instruction by instruction, native code made quickly, or optimised.
 */
export type Tier = "interpreter" | "baseline" | "optimized";
/**
 * A size: bytes, or text such as `'64Mi'` or `'1.5g'`.
 */
export type Size = number | bigint | string;
/**
 * A count: a whole number, or text such as `'1_000_000'`.
 */
export type Count = number | bigint | string;
/**
 * A time: seconds, text such as `'500ms'` or `'2min'`, or milliseconds.
 */
export type Span = number | string | {
    ms: number;
};
/**
 * As much as the machine gives. There is no other way to say it.
 */
export type Unlimited = "unlimited";
/**
 * What a module is made of: a path, a URL of a file, or bytes.
 */
export type ModuleSource = string | URL | import("./runtime.js").Module | Uint8Array | ArrayBuffer;
/**
 * What bounds a guest. A limit that is left out has its default.
 */
export type Limits = {
    /**
     * Sum of all linear memories. Default 512 MiB. Growing beyond it fails inside the guest, as the specification says.
     */
    memoryBytes?: Size | Unlimited;
    /**
     * Sum of all table elements. Default 1 Mi.
     */
    tableElements?: Count | Unlimited;
    /**
     * Nested calls; functions with large frames count more than once. Default 32,768.
     */
    callDepth?: Count | Unlimited;
    /**
     * Units of fuel, the same for a program on every engine. Default unlimited.
     */
    fuel?: Count | Unlimited;
    /**
     * Processor time, user and system. Default unlimited.
     */
    cpuTime?: Span | Unlimited;
    /**
     * Wall-clock time. Default unlimited.
     */
    wallTime?: Span | Unlimited;
    /**
     * Sum of what is written to stdout and stderr. Default 64 MiB when one of them is captured, else unlimited.
     */
    outputBytes?: Size | Unlimited;
    /**
     * Files, directories and sockets open at once. Default 256.
     */
    openFiles?: Count | Unlimited;
    /**
     * Sum of what is written to files. Default unlimited.
     */
    writtenBytes?: Size | Unlimited;
    /**
     * Sockets open at once. Default 128.
     */
    openSockets?: Count | Unlimited;
    /**
     * Connections that may wait to be accepted, for each listener. Default 128.
     */
    listenBacklog?: Count | Unlimited;
    /**
     * Sum of what is received over the network. Default unlimited.
     */
    receivedBytes?: Size | Unlimited;
    /**
     * Sum of what is sent over the network. Default unlimited.
     */
    sentBytes?: Size | Unlimited;
    /**
     * Size of the module. Default 256 MiB.
     */
    moduleBytes?: Size | Unlimited;
    /**
     * Time of preparing and compiling. Default 120 s.
     */
    compileTime?: Span | Unlimited;
};
/**
 * A file or directory of this machine under a path of the guest.
 */
export type Preopen = {
    /**
     * On this machine. Relative paths begin at the current directory.
     */
    host: string;
    /**
     * Where the guest finds it.
     */
    guest: string;
    /**
     * Read-only or read-write, which is the default.
     */
    access?: "ro" | "rw";
};
/**
 * What a guest may reach over the network: nothing, but for what rules name (docs/network.md).
 */
export type Network = {
    /**
     * `connect=HOST|CIDR[:PORTS]`, `listen=ADDRESS:PORT`, `resolve=NAME|*`.
     */
    allow?: string[];
    /**
     * Ports of this machine that are the guest's: `[ADDRESS:]PORT:GUEST_PORT[/udp]`; port 0 is one that the system chooses (`run.published()`).
     */
    publish?: string[];
};
/**
 * Where standard input comes from. Text is given as the option `input`.
 */
export type Stdin = "inherit" | "ignore" | "pipe" | Uint8Array | ArrayBuffer | import("node:stream").Readable | import("node:stream/web").ReadableStream | AsyncIterable<Uint8Array | string> | {
    file: string;
};
/**
 * Where an output goes. `'capture'` means into the outcome; the guest is ended when it writes more than the cap.
 */
export type Stdout = "inherit" | "ignore" | "capture" | "pipe" | import("node:stream").Writable | import("node:stream/web").WritableStream | {
    capture: Size;
} | {
    file: string;
};
/**
 * What a guest is given, apart from what calls it.
 */
export type GuestOptions = {
    /**
     * The engine. `'auto'`, the default, takes the best that is there and has what the module needs.
     */
    engine?: "auto" | EngineName;
    /**
     * What stands between the guest and this process.
     */
    isolation?: "process" | "in-process";
    /**
     * Refuses to run where the kernel lacks a part of the second wall: Landlock and seccomp.
     */
    requireOsSandbox?: boolean;
    /**
     * When to compile ahead, on engines that can also interpret.
     */
    aot?: "auto" | "always" | "cached" | "never";
    /**
     * How much to optimise when compiling.
     */
    optimize?: 0 | 1 | 2 | 3;
    /**
     * The guest's arguments; the first one is its name for itself.
     */
    args?: string[];
    /**
     * The guest's environment. Nothing of this process's is in it.
     */
    env?: Record<string, string | undefined>;
    /**
     * Names of variables of this process to pass on.
     */
    inheritEnv?: string[];
    /**
     * The files and directories that it is given: objects, or `'HOST:GUEST'` and `'HOST:GUEST:ro'`.
     */
    preopens?: (string | Preopen)[];
    /**
     * Standard input. Default `'inherit'`.
     */
    stdin?: Stdin;
    /**
     * Text or bytes as standard input.
     */
    input?: string | Uint8Array | ArrayBuffer;
    /**
     * Standard output. Default `'inherit'`.
     */
    stdout?: Stdout;
    /**
     * Standard error. Default `'inherit'`.
     */
    stderr?: Stdout;
    /**
     * What it may reach over the network.
     */
    network?: Network;
    /**
     * The time that it sees: the machine's, or one that starts here and moves with each reading.
     */
    clock?: "real" | Date | {
        unixSeconds: number | bigint;
    };
    /**
     * The randomness that it sees.
     */
    random?: "real" | {
        seed: number | bigint;
    };
    /**
     * What bounds it.
     */
    limits?: Limits;
    /**
     * A run spec as JSON (docs/run-spec.schema.json), for what is shared with other programs. Other options go before it.
     */
    spec?: string | Record<string, unknown>;
};
/**
 * How a run is asked for.
 */
export type RunOptionsOwn = {
    /**
     * An export to call instead of `_start`, with arguments as text.
     */
    invoke?: string | {
        name: string;
        args?: (string | number | bigint)[];
    };
    /**
     * Ends the guest: the run then fails with an AbortError.
     */
    signal?: AbortSignal;
    /**
     * What to do when as many runs are under way and wait as may.
     */
    whenFull?: "wait" | "refuse" | {
        wait: number;
    };
};
/**
 * How a run is asked for.
 */
export type RunOptions = GuestOptions & RunOptionsOwn;
/**
 * A port of this machine that the system chose for a guest.
 */
export type PublishedPort = {
    /**
     * Where the machine listens.
     */
    address: string;
    /**
     * On which port.
     */
    port: number;
    /**
     * Which port that is to the guest.
     */
    guestPort: number;
    /**
     * Connections or datagrams.
     */
    protocol: "tcp" | "udp";
};
/**
 * A value that crosses between guest and host: BigInt for i64, number for i32, f32 and f64.
 */
export type Value = number | bigint;
/**
 * The type of a value.
 */
export type ValueType = "i32" | "i64" | "f32" | "f64";
/**
 * One frame of a backtrace.
 */
export type Frame = {
    function: number;
    name?: string;
    offset?: number;
    source?: string;
};
/**
 * A trap: what happened, and where in the guest.
 */
export type Trap = {
    kind: string;
    detail?: string;
    backtrace?: Frame[];
};
/**
 * The limits that end a guest.
 */
export type LimitKind = "wall-time" | "cpu-time" | "fuel" | "output-bytes" | "written-bytes" | "received-bytes" | "sent-bytes" | "memory";
/**
 * How a guest ended.
 */
export type ExitStatus = {
    kind: "exited";
    code: number;
} | {
    kind: "trapped";
    trap: Trap;
} | {
    kind: "limit-reached";
    limit: LimitKind;
} | {
    kind: "signaled";
    signal: number;
} | {
    kind: "engine-crashed";
    signal: number;
};
/**
 * What a run used. Null where it could not be measured. Times are seconds.
 */
export type Usage = {
    wallTime: number;
    cpuTime: number;
    peakMemoryBytes: number;
    memoryPages: number | null;
    fuel: number | null;
    outputBytes: number;
    writtenBytes: number;
    receivedBytes: number;
    sentBytes: number;
    compileTime: number | null;
};
/**
 * The end of a run that started. Whatever a guest does to itself is told here, and is no error.
 */
export type Outcome = {
    /**
     * How it ended.
     */
    status: ExitStatus;
    /**
     * Whether it ended by itself with code 0.
     */
    success: boolean;
    /**
     * The exit code that a command line would have: 124 for a deadline, 134 for a trap, and so on.
     */
    exitCode: number;
    /**
     * What it used.
     */
    usage: Usage;
    /**
     * The engine that ran it.
     */
    engine: EngineName;
    /**
     * How the engine ran it.
     */
    tier: Tier;
    /**
     * What an invoked export returned.
     */
    results: Value[];
    /**
     * Standard output, when it was captured.
     */
    stdout?: Buffer;
    /**
     * Standard error, when it was captured.
     */
    stderr?: Buffer;
    /**
     * What the host refused while it ran: a line each.
     */
    refusals: string[];
    /**
     * What the kernel enforced on its process.
     */
    osSandbox?: {
        landlock: number | null;
        seccomp: boolean;
    };
};
/**
 * The stable names of the kinds of errors.
 */
export type ErrorCode = "invalid-input" | "not-found" | "permission-denied" | "not-wasm" | "invalid-module" | "limit-exceeded" | "missing-imports" | "missing-export" | "unsupported" | "denied" | "engine-unavailable" | "compile-failed" | "address-in-use" | "cancelled" | "busy" | "internal" | "guest-ended";
/**
 * How a runtime is set up.
 */
export type RuntimeOptions = {
    /**
     * Where native code is kept; `false` for nowhere. Default: as the environment says.
     */
    cache?: string | false;
    /**
     * What the cache may take. Default 2 GiB.
     */
    cacheBytes?: number;
    /**
     * What no run may exceed.
     */
    ceiling?: {
        limits?: Limits;
        engines?: EngineName[];
        preopens?: boolean;
        network?: boolean;
    };
    /**
     * The executable `wasmrt-worker`, where it does not lie beside this package.
     */
    worker?: string;
    /**
     * How many runs may be under way at once. Default 64.
     */
    maxRuns?: number;
    /**
     * How many may wait. Default 512.
     */
    queue?: number;
};
/**
 * How many runs there are.
 */
export type RuntimeStatus = {
    running: number;
    queued: number;
    maxRuns: number;
    queue: number;
    /**
     * The process in which guests are started; null before the first run.
     */
    worker: number | null;
    /**
     * How often it had to be started again.
     */
    restarts: number;
};
/**
 * What a module wants or offers.
 */
export type ExternType = {
    kind: "function";
    params: string[];
    results: string[];
} | {
    kind: "memory" | "table";
    minimum: number;
    maximum: number | null;
} | {
    kind: "global";
    content: string;
    mutable: boolean;
} | {
    kind: "tag";
};
/**
 * A module, looked at from outside.
 */
export type Inspection = {
    bytes: number;
    info: {
        imports: {
            module: string;
            name: string;
            type: ExternType;
        }[];
        exports: {
            name: string;
            type: ExternType;
        }[];
        [more: string]: unknown;
    };
    engines: {
        engine: EngineName;
        tiers: Tier[];
        reason: string | null;
    }[];
    /**
     * The engine that `'auto'` would take.
     */
    auto: EngineName | null;
    /**
     * Imports that nobody offers, as one sentence.
     */
    unresolved: string | null;
};
/**
 * An engine as it was found on this machine.
 */
export type EngineStatus = {
    name: EngineName;
    capabilities?: {
        engine: EngineName;
        version: string;
        path: string | null;
        [more: string]: unknown;
    };
    error?: {
        kind: ErrorCode;
        message: string;
        hint?: string;
    };
};
/**
 * One thing of this machine that was looked at.
 */
export type Check = {
    name: string;
    health: "good" | "degraded" | "broken";
    found: string;
    fix: string | null;
};
/**
 * What a host function finds as `this`: the guest that calls it.
 */
export type Caller = {
    memory: import("./instance.js").Memory;
};
/**
 * A function that a guest calls. In calls on another thread (`instance.call`) it may return a promise.
 */
export type HostFunction = (this: Caller, ...args: any[]) => void | Value | Value[] | Promise<void | Value | Value[]>;
/**
 * What a guest is offered besides WASI. A plain function has the types with which the module imports it.
 */
export type Imports = Record<string, Record<string, HostFunction | {
    params?: ValueType[];
    results?: ValueType[];
    call: HostFunction;
} | {
    memory: number;
}>>;
/**
 * How an instance is made. Its limits of fuel and wall time hold for each call.
 */
export type InstanceOptionsOwn = {
    imports?: Imports;
    stdin?: "inherit" | "ignore" | Uint8Array | ArrayBuffer | {
        file: string;
    };
    stdout?: "inherit" | "ignore" | "capture" | {
        capture: Size;
    } | {
        file: string;
    };
    stderr?: "inherit" | "ignore" | "capture" | {
        capture: Size;
    } | {
        file: string;
    };
};
/**
 * How an instance is made. Its limits of fuel and wall time hold for each call.
 */
export type InstanceOptions = Omit<GuestOptions, "stdin" | "stdout" | "stderr"> & InstanceOptionsOwn;
/**
 * What bounds one call, below what the instance's limits say.
 */
export type CallOptions = {
    fuel?: Count;
    wallTime?: Span;
};
/**
 * What a call used.
 */
export type CallUsage = {
    /**
     * Seconds.
     */
    wallTime: number;
    fuel: number | null;
};
/**
 * The end of a call that returned.
 */
export type CallResult = {
    /**
     * What the function returned: nothing, one value, or a list.
     */
    value: any;
    values: Value[];
    usage: CallUsage;
};
/**
 * An exported function. The call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning.
 */
export type ExportedFunction = (...args: Value[]) => any;
