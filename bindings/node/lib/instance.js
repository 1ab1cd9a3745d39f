'use strict';
// Guests in this process: exported functions, memory, host functions.

const { native, guarded } = require('./native.js');
const { AbortError, GuestEndedError, WasmrtError, errorFrom, invalid } = require('./errors.js');
const { onAbort } = require('./abort.js');
const { translated, value } = require('./answers.js');
const { bytesOf, checked, signalOf, span, toJson } = require('./options.js');

/**
 * @typedef {object} State What host functions need of their instance.
 * @property {Function[]} functions
 * @property {string[]} names
 * @property {any} hop
 * @property {any} native The native half's instance, once it is made.
 * @property {{ error: unknown } | undefined} thrown What a host function threw.
 * @property {import('./types.js').Caller} caller
 */

/**
 * What host functions need of their instance, by its number. Held weakly: the native half knows numbers only, so that an instance can be
 * collected although its host functions, as most do, know it.
 * @type {Map<number, WeakRef<State>>}
 */
const states = new Map();
/** @type {FinalizationRegistry<number>} */
const collected = new FinalizationRegistry((id) => states.delete(id));
let last = 0;

/** @param {any} returned */
const isThenable = (returned) => typeof returned?.then === 'function';
/** @param {number} id */
const stateOf = (id) => states.get(id)?.deref();

/** @param {State} state @param {number} index @param {unknown[]} args */
const callHost = ({ functions, caller }, index, args) => functions[index]?.apply(caller, args);

/**
 * A guest on this thread calls a host function. What it throws goes on to whoever called the guest.
 * @param {number} id
 * @param {number} index
 * @param {unknown[]} args
 */
function dispatch(id, index, ...args) {
  const state = stateOf(id);
  if (!state) throw new WasmrtError('the instance is gone', { code: 'internal' });
  const returned = callHost(state, index, args);
  if (isThenable(returned)) {
    returned.then(undefined, () => {});
    throw invalid(`the host function ${state.names[index]} returned a promise, and its caller cannot wait`, 'call the export with instance.call()');
  }
  return returned;
}

/**
 * A guest on another thread calls a host function, and waits.
 * @param {number} id
 * @param {number} call
 * @param {number} index
 * @param {unknown[]} args
 */
function later(id, call, index, args) {
  const state = stateOf(id);
  if (!state) return;
  /** @param {unknown} error */
  const failed = (error) => {
    state.thrown = { error };
    state.hop.failed(call);
  };
  /** @param {unknown} returned */
  const done = (returned) => {
    try {
      state.hop.returned(call, returned);
    } catch (error) {
      failed(error);
    }
  };
  try {
    const returned = callHost(state, index, args);
    if (isThenable(returned)) returned.then(done, failed);
    else done(returned);
  } catch (error) {
    failed(error);
  }
}

/**
 * What a failed call is to users.
 * @param {number} id
 * @param {any} answer
 * @returns {unknown}
 */
function failure(id, answer) {
  const state = stateOf(id);
  const thrown = state?.thrown;
  if (thrown) {
    state.thrown = undefined;
    return thrown.error;
  }
  if (answer.ended) {
    const { status, usage } = translated({ status: answer.ended, usage: answer.usage });
    return new GuestEndedError(answer.message, { status, usage });
  }
  return errorFrom(answer.error);
}

/** @param {number} id @param {string} json */
const fail = (id, json) => {
  throw failure(id, JSON.parse(json));
};
native.setBridge(dispatch, later, fail);

/** @type {(state: { native: any, hop: any }, name?: string) => Memory} */
let memoryOf;

/** A guest's memory. Everything is copied: what was read stays as it was read. */
class Memory {
  static {
    memoryOf = (state, name) => new Memory(state, name);
  }

  #state;
  #name;

  /**
   * @private
   * @param {{ native: any, hop: any }} state
   * @param {string} [name]
   */
  constructor(state, name) {
    this.#state = state;
    this.#name = name;
  }

  /**
   * Its size in bytes.
   * @returns {number}
   */
  get size() {
    const { hop, native: instance } = this.#state;
    return (this.#name === undefined ? hop.memorySize() : null) ?? guarded(() => this.#of(instance).memorySize(this.#name));
  }

  /**
   * `length` bytes from `offset` on.
   * @param {number} offset
   * @param {number} length
   * @returns {Buffer}
   */
  read(offset, length) {
    const { hop, native: instance } = this.#state;
    return guarded(() => (this.#name === undefined ? hop.memoryRead(offset, length) : null) ?? this.#of(instance).memoryRead(this.#name, offset, length));
  }

  /**
   * Writes bytes, or text as UTF-8, from `offset` on: all or nothing.
   * @param {number} offset
   * @param {Uint8Array | ArrayBuffer | string} data
   * @returns {void}
   */
  write(offset, data) {
    const bytes = bytesOf(data);
    if (!bytes) throw invalid('what is written is bytes or text');
    const { hop, native: instance } = this.#state;
    guarded(() => {
      if (this.#name !== undefined || !hop.memoryWrite(offset, bytes)) this.#of(instance).memoryWrite(this.#name, offset, bytes);
    });
  }

  /**
   * UTF-8 text of so many bytes.
   * @param {number} offset
   * @param {number} length
   */
  readString(offset, length) {
    return this.read(offset, length).toString('utf8');
  }

  /**
   * UTF-8 text up to the next byte of 0.
   * @param {number} offset
   */
  readCString(offset) {
    const start = offset >>> 0;
    const size = this.size;
    const parts = [];
    for (let at = start; at < size; ) {
      const part = this.read(at, Math.min(1024, size - at));
      const end = part.indexOf(0);
      if (end >= 0) return Buffer.concat([...parts, part.subarray(0, end)]).toString('utf8');
      parts.push(part);
      at += part.length;
    }
    throw invalid(`no text ends in the memory after ${start}`);
  }

  /** @param {any} instance */
  #of(instance) {
    if (!instance) throw new WasmrtError('the instance is not there yet: only its own host functions reach its memory', { code: 'busy' });
    return instance;
  }
}

const CALL_OPTIONS = ['fuel', 'wallTime', 'signal'];

/**
 * The limits of a call as JSON.
 * @param {unknown} options
 */
function limitsOfCall(options) {
  const { fuel, wallTime } = checked(options, CALL_OPTIONS, 'options of a call');
  return toJson({ fuel, wall_time: span(wallTime, 'wallTime') }, 'options of a call');
}

/**
 * @param {unknown} args
 * @returns {import('./types.js').Value[]}
 */
function numbers(args) {
  if (!Array.isArray(args)) throw invalid('arguments are a list');
  const wrong = args.findIndex((arg) => typeof arg !== 'number' && typeof arg !== 'bigint');
  if (wrong >= 0) throw invalid(`argument ${wrong + 1} is neither a number nor a BigInt`);
  return args;
}

/** @type {(state: State, id: number) => Instance} */
let instanceOf;

/** A guest in this process. Make one with `instantiate`. */
class Instance {
  static {
    instanceOf = (state, id) => new Instance(state, id);
  }

  #state;
  #native;
  #id;
  #described;
  /**
   * Calls on other threads come one after the other.
   * @type {Promise<unknown>}
   */
  #tail = Promise.resolve();

  /**
   * Its exported functions. A call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning.
   * @readonly
   * @type {Readonly<Record<string, import('./types.js').ExportedFunction>>}
   */
  exports;

  /**
   * @private
   * @param {State} state
   * @param {number} id
   */
  constructor(state, id) {
    this.#state = state;
    this.#native = state.native;
    this.#id = id;
    this.#described = JSON.parse(this.#native.describe());
    const exports = Object.create(null);
    for (const { name, type } of this.#described.exports) {
      if (type.kind !== 'function') continue;
      const exported = this.#native.function(name);
      // Who has nothing but the function still has what it needs.
      Object.defineProperty(exported, 'wasmrt', { value: state });
      exports[name] = exported;
    }
    this.exports = Object.freeze(exports);
  }

  /**
   * The engine that runs it.
   * @returns {import('./types.js').EngineName}
   */
  get engine() {
    return this.#described.engine;
  }

  /**
   * How the engine runs it.
   * @returns {import('./types.js').Tier}
   */
  get tier() {
    return this.#described.tier;
  }

  /**
   * What the module offers: functions, memories, tables, globals.
   * @returns {{ name: string, type: import('./types.js').ExternType }[]}
   */
  get exportTypes() {
    return this.#described.exports.map(translated);
  }

  /**
   * The memory that the guest exports as `memory`, or the one that it imports and owns.
   * @returns {Memory}
   */
  get memory() {
    return this.#state.caller.memory;
  }

  /**
   * A memory that the guest exports by this name.
   * @param {string} name
   */
  memoryNamed(name) {
    const memory = memoryOf(this.#state, name);
    void memory.size;
    return memory;
  }

  /**
   * What it has used since it was made or reset.
   * @returns {{ memoryPages: number, outputBytes: number, writtenBytes: number }}
   */
  get usage() {
    return this.#now().usage;
  }

  /**
   * What the host refused the guest since it was made or reset.
   * @returns {string[]}
   */
  get refusals() {
    return this.#now().refusals;
  }

  /**
   * Why it can only be reset: its guest ended, or a call of it failed in the middle. Undefined when it can be called.
   * @returns {{ message: string, status?: import('./types.js').ExitStatus, code?: import('./types.js').ErrorCode } | undefined}
   */
  get spent() {
    return this.#now().spent ?? undefined;
  }

  #now() {
    return translated(JSON.parse(guarded(() => this.#native.state())));
  }

  /**
   * What the guest wrote to a captured standard output since this was last asked.
   * @returns {Buffer | undefined}
   */
  takeStdout() {
    return guarded(() => this.#native.takeOutput(false)) ?? undefined;
  }

  /**
   * What the guest wrote to a captured standard error since this was last asked.
   * @returns {Buffer | undefined}
   */
  takeStderr() {
    return guarded(() => this.#native.takeOutput(true)) ?? undefined;
  }

  /**
   * Calls an export on this thread, with limits of its own.
   * @param {string} name
   * @param {import('./types.js').Value[]} [args]
   * @param {import('./types.js').CallOptions} [options]
   * @returns {import('./types.js').CallResult}
   */
  callSync(name, args = [], options = {}) {
    const limits = limitsOfCall(options);
    if ('signal' in options && options.signal !== undefined) throw invalid('a call on this thread cannot be aborted from it', 'use call()');
    this.#state.thrown = undefined;
    return this.#called(guarded(() => this.#native.callHere(name, numbers(args), limits)));
  }

  /**
   * Calls an export on another thread. Host functions run on this one, and may return promises.
   * @param {string} name
   * @param {import('./types.js').Value[]} [args]
   * @param {import('./types.js').CallOptions & { signal?: AbortSignal }} [options]
   * @returns {Promise<import('./types.js').CallResult>}
   */
  async call(name, args = [], options = {}) {
    const limits = limitsOfCall(options);
    const signal = signalOf(options.signal);
    numbers(args);
    return this.#inTurn(signal, async () => this.#called(await guarded(() => this.#native.callElsewhere(name, args, limits))));
  }

  /** Makes a new guest of the same code: fresh memory, files closed, usage at 0. Host functions stay. */
  async reset() {
    await this.#inTurn(undefined, async () => this.#answered(await this.#native.resetElsewhere()));
  }

  /** The same, on this thread. */
  resetSync() {
    this.#state.thrown = undefined;
    this.#answered(guarded(() => this.#native.resetHere()));
  }

  /**
   * @template T
   * @param {AbortSignal | undefined} signal
   * @param {() => Promise<T>} work
   */
  #inTurn(signal, work) {
    const turn = this.#tail.then(async () => {
      if (signal?.aborted) throw new AbortError(signal.reason);
      this.#state.thrown = undefined;
      /** @type {NodeJS.Timeout | undefined} */
      let timer;
      // A call that is just beginning does not hear it yet.
      const abort = () => {
        if (!this.#native.cancel()) timer = setTimeout(abort, 2);
      };
      const deaf = onAbort(signal, abort);
      try {
        return await work();
      } catch (error) {
        if (signal?.aborted && error instanceof WasmrtError && error.code === 'cancelled') throw new AbortError(signal.reason);
        throw error;
      } finally {
        clearTimeout(timer);
        deaf();
      }
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** @param {{ json: string }} answer */
  #answered({ json }) {
    const answer = JSON.parse(json);
    if (answer?.error || answer?.ended) throw failure(this.#id, answer);
    return answer;
  }

  /**
   * @param {{ json: string }} answer
   * @returns {import('./types.js').CallResult}
   */
  #called(answer) {
    const { results, usage } = this.#answered(answer);
    const values = results.map(value);
    return { value: values.length > 1 ? values : values[0], values, usage: translated(usage) };
  }
}

const VALUE_TYPES = ['i32', 'i64', 'f32', 'f64'];

/**
 * What users offer, as the native half reads it, and the functions by their number.
 * @param {import('./types.js').Imports} imports
 */
function offered(imports = {}) {
  /** @type {{ functions: { module: string, name: string, types?: { params: string[], results: string[] } }[], memories: { module: string, name: string, pages: number }[] }} */
  const asked = { functions: [], memories: [] };
  /** @type {Function[]} */
  const functions = [];
  for (const [module, fields] of Object.entries(imports)) {
    for (const [name, offer] of Object.entries(fields)) {
      const given = /** @type {any} */ (offer);
      const where = `imports.${module}.${name}`;
      if (typeof given === 'function') {
        asked.functions.push({ module, name });
        functions.push(given);
      } else if (typeof given?.call === 'function') {
        const { params = [], results = [], call } = checked(given, ['params', 'results', 'call'], where);
        for (const type of [...params, ...results]) if (!VALUE_TYPES.includes(type)) throw invalid(`${where}: '${type}' is not one of ${VALUE_TYPES.join(', ')}`);
        asked.functions.push({ module, name, types: { params, results } });
        functions.push(call);
      } else if (typeof given?.memory === 'number') {
        const { memory: pages } = checked(given, ['memory'], where);
        asked.memories.push({ module, name, pages });
      } else {
        throw invalid(`${where} is a function, { params, results, call } or { memory: pages }`);
      }
    }
  }
  return { json: toJson(asked, 'imports'), functions, names: asked.functions.map(({ module, name }) => `${module}.${name}`) };
}

/**
 * Makes an instance on a runtime of the native half.
 * @param {any} runtime
 * @param {Uint8Array} bytes
 * @param {import('./options.js').Asked} options
 * @param {import('./types.js').Imports | undefined} imports
 */
async function instantiate(runtime, bytes, { json, around }, imports) {
  const { json: asked, functions, names } = offered(imports);
  last = (last + 1) % 2 ** 32;
  const id = last;
  const reached = { hop: new native.NativeHop(id), native: undefined };
  /** @type {State} */
  const state = Object.assign(reached, { functions, names, thrown: undefined, caller: { memory: memoryOf(reached) } });
  states.set(id, new WeakRef(state));
  collected.register(state, id);
  const made = await guarded(() => runtime.instantiate(state.hop, bytes, json, around, asked));
  if (!made.instance) throw failure(id, JSON.parse(made.answer.json));
  state.native = made.instance;
  return instanceOf(state, id);
}

module.exports = { Instance, Memory, instantiate };
