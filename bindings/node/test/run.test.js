'use strict';
// Runs: endings, limits, files, streams, ending them, and what they leave behind.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { Readable, Writable } = require('node:stream');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { Module, Runtime, WasmrtError, AbortError, run, start, defaultRuntime } = require('..');
const { copy, directory, endless, exits, hello, node, program, until } = require('./support.js');

const quiet = { stdin: 'ignore', stdout: 'capture', stderr: 'capture' };
const failsWith = (code) => (error) => error instanceof WasmrtError && error.code === code;

test('ports that the system chose are told while the guest runs, and after', async () => {
  const network = { publish: ['127.0.0.1:0:8080', '127.0.0.1:0:53/udp'] };
  const started = start(await copy(), { ...quiet, stdin: 'pipe', network });
  const [stream, datagrams] = await started.published();
  assert.deepEqual({ ...stream, port: 0 }, { address: '127.0.0.1', port: 0, guestPort: 8080, protocol: 'tcp' });
  assert.deepEqual([datagrams.guestPort, datagrams.protocol], [53, 'udp']);
  const socket = net.connect(stream.port, stream.address);
  await once(socket, 'connect');
  socket.destroy();
  assert.deepEqual(await started.published(), [stream, datagrams]);
  started.stdin.end();
  assert.ok((await started.wait()).success);
  assert.deepEqual(await started.published(), [stream, datagrams]);
  const none = start(await hello(), quiet);
  assert.deepEqual(await none.published(), []);
  await none.wait();
  // Those of a run that never began.
  const broken = start(Buffer.from('no module'), { ...quiet, network });
  assert.deepEqual(await broken.published(), []);
  await assert.rejects(broken.wait(), failsWith('not-wasm'));
});

for (const engine of ['wasmtime', 'wasmedge']) {
  test(`a program runs on ${engine} and tells how it ended`, async () => {
    const ended = await run(await hello(), { ...quiet, engine });
    assert.deepEqual(ended.status, { kind: 'exited', code: 0 });
    assert.equal(ended.success, true);
    assert.equal(ended.exitCode, 0);
    assert.equal(ended.engine, engine);
    assert.equal(ended.stdout.toString(), 'hello\n');
    assert.equal(ended.stderr.length, 0);
    assert.equal(ended.usage.outputBytes, 6);
    assert.ok(ended.usage.wallTime > 0 && ended.usage.wallTime < 30);
    assert.equal(ended.usage.fuel, null);
  });

  test(`limits end guests on ${engine}`, async () => {
    const late = await run(await endless(), { ...quiet, engine, limits: { wallTime: { ms: 3000 } } });
    assert.deepEqual(late.status, { kind: 'limit-reached', limit: 'wall-time' });
    assert.equal(late.exitCode, 124);
    assert.equal(late.stdout.toString(), 'hello\n');
    const spent = await run(await endless(), { ...quiet, engine, limits: { fuel: 100_000n } });
    assert.deepEqual(spent.status, { kind: 'limit-reached', limit: 'fuel' });
    assert.ok(spent.usage.fuel >= 100_000);
    const loud = await run(await hello(), { ...quiet, stdout: { capture: 3 }, engine });
    assert.deepEqual(loud.status, { kind: 'limit-reached', limit: 'output-bytes' });
  });
}

test('every ending is an outcome', async () => {
  const code = await run(await exits(300), quiet);
  assert.deepEqual([code.status, code.exitCode, code.success], [{ kind: 'exited', code: 300 }, 44, false]);
  const trapped = await run(await program('(unreachable)'), { ...quiet, engine: 'wasmtime' });
  assert.equal(trapped.status.kind, 'trapped');
  assert.equal(trapped.status.trap.kind, 'unreachable');
  assert.ok(trapped.status.trap.backtrace.length > 0);
});

test('exports are invoked with text, and return numbers and BigInt', async () => {
  const ended = await run(await program(''), { ...quiet, invoke: { name: 'sum', args: [-3, 2n ** 62n] } });
  assert.deepEqual(ended.results, [2n ** 62n - 3n]);
});

test('what cannot run is an error with a code', async () => {
  await assert.rejects(run(Buffer.from('#!/bin/sh'), quiet), failsWith('not-wasm'));
  await assert.rejects(run(await hello(), { ...quiet, invoke: 'nowhere' }), failsWith('missing-export'));
  await assert.rejects(run(await hello(), { ...quiet, engine: 'v8' }), failsWith('invalid-input'));
  await assert.rejects(run(await hello(), { ...quiet, isolation: 'in-process' }), failsWith('unsupported'));
  await assert.rejects(run('/nowhere/at/all.wasm', quiet), { code: 'ENOENT' });
});

test('misspelt and meaningless options are refused', async () => {
  const wasm = await hello();
  for (const options of [
    { stdOut: 'capture' },
    { limits: { memory: 1 } },
    { limits: { fuel: Infinity } },
    { limits: { fuel: -1 } },
    { limits: { wallTime: { minutes: 1 } } },
    { limits: { memoryBytes: '64 apples' } },
    { stdin: 'some text' },
    { stdin: 'ignore', input: 'text' },
    { env: { A: 1 } },
    { preopens: ['a:b:c:d'] },
    { clock: 'yesterday' },
    { network: { allow: ['everything'] } },
    { whenFull: 'give up' },
    { spec: '{' },
    { spec: [1] },
    { spec: { limits: { wall_time: 'soon' } } },
    { args: ['\ud800'] },
    { args: ['a\0'] },
    'options',
  ]) {
    await assert.rejects(run(wasm, options), failsWith('invalid-input'), JSON.stringify(options, (_, value) => (value === Infinity ? 'Infinity' : value)));
  }
});

test('a ceiling denies what is above it', async () => {
  const runtime = new Runtime({ ceiling: { limits: { memoryBytes: '1Mi' }, preopens: false } });
  await assert.rejects(runtime.run(await hello(), { ...quiet, limits: { memoryBytes: '2Mi' } }), failsWith('denied'));
  await assert.rejects(runtime.run(await hello(), { ...quiet, preopens: ['/tmp:/tmp'] }), failsWith('denied'));
  assert.equal((await runtime.run(await hello(), quiet)).success, true);
  await runtime.close();
  await assert.rejects(runtime.run(await hello(), quiet), failsWith('cancelled'));
});

test('input and output go by way of files, bytes and streams', async (t) => {
  const dir = directory(t);
  const wasm = new Module(await copy());
  const text = 'text '.repeat(100_000);
  assert.equal((await run(wasm, { ...quiet, stdin: undefined, input: text })).stdout.toString(), text);
  assert.equal((await run(wasm, { ...quiet, stdin: Buffer.from(text) })).stdout.toString(), text);
  fs.writeFileSync(path.join(dir, 'in'), text);
  await run(wasm, { stdin: { file: path.join(dir, 'in') }, stdout: { file: path.join(dir, 'out') } });
  assert.equal(fs.readFileSync(path.join(dir, 'out'), 'utf8'), text);

  const chunks = [];
  const slow = new Writable({
    highWaterMark: 1024,
    write(chunk, _, done) {
      chunks.push(chunk);
      setImmediate(done);
    },
  });
  await run(wasm, { stdin: Readable.from([text, text]), stdout: slow });
  assert.equal(Buffer.concat(chunks).toString(), text + text);
  let web = '';
  const sink = new WritableStream({ write: (chunk) => void (web += Buffer.from(chunk)) });
  await run(wasm, { stdin: new Blob([text]).stream(), stdout: sink });
  assert.equal(web, text);

  const talk = start(wasm, { stdin: 'pipe', stdout: 'pipe' });
  talk.stdin.write('one');
  assert.equal((await once(talk.stdout, 'data'))[0].toString(), 'one');
  talk.stdin.end('two');
  assert.equal((await once(talk.stdout, 'data'))[0].toString(), 'two');
  assert.equal((await talk.wait()).success, true);
});

test('a guest that does not read its input is no trouble', async () => {
  const big = Buffer.alloc(8 << 20);
  assert.equal((await run(await hello(), { stdin: Readable.from([big, big]), stdout: 'ignore' })).success, true);
});

test('a stream that breaks ends the run with its error', async () => {
  const broken = new Writable({ write: (_, __, done) => done(new Error('the disk is full')) });
  await assert.rejects(run(await endless(), { stdin: 'ignore', stdout: broken }), /the disk is full/);
  const source = Readable.from((async function* () {
    yield 'a';
    throw new Error('the line is dead');
  })());
  await assert.rejects(run(await copy(), { stdin: source, stdout: 'ignore' }), /the line is dead/);
});

test('a signal aborts the guest', async () => {
  const controller = new AbortController();
  const running = start(await endless(), { stdin: 'ignore', stdout: 'pipe', signal: controller.signal });
  await once(running.stdout, 'data');
  const why = new Error('enough');
  controller.abort(why);
  await assert.rejects(running.wait(), (error) => error instanceof AbortError && error.name === 'AbortError' && error.code === 'ABORT_ERR' && error.cause === why);
  await assert.rejects(run(await hello(), { ...quiet, signal: controller.signal }), { name: 'AbortError', cause: why });
  const cancelled = start(await endless(), { ...quiet });
  cancelled.cancel();
  await assert.rejects(cancelled.wait(), failsWith('cancelled'));
});

test('one signal aborts many guests, without a warning of many listeners', async () => {
  const wasm = JSON.stringify((await endless()).toString('base64'));
  const ended = await node(`
    const controller = new AbortController();
    const module = new wasmrt.Module(Buffer.from(${wasm}, 'base64'));
    const runs = Array.from({ length: 16 }, () => wasmrt.run(module, { stdin: 'ignore', stdout: 'ignore', signal: controller.signal }));
    setTimeout(() => controller.abort(), 200);
    Promise.allSettled(runs).then((all) => console.log(all.filter(({ reason }) => reason?.name === 'AbortError').length));`);
  assert.deepEqual([ended.code, ended.stdout.trim(), ended.stderr], [0, '16', '']);
});

test('who has no place waits, or is refused', async () => {
  const runtime = new Runtime({ maxRuns: 1, queue: 0 });
  const wasm = new Module(await endless());
  const first = runtime.start(wasm, { stdin: 'ignore', stdout: 'pipe' });
  await once(first.stdout, 'data');
  await assert.rejects(runtime.run(wasm, { ...quiet, whenFull: 'refuse' }), failsWith('busy'));
  await assert.rejects(runtime.run(wasm, { ...quiet, whenFull: { wait: 0.05 } }), failsWith('busy'));
  const second = runtime.run(await hello(), quiet);
  assert.equal(runtime.status.running, 1);
  first.cancel();
  await assert.rejects(first.wait(), failsWith('cancelled'));
  assert.equal((await second).success, true);
  await runtime.close();
});

test('a run that nobody holds is cancelled', async () => {
  const runtime = new Runtime();
  const wasm = new Module(await endless());
  (() => void runtime.start(wasm, { stdin: 'ignore', stdout: 'ignore' }))();
  await until(() => runtime.status.running === 1);
  await until(() => {
    global.gc();
    return runtime.status.running === 0;
  });
  await runtime.close();
});

test('a run is kept by those who wait for it, or read from it', async () => {
  const ended = run(await program('(call $copy)'), { stdin: Readable.from((async function* () {
    for (let i = 0; i < 20; i++) {
      global.gc();
      await new Promise((resolve) => setTimeout(resolve, 2));
      yield 'x';
    }
  })()), stdout: 'capture' });
  assert.equal((await ended).stdout.toString(), 'x'.repeat(20));
  const { stdout } = start(await endless(), { engine: 'wasmtime', stdin: 'ignore', stdout: 'pipe', limits: { wallTime: 3 } });
  let read = '';
  const collecting = setInterval(global.gc, 5);
  const begun = Date.now();
  for await (const chunk of stdout) read += chunk;
  clearInterval(collecting);
  assert.equal(read, 'hello\n');
  assert.ok(Date.now() - begun >= 2900, 'it ran to its deadline');
});

test('the event loop goes on while guests run', async () => {
  const runtime = new Runtime({ maxRuns: 4, queue: 0 });
  const wasm = new Module(await endless());
  let longest = 0;
  let before = performance.now();
  let beats = 0;
  const beat = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
    beats++;
  }, 1);
  // More than fit, so that some wait for a place, and the process that forks starts meanwhile.
  await Promise.all(Array.from({ length: 8 }, () => runtime.run(wasm, { stdin: 'ignore', stdout: 'ignore', limits: { wallTime: 1 } })));
  clearInterval(beat);
  // Who waits for a guest or for a place stands still for a second, and for all of them makes hardly a beat.
  assert.ok(beats >= 5, `${beats} beats in two seconds`);
  assert.ok(longest < 900, `it stood still for ${longest} ms`);
  await runtime.close();
});

test('files are seen where they were put, and changed only where that was allowed', async (t) => {
  const dir = directory(t);
  fs.writeFileSync(path.join(dir, 'note'), 'a note');
  const reads = await require('./support.js').assemble(`(module
    (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (data (i32.const 0) "note")
    (func (export "_start")
      (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 100)))))`);
  const code = async (preopens) => (await run(reads, { ...quiet, preopens })).status.code;
  assert.equal(await code([`${dir}:/`]), 0);
  assert.notEqual(await code([{ host: dir, guest: '/', access: 'ro' }]), 0);
  assert.equal(await code([]), 8);
  const before = process.cwd();
  process.chdir(dir);
  const relative = code(['.:/']);
  process.chdir(before);
  assert.equal(await relative, 0);
});

test('the environment is what was given, and nothing of ours', async () => {
  const counts = await require('./support.js').assemble(`(module
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (drop (call $sizes (i32.const 0) (i32.const 4))) (call $exit (i32.load (i32.const 4)))))`);
  const size = async (options) => (await run(counts, { ...quiet, ...options })).status.code;
  process.env.WASMRT_TEST_NAME = 'value';
  assert.equal(await size({}), 0);
  assert.equal(await size({ env: { A: 'b' } }), 4);
  assert.equal(await size({ inheritEnv: ['WASMRT_TEST_NAME', 'WASMRT_NOT_THERE'] }), 'WASMRT_TEST_NAME=value\0'.length);
  delete process.env.WASMRT_TEST_NAME;
});

test('a spec as JSON is taken as it is', async () => {
  const ended = await run(await endless(), { spec: '{"limits": {"wall_time": "3s"}, "stdio": {"stdin": "null", "stdout": {"capture": {}}}}' });
  assert.deepEqual([ended.status.limit, ended.stdout.toString()], ['wall-time', 'hello\n']);
});

test('modules, engines and the machine are looked at without running anything', async () => {
  const runtime = defaultRuntime();
  const wasm = new Module(await hello());
  assert.match(wasm.hash, /^[0-9a-f]{64}$/);
  const inspection = await runtime.inspect(wasm);
  assert.deepEqual(inspection.info.exports.map(({ name }) => name), ['memory', '_start', 'sum']);
  assert.equal(inspection.bytes, wasm.size);
  const engines = await runtime.engines();
  assert.ok(engines.some(({ name, capabilities }) => name === 'wasmtime' && capabilities.version));
  assert.ok((await runtime.doctor()).length > 3);
  const compiled = await runtime.compile(wasm, { engine: 'wasmtime' });
  assert.ok(compiled.codeBytes > 0);
  await runtime.preload(wasm, { engine: 'wasmtime' });
});

test('a process ends when its runs have, and does not leave any behind', async () => {
  const bytes = JSON.stringify((await hello()).toString('base64'));
  const ended = await node(`wasmrt.run(Buffer.from(${bytes}, 'base64'), { stdin: 'ignore', stdout: 'capture' }).then((o) => console.log(o.stdout + '' + wasmrt.defaultRuntime().status.worker));`);
  const [text, worker] = ended.stdout.split('\n');
  assert.deepEqual([ended.code, text, ended.stderr], [0, 'hello', '']);
  await until(() => !fs.existsSync(`/proc/${worker}`));
  const spins = JSON.stringify((await endless()).toString('base64'));
  const killed = await node(`
    const running = wasmrt.start(Buffer.from(${spins}, 'base64'), { stdin: 'ignore', stdout: 'pipe' });
    running.wait().catch(() => {});
    running.stdout.once('data', () => { console.log(wasmrt.defaultRuntime().status.worker); process.exit(3); });`);
  assert.equal(killed.code, 3);
  await until(() => !fs.existsSync(`/proc/${killed.stdout.trim()}`));
});

test('worker threads run guests, and end with theirs', async () => {
  const workers = Array.from({ length: 3 }, () => new Worker(path.join(__dirname, 'guests', 'thread.js')));
  const processes = [];
  for (const worker of workers) {
    worker.postMessage(await endless());
    const [{ text, process }] = await once(worker, 'message');
    assert.equal(text, 'hello\n');
    processes.push(process);
  }
  assert.equal(new Set(processes).size, 3);
  await Promise.all(workers.map((worker) => worker.terminate()));
  // What was started there cannot be waited for any more, so its guests are ended.
  for (const process of processes) {
    // Looked at once: what is there to be asked about may be gone before it is asked.
    const children = () => {
      try {
        return fs.readFileSync(`/proc/${process}/task/${process}/children`, 'utf8').trim();
      } catch (error) {
        if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
        return '';
      }
    };
    await until(() => children() === '');
  }
});

test('many runs leave no descriptors behind', async () => {
  const wasm = new Module(await copy());
  const open = () => fs.readdirSync('/proc/self/fd').length;
  const once = () => run(wasm, { stdin: Readable.from(['x']), stdout: new Writable({ write: (_, __, done) => done() }), stderr: 'capture' });
  await Promise.all(Array.from({ length: 8 }, once));
  const before = open();
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 8 }, once));
  await until(() => open() <= before + 2);
});
