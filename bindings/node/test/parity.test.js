'use strict';
// Every field of a run spec can be reached from options, every limit has its type, and every field of an outcome is told: the lists are the schema that
// is checked in, and an outcome that has everything.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Runtime, run } = require('..');
const { LIMITS, RUN_OPTIONS, camel, translate } = require('../lib/options.js');
const { assemble, home } = require('./support.js');

const schema = JSON.parse(fs.readFileSync(path.join(home, '..', '..', 'docs', 'run-spec.schema.json'), 'utf8'));
const types = fs.readFileSync(path.join(home, 'types', 'lib', 'types.d.ts'), 'utf8');

/** The names of the fields of a type. */
function fields(name) {
  const [, body] = types.match(new RegExp(`export type ${name} = \\{\\n([\\s\\S]*?)\\n\\};`)) ?? assert.fail(name);
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field);
}

test('every field of a spec has its option', () => {
  const reached = new Set(Object.values(RUN_OPTIONS).filter(Boolean));
  assert.deepEqual([...reached].sort(), Object.keys(schema.properties).sort());
  assert.deepEqual([...fields('GuestOptions'), ...fields('RunOptionsOwn')].sort(), Object.keys(RUN_OPTIONS).sort());
  const limits = Object.keys(schema.$defs.LimitsSpec.properties);
  assert.deepEqual([...LIMITS.values()].sort(), limits.sort());
  assert.deepEqual(fields('Limits').sort(), limits.map(camel).sort());
});

test('options say what they are meant to say', () => {
  const { json } = translate({
    engine: 'wasmtime', isolation: 'process', requireOsSandbox: true, aot: 'never', optimize: 2, invoke: 'f', args: ['a'], env: { A: 'b' },
    preopens: [{ host: '/a', guest: '/b', access: 'ro' }], stdin: 'ignore', stdout: { capture: '1k' }, stderr: { file: '/dev/null' },
    network: { allow: ['resolve=*'], publish: [] }, clock: { unixSeconds: 5 }, random: { seed: 2n ** 64n - 1n },
    limits: Object.fromEntries([...LIMITS.keys()].map((name) => [name, 'unlimited'])),
  });
  const spec = JSON.parse(json);
  assert.deepEqual(Object.keys(spec).sort(), Object.keys(schema.properties).sort());
  assert.deepEqual(spec.stdio, { stdin: 'null', stdout: { capture: { cap: '1k' } }, stderr: { file: '/dev/null' } });
  assert.deepEqual([spec.entry, spec.clock, spec.env], [{ invoke: { name: 'f', args: [] } }, { fixed: { unix_seconds: 5 } }, { set: { A: 'b' } }]);
  assert.match(json, /"seed":18446744073709551615/);
});

test('every field of an outcome is told', async () => {
  const wasm = await assemble(`(module
    (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "../up")
    (func (export "f") (result i32 f64)
      (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 100)))
      (i32.const 7) (f64.const nan)))`);
  const outcome = await run(wasm, { invoke: 'f', stdout: 'capture', stderr: 'capture', preopens: ['/tmp:/'], limits: { fuel: 1_000_000 } });
  assert.deepEqual(Object.keys(outcome).sort(), fields('Outcome').sort());
  assert.deepEqual(Object.keys(outcome.usage).sort(), fields('Usage').sort());
  assert.deepEqual(outcome.results, [7, NaN]);
  assert.ok(outcome.usage.fuel > 0 && outcome.refusals.length > 0 && outcome.osSandbox);
  const model = fs.readFileSync(path.join(home, '..', '..', 'engine-core', 'model', 'src', 'outcome.rs'), 'utf8');
  const declared = (name) => [...model.match(new RegExp(`pub struct ${name} \\{([\\s\\S]*?)\\n\\}`))[1].matchAll(/^ {4}pub (\w+):/gm)].map(([, field]) => camel(field));
  for (const name of ['Outcome', 'Usage']) for (const field of declared(name)) assert.ok(fields(name).includes(field), `${name}.${field}`);
});

test('error codes are those of the model', () => {
  const model = fs.readFileSync(path.join(home, '..', '..', 'engine-core', 'model', 'src', 'error.rs'), 'utf8');
  const kinds = [...model.matchAll(/Self::\w+ => "([a-z-]+)"/g)].map(([, kind]) => kind);
  const [, union] = types.match(/export type ErrorCode =([\s\S]*?);/);
  const codes = [...union.matchAll(/"([a-z-]+)"/g)].map(([, code]) => code);
  assert.deepEqual(codes.filter((code) => code !== 'guest-ended').sort(), kinds.sort());
});

test('a runtime tells its state in the words of its types', async () => {
  assert.deepEqual(Object.keys(new Runtime().status).sort(), fields('RuntimeStatus').sort());
});
