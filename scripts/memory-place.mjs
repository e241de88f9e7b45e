// `npm run test:memory-place`: the tests of the API on a place in memory (`src/memory`), which meets conflicts, runs rules
// again and is late, as a server may. It runs them with two fixed seeds and a new one.
//
//   --seed N        only this seed
//
// The place is in an addon of its own, `target/memory-place`, built with the feature `memory-place`.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { testFiles } from './test-files.mjs';
import { fail, prepare, root, runTool } from './tools.mjs';

const FIXED_SEEDS = [1, 2];

const { values: options } = parseArgs({ options: { seed: { type: 'string' } } });
const seeds = options.seed ? [Number(options.seed)] : [...FIXED_SEEDS, Date.now() % 1e9];
if (!seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) fail('--seed takes a whole number.');

prepare();

const folder = join(root, 'target', 'memory-place');
const build = ['build', '--platform', '--release', '--features', 'memory-place'];
runTool('napi', [...build, '--js', 'native.js', '--dts', 'native.d.ts', '--output-dir', folder], {
  // It is tested only, so a quick build counts more than a fast addon.
  env: { ...process.env, CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' },
});
const addon = readdirSync(folder).find((name) => name.endsWith('.node'));

function node(args, seed) {
  const env = {
    ...process.env,
    NAPI_RS_NATIVE_LIBRARY_PATH: join(folder, addon),
    MEMORY_PLACE_SEED: String(seed),
  };
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
}

// On any other addon the tests would pass too, and show nothing.
const writesNoFile = `
  const folder = require('node:path').join(require('node:os').tmpdir(), 'progressive-storage-in-memory-' + process.pid);
  const storage = new (require('./index.js').Storage)({ dataDir: folder });
  storage.saveTokens([1]).then(() => storage.close()).then(() => {
    process.exitCode = require('node:fs').existsSync(folder) ? 1 : 0;
  });`;
if (!node(['-e', writesNoFile], 1)) fail(`The addon in ${folder} does not keep its data in memory.`);

for (const seed of seeds) {
  console.log(`The tests of the API on a place in memory, seed ${seed}`);
  if (!node(['--test', '--test-concurrency=2', ...testFiles(['api'])], seed)) {
    fail(
      `The tests of the API failed on a place in memory with seed ${seed}. To repeat it:\n\n  npm run test:memory-place -- --seed ${seed}`,
    );
  }
}
