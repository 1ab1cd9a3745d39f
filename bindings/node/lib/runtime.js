'use strict';
// Runtimes and modules: what runs are started with.

const fs = require('node:fs/promises');
const { native, guarded } = require('./native.js');
const { AbortError, invalid } = require('./errors.js');
const { answered, translated } = require('./answers.js');
const { bytesOf, patienceOf, signalOf, translate, translateRuntime } = require('./options.js');
const { Run } = require('./run.js');
const { instantiate } = require('./instance.js');

/** What a module is made of: bytes that are not text. */
function moduleBytes(source) {
  const bytes = typeof source === 'string' ? undefined : bytesOf(source);
  if (!bytes) throw invalid('a module is bytes, or a path where files can be read');
  return bytes;
}

/** Only for its methods that make modules, which need no runtime of their own. */
let modules;

function makesModules() {
  modules ??= guarded(() => new native.NativeRuntime('{}'));
  return modules;
}

/** Makes a module of what is there already. */
const made = Symbol('made');

/** A module, or a component: bytes that any number of runs share, on any runtime and thread. */
class Module {
  #native;
  #bytes;

  constructor(source) {
    if (source?.[made]) {
      [this.#native, this.#bytes] = source[made];
      return;
    }
    // A copy: what the caller does with its bytes later must not be seen by instances alone.
    this.#bytes = Uint8Array.prototype.slice.call(moduleBytes(source));
    this.#native = guarded(() => makesModules().module(this.#bytes));
  }

  /** Reads a module from a file, or copies bytes, without keeping this thread from anything else for long. */
  static async load(source) {
    const isFile = typeof source === 'string' || source instanceof URL;
    const bytes = isFile ? await fs.readFile(source) : Uint8Array.prototype.slice.call(moduleBytes(source));
    const { module, answer } = await makesModules().load(bytes);
    if (!module) answered(answer);
    return new Module({ [made]: [module, bytes] });
  }

  /** The BLAKE3 hash of its bytes, in hexadecimal. */
  get hash() {
    return this.#native.hash;
  }

  /** Its size in bytes. */
  get size() {
    return this.#native.size;
  }

  /** @internal */
  static nativeOf(module) {
    return module.#native;
  }

  /** @internal */
  static bytesOf(module) {
    return module.#bytes;
  }
}

/** A module from whatever names one. */
async function moduleOf(source) {
  return source instanceof Module ? source : Module.load(source);
}

/** Engines, cache, ceiling, and the process in which guests are started. Making one costs nothing; the first run starts that process. */
class Runtime {
  #native;

  constructor(options) {
    const config = translateRuntime(options);
    this.#native = guarded(() => new native.NativeRuntime(config));
  }

  /** Runs a module to its end. */
  async run(module, options) {
    const asked = this.#read(options);
    return this.#start(await moduleOf(module), asked).wait();
  }

  /** Starts a run. */
  start(module, options) {
    const asked = this.#read(options);
    return this.#start(module instanceof Module ? module : new Module(module), asked);
  }

  /** Options as they are now, whatever happens to them and to this process later. */
  #read(options) {
    const asked = translate(options);
    return { ...asked, patience: patienceOf(options?.whenFull), signal: signalOf(options?.signal) };
  }

  #start(module, { json, around, streams, patience, signal }) {
    if (signal?.aborted) throw new AbortError(signal.reason);
    const started = guarded(() => this.#native.start(Module.nativeOf(module), json, around, patience));
    return new Run(started, streams, signal);
  }

  /** Makes an instance of a module in this process, for callers who call exports often. */
  async instantiate(module, options = {}) {
    const { imports, ...rest } = options;
    for (const name of ['invoke', 'signal', 'whenFull']) {
      if (rest[name] !== undefined) throw invalid(`an instance has no '${name}'`, 'its exports are called, and calls have options of their own');
    }
    const asked = translate({ isolation: 'in-process', ...rest });
    if (asked.streams.source || asked.streams.stdout || asked.streams.stderr || [rest.stdin, rest.stdout, rest.stderr].includes('pipe')) {
      throw invalid('an instance cannot be connected to streams of this thread, which waits for it', 'capture its output, or use files');
    }
    const loaded = await moduleOf(module);
    return instantiate(this.#native, Module.bytesOf(loaded), asked, imports);
  }

  /** Makes everything ready that a run of this module with these options needs: the engine, its native code. */
  async preload(module, options) {
    const { json, around } = translate(options);
    const loaded = await moduleOf(module);
    answered(await guarded(() => this.#native.preload(Module.nativeOf(loaded), json, around)));
  }

  /** Compiles a module into the cache. */
  async compile(module, options) {
    const { json, around } = translate(options);
    const loaded = await moduleOf(module);
    return translated(answered(await guarded(() => this.#native.compile(Module.nativeOf(loaded), json, around))));
  }

  /** What a module is, and which engines would run it. */
  async inspect(module) {
    const loaded = await moduleOf(module);
    return translated(answered(await guarded(() => this.#native.inspect(Module.nativeOf(loaded)))));
  }

  /** Every engine, with what it can do or why it cannot be had. */
  async engines() {
    return translated(answered(await this.#native.engines()));
  }

  /** What this machine has of what wasmrt uses, and what to do about the rest. */
  async doctor() {
    return translated(answered(await this.#native.doctor()));
  }

  /** How many runs there are, and how many may be. */
  get status() {
    return translated(JSON.parse(this.#native.status()));
  }

  /** Ends all runs, and starts nothing any more. */
  async close() {
    await this.#native.close();
  }
}

module.exports = { Module, Runtime, moduleOf };
