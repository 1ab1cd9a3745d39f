// Policies of Open Policy Agent as guests: compiled with `opa build -t wasm`, evaluated in this process, within limits.
//
//   node examples/opa.mjs [policy.wasm] [input.json]
//
// Built-in functions that the host has to bring are JavaScript functions of texts. They cannot call back into the policy, so what they return is
// put together in memory that was set aside for it; true, false, null, integers and text are enough here.

import fs from 'node:fs/promises';
import { instantiate } from 'wasmrt';

const TYPES = { null: 1, boolean: 2, number: 3, string: 4 };
const SCRATCH = 4096;

export class Policy {
  #instance;
  #names;
  #builtins;
  #scratch;
  #data;
  #heap;

  /** Makes a policy of its module. */
  static async load(wasm, { builtins = {}, data = {}, limits = {}, log = console.log } = {}) {
    const policy = new Policy();
    policy.#builtins = builtins;
    const builtin = function (id, _context, ...values) {
      return policy.#call(this.memory, id, values);
    };
    const env = {
      memory: { memory: 2 },
      opa_abort(at) {
        throw new Error(`the policy gave up: ${this.memory.readCString(at)}`);
      },
      opa_println(at) {
        log(this.memory.readCString(at));
      },
    };
    for (const arity of [0, 1, 2, 3, 4]) env[`opa_builtin${arity}`] = builtin;
    policy.#instance = await instantiate(wasm, { imports: { env }, limits: { memoryBytes: '64Mi', wallTime: { ms: 100 }, ...limits } });
    const { exports } = policy.#instance;
    policy.#names = Object.fromEntries(Object.entries(policy.#dumped(exports.builtins())).map(([name, id]) => [id, name]));
    for (const name of Object.values(policy.#names)) if (!builtins[name]) throw new Error(`the policy needs the built-in function ${name}`);
    policy.#scratch = exports.opa_malloc(SCRATCH);
    const [at, length] = policy.#put(data);
    policy.#data = exports.opa_json_parse(at, length);
    policy.#heap = exports.opa_heap_ptr_get();
    return policy;
  }

  /** The results for an input. */
  evaluate(input, entrypoint = 0) {
    const { exports, memory } = this.#instance;
    const text = Buffer.from(JSON.stringify(input) ?? '');
    // Each evaluation begins where the data ends; memory grows where the input needs it.
    exports.opa_heap_ptr_set(this.#heap);
    const at = exports.opa_malloc(text.length);
    memory.write(at, text);
    return JSON.parse(memory.readCString(exports.opa_eval(0, entrypoint, this.#data, at, text.length, exports.opa_heap_ptr_get(), 0)));
  }

  #put(value) {
    const text = Buffer.from(JSON.stringify(value));
    const at = this.#instance.exports.opa_malloc(text.length);
    this.#instance.memory.write(at, text);
    return [at, text.length];
  }

  #dumped(value) {
    return JSON.parse(this.#instance.memory.readCString(this.#instance.exports.opa_json_dump(value)));
  }

  #call(memory, id, values) {
    const texts = values.map((at) => {
      const value = memory.read(at, 12);
      if (value[0] !== TYPES.string) throw new TypeError('built-in functions are called with text here');
      return memory.readString(value.readUInt32LE(8), value.readUInt32LE(4));
    });
    return this.#made(memory, this.#builtins[this.#names[id]](...texts));
  }

  /** A value in the policy's own terms. */
  #made(memory, value) {
    const made = Buffer.alloc(16);
    if (value === null) made[0] = TYPES.null;
    else if (typeof value === 'boolean') made.set([TYPES.boolean, Number(value)]);
    else if (Number.isSafeInteger(value)) {
      made.set([TYPES.number, 1]);
      made.writeBigInt64LE(BigInt(value), 8);
    } else if (typeof value === 'string') {
      const text = Buffer.from(value);
      if (text.length > SCRATCH - made.length) throw new RangeError('the text that a built-in function returned is too long');
      made[0] = TYPES.string;
      made.writeUInt32LE(text.length, 4);
      made.writeUInt32LE(this.#scratch + made.length, 8);
      memory.write(this.#scratch + made.length, text);
    } else throw new TypeError(`a built-in function returned ${typeof value}`);
    memory.write(this.#scratch, made);
    return this.#scratch;
  }
}

/** WebAssembly text is for examples and tests: it takes the package wabt. */
async function readModule(path) {
  if (!path.endsWith('.wat')) return fs.readFile(path);
  const { default: wabt } = await import('wabt');
  return (await wabt()).parseWat(path, await fs.readFile(path, 'utf8'), {}).toBinary({}).buffer;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [module = new URL('policy.wat', import.meta.url).pathname, input] = process.argv.slice(2);
  const onCall = new Set(['dana']);
  const policy = await Policy.load(await readModule(module), { builtins: { 'acme.on_call': (who) => onCall.has(JSON.parse(who).name) } });
  const inputs = input ? [JSON.parse(await fs.readFile(input, 'utf8'))] : [{ name: 'alex', role: 'admin' }, { name: 'dana' }, { name: 'sam' }];
  for (const asked of inputs) console.log(JSON.stringify(asked), JSON.stringify(policy.evaluate(asked)));
}
