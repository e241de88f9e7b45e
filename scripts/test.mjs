// `npm test`: builds the addon, then runs all tests, in Rust and in JavaScript.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';
import './build.mjs';

run('cargo', ['test', '--quiet']);

// Named one by one: Node versions differ in how they look for test files.
const files = readdirSync(join(root, '__test__'))
  .filter((name) => name.endsWith('.test.mjs'))
  .sort()
  .map((name) => join('__test__', name));
run(process.execPath, ['--test', '--test-concurrency=2', ...files]);
