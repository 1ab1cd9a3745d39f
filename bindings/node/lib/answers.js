'use strict';
// What the native half answers, in JavaScript's words: camelCase, seconds, numbers and BigInt, bytes.

const { errorFrom } = require('./errors.js');
const { camel } = require('./options.js');

const view = new DataView(new ArrayBuffer(8));

/**
 * @typedef {object} Answer What the native half settles promises with.
 * @property {string} json
 * @property {Buffer} [stdout]
 * @property {Buffer} [stderr]
 */

/**
 * A value of the guest's from its type and bits.
 * @param {[import('./types.js').ValueType, string]} typed
 * @returns {import('./types.js').Value}
 */
function value([type, bits]) {
  view.setBigUint64(0, BigInt(bits));
  switch (type) {
    case 'i32':
      return view.getInt32(4);
    case 'i64':
      return view.getBigInt64(0);
    case 'f32':
      return view.getFloat32(4);
    default:
      return view.getFloat64(0);
  }
}

/**
 * Names in camelCase, on every level; durations as seconds.
 * @param {any} json
 * @returns {any}
 */
function translated(json) {
  if (Array.isArray(json)) return json.map(translated);
  if (typeof json !== 'object' || json === null) return json;
  const keys = Object.keys(json);
  if (keys.length === 2 && 'secs' in json && 'nanos' in json) return json.secs + json.nanos / 1e9;
  return Object.fromEntries(keys.map((key) => [camel(key), translated(json[key])]));
}

/**
 * The answer, or its error thrown.
 * @param {Answer} answer
 * @returns {any}
 */
function answered({ json }) {
  const answer = JSON.parse(json);
  if (answer?.error && !answer.status) throw errorFrom(answer.error);
  return answer;
}

/**
 * How a run ended.
 * @param {Answer} answer
 * @returns {import('./types.js').Outcome}
 */
function outcome(answer) {
  const { results, ...rest } = answered(answer);
  const ended = translated(rest);
  ended.results = results.map(value);
  ended.refusals ??= [];
  if (answer.stdout) ended.stdout = answer.stdout;
  if (answer.stderr) ended.stderr = answer.stderr;
  return ended;
}

module.exports = { answered, outcome, translated, value };
