'use strict';
// Puts the native half and wasmrt-worker into native/, where the package finds them. `npm install` runs it.
//
//   node scripts/install.js               builds both with cargo
//   node scripts/install.js --from DIR    takes them from DIR, where they have been built
//
// A package that comes with both has nothing to build.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const home = path.dirname(__dirname);
const native = path.join(home, 'native');
const FILES = [
  ['libwasmrt_node.so', 'wasmrt.node'],
  ['wasmrt-worker', 'wasmrt-worker'],
];

function fail(message) {
  console.error(`wasmrt: ${message}`);
  process.exit(1);
}

function targetDirectory() {
  const asked = spawnSync('cargo', ['metadata', '--format-version', '1', '--no-deps', '--offline'], { cwd: home, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (asked.error) fail(`building needs Rust, and cargo cannot be started (${asked.error.message}): see https://rustup.rs`);
  if (asked.status !== 0) fail(`cargo metadata failed:\n${asked.stderr}`);
  return JSON.parse(asked.stdout).target_directory;
}

// What the package consists of and nothing else: other parts of the repository need tools and libraries that its users do not.
function build() {
  const parts = ['--package', 'wasmrt-node', '--package', 'wasmrt-runtime', '--lib', '--bin', 'wasmrt-worker'];
  const built = spawnSync('cargo', ['build', '--release', '--locked', ...parts], { cwd: home, stdio: 'inherit' });
  if (built.error) fail(`building needs Rust, and cargo cannot be started (${built.error.message}): see https://rustup.rs`);
  if (built.status !== 0) fail('cargo build failed; what it said stands above');
  return path.join(targetDirectory(), 'release');
}

/** Renamed into place: a process that has the old one open keeps it whole. */
function put(from, to) {
  const scratch = `${to}.${process.pid}`;
  fs.copyFileSync(from, scratch);
  fs.chmodSync(scratch, 0o755);
  // Most of what cargo builds here are tables for debuggers. Without the tool they stay.
  spawnSync('strip', ['--strip-debug', scratch]);
  fs.renameSync(scratch, to);
}

const from = process.argv.indexOf('--from');
if (from < 0 && !fs.existsSync(path.join(home, 'Cargo.toml'))) {
  for (const [, name] of FILES) if (!fs.existsSync(path.join(native, name))) fail(`this package is incomplete: native/${name} is missing`);
} else {
  const directory = from < 0 ? build() : process.argv[from + 1];
  fs.mkdirSync(native, { recursive: true });
  for (const [built, name] of FILES) {
    const file = path.join(directory, built);
    if (!fs.existsSync(file)) fail(`${file} is not there`);
    put(file, path.join(native, name));
  }
}
