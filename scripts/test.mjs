// `npm test`: builds the addon, then runs all tests, in Rust and in JavaScript, and those of the API on a place in memory
// and on a server too.

import { spawnSync } from 'node:child_process';
import { AREAS, testFiles } from './test-files.mjs';
import { root, run } from './tools.mjs';
import './build.mjs';

// The simulations print what they checked, so they run by themselves, from the same build.
const cargoTest = ['test', '--quiet', '--features', 'simulation'];
run('cargo', [...cargoTest, '--', '--skip', 'simulation::']);
run('cargo', [...cargoTest, '--lib', 'simulation::', '--', '--nocapture']);
// The folder as a whole once more with no value in memory. The simulations have lives with none, few and all.
run('cargo', [...cargoTest, '--lib', 'files::tests'], {
  env: { ...process.env, TEST_CACHE_BYTES: '0' },
});

// Named one by one: Node versions differ in how they look for test files.
const nodeTest = (concurrency, areas) =>
  run(process.execPath, ['--test', `--test-concurrency=${concurrency}`, ...testFiles(areas)]);
nodeTest(
  2,
  AREAS.filter((area) => area !== 'cost' && area !== 'postgres'),
);
// The costs are counted last, and with no other test beside them.
nodeTest(1, ['cost']);

await import('./memory-place.mjs');

// It says so itself when there is no server here, and exits with 3.
const { status } = spawnSync(process.execPath, ['scripts/test-postgres.mjs'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0 && status !== 3) process.exit(status ?? 1);
