export type ErrorFacts = {
    code?: import("./types.js").ErrorCode | undefined;
    operation?: string | undefined;
    context?: Record<string, string> | undefined;
    hint?: string | undefined;
    cause?: unknown;
};
/**
 * @typedef {object} ErrorFacts
 * @property {import('./types.js').ErrorCode | undefined} [code]
 * @property {string | undefined} [operation]
 * @property {Record<string, string> | undefined} [context]
 * @property {string | undefined} [hint]
 * @property {unknown} [cause]
 */
/** Something that kept a guest from running, or wasmrt from doing what was asked. Branch on `code`. */
export class WasmrtError extends Error {
    /**
     * @param {string} [message]
     * @param {ErrorFacts} [facts]
     */
    constructor(message?: string, { code, operation, context, hint, ...options }?: ErrorFacts);
    /**
     * What kind of error this is.
     * @readonly
     * @type {import('./types.js').ErrorCode}
     */
    readonly code: import("./types.js").ErrorCode;
    /**
     * What was being done.
     * @readonly
     * @type {string | undefined}
     */
    readonly operation: string | undefined;
    /**
     * Facts: a path, an engine, a process.
     * @readonly
     * @type {Record<string, string> | undefined}
     */
    readonly context: Record<string, string> | undefined;
    /**
     * What to do about it.
     * @readonly
     * @type {string | undefined}
     */
    readonly hint: string | undefined;
}
/** A guest ended in the middle of a call: it exited, trapped or reached a limit. */
export class GuestEndedError extends WasmrtError {
    /**
     * @param {string} message
     * @param {ErrorFacts & { status: import('./types.js').ExitStatus, usage?: import('./types.js').CallUsage | undefined }} facts
     */
    constructor(message: string, { status, usage, ...options }: ErrorFacts & {
        status: import("./types.js").ExitStatus;
        usage?: import("./types.js").CallUsage | undefined;
    });
    /**
     * How it ended.
     * @readonly
     * @type {import('./types.js').ExitStatus}
     */
    readonly status: import("./types.js").ExitStatus;
    /**
     * What the call used.
     * @readonly
     * @type {import('./types.js').CallUsage | undefined}
     */
    readonly usage: import("./types.js").CallUsage | undefined;
}
/** An AbortSignal ended it. The signal's reason is the cause. */
export class AbortError extends Error {
    /** @param {unknown} [reason] */
    constructor(reason?: unknown);
    /**
     * As Node's own errors of this kind have it.
     * @readonly
     */
    readonly code: string;
}
/**
 * Makes the user's error of one in the form in which the native half writes it down.
 * @param {{ kind: import('./types.js').ErrorCode, operation?: string, message: string, context?: [string, string][], hint?: string, causes?: string[] }} written
 */
export function errorFrom({ kind, operation, message, context, hint, causes }: {
    kind: import("./types.js").ErrorCode;
    operation?: string;
    message: string;
    context?: [string, string][];
    hint?: string;
    causes?: string[];
}): WasmrtError;
/**
 * A request that makes no sense.
 * @param {string} message
 * @param {string} [hint]
 */
export function invalid(message: string, hint?: string): WasmrtError;
