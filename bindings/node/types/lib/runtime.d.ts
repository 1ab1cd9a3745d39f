/** A module, or a component: bytes that any number of runs share, on any runtime and thread. */
export class Module {
    /**
     * Reads a module from a file, or copies bytes, without keeping this thread from anything else for long.
     * @param {string | URL | Uint8Array | ArrayBuffer} source
     * @returns {Promise<Module>}
     */
    static load(source: string | URL | Uint8Array | ArrayBuffer): Promise<Module>;
    /** @param {Uint8Array | ArrayBuffer} bytes */
    constructor(bytes: Uint8Array | ArrayBuffer);
    /**
     * The BLAKE3 hash of its bytes, in hexadecimal.
     * @returns {string}
     */
    get hash(): string;
    /**
     * Its size in bytes.
     * @returns {number}
     */
    get size(): number;
    #private;
}
/** Engines, cache, ceiling, and the process in which guests are started. Making one costs nothing; the first run starts that process. */
export class Runtime {
    /** @param {import('./types.js').RuntimeOptions} [options] */
    constructor(options?: import("./types.js").RuntimeOptions);
    /**
     * Runs a module to its end.
     * @param {import('./types.js').ModuleSource} module
     * @param {import('./types.js').RunOptions} [options]
     * @returns {Promise<import('./types.js').Outcome>}
     */
    run(module: import("./types.js").ModuleSource, options?: import("./types.js").RunOptions): Promise<import("./types.js").Outcome>;
    /**
     * Starts a run.
     * @param {Module | Uint8Array | ArrayBuffer} module
     * @param {import('./types.js').RunOptions} [options]
     * @returns {import('./run.js').Run}
     */
    start(module: Module | Uint8Array | ArrayBuffer, options?: import("./types.js").RunOptions): import("./run.js").Run;
    /**
     * Makes an instance of a module in this process, for callers who call exports often.
     * @param {import('./types.js').ModuleSource} module
     * @param {import('./types.js').InstanceOptions} [options]
     * @returns {Promise<import('./instance.js').Instance>}
     */
    instantiate(module: import("./types.js").ModuleSource, options?: import("./types.js").InstanceOptions): Promise<import("./instance.js").Instance>;
    /**
     * Makes everything ready that a run of this module with these options needs: the engine, its native code.
     * @param {import('./types.js').ModuleSource} module
     * @param {import('./types.js').RunOptions} [options]
     * @returns {Promise<void>}
     */
    preload(module: import("./types.js").ModuleSource, options?: import("./types.js").RunOptions): Promise<void>;
    /**
     * Compiles a module into the cache.
     * @param {import('./types.js').ModuleSource} module
     * @param {import('./types.js').RunOptions} [options]
     * @returns {Promise<{ engine: import('./types.js').EngineName, tier: import('./types.js').Tier, elapsed: number | null, codeBytes: number }>}
     */
    compile(module: import("./types.js").ModuleSource, options?: import("./types.js").RunOptions): Promise<{
        engine: import("./types.js").EngineName;
        tier: import("./types.js").Tier;
        elapsed: number | null;
        codeBytes: number;
    }>;
    /**
     * What a module is, and which engines would run it.
     * @param {import('./types.js').ModuleSource} module
     * @returns {Promise<import('./types.js').Inspection>}
     */
    inspect(module: import("./types.js").ModuleSource): Promise<import("./types.js").Inspection>;
    /**
     * Every engine, with what it can do or why it cannot be had.
     * @returns {Promise<import('./types.js').EngineStatus[]>}
     */
    engines(): Promise<import("./types.js").EngineStatus[]>;
    /**
     * What this machine has of what wasmrt uses, and what to do about the rest.
     * @returns {Promise<import('./types.js').Check[]>}
     */
    doctor(): Promise<import("./types.js").Check[]>;
    /**
     * How many runs there are, and how many may be.
     * @returns {import('./types.js').RuntimeStatus}
     */
    get status(): import("./types.js").RuntimeStatus;
    /**
     * Ends all runs, and starts nothing any more.
     * @returns {Promise<void>}
     */
    close(): Promise<void>;
    #private;
}
/**
 * A module from whatever names one.
 * @param {import('./types.js').ModuleSource} source
 */
export function moduleOf(source: import("./types.js").ModuleSource): Promise<Module>;
