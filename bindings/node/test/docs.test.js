'use strict';
// What is written about the package: each program in the guide and the readme is run, the types are checked, and so are the examples.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { assemble, copy, directory, endless, hello, home, library } = require('./support.js');

const execute = promisify(execFile);
const PAGES = [path.join(home, '..', '..', 'docs', 'node.md'), path.join(home, 'README.md')];

/** Programs of a page, and what they are said to print. */
function blocks(page, language) {
  const text = fs.readFileSync(page, 'utf8');
  const found = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```\n(?:```text\n([\s\S]*?)^```$)?/gm)];
  return found.filter(([, named]) => named === language).map(([, , code, prints]) => ({ code, prints, line: text.slice(0, text.indexOf(code)).split('\n').length }));
}

/** A project that has the package and some guests. */
async function project(t) {
  const dir = directory(t);
  fs.mkdirSync(path.join(dir, 'node_modules', '@types'), { recursive: true });
  fs.symlinkSync(home, path.join(dir, 'node_modules', 'wasmrt'));
  fs.symlinkSync(path.join(home, 'node_modules', '@types', 'node'), path.join(dir, 'node_modules', '@types', 'node'));
  fs.symlinkSync(path.join(home, 'node_modules', 'undici-types'), path.join(dir, 'node_modules', 'undici-types'));
  const without = fs.readFileSync(path.join(__dirname, 'guests', 'library.wat'), 'utf8').replace(/^ *\(import.*$|^.*\(call \$.*$|^ *\(func \(export "often"[\s\S]*?\(local.get 0\)\)$/gm, '');
  const guests = { hello: await hello(), untrusted: await endless(), copy: await copy(), plugin: await library(), library: await assemble(without) };
  for (const [name, bytes] of Object.entries(guests)) fs.writeFileSync(path.join(dir, `${name}.wasm`), bytes);
  fs.writeFileSync(path.join(dir, 'package.json'), '{"type": "module"}');
  return dir;
}

for (const page of PAGES) {
  test(`the programs in ${path.basename(page)} do what it says`, async (t) => {
    const programs = blocks(page, 'js');
    assert.ok(programs.length > 0);
    const dir = await project(t);
    for (const { code, prints, line } of programs) {
      const file = path.join(dir, `line-${line}.js`);
      fs.writeFileSync(file, code);
      const { stdout, stderr } = await execute(process.execPath, [file], { cwd: dir, timeout: 60_000 }).catch((error) => assert.fail(`line ${line}: ${error.stderr}`));
      assert.equal(stderr, '', `line ${line}`);
      const lines = (text) => text.split('\n').filter((line) => line !== '');
      if (prints !== undefined) assert.deepEqual(lines(stdout), lines(prints), `line ${line}`);
    }
  });
}

const tsc = (...flags) => execute(process.execPath, [path.join(home, 'node_modules', 'typescript', 'bin', 'tsc'), '--strict', '--noEmit', '--target', 'es2022', ...flags], { timeout: 120_000 }).catch((error) => assert.fail(error.stdout));

test('types are strict, for both kinds of modules, and refuse what is wrong', async (t) => {
  const dir = await project(t);
  const files = blocks(PAGES[0], 'ts').map(({ code, line }) => [`line-${line}.mts`, code]);
  files.push(['uses.mts', fs.readFileSync(path.join(__dirname, 'types.ts'), 'utf8')], ['uses.cts', fs.readFileSync(path.join(__dirname, 'types.ts'), 'utf8')]);
  for (const [name, code] of files) fs.writeFileSync(path.join(dir, name), code);
  await tsc('--module', 'nodenext', '--skipLibCheck', 'false', '--exactOptionalPropertyTypes', ...files.map(([name]) => path.join(dir, name)));
});

test('the checked-in types are what the sources say', async (t) => {
  const dir = directory(t);
  await execute(process.execPath, [path.join(home, 'scripts', 'types.js'), dir], { timeout: 120_000 }).catch((error) => assert.fail(error.stdout));
  const files = (below) => fs.readdirSync(below, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => path.relative(below, path.join(entry.parentPath, entry.name))).sort();
  const types = path.join(home, 'types');
  assert.deepEqual(files(types), files(dir));
  for (const name of files(dir)) {
    const [here, made] = [types, dir].map((below) => fs.readFileSync(path.join(below, name), 'utf8'));
    assert.equal(here, made, `types/${name} is out of date: make it with \`npm run types\``);
  }
});

test('every member that users meet is documented where they see it', () => {
  const shown = ['index.d.ts', 'lib/run.d.ts', 'lib/runtime.d.ts', 'lib/instance.d.ts', 'lib/errors.d.ts'].map((name) => fs.readFileSync(path.join(home, 'types', name), 'utf8'));
  for (const text of shown) {
    const lines = text.split('\n');
    const bare = lines.filter((line, index) => /^( {4})?(export (declare )?(class|function|const|type (?!ErrorFacts))|get |readonly |static |\w+\()/.test(line) && !/constructor|private/.test(line) && !lines[index - 1]?.trimEnd().endsWith('*/'));
    assert.deepEqual(bare, []);
  }
});

test('the examples do what they are for', async () => {
  const example = async (name) => (await execute(process.execPath, [path.join(home, 'examples', name)], { timeout: 60_000 })).stdout.trim().split('\n');
  assert.deepEqual(await example('opa.mjs'), ['{"name":"alex","role":"admin"} [{"result":true}]', '{"name":"dana"} [{"result":true}]', '{"name":"sam"} [{"result":false}]']);
  const plugins = await example('plugins.mjs');
  assert.deepEqual(plugins.slice(0, 8), Array(4).fill(['[upper] upper: done', 'SOME TEXT -- SIGNED']).flat());
  assert.deepEqual(plugins.slice(8).sort(), [...Array(3).fill('stuck: out of fuel'), ...Array(3).fill('wild: invalid-input')]);
});
