/** A run that was started. When nobody holds it or waits for it any more, the guest is ended. */
export class Run {
    /**
     * @private
     * @param {any} native
     * @param {import('./options.js').Connected} connected
     * @param {AbortSignal | undefined} signal
     */
    private constructor();
    /**
     * Where the guest's standard input is written to, if it is piped; else null.
     * @returns {import('node:stream').Writable | null}
     */
    get stdin(): import("node:stream").Writable | null;
    /**
     * Where its standard output is read from, if it is piped; else null.
     * @returns {import('node:stream').Readable | null}
     */
    get stdout(): import("node:stream").Readable | null;
    /**
     * Where its standard error is read from, if it is piped; else null.
     * @returns {import('node:stream').Readable | null}
     */
    get stderr(): import("node:stream").Readable | null;
    /**
     * How it ended.
     * @returns {Promise<import('./types.js').Outcome>}
     */
    wait(): Promise<import("./types.js").Outcome>;
    /**
     * The ports that the system chose: those that `network.publish` names as port 0. Settles when they are bound; a run that ended before that has fewer.
     * @returns {Promise<import('./types.js').PublishedPort[]>}
     */
    published(): Promise<import("./types.js").PublishedPort[]>;
    /** Ends it: it fails with the code `cancelled`, unless its end came first. */
    cancel(): void;
    #private;
}
/**
 * Makes a run of what the native half started. Users cannot.
 * @type {(native: any, connected: import('./options.js').Connected, signal: AbortSignal | undefined) => Run}
 */
export let runOfNative: (native: any, connected: import("./options.js").Connected, signal: AbortSignal | undefined) => Run;
