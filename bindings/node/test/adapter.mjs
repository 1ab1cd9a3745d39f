// Runs one case of the conformance suite through the package: takes the spec apart into the options that users write, and puts the outcome together
// again as every front-end reports it.
//
//   node --expose-gc adapter.mjs DIRECTORY MODULE TIMES
//
// DIRECTORY has spec.json, and gets report.json, stdout and stderr.

import fs from 'node:fs';
import path from 'node:path';
import options from '../lib/options.js';
import { WasmrtError, run } from '../index.mjs';

const { camel, toJson } = options;
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const fail = (why) => {
  throw new Error(`the spec has something that no option stands for: ${JSON.stringify(why)}`);
};

const OUTPUTS = { inherit: 'inherit', null: 'ignore', piped: 'pipe' };
const output = (where) => OUTPUTS[where] ?? (where.capture ? (where.capture.cap === undefined ? 'capture' : { capture: where.capture.cap }) : where);

/** Fields of a spec, as the options that say the same. */
const FIELDS = {
  engine: (engine) => ({ engine }),
  isolation: (isolation) => ({ isolation }),
  require_os_sandbox: (requireOsSandbox) => ({ requireOsSandbox }),
  aot: (aot) => ({ aot }),
  optimize: (optimize) => ({ optimize: optimize ?? undefined }),
  entry: (entry) => (entry === 'start' ? {} : { invoke: entry.invoke ?? fail(entry) }),
  args: (args) => ({ args }),
  env: ({ set, inherit }) => ({ env: set, inheritEnv: inherit }),
  preopens: (preopens) => ({ preopens }),
  network: (network) => ({ network }),
  clock: (clock) => ({ clock: clock.fixed ? { unixSeconds: clock.fixed.unix_seconds } : clock }),
  random: (random) => ({ random: random.fixed ?? random }),
  limits: (limits) => ({ limits: Object.fromEntries(Object.entries(limits).map(([name, limit]) => [camel(name), limit])) }),
  stdio: ({ stdin, stdout, stderr }) => ({
    ...(stdin?.bytes === undefined ? { stdin: stdin && (OUTPUTS[stdin] ?? stdin) } : { input: stdin.bytes }),
    stdout: stdout && output(stdout),
    stderr: stderr && output(stderr),
  }),
};

function optionsOf(spec) {
  const fields = Object.entries(spec).map(([name, field]) => (FIELDS[name] ?? fail(name))(field));
  return Object.assign({}, ...fields);
}

const TIMES = new Set(['wallTime', 'cpuTime', 'compileTime']);
const duration = (seconds) => {
  const secs = Math.floor(seconds);
  return { secs, nanos: Math.round((seconds - secs) * 1e9) % 1e9 };
};

/** Names as in a report. */
function reported(value, name) {
  if (TIMES.has(name) && typeof value === 'number') return duration(value);
  if (Array.isArray(value)) return value.map((item) => reported(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [snake(key), reported(item, key)]));
}

const view = new DataView(new ArrayBuffer(8));
const bits = {
  i32: (value) => value,
  i64: (value) => value,
  f32: (value) => (view.setFloat32(0, value), view.getUint32(0)),
  f64: (value) => (view.setFloat64(0, value), view.getBigUint64(0)),
};

/** Numbers do not tell their types; what they have to be is in the case's own terms, and the module's. */
async function typed(module, invoke, results) {
  if (results.length === 0) return [];
  const { defaultRuntime } = await import('../index.mjs');
  const { info } = await defaultRuntime().inspect(module);
  const { type } = info.exports.find(({ name }) => name === invoke.name);
  return results.map((result, index) => ({ [type.results[index]]: bits[type.results[index]](result) }));
}

async function once(directory, module, spec) {
  const asked = optionsOf(spec);
  try {
    const { stdout, stderr, results, success, exitCode, ...outcome } = await run(module, asked);
    for (const [name, bytes] of Object.entries({ stdout, stderr })) if (bytes) fs.writeFileSync(path.join(directory, name), bytes);
    const report = reported(outcome);
    report.results = await typed(module, asked.invoke, results);
    if (stdout) report.stdout = { bytes: '' };
    if (stderr) report.stderr = { bytes: '' };
    return { outcome: report };
  } catch (error) {
    if (!(error instanceof WasmrtError)) throw error;
    return { error: { kind: error.code, message: error.message } };
  }
}

const [directory, module, times] = process.argv.slice(2);
const spec = JSON.parse(fs.readFileSync(path.join(directory, 'spec.json'), 'utf8'));
const open = [];
for (let round = 0; round < Number(times); round++) {
  fs.writeFileSync(path.join(directory, 'report.json'), toJson(await once(directory, module, spec)));
  global.gc();
  open.push(fs.readdirSync('/proc/self/fd').length);
}
// What the first runs leave is there for good; later ones must not add to that.
const half = Math.ceil(open.length / 2);
const [earlier, later] = [open.slice(0, half), open.slice(half)].map((counts) => Math.min(...counts));
if (later !== Infinity && later > earlier) throw new Error(`runs leak descriptors: ${open} were open after each`);
