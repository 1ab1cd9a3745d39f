'use strict';
// What the native half answers, in JavaScript's words: camelCase, seconds, numbers and BigInt, bytes.

const { errorFrom } = require('./errors.js');
const { camel } = require('./options.js');

const view = new DataView(new ArrayBuffer(8));

/** A value of the guest's from its type and bits. */
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

/** Names in camelCase, on every level; durations as seconds. */
function translated(json) {
  if (Array.isArray(json)) return json.map(translated);
  if (typeof json !== 'object' || json === null) return json;
  const keys = Object.keys(json);
  if (keys.length === 2 && 'secs' in json && 'nanos' in json) return json.secs + json.nanos / 1e9;
  return Object.fromEntries(keys.map((key) => [camel(key), translated(json[key])]));
}

/** The answer, or its error thrown. */
function answered({ json }) {
  const answer = JSON.parse(json);
  if (answer?.error && !answer.status) throw errorFrom(answer.error);
  return answer;
}

/** How a run ended. */
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
