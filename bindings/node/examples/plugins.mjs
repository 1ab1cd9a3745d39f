// A plug-in system: text goes through plug-ins that strangers wrote. Each has a guest of its own with its own memory, time and fuel, and the functions
// that the host lends it. One that fails is passed over, and after three failures it is not asked any more; the others do not notice.
//
//   node examples/plugins.mjs [directory]
//
// A plug-in exports `memory`, `alloc(size) -> address` and `transform(address, length) -> (address, length)`.

import fs from 'node:fs/promises';
import path from 'node:path';
import { GuestEndedError, Module, instantiate } from 'wasmrt';

const LIMITS = { memoryBytes: '4Mi', callDepth: 1000, fuel: 10_000_000, wallTime: { ms: 200 } };
const MOST_FAILURES = 3;

export class Plugin {
  failures = 0;

  constructor(name, instance) {
    this.name = name;
    this.instance = instance;
  }

  static async load(name, wasm, { settings = {}, log = console.log } = {}) {
    const host = {
      log(at, length) {
        log(`[${name}] ${this.memory.readString(at, Math.min(length, 1000))}`);
      },
      // Writes a setting of this plug-in's own to where it wants it, and returns its length; 0 when there is none or no room.
      setting(at, length, to, room) {
        const text = Buffer.from(settings[this.memory.readString(at, length)] ?? '');
        if (text.length > room) return 0;
        this.memory.write(to, text);
        return text.length;
      },
    };
    return new Plugin(name, await instantiate(new Module(wasm), { imports: { host }, limits: LIMITS }));
  }

  /** What the plug-in makes of a text. The guest runs on another thread, so that this one goes on. */
  async transform(text) {
    const { instance } = this;
    try {
      const bytes = Buffer.from(text);
      const { value: at } = await instance.call('alloc', [bytes.length]);
      instance.memory.write(at, bytes);
      const { values } = await instance.call('transform', [at, bytes.length]);
      return instance.memory.readString(...values);
    } finally {
      // The next text meets a fresh guest, whatever happened to this one.
      await instance.reset();
    }
  }
}

export class Pipeline {
  plugins = [];
  complaints = [];

  /** Loads every plug-in of a directory. */
  static async open(directory, options = {}) {
    const pipeline = new Pipeline();
    for (const file of (await fs.readdir(directory)).sort()) {
      const { name, ext } = path.parse(file);
      if (ext !== '.wasm' && ext !== '.wat') continue;
      const wasm = await readModule(path.join(directory, file));
      pipeline.plugins.push(await Plugin.load(name, wasm, { ...options, settings: options.settings?.[name] }));
    }
    return pipeline;
  }

  async transform(text) {
    for (const plugin of this.plugins.filter(({ failures }) => failures < MOST_FAILURES)) {
      try {
        text = await plugin.transform(text);
      } catch (error) {
        plugin.failures++;
        const why = error instanceof GuestEndedError ? error.message : `${error.code}`;
        this.complaints.push(`${plugin.name}: ${why}`);
      }
    }
    return text;
  }
}

async function readModule(file) {
  if (!file.endsWith('.wat')) return fs.readFile(file);
  const { default: wabt } = await import('wabt');
  return new Uint8Array((await wabt()).parseWat(file, await fs.readFile(file, 'utf8'), { multi_value: true }).toBinary({}).buffer);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const directory = process.argv[2] ?? new URL('plugins', import.meta.url).pathname;
  const pipeline = await Pipeline.open(directory, { settings: { signed: { signature: ' -- signed' } } });
  for (let round = 0; round < 4; round++) console.log(await pipeline.transform('some text'));
  console.log(pipeline.complaints.join('\n'));
}
