/**
 * Calls back when the signal aborts. Returns what ends that.
 * @param {AbortSignal | undefined} signal
 * @param {() => void} callback
 * @returns {() => void}
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void;
