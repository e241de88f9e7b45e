// `npm test`: builds the addon, then runs all tests, in Rust and in JavaScript.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';
import './build.mjs';

// The simulations print what they checked, so they run by themselves, from the same build.
const cargoTest = ['test', '--quiet', '--features', 'simulation'];
run('cargo', [...cargoTest, '--', '--skip', 'simulation::']);
run('cargo', [...cargoTest, '--lib', 'simulation::', '--', '--nocapture']);

// Named one by one: Node versions differ in how they look for test files.
const files = readdirSync(join(root, '__test__'))
  .filter((name) => name.endsWith('.test.mjs'))
  .sort()
  .map((name) => join('__test__', name));
run(process.execPath, ['--test', '--test-concurrency=2', ...files]);
