'use strict';
// Instances: calls, values, memory, host functions, ends, other threads.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { once } = require('node:events');
const { AbortError, GuestEndedError, Module, WasmrtError, instantiate } = require('..');
const { assemble, library, node, program, until } = require('./support.js');

const failsWith = (code) => (error) => error instanceof WasmrtError && error.code === code;
const plain = () => ({ env: { double: (x) => x * 2, log() {} } });
const make = async (options) => instantiate(await library(), { engine: 'wasmtime', imports: plain(), ...options });

for (const engine of ['wasmtime', 'wasmedge']) {
  test(`values cross as they are on ${engine}`, async () => {
    const { exports } = await make({ engine });
    assert.equal(exports.add(2, 40), 42);
    assert.equal(exports.add(0x7fffffff, 1), -0x80000000);
    assert.equal(exports.add(0xffffffff, 0), -1);
    assert.equal(exports.add64(2n ** 63n - 1n, 1n), -(2n ** 63n));
    assert.equal(exports.add64(2n ** 64n - 1n, 0n), -1n);
    assert.equal(exports.half(0.1), Math.fround(0.1) / 2);
    assert.equal(exports.third(1), 1 / 3);
    assert.ok(Number.isNaN(exports.third(NaN)));
    assert.equal(exports.third(-Infinity), -Infinity);
    assert.deepEqual(exports.both(1, 0.5), [0.5, 1]);
    assert.equal(exports.many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 9);
    assert.equal(exports.nothing(), undefined);
  });
}

test('arguments that do not fit are refused, and the instance lives on', async () => {
  const { exports } = await make();
  const calls = [() => exports.add(1), () => exports.add(1, 2, 3), () => exports.add(1, 1.5), () => exports.add(1, 2 ** 32), () => exports.add(1, NaN), () => exports.add(1, '2'), () => exports.add(1n, 2), () => exports.add64(1, 2n), () => exports.add64(1n, 2n ** 64n), () => exports.add(1, undefined)];
  for (const call of calls) assert.throws(call, failsWith('invalid-input'), call.toString());
  assert.equal(exports.add(1, 2), 3);
});

test('a guest that ends throws how, and is spent until it is reset', async () => {
  const instance = await make();
  assert.throws(
    () => instance.exports.trap(),
    (error) => error instanceof GuestEndedError && error.status.trap.kind === 'unreachable' && error.usage.wallTime >= 0,
  );
  assert.equal(instance.spent.status.kind, 'trapped');
  assert.throws(() => instance.exports.add(1, 2), failsWith('invalid-input'));
  instance.resetSync();
  assert.equal(instance.spent, undefined);
  assert.equal(instance.exports.add(1, 2), 3);
  await assert.rejects(instance.call('trap'), GuestEndedError);
  await instance.reset();
  assert.equal((await instance.call('add', [1, 2])).value, 3);
});

test('calls have limits of their own', async () => {
  const instance = await make({ limits: { fuel: 1_000_000 } });
  assert.throws(() => instance.callSync('spin', [], { fuel: 1000 }), (error) => error.status.limit === 'fuel');
  instance.resetSync();
  assert.throws(() => instance.callSync('spin', [], { wallTime: { ms: 20 }, fuel: 1_000_000 }), GuestEndedError);
  instance.resetSync();
  const { value, values, usage } = instance.callSync('add', [1, 2]);
  assert.deepEqual([value, values], [3, [3]]);
  assert.ok(usage.fuel > 0 && usage.wallTime > 0);
  assert.throws(() => instance.callSync('add', [1, 2], { fuel: 2_000_000 }), failsWith('denied'));
  assert.throws(() => instance.callSync('add', [1, 2], { gas: 1 }), failsWith('invalid-input'));
  assert.throws(() => instance.callSync('nowhere'), failsWith('missing-export'));
});

test('memory is read and written, and nothing beside it', async () => {
  const { memory, exports } = await make();
  assert.equal(memory.size, 65536);
  assert.equal(memory.readString(16, 14), 'from the guest');
  assert.equal(memory.readCString(16), 'from the guest');
  memory.write(100, 'héllo\0');
  assert.equal(memory.readCString(100), 'héllo');
  assert.equal(exports.load(101), 0xc3);
  exports.store(65535, 7);
  assert.deepEqual([...memory.read(65535, 1)], [7]);
  for (const [offset, length] of [[65536, 1], [65535, 2], [1.5, 1], [0, -1], [Number.MAX_SAFE_INTEGER, 1], [NaN, 1]]) {
    assert.throws(() => memory.read(offset, length), failsWith('invalid-input'), `${offset} ${length}`);
  }
  assert.throws(() => memory.write(65535, Buffer.alloc(2)), failsWith('invalid-input'));
  assert.equal(exports.grow(1), 1);
  assert.equal(memory.size, 131072);
  memory.write(131071, Uint8Array.of(9));
  assert.equal(exports.load(131071), 9);
});

test('a limit on memory is what the guest meets', async () => {
  const { exports, usage } = await make({ limits: { memoryBytes: '128Ki' } });
  assert.deepEqual([exports.grow(1), exports.grow(1)], [1, -1]);
  assert.equal(usage.memoryPages, 1);
});

test('host functions see the guest, and what they throw goes on as it is', async () => {
  const heard = [];
  const thrown = [new TypeError('of mine'), 'text', 7, null, undefined];
  const instance = await make({
    imports: {
      env: {
        double(x) {
          if (x >= 100) throw thrown[x - 100];
          this.memory.write(200, 'seen');
          return x * 2;
        },
        log: {
          params: ['i32', 'i32'],
          call(at, length) {
            heard.push(this.memory.readString(at, length), instance.memory.readCString(at));
          },
        },
      },
    },
  });
  assert.equal(instance.exports.double(4), 8);
  assert.equal(instance.memory.readCString(200), 'seen');
  instance.exports.say();
  await instance.call('say');
  assert.deepEqual(heard, Array(4).fill('from the guest'));
  for (const [index, value] of thrown.entries()) {
    const caught = (call) => {
      try {
        call();
      } catch (error) {
        return { error };
      }
      return undefined;
    };
    assert.deepEqual(caught(() => instance.exports.double(100 + index)), { error: value });
    assert.equal(instance.spent.code, 'internal');
    instance.resetSync();
    assert.deepEqual(caught(() => instance.callSync('double', [100 + index])), { error: value });
    instance.resetSync();
    const later = await instance.call('double', [100 + index]).then(() => undefined, (error) => ({ error }));
    assert.deepEqual(later, { error: value });
    await instance.reset();
  }
  assert.equal(instance.exports.double(1), 2);
});

test('host functions return what their types say', async () => {
  for (const returned of ['2', undefined, 1.5, 1n, [1, 2], {}, true, Symbol('x')]) {
    const instance = await make({ imports: { env: { double: () => returned, log() {} } } });
    assert.throws(() => instance.exports.double(1), failsWith('invalid-input'), String(returned));
    instance.resetSync();
    await assert.rejects(instance.call('double', [1]), failsWith('invalid-input'), String(returned));
  }
  const typed = (types) => ({ env: { double: { ...types, call: () => 1 }, log() {} } });
  await assert.rejects(make({ imports: typed({ params: ['i64'], results: ['i32'] }) }), failsWith('missing-imports'));
  await assert.rejects(make({ imports: typed({ params: ['i31'], results: ['i32'] }) }), failsWith('invalid-input'));
  await assert.rejects(make({ imports: { env: { double: () => 1 } } }), failsWith('missing-imports'));
  await assert.rejects(make({ imports: { env: { double: 'no function', log() {} } } }), failsWith('invalid-input'));
});

test('host functions may wait where a call can', async () => {
  const instance = await make({ imports: { env: { double: async (x) => new Promise((resolve) => setTimeout(resolve, 5, x * 2)), log() {} } } });
  assert.equal((await instance.call('double', [21])).value, 42);
  assert.throws(() => instance.exports.double(1), failsWith('invalid-input'));
  await instance.reset();
  const never = await make({ imports: { env: { double: () => new Promise(() => {}), log() {} } } });
  const controller = new AbortController();
  setTimeout(() => controller.abort('given up'), 50);
  await assert.rejects(never.call('double', [1], { signal: controller.signal }), (error) => error instanceof AbortError && error.cause === 'given up');
});

test('many calls of host functions in one call do not pile up', async () => {
  let calls = 0;
  const instance = await make({ imports: { env: { double: () => ++calls & 1, log() {} } } });
  instance.exports.often(1000);
  global.gc();
  const before = process.memoryUsage().rss;
  instance.exports.often(300_000);
  assert.equal(calls, 301_000);
  assert.ok(process.memoryUsage().rss - before < 32 << 20);
});

test('a guest that runs refuses who comes, and calls on other threads wait for each other', async () => {
  let inner;
  const instance = await make({
    imports: {
      env: {
        double(x) {
          try {
            instance.exports.add(1, 2);
          } catch (error) {
            inner = error;
          }
          return x;
        },
        log() {},
      },
    },
  });
  instance.exports.double(1);
  assert.ok(failsWith('busy')(inner));
  const results = await Promise.all([1, 2, 3].map((x) => instance.call('add', [x, x])));
  assert.deepEqual(results.map(({ value }) => value), [2, 4, 6]);
});

test('the event loop goes on while a call computes elsewhere, and a signal ends it', async () => {
  for (const engine of ['wasmtime', 'wasmedge']) {
    const instance = await make({ engine });
    let beats = 0;
    const beat = setInterval(() => beats++, 1);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    await assert.rejects(instance.call('spin', [], { signal: controller.signal }), AbortError);
    clearInterval(beat);
    assert.ok(beats >= 2, `${beats} beats`);
    // One that comes before the call begins is heard as well.
    await instance.reset();
    const at_once = new AbortController();
    const call = instance.call('spin', [], { signal: at_once.signal });
    setImmediate(() => at_once.abort());
    await assert.rejects(call, AbortError);
  }
});

test('instances are collected although their host functions know them', async () => {
  const gone = [];
  const registry = new FinalizationRegistry((name) => gone.push(name));
  let kept;
  await (async () => {
    for (let index = 0; index < 3; index++) {
      const instance = await make({ imports: { env: { double: (x) => instance.memory.size + x, log() {} } } });
      registry.register(instance, index);
      if (index === 2) kept = instance.exports.double;
    }
  })();
  await until(() => {
    global.gc();
    return gone.includes(0) && gone.includes(1);
  });
  // A function alone still has all that it needs, and keeps it.
  assert.equal(gone.includes(2), false);
  assert.equal(kept(1), 65537);
});

test('what a guest writes is captured', async () => {
  const instance = await instantiate(await program('(call $say (i32.const 1)) (call $say (i32.const 2))'), { stdout: 'capture', stderr: 'capture' });
  instance.exports._start();
  assert.deepEqual([instance.takeStdout().toString(), instance.takeStderr().toString()], ['hello\n', 'hello\n']);
  assert.equal(instance.takeStdout().length, 0);
  assert.equal(instance.usage.outputBytes, 12);
  await assert.rejects(instantiate(await program(''), { stdout: 'pipe' }), failsWith('invalid-input'));
  await assert.rejects(instantiate(await program(''), { isolation: 'process' }), failsWith('unsupported'));
  await assert.rejects(instantiate(await program(''), { limits: { cpuTime: 1 } }), failsWith('unsupported'));
});

test('start-up may call host functions, and use memory', async () => {
  const wasm = await assemble(`(module (import "env" "started" (func $started (param i32))) (memory (export "memory") 1)
    (data (i32.const 8) "ready") (func $start (call $started (i32.const 8))) (start $start))`);
  let heard;
  const started = function (at) {
    heard = this.memory.readString(at, 5);
  };
  await instantiate(wasm, { imports: { env: { started } } });
  assert.equal(heard, 'ready');
  const broken = () => {
    throw new RangeError('not today');
  };
  await assert.rejects(instantiate(wasm, { imports: { env: { started: broken } } }), RangeError);
});

test('memory that a guest imports is its own', async () => {
  const wasm = await assemble('(module (import "env" "memory" (memory 1)) (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))');
  const instance = await instantiate(wasm, { imports: { env: { memory: { memory: 3 } } } });
  assert.equal(instance.memory.size, 3 * 65536);
  instance.memory.write(5, Uint8Array.of(6));
  assert.equal(instance.exports.load(5), 6);
});

test('instances work in worker threads, and a thread that ends takes its guests along', async () => {
  const worker = new Worker(path.join(__dirname, 'guests', 'instance-thread.js'));
  worker.postMessage(await library());
  assert.deepEqual((await once(worker, 'message'))[0], [3, 'a TypeError of its own']);
  const begun = Date.now();
  await worker.terminate();
  assert.ok(Date.now() - begun < 10_000);
});

test('a process ends in good order while a guest computes', async () => {
  const wasm = JSON.stringify((await library()).toString('base64'));
  const ended = await node(`
    wasmrt.instantiate(Buffer.from(${wasm}, 'base64'), { imports: { env: { double() {}, log() {} } } }).then((instance) => {
      instance.call('spin').catch(() => {});
      setTimeout(() => process.exit(5), 100);
    });`);
  assert.deepEqual([ended.code, ended.stderr], [5, '']);
});

test('a module can be changed after it was given', async () => {
  const bytes = Buffer.from(await library());
  const module = new Module(bytes);
  bytes.fill(0);
  assert.equal((await make.call(null)).exports.add(1, 1), 2);
  assert.equal((await instantiate(module, { imports: plain() })).exports.add(1, 1), 2);
});
