'use strict';
// Guests in this process: exported functions, memory, host functions.

const { native, guarded } = require('./native.js');
const { AbortError, GuestEndedError, WasmrtError, errorFrom, invalid } = require('./errors.js');
const { onAbort } = require('./abort.js');
const { translated, value } = require('./answers.js');
const { bytesOf, checked, signalOf, span, toJson } = require('./options.js');

/**
 * What host functions need of their instance, by its number. Held weakly: the native half knows numbers only, so that an instance can be
 * collected although its host functions, as most do, know it.
 */
const states = new Map();
const collected = new FinalizationRegistry((id) => states.delete(id));
let last = 0;

const isThenable = (returned) => typeof returned?.then === 'function';
const stateOf = (id) => states.get(id)?.deref();

/** A guest on this thread calls a host function. What it throws goes on to whoever called the guest. */
function dispatch(id, index, ...args) {
  const { functions, caller, names } = stateOf(id);
  const returned = functions[index].apply(caller, args);
  if (isThenable(returned)) {
    returned.then(undefined, () => {});
    throw invalid(`the host function ${names[index]} returned a promise, and its caller cannot wait`, 'call the export with instance.call()');
  }
  return returned;
}

/** A guest on another thread calls a host function, and waits. */
function later(id, call, index, args) {
  const state = stateOf(id);
  if (!state) return;
  const failed = (error) => {
    state.thrown = { error };
    state.hop.failed(call);
  };
  const done = (returned) => {
    try {
      state.hop.returned(call, returned);
    } catch (error) {
      failed(error);
    }
  };
  try {
    const returned = state.functions[index].apply(state.caller, args);
    if (isThenable(returned)) returned.then(done, failed);
    else done(returned);
  } catch (error) {
    failed(error);
  }
}

/** What a failed call is to users. */
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

native.setBridge(dispatch, later, (id, json) => {
  throw failure(id, JSON.parse(json));
});

/** A guest's memory. Everything is copied: what was read stays as it was read. */
class Memory {
  #state;
  #name;

  /** @internal */
  constructor(state, name) {
    this.#state = state;
    this.#name = name;
  }

  /** Its size in bytes. */
  get size() {
    const { hop, native: instance } = this.#state;
    return (this.#name === undefined ? hop.memorySize() : null) ?? guarded(() => this.#of(instance).memorySize(this.#name));
  }

  /** `length` bytes from `offset` on. */
  read(offset, length) {
    const { hop, native: instance } = this.#state;
    return guarded(() => (this.#name === undefined ? hop.memoryRead(offset, length) : null) ?? this.#of(instance).memoryRead(this.#name, offset, length));
  }

  /** Writes bytes, or text as UTF-8, from `offset` on: all or nothing. */
  write(offset, data) {
    const bytes = bytesOf(data);
    if (!bytes) throw invalid('what is written is bytes or text');
    const { hop, native: instance } = this.#state;
    guarded(() => {
      if (this.#name !== undefined || !hop.memoryWrite(offset, bytes)) this.#of(instance).memoryWrite(this.#name, offset, bytes);
    });
  }

  /** UTF-8 text of so many bytes. */
  readString(offset, length) {
    return this.read(offset, length).toString('utf8');
  }

  /** UTF-8 text up to the next byte of 0. */
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

  #of(instance) {
    if (!instance) throw new WasmrtError('the instance is not there yet: only its own host functions reach its memory', { code: 'busy' });
    return instance;
  }
}

const CALL_OPTIONS = ['fuel', 'wallTime', 'signal'];

/** The limits of a call as JSON. */
function limitsOfCall(options) {
  const { fuel, wallTime } = checked(options, CALL_OPTIONS, 'options of a call');
  return toJson({ fuel, wall_time: span(wallTime, 'wallTime') }, 'options of a call');
}

function numbers(args) {
  if (!Array.isArray(args)) throw invalid('arguments are a list');
  const wrong = args.findIndex((arg) => typeof arg !== 'number' && typeof arg !== 'bigint');
  if (wrong >= 0) throw invalid(`argument ${wrong + 1} is neither a number nor a BigInt`);
  return args;
}

/** A guest in this process. Make one with `instantiate`. */
class Instance {
  #state;
  #native;
  #id;
  #described;
  /** Calls on other threads come one after the other. */
  #tail = Promise.resolve();

  /** Its exported functions. A call runs on this thread, and throws a GuestEndedError when the guest ends instead of returning. */
  exports;

  /** @internal */
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

  /** The engine that runs it. */
  get engine() {
    return this.#described.engine;
  }

  /** How the engine runs it. */
  get tier() {
    return this.#described.tier;
  }

  /** What the module offers: functions, memories, tables, globals. */
  get exportTypes() {
    return this.#described.exports.map(translated);
  }

  /** The memory that the guest exports as `memory`, or the one that it imports and owns. */
  get memory() {
    return this.#state.caller.memory;
  }

  /** A memory that the guest exports by this name. */
  memoryNamed(name) {
    const memory = new Memory(this.#state, name);
    void memory.size;
    return memory;
  }

  /** What it has used since it was made or reset. */
  get usage() {
    return this.#now().usage;
  }

  /** What the host refused the guest since it was made or reset. */
  get refusals() {
    return this.#now().refusals;
  }

  /** Why it can only be reset; undefined when it can be called. */
  get spent() {
    return this.#now().spent ?? undefined;
  }

  #now() {
    return translated(JSON.parse(guarded(() => this.#native.state())));
  }

  /** What the guest wrote to a captured standard output since this was last asked. */
  takeStdout() {
    return guarded(() => this.#native.takeOutput(false)) ?? undefined;
  }

  /** What the guest wrote to a captured standard error since this was last asked. */
  takeStderr() {
    return guarded(() => this.#native.takeOutput(true)) ?? undefined;
  }

  /** Calls an export on this thread, with limits of its own. */
  callSync(name, args = [], options = {}) {
    const limits = limitsOfCall(options);
    if (options.signal !== undefined) throw invalid('a call on this thread cannot be aborted from it', 'use call()');
    this.#state.thrown = undefined;
    return this.#called(guarded(() => this.#native.callHere(name, numbers(args), limits)));
  }

  /** Calls an export on another thread. Host functions run on this one, and may return promises. */
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

  #inTurn(signal, work) {
    const turn = this.#tail.then(async () => {
      if (signal?.aborted) throw new AbortError(signal.reason);
      this.#state.thrown = undefined;
      let timer;
      // A call that is just beginning does not hear it yet.
      const abort = () => {
        if (!this.#native.cancel()) timer = setTimeout(abort, 2);
      };
      const deaf = onAbort(signal, abort);
      try {
        return await work();
      } catch (error) {
        if (signal?.aborted && error.code === 'cancelled') throw new AbortError(signal.reason);
        throw error;
      } finally {
        clearTimeout(timer);
        deaf();
      }
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }

  #answered({ json }) {
    const answer = JSON.parse(json);
    if (answer?.error || answer?.ended) throw failure(this.#id, answer);
    return answer;
  }

  #called(answer) {
    const { results, usage } = this.#answered(answer);
    const values = results.map(value);
    return { value: values.length > 1 ? values : values[0], values, usage: translated(usage) };
  }
}

const VALUE_TYPES = ['i32', 'i64', 'f32', 'f64'];

/** What users offer, as the native half reads it, and the functions by their number. */
function offered(imports = {}) {
  const asked = { functions: [], memories: [] };
  const functions = [];
  for (const [module, fields] of Object.entries(imports)) {
    for (const [name, given] of Object.entries(fields)) {
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

/** Makes an instance on a runtime of the native half. */
async function instantiate(runtime, bytes, { json, around }, imports) {
  const { json: asked, functions, names } = offered(imports);
  last = (last + 1) % 2 ** 32;
  const id = last;
  const state = { functions, names, hop: new native.NativeHop(id), native: undefined, thrown: undefined, caller: undefined };
  state.caller = { memory: new Memory(state) };
  states.set(id, new WeakRef(state));
  collected.register(state, id);
  const made = await guarded(() => runtime.instantiate(state.hop, bytes, json, around, asked));
  if (!made.instance) throw failure(id, JSON.parse(made.answer.json));
  state.native = made.instance;
  return new Instance(state, id);
}

module.exports = { Instance, Memory, instantiate };
