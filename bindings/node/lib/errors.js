'use strict';
// The errors that users see. Their codes are the stable names of the kinds of errors that all front-ends share.

/** Something that kept a guest from running, or wasmrt from doing what was asked. Branch on `code`. */
class WasmrtError extends Error {
  constructor(message, { code, operation, context, hint, ...options } = {}) {
    super(message, options);
    this.code = code ?? 'internal';
    if (operation) this.operation = operation;
    if (context) this.context = context;
    if (hint) this.hint = hint;
  }
}
Object.defineProperty(WasmrtError.prototype, 'name', { value: 'WasmrtError', configurable: true, writable: true });

/** A guest ended in the middle of a call: it exited, trapped or reached a limit. */
class GuestEndedError extends WasmrtError {
  constructor(message, { status, usage, ...options }) {
    super(message, { ...options, code: 'guest-ended' });
    this.status = status;
    if (usage) this.usage = usage;
  }
}
Object.defineProperty(GuestEndedError.prototype, 'name', { value: 'GuestEndedError', configurable: true, writable: true });

/** An AbortSignal ended it. The signal's reason is the cause. */
class AbortError extends Error {
  constructor(reason) {
    super('The operation was aborted', { cause: reason });
    this.code = 'ABORT_ERR';
  }
}
Object.defineProperty(AbortError.prototype, 'name', { value: 'AbortError', configurable: true, writable: true });

/** Makes the user's error of one in the form in which the native half writes it down. */
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

/** A request that makes no sense. */
function invalid(message, hint) {
  return new WasmrtError(hint ? `${message}; ${hint}` : message, { code: 'invalid-input', hint });
}

module.exports = { WasmrtError, GuestEndedError, AbortError, errorFrom, invalid };
