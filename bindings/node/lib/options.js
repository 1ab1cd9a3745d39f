'use strict';
// Options as users write them, to the run spec that all front-ends share (docs/run-spec.schema.json). It knows names and units, and no
// defaults: what is left out here is left out there.

const { Readable, Writable } = require('node:stream');
const { native } = require('./native.js');
const { invalid } = require('./errors.js');

/**
 * What options are before they have been looked at.
 * @typedef {Record<string, any>} Given
 */

/**
 * Options of a run, and the field of the spec that each goes into. Those of null are not the spec's.
 * @type {Readonly<Record<string, string | null>>}
 */
const RUN_OPTIONS = Object.freeze({
  engine: 'engine',
  isolation: 'isolation',
  requireOsSandbox: 'require_os_sandbox',
  aot: 'aot',
  optimize: 'optimize',
  invoke: 'entry',
  args: 'args',
  env: 'env',
  inheritEnv: 'env',
  preopens: 'preopens',
  stdin: 'stdio',
  input: 'stdio',
  stdout: 'stdio',
  stderr: 'stdio',
  network: 'network',
  clock: 'clock',
  random: 'random',
  limits: 'limits',
  spec: null,
  signal: null,
  whenFull: null,
});

/** @param {string} name */
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
/** @param {string} name */
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** @type {string[]} */
const limitNames = native.limitNames();
const LIMITS = new Map(limitNames.map((name) => [camel(name), name]));

/**
 * @param {unknown} value
 * @returns {value is Given}
 */
const isObject = (value) => typeof value === 'object' && value !== null;
/**
 * @param {unknown} value
 * @returns {value is Given}
 */
const isPlain = (value) => isObject(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));

/**
 * An options object in which every name is known: a misspelt limit must not be a missing one.
 * @param {unknown} options
 * @param {readonly string[]} known
 * @param {string} what
 * @returns {Given}
 */
function checked(options, known, what) {
  if (options === undefined) return {};
  if (!isObject(options)) throw invalid(`${what} are an object, not ${shown(options)}`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid(`${what} have no '${name}'`, `there are ${known.join(', ')}`);
  }
  return options;
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === 'string' ? `'${value}'` : isObject(value) ? (value.constructor?.name ?? 'object') : String(value);
}

/**
 * JSON, with BigInt as numbers of any length and without what JSON would drop silently: Infinity would become null, and null means
 * the default.
 * @param {unknown} value
 * @returns {string}
 */
function toJson(value, where = 'options') {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'number':
      if (!Number.isFinite(value)) throw invalid(`${where}: ${value} is no number to work with`, "write 'unlimited' for no limit");
      return JSON.stringify(value);
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((item, index) => toJson(item, `${where}[${index}]`)).join(',')}]`;
      if (!isPlain(value)) throw invalid(`${where}: ${shown(value)} cannot be passed on`);
      return `{${Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${JSON.stringify(key)}:${toJson(item, `${where}.${key}`)}`)
        .join(',')}}`;
    default:
      throw invalid(`${where}: a ${typeof value} cannot be passed on`);
  }
}

/**
 * Seconds, text with a unit, or `{ ms }`.
 * @param {unknown} value
 * @param {string} where
 */
function span(value, where) {
  if (!isObject(value)) return value;
  const { ms, ...rest } = value;
  if (typeof ms !== 'number' || Object.keys(rest).length > 0) throw invalid(`${where}: a time is seconds, text such as '500ms', or { ms: 500 }`);
  return `${ms}ms`;
}

/**
 * Limits by their names here, to their names in the spec.
 * @param {unknown} limits
 */
function limitsOf(limits) {
  const given = checked(limits, [...LIMITS.keys()], 'limits');
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [LIMITS.get(name), span(value, `limits.${name}`)]));
}

/**
 * @param {unknown} env
 * @param {unknown} inherit
 */
function envOf(env = {}, inherit = []) {
  if (!isObject(env)) throw invalid(`env is an object of names and values, not ${shown(env)}`);
  if (!Array.isArray(inherit)) throw invalid('inheritEnv is a list of names');
  /** @type {Record<string, string>} */
  const set = {};
  // Looked up here: JavaScript's threads may each have an environment of their own.
  for (const name of inherit) {
    const value = process.env[name];
    if (value !== undefined) set[name] = value;
  }
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (typeof value !== 'string') throw invalid(`env.${name} is text, not ${shown(value)}`);
    set[name] = value;
  }
  return { set };
}

/** @param {unknown} invoke */
function entryOf(invoke) {
  /** @type {Given} */
  const asked = typeof invoke === 'string' ? { name: invoke } : isObject(invoke) ? invoke : {};
  const { name, args = [], ...rest } = asked;
  if (typeof name !== 'string' || !Array.isArray(args) || Object.keys(rest).length > 0) {
    throw invalid("invoke is an export's name, or { name, args }");
  }
  return { invoke: { name, args: args.map(String) } };
}

/** @param {unknown} clock */
function clockOf(clock) {
  if (clock instanceof Date) return { fixed: { unix_seconds: Math.floor(clock.getTime() / 1000) } };
  if (clock === 'real') return clock;
  if (isObject(clock) && ['number', 'bigint'].includes(typeof clock.unixSeconds)) return { fixed: { unix_seconds: clock.unixSeconds } };
  throw invalid("clock is 'real', a Date, or { unixSeconds }");
}

/** @param {unknown} random */
function randomOf(random) {
  if (random === 'real') return random;
  if (isObject(random) && ['number', 'bigint'].includes(typeof random.seed)) return { fixed: { seed: random.seed } };
  throw invalid("random is 'real' or { seed }");
}

/** @type {Record<string, string>} */
const WORDS = { inherit: 'inherit', ignore: 'null', pipe: 'piped' };
/**
 * @param {unknown} value
 * @returns {Uint8Array | undefined}
 */
const bytesOf = (value) =>
  typeof value === 'string' ? Buffer.from(value) : value instanceof ArrayBuffer ? new Uint8Array(value) : ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;

/**
 * Standard input: its place in the spec, bytes, and the stream that is to feed it.
 * @param {any} stdin
 * @param {unknown} input
 * @returns {{ spec?: string | Given, bytes?: Uint8Array, source?: Readable }}
 */
function inputOf(stdin, input) {
  if (input !== undefined) {
    if (stdin !== undefined) throw invalid('input and stdin are two ways to say one thing');
    const bytes = bytesOf(input);
    if (!bytes) throw invalid(`input is text or bytes, not ${shown(input)}`);
    return { bytes };
  }
  if (stdin === undefined) return {};
  if (typeof stdin === 'string') {
    if (Object.hasOwn(WORDS, stdin)) return { spec: WORDS[stdin] };
    throw invalid(`stdin cannot be '${stdin}'`, "it is 'inherit', 'ignore', 'pipe', bytes, a stream or { file }; text is given as input");
  }
  const bytes = bytesOf(stdin);
  if (bytes) return { bytes };
  if (isPlain(stdin) && typeof stdin.file === 'string') return { spec: { file: stdin.file } };
  if (typeof ReadableStream === 'function' && stdin instanceof ReadableStream) return { spec: 'piped', source: Readable.fromWeb(/** @type {any} */ (stdin)) };
  if (typeof stdin?.pipe === 'function') return { spec: 'piped', source: stdin };
  if (typeof stdin?.[Symbol.asyncIterator] === 'function') return { spec: 'piped', source: Readable.from(stdin) };
  throw invalid(`stdin cannot be ${shown(stdin)}`);
}

/**
 * One of the outputs: its place in the spec, and the stream that is to be fed.
 * @param {string} name
 * @param {any} output
 * @returns {{ spec?: string | Given, sink?: Writable }}
 */
function outputOf(name, output) {
  if (output === undefined) return {};
  if (output === 'capture') return { spec: { capture: {} } };
  if (typeof output === 'string' && Object.hasOwn(WORDS, output)) return { spec: WORDS[output] };
  if (isPlain(output) && typeof output.file === 'string') return { spec: { file: output.file } };
  if (isPlain(output) && output.capture !== undefined) return { spec: { capture: { cap: output.capture } } };
  if (typeof WritableStream === 'function' && output instanceof WritableStream) return { spec: 'piped', sink: Writable.fromWeb(output) };
  if (typeof output?.write === 'function') return { spec: 'piped', sink: output };
  throw invalid(`${name} cannot be ${shown(output)}`, "it is 'inherit', 'ignore', 'capture', 'pipe', { capture: size }, { file } or a stream");
}

/**
 * A spec that was given as one.
 * @param {unknown} spec
 * @returns {Given}
 */
function specOf(spec = {}) {
  if (typeof spec !== 'string') {
    if (!isPlain(spec)) throw invalid(`spec is JSON or an object, not ${shown(spec)}`);
    return spec;
  }
  try {
    return specOf(JSON.parse(spec) ?? undefined);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw invalid(`spec is not JSON: ${cause.message}`);
  }
}

/**
 * A spec as JSON, what goes beside it, and the streams that are to be connected.
 * @typedef {object} Asked
 * @property {string} json
 * @property {{ stdin: Uint8Array | undefined, directory: string | undefined }} around
 * @property {Connected} streams
 */

/**
 * Streams of the caller's that a run is connected to.
 * @typedef {{ source: Readable | undefined, stdout: Writable | undefined, stderr: Writable | undefined }} Connected
 */

/**
 * Reads options.
 * @param {unknown} options
 * @returns {Asked}
 */
function translate(options) {
  const given = checked(options, Object.keys(RUN_OPTIONS), 'options');
  const spec = { ...specOf(given.spec) };
  for (const name of ['engine', 'isolation', 'requireOsSandbox', 'aot', 'optimize', 'args', 'preopens', 'network']) {
    const field = RUN_OPTIONS[name];
    if (field && given[name] !== undefined) spec[field] = given[name];
  }
  if (given.invoke !== undefined) spec.entry = entryOf(given.invoke);
  if (given.env !== undefined || given.inheritEnv !== undefined) spec.env = envOf(given.env, given.inheritEnv);
  if (given.clock !== undefined) spec.clock = clockOf(given.clock);
  if (given.random !== undefined) spec.random = randomOf(given.random);
  if (given.limits !== undefined) spec.limits = { ...spec.limits, ...limitsOf(given.limits) };
  const stdin = inputOf(given.stdin, given.input);
  const [stdout, stderr] = [outputOf('stdout', given.stdout), outputOf('stderr', given.stderr)];
  const stdio = { stdin: stdin.spec, stdout: stdout.spec, stderr: stderr.spec };
  for (const [name, where] of Object.entries(stdio)) if (where !== undefined) spec.stdio = { ...spec.stdio, [name]: where };
  return { json: toJson(spec), around: { stdin: stdin.bytes, directory: directory() }, streams: { source: stdin.source, stdout: stdout.sink, stderr: stderr.sink } };
}

/** Where relative paths begin. */
function directory() {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/**
 * What to do when all places are taken, in seconds of patience.
 * @param {unknown} whenFull
 */
function patienceOf(whenFull = 'wait') {
  if (whenFull === 'wait') return undefined;
  if (whenFull === 'refuse') return 0;
  if (isObject(whenFull) && typeof whenFull.wait === 'number') return whenFull.wait;
  throw invalid("whenFull is 'wait', 'refuse' or { wait: seconds }");
}

/**
 * @param {unknown} signal
 * @returns {AbortSignal | undefined}
 */
function signalOf(signal) {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid('signal is an AbortSignal');
  return signal;
}

const RUNTIME_OPTIONS = ['cache', 'cacheBytes', 'ceiling', 'worker', 'maxRuns', 'queue'];

/**
 * The options of a runtime, as JSON.
 * @param {unknown} options
 */
function translateRuntime(options) {
  const given = checked(options, RUNTIME_OPTIONS, 'options of a runtime');
  const config = Object.fromEntries(Object.entries(given).map(([name, value]) => [snake(name), value]));
  if (given.ceiling?.limits !== undefined) config.ceiling = { ...given.ceiling, limits: limitsOf(given.ceiling.limits) };
  return toJson(config, 'options of a runtime');
}

module.exports = { RUN_OPTIONS, LIMITS, camel, checked, span, bytesOf, translate, translateRuntime, patienceOf, signalOf, toJson };
