'use strict';
// Runtimes and modules: what runs are started with.

const fs = require('node:fs/promises');
const { native, guarded } = require('./native.js');
const { AbortError, invalid } = require('./errors.js');
const { answered, translated } = require('./answers.js');
const { bytesOf, patienceOf, signalOf, translate, translateRuntime } = require('./options.js');
const { runOfNative } = require('./run.js');
const { instantiate } = require('./instance.js');

/**
 * What a module is made of: bytes that are not text.
 * @param {unknown} source
 */
function moduleBytes(source) {
  const bytes = typeof source === 'string' ? undefined : bytesOf(source);
  if (!bytes) throw invalid('a module is bytes, or a path where files can be read');
  return bytes;
}

/**
 * Only for its methods that make modules, which need no runtime of their own.
 * @type {any}
 */
let modules;

function makesModules() {
  modules ??= guarded(() => new native.NativeRuntime('{}'));
  return modules;
}

/** Makes a module of what is there already. */
const made = Symbol('made');

/**
 * What the native half has of a module, and its bytes.
 * @type {(module: Module) => { native: any, bytes: Uint8Array }}
 */
let insideOf;

/** A module, or a component: bytes that any number of runs share, on any runtime and thread. */
class Module {
  static {
    insideOf = (module) => ({ native: module.#native, bytes: module.#bytes });
  }

  /** @type {any} */
  #native;
  /** @type {Uint8Array} */
  #bytes;

  /** @param {Uint8Array | ArrayBuffer} bytes */
  constructor(bytes) {
    const given = /** @type {any} */ (bytes);
    if (given?.[made]) {
      [this.#native, this.#bytes] = given[made];
      return;
    }
    // A copy: what the caller does with its bytes later must not be seen by instances alone.
    this.#bytes = Uint8Array.prototype.slice.call(moduleBytes(bytes));
    this.#native = guarded(() => makesModules().module(this.#bytes));
  }

  /**
   * Reads a module from a file, or copies bytes, without keeping this thread from anything else for long.
   * @param {string | URL | Uint8Array | ArrayBuffer} source
   * @returns {Promise<Module>}
   */
  static async load(source) {
    const isFile = typeof source === 'string' || source instanceof URL;
    const bytes = isFile ? await fs.readFile(source) : Uint8Array.prototype.slice.call(moduleBytes(source));
    const { module, answer } = await makesModules().load(bytes);
    if (!module) answered(answer);
    return new Module(/** @type {any} */ ({ [made]: [module, bytes] }));
  }

  /**
   * The BLAKE3 hash of its bytes, in hexadecimal.
   * @returns {string}
   */
  get hash() {
    return this.#native.hash;
  }

  /**
   * Its size in bytes.
   * @returns {number}
   */
  get size() {
    return this.#native.size;
  }
}

/**
 * A module from whatever names one.
 * @param {import('./types.js').ModuleSource} source
 */
async function moduleOf(source) {
  return source instanceof Module ? source : Module.load(source);
}

/** Engines, cache, ceiling, and the process in which guests are started. Making one costs nothing; the first run starts that process. */
class Runtime {
  #native;

  /** @param {import('./types.js').RuntimeOptions} [options] */
  constructor(options) {
    const config = translateRuntime(options);
    this.#native = guarded(() => new native.NativeRuntime(config));
  }

  /**
   * Runs a module to its end.
   * @param {import('./types.js').ModuleSource} module
   * @param {import('./types.js').RunOptions} [options]
   * @returns {Promise<import('./types.js').Outcome>}
   */
  async run(module, options) {
    const asked = this.#read(options);
    return this.#start(await moduleOf(module), asked).wait();
  }

  /**
   * Starts a run.
   * @param {Module | Uint8Array | ArrayBuffer} module
   * @param {import('./types.js').RunOptions} [options]
   * @returns {import('./run.js').Run}
   */
  start(module, options) {
    const asked = this.#read(options);
    return this.#start(module instanceof Module ? module : new Module(module), asked);
  }

  /**
   * Options as they are now, whatever happens to them and to this process later.
   * @param {import('./types.js').RunOptions | undefined} options
   */
  #read(options) {
    const asked = translate(options);
    return { ...asked, patience: patienceOf(options?.whenFull), signal: signalOf(options?.signal) };
  }

  /**
   * @param {Module} module
   * @param {import('./options.js').Asked & { patience: number | undefined, signal: AbortSignal | undefined }} asked
   */
  #start(module, { json, around, streams, patience, signal }) {
    if (signal?.aborted) throw new AbortError(signal.reason);
    const started = guarded(() => this.#native.start(insideOf(module).native, json, around, patience));
    return runOfNative(started, streams, signal);
  }

  /**
   * Makes an instance of a module in this process, for callers who call exports often.
   * @param {import('./types.js').ModuleSource} module
   * @param {import('./types.js').InstanceOptions} [options]
   * @returns {Promise<import('./instance.js').Instance>}
   */
  async instantiate(module, options = {}) {
    const { imports, ...given } = options;
    /** @type {Record<string, any>} */
    const rest = given;
    for (const name of ['invoke', 'signal', 'whenFull']) {
      if (rest[name] !== undefined) throw invalid(`an instance has no '${name}'`, 'its exports are called, and calls have options of their own');
    }
    const asked = translate({ isolation: 'in-process', ...rest });
    if (asked.streams.source || asked.streams.stdout || asked.streams.stderr || [rest.stdin, rest.stdout, rest.stderr].includes('pipe')) {
      throw invalid('an instance cannot be connected to streams of this thread, which waits for it', 'capture its output, or use files');
    }
    const loaded = await moduleOf(module);
    return instantiate(this.#native, insideOf(loaded).bytes, asked, imports);
  }

  /**
   * Makes everything ready that a run of this module with these options needs: the engine, its native code.
   * @param {import('./types.js').ModuleSource} module
   * @param {import('./types.js').RunOptions} [options]
   * @returns {Promise<void>}
   */
  async preload(module, options) {
    const { json, around } = translate(options);
    const loaded = await moduleOf(module);
    answered(await guarded(() => this.#native.preload(insideOf(loaded).native, json, around)));
  }

  /**
   * Compiles a module into the cache.
   * @param {import('./types.js').ModuleSource} module
   * @param {import('./types.js').RunOptions} [options]
   * @returns {Promise<{ engine: import('./types.js').EngineName, tier: import('./types.js').Tier, elapsed: number | null, codeBytes: number }>}
   */
  async compile(module, options) {
    const { json, around } = translate(options);
    const loaded = await moduleOf(module);
    return translated(answered(await guarded(() => this.#native.compile(insideOf(loaded).native, json, around))));
  }

  /**
   * What a module is, and which engines would run it.
   * @param {import('./types.js').ModuleSource} module
   * @returns {Promise<import('./types.js').Inspection>}
   */
  async inspect(module) {
    const loaded = await moduleOf(module);
    return translated(answered(await guarded(() => this.#native.inspect(insideOf(loaded).native))));
  }

  /**
   * Every engine, with what it can do or why it cannot be had.
   * @returns {Promise<import('./types.js').EngineStatus[]>}
   */
  async engines() {
    return translated(answered(await this.#native.engines()));
  }

  /**
   * What this machine has of what wasmrt uses, and what to do about the rest.
   * @returns {Promise<import('./types.js').Check[]>}
   */
  async doctor() {
    return translated(answered(await this.#native.doctor()));
  }

  /**
   * How many runs there are, and how many may be.
   * @returns {import('./types.js').RuntimeStatus}
   */
  get status() {
    return translated(JSON.parse(this.#native.status()));
  }

  /**
   * Ends all runs, and starts nothing any more.
   * @returns {Promise<void>}
   */
  async close() {
    await this.#native.close();
  }
}

module.exports = { Module, Runtime, moduleOf };
