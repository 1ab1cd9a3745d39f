'use strict';
// The errors that users see. Their codes are the stable names of the kinds of errors that all front-ends share.

/**
 * @typedef {object} ErrorFacts
 * @property {import('./types.js').ErrorCode | undefined} [code]
 * @property {string | undefined} [operation]
 * @property {Record<string, string> | undefined} [context]
 * @property {string | undefined} [hint]
 * @property {unknown} [cause]
 */

/** Something that kept a guest from running, or wasmrt from doing what was asked. Branch on `code`. */
class WasmrtError extends Error {
  /**
   * @param {string} [message]
   * @param {ErrorFacts} [facts]
   */
  constructor(message, { code, operation, context, hint, ...options } = {}) {
    super(message, options);
    /**
     * What kind of error this is.
     * @readonly
     * @type {import('./types.js').ErrorCode}
     */
    this.code = code ?? 'internal';
    if (operation) {
      /**
       * What was being done.
       * @readonly
       * @type {string | undefined}
       */
      this.operation = operation;
    }
    if (context) {
      /**
       * Facts: a path, an engine, a process.
       * @readonly
       * @type {Record<string, string> | undefined}
       */
      this.context = context;
    }
    if (hint) {
      /**
       * What to do about it.
       * @readonly
       * @type {string | undefined}
       */
      this.hint = hint;
    }
  }
}
Object.defineProperty(WasmrtError.prototype, 'name', { value: 'WasmrtError', configurable: true, writable: true });

/** A guest ended in the middle of a call: it exited, trapped or reached a limit. */
class GuestEndedError extends WasmrtError {
  /**
   * @param {string} message
   * @param {ErrorFacts & { status: import('./types.js').ExitStatus, usage?: import('./types.js').CallUsage | undefined }} facts
   */
  constructor(message, { status, usage, ...options }) {
    super(message, { ...options, code: 'guest-ended' });
    /**
     * How it ended.
     * @readonly
     * @type {import('./types.js').ExitStatus}
     */
    this.status = status;
    if (usage) {
      /**
       * What the call used.
       * @readonly
       * @type {import('./types.js').CallUsage | undefined}
       */
      this.usage = usage;
    }
  }
}
Object.defineProperty(GuestEndedError.prototype, 'name', { value: 'GuestEndedError', configurable: true, writable: true });

/** An AbortSignal ended it. The signal's reason is the cause. */
class AbortError extends Error {
  /** @param {unknown} [reason] */
  constructor(reason) {
    super('The operation was aborted', { cause: reason });
    /**
     * As Node's own errors of this kind have it.
     * @readonly
     */
    this.code = 'ABORT_ERR';
  }
}
Object.defineProperty(AbortError.prototype, 'name', { value: 'AbortError', configurable: true, writable: true });

/**
 * Makes the user's error of one in the form in which the native half writes it down.
 * @param {{ kind: import('./types.js').ErrorCode, operation?: string, message: string, context?: [string, string][], hint?: string, causes?: string[] }} written
 */
function errorFrom({ kind, operation, message, context, hint, causes }) {
  let text = operation ? `${operation}: ${message}` : message;
  if (context?.length) text += ` (${context.map(([key, value]) => `${key} ${value}`).join(', ')})`;
  for (const cause of causes ?? []) text += `: ${cause}`;
  if (hint) text += `; ${hint}`;
  return new WasmrtError(text, {
    code: kind,
    operation,
    context: context?.length ? Object.fromEntries(context) : undefined,
    hint,
    cause: causes?.length ? new Error(causes[0]) : undefined,
  });
}

/**
 * A request that makes no sense.
 * @param {string} message
 * @param {string} [hint]
 */
function invalid(message, hint) {
  return new WasmrtError(hint ? `${message}; ${hint}` : message, { code: 'invalid-input', hint });
}

module.exports = { WasmrtError, GuestEndedError, AbortError, errorFrom, invalid };
