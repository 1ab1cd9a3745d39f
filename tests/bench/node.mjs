// Figures of the Node package, beside the `wasmedge` command line and Node's own WebAssembly. What is compared is run in turns, in one process, so that a
// machine that gets slower gets slower for both. Run by tests/bench/run node, which names the program, the guests and the package.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const { WASMRT_NODE_PACKAGE: home, WASMRT_GUESTS: guests, WASMEDGE: wasmedge } = process.env;
const require = createRequire(path.join(home, 'package.json'));
const { Module, Runtime, instantiate } = require(home);
const runs = Number(process.argv[2] ?? 40);
let missed = false;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const now = () => Number(process.hrtime.bigint());
const timed = async (work) => {
  const start = now();
  await work();
  return (now() - start) / 1e6;
};

function line(name, figures, verdicts = []) {
  const judged = verdicts.map(([target, met]) => {
    missed ||= !met;
    return `  target ${target}: ${met ? 'met' : 'MISSED'}`;
  });
  console.log(`${name.padEnd(58)} ${figures}${judged.join('')}`);
}

/** Medians of both, measured in turns. */
async function pair(ours, theirs, times = runs) {
  const taken = [[], []];
  for (let round = -3; round < times; round++) {
    for (const [index, work] of [ours, theirs].entries()) {
      const took = await timed(work);
      if (round >= 0) taken[index].push(took);
    }
  }
  return taken.map(median);
}

const assemble = async (text) => {
  const module = (await require('wabt')()).parseWat('guest', text, {});
  return Buffer.from(module.toBinary({}).buffer);
};

// Hello, each in a process of its own.
const hello = path.join(guests, 'c', 'hello.wasm');
const runtime = new Runtime();
const module = await Module.load(hello);
const quiet = { stdin: 'ignore', stdout: 'capture', stderr: 'capture' };
const spawned = async (command, args) => {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
};
for (const engine of ['wasmedge', 'wasmtime']) {
  const ours = async () => {
    const { success, stdout } = await runtime.run(module, { ...quiet, engine });
    if (!success || stdout.length === 0) throw new Error('hello did not say hello');
  };
  const [mine, peer] = await pair(ours, () => spawned(wasmedge, [hello]));
  const figures = `${mine.toFixed(2).padStart(8)} ms  wasmedge spawned ${peer.toFixed(2).padStart(8)} ms  ratio ${(mine / peer).toFixed(3)}`;
  line(`run hello on ${engine}`, figures, [['<= 5 ms', mine <= 5], ['<= 0.20', mine / peer <= 0.2]]);
}

// The same module again and again: what a server does.
for (const at_once of [1, 4]) {
  const count = runs * 5;
  let left = count;
  const took = await timed(() =>
    Promise.all(
      Array.from({ length: at_once }, async () => {
        while (left-- > 0) await runtime.run(module, { ...quiet, engine: 'wasmtime' });
      }),
    ),
  );
  line(`hello on wasmtime, ${at_once} at once`, `${((count * 1000) / took).toFixed(0).padStart(8)} runs a second`);
}

// Calls of an exported function, beside Node's own.
const adds = await assemble('(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))');
const own = (await WebAssembly.instantiate(adds)).instance.exports.add;
for (const [engine, target] of [['wasmtime', 500], ['wasmedge', null]]) {
  const { add } = (await instantiate(adds, { engine })).exports;
  const calls = 100_000;
  const many = (call) => () => {
    for (let i = 0; i < calls; i++) call(i, 1);
  };
  const [mine, peer] = (await pair(many(add), many(own), 15)).map((took) => (took * 1e6) / calls);
  const figures = `${mine.toFixed(0).padStart(8)} ns  Node's own ${peer.toFixed(1)} ns`;
  line(`call add of an instance on ${engine}`, figures, target ? [[`<= ${target} ns`, mine <= target]] : []);
}

// Loading the package.
const script = `const start = process.hrtime.bigint(); require(${JSON.stringify(home)}); console.log(Number(process.hrtime.bigint() - start) / 1e6)`;
const loads = [];
for (let round = 0; round < 15; round++) loads.push(Number((await promisify(execFile)(process.execPath, ['-e', script])).stdout));
line('require', `${median(loads).toFixed(1).padStart(8)} ms`, [['<= 50 ms', median(loads) <= 50]]);

// Guests that compute, one after the other and 64 at once.
const spins = await assemble('(module (memory (export "memory") 1) (func (export "_start") (local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100000000))))))');
const busy = new Module(spins);
const work = () => runtime.run(busy, { ...quiet, engine: 'wasmtime' });
await work();
const cores = os.availableParallelism();
const speedups = [];
for (let round = 0; round < 3; round++) {
  const alone = await timed(async () => {
    for (let i = 0; i < 16; i++) await work();
  });
  const together = await timed(() => Promise.all(Array.from({ length: 64 }, work)));
  speedups.push((alone * 4) / together);
}
line(`64 computing guests at once, ${cores} cores`, `${median(speedups).toFixed(2).padStart(8)} times one after the other`, [[`>= ${(cores * 0.8).toFixed(1)}`, median(speedups) >= cores * 0.8]]);
await runtime.close();
process.exitCode = missed ? 1 : 0;
