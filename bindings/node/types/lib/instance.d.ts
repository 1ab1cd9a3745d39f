/**
 * What host functions need of their instance.
 */
export type State = {
    functions: Function[];
    names: string[];
    hop: any;
    /**
     * The native half's instance, once it is made.
     */
    native: any;
    /**
     * What a host function threw.
     */
    thrown: {
        error: unknown;
    } | undefined;
    caller: import("./types.js").Caller;
};
/** A guest in this process. Make one with `instantiate`. */
export class Instance {
    /**
     * @private
     * @param {State} state
     * @param {number} id
     */
    private constructor();
    /**
     * Its exported functions. A call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning.
     * @readonly
     * @type {Readonly<Record<string, import('./types.js').ExportedFunction>>}
     */
    readonly exports: Readonly<Record<string, import("./types.js").ExportedFunction>>;
    /**
     * The engine that runs it.
     * @returns {import('./types.js').EngineName}
     */
    get engine(): import("./types.js").EngineName;
    /**
     * How the engine runs it.
     * @returns {import('./types.js').Tier}
     */
    get tier(): import("./types.js").Tier;
    /**
     * What the module offers: functions, memories, tables, globals.
     * @returns {{ name: string, type: import('./types.js').ExternType }[]}
     */
    get exportTypes(): {
        name: string;
        type: import("./types.js").ExternType;
    }[];
    /**
     * The memory that the guest exports as `memory`, or the one that it imports and owns.
     * @returns {Memory}
     */
    get memory(): Memory;
    /**
     * A memory that the guest exports by this name.
     * @param {string} name
     */
    memoryNamed(name: string): Memory;
    /**
     * What it has used since it was made or reset.
     * @returns {{ memoryPages: number, outputBytes: number, writtenBytes: number }}
     */
    get usage(): {
        memoryPages: number;
        outputBytes: number;
        writtenBytes: number;
    };
    /**
     * What the host refused the guest since it was made or reset.
     * @returns {string[]}
     */
    get refusals(): string[];
    /**
     * Why it can only be reset: its guest ended, or a call of it failed in the middle. Undefined when it can be called.
     * @returns {{ message: string, status?: import('./types.js').ExitStatus, code?: import('./types.js').ErrorCode } | undefined}
     */
    get spent(): {
        message: string;
        status?: import("./types.js").ExitStatus;
        code?: import("./types.js").ErrorCode;
    } | undefined;
    /**
     * What the guest wrote to a captured standard output since this was last asked.
     * @returns {Buffer | undefined}
     */
    takeStdout(): Buffer | undefined;
    /**
     * What the guest wrote to a captured standard error since this was last asked.
     * @returns {Buffer | undefined}
     */
    takeStderr(): Buffer | undefined;
    /**
     * Calls an export on this thread, with limits of its own.
     * @param {string} name
     * @param {import('./types.js').Value[]} [args]
     * @param {import('./types.js').CallOptions} [options]
     * @returns {import('./types.js').CallResult}
     */
    callSync(name: string, args?: import("./types.js").Value[], options?: import("./types.js").CallOptions): import("./types.js").CallResult;
    /**
     * Calls an export on another thread. Host functions run on this one, and may return promises.
     * @param {string} name
     * @param {import('./types.js').Value[]} [args]
     * @param {import('./types.js').CallOptions & { signal?: AbortSignal }} [options]
     * @returns {Promise<import('./types.js').CallResult>}
     */
    call(name: string, args?: import("./types.js").Value[], options?: import("./types.js").CallOptions & {
        signal?: AbortSignal;
    }): Promise<import("./types.js").CallResult>;
    /** Makes a new guest of the same code: fresh memory, files closed, usage at 0. Host functions stay. */
    reset(): Promise<void>;
    /** The same, on this thread. */
    resetSync(): void;
    #private;
}
/** A guest's memory. Everything is copied: what was read stays as it was read. */
export class Memory {
    /**
     * @private
     * @param {{ native: any, hop: any }} state
     * @param {string} [name]
     */
    private constructor();
    /**
     * Its size in bytes.
     * @returns {number}
     */
    get size(): number;
    /**
     * `length` bytes from `offset` on.
     * @param {number} offset
     * @param {number} length
     * @returns {Buffer}
     */
    read(offset: number, length: number): Buffer;
    /**
     * Writes bytes, or text as UTF-8, from `offset` on: all or nothing.
     * @param {number} offset
     * @param {Uint8Array | ArrayBuffer | string} data
     * @returns {void}
     */
    write(offset: number, data: Uint8Array | ArrayBuffer | string): void;
    /**
     * UTF-8 text of so many bytes.
     * @param {number} offset
     * @param {number} length
     */
    readString(offset: number, length: number): string;
    /**
     * UTF-8 text up to the next byte of 0.
     * @param {number} offset
     */
    readCString(offset: number): string;
    #private;
}
/**
 * Makes an instance on a runtime of the native half.
 * @param {any} runtime
 * @param {Uint8Array} bytes
 * @param {import('./options.js').Asked} options
 * @param {import('./types.js').Imports | undefined} imports
 */
export function instantiate(runtime: any, bytes: Uint8Array, { json, around }: import("./options.js").Asked, imports: import("./types.js").Imports | undefined): Promise<Instance>;
