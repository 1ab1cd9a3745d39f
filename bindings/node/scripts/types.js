'use strict';
// Makes the types of the package of its sources, which are checked on the way.
//
//   node scripts/types.js [DIRECTORY]      into types/, or elsewhere

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const home = path.dirname(__dirname);
const out = path.resolve(process.argv[2] ?? path.join(home, 'types'));
fs.rmSync(out, { recursive: true, force: true });
const compiler = path.join(home, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [compiler, '--project', home, '--outDir', out], { stdio: 'inherit' });
process.exit(status ?? 1);
