'use strict';
// Loads the native half, and turns what it throws into the errors that users see.

const path = require('node:path');
const { errorFrom } = require('./errors.js');

const library = path.join(__dirname, '..', 'native', 'wasmrt.node');

/** @returns {any} */
function load() {
  if (process.platform !== 'linux') {
    throw new Error(`wasmrt runs on Linux only: guests are confined by means of its kernel, and this is ${process.platform}`);
  }
  try {
    return require(library);
  } catch (error) {
    const cause = /** @type {NodeJS.ErrnoException} */ (error);
    if (cause.code !== 'MODULE_NOT_FOUND') throw cause;
    throw new Error(`the native part of wasmrt is not built (${library}): run \`npm install\` in ${path.dirname(__dirname)}, which needs Rust`, { cause });
  }
}

const native = load();

/**
 * Calls the native half. Its failures are JSON in the message.
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
function guarded(call) {
  try {
    return call();
  } catch (thrown) {
    throw translated(thrown);
  }
}

/** @param {unknown} thrown */
function translated(thrown) {
  const text = thrown instanceof Error ? thrown.message : '';
  if (!text.startsWith('{"error"')) return thrown;
  return errorFrom(JSON.parse(text).error);
}

module.exports = { native, guarded };
