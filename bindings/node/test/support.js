'use strict';
// What tests share: guests from WebAssembly text, and programs in processes of their own.

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const wabt = require('wabt');

const home = path.dirname(__dirname);
const made = new Map();
let assembler;

/** WebAssembly text to bytes. */
async function assemble(text) {
  assembler ??= wabt();
  if (!made.has(text)) {
    const module = (await assembler).parseWat('guest.wat', text, { bulk_memory: true, multi_value: true });
    made.set(text, Buffer.from(module.toBinary({}).buffer));
    module.destroy();
  }
  return made.get(text);
}

/** A WASI program with this body of `_start`: `$say` writes hello to a descriptor, `$copy` its input to its output. */
const program = (body) =>
  assemble(`(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
    (data (i32.const 16) "hello\\n")
    (func $say (param $fd i32) (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func $copy
      (block $end (loop $more
        (i32.store (i32.const 32) (i32.const 1024))
        (i32.store (i32.const 36) (i32.const 4096))
        (drop (call $read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 40)))
        (br_if $end (i32.eqz (i32.load (i32.const 40))))
        (i32.store (i32.const 36) (i32.load (i32.const 40)))
        (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 44)))
        (br $more))))
    (func (export "_start") ${body})
    (func (export "sum") (param i32 i64) (result i64) (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1))))`);

const hello = () => program('(call $say (i32.const 1))');
const endless = () => program('(call $say (i32.const 1)) (loop (br 0))');
const copy = () => program('(call $copy)');
const exits = (code) => program(`(call $exit (i32.const ${code}))`);

/** A module for instances. */
const library = () => assemble(fs.readFileSync(path.join(__dirname, 'guests', 'library.wat'), 'utf8'));

/** A program in a process of its own, which must end by itself. */
function node(script, { flags = [], timeout = 30_000 } = {}) {
  const source = `const wasmrt = require(${JSON.stringify(home)});\n${script}`;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...flags, '-e', source], { timeout, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr, pid: child.pid });
    });
  });
}

/** A directory that is gone when the test is over. */
function directory(test) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'wasmrt-node-'));
  test.after(() => fs.rmSync(made, { recursive: true }));
  return made;
}

/** Waits until something holds. */
async function until(what, { within = 20_000 } = {}) {
  const end = Date.now() + within;
  for (;;) {
    const seen = await what();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`it never came to be: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

module.exports = { assemble, copy, directory, endless, exits, hello, home, library, node, program, until };
