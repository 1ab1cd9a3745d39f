export const native: any;
/**
 * Calls the native half. Its failures are JSON in the message.
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
export function guarded<T>(call: () => T): T;
