'use strict';
// Listening to AbortSignals. Any number of runs may share one: each has a single listener of ours, since Node warns of many.

/** @type {WeakMap<AbortSignal, Set<() => void>>} */
const heard = new WeakMap();

/**
 * Calls back when the signal aborts. Returns what ends that.
 * @param {AbortSignal | undefined} signal
 * @param {() => void} callback
 * @returns {() => void}
 */
function onAbort(signal, callback) {
  if (!signal) return () => {};
  let callbacks = heard.get(signal);
  if (!callbacks) {
    callbacks = new Set();
    heard.set(signal, callbacks);
    const all = callbacks;
    signal.addEventListener('abort', () => {
      for (const each of all) each();
    }, { once: true });
  }
  callbacks.add(callback);
  const listening = callbacks;
  return () => void listening.delete(callback);
}

module.exports = { onAbort };
