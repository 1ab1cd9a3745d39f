'use strict';
// Listening to AbortSignals. Any number of runs may share one: each has a single listener of ours, since Node warns of many.

const heard = new WeakMap();

/** Calls back when the signal aborts. Returns what ends that. */
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
  return () => callbacks.delete(callback);
}

module.exports = { onAbort };
