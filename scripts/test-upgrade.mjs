// `npm run test:upgrade`: this version beside an older one, in processes of their own on one folder or server, as in a rolling restart of
// shards. The older one is checked out of git and built here, in target/upgrade; that takes minutes, so this is a part of a
// release and not of every test run.
//
//   --from COMMIT   another older version than those below
//   --seconds N     how long each test goes on (default 20)
//
// This version must be built (`npm run build`).

import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { fail, root, run } from './tools.mjs';

/**
 * Two commits of version 0.1.0: the last one with the store in a folder alone, without transactions and keys that end; and one
 * with a server and all of these.
 */
const FROM = ['101f4c51ec48e2aad82722db9e8d00d0a3d57437', 'e4a80f1d6672cf4175d4c92c46cab69fa398013a'];
const LIBRARY = { darwin: 'libprogressive_storage.dylib', win32: 'progressive_storage.dll' };

const { values } = parseArgs({
  options: {
    from: { type: 'string', multiple: true, default: FROM },
    seconds: { type: 'string', default: '20' },
  },
});
const binary = readdirSync(root).find((name) => name.endsWith('.node'));
if (!binary) fail('There is no built addon: npm run build');

/** Checks a commit out into a folder of its own. */
function checkOut(commit, folder) {
  const archive = join(root, 'target', 'upgrade', `${commit}.tar`);
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync('git', ['archive', '--output', archive, commit], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) fail(`The commit ${commit} is not here. A shallow clone lacks it: git fetch --unshallow`);
  run('tar', ['-xf', archive, '-C', folder]);
}

/** Builds it, without the optimisations that take longest. */
function build(folder) {
  const target = join(folder, 'target');
  console.log(`Building ${folder} …`);
  run('cargo', ['build', '--release', '--lib', '--locked', '--quiet'], {
    cwd: folder,
    env: {
      ...process.env,
      CARGO_TARGET_DIR: target,
      CARGO_PROFILE_RELEASE_LTO: 'off',
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
    },
  });
  const library = LIBRARY[process.platform] ?? 'libprogressive_storage.so';
  copyFileSync(join(target, 'release', library), join(folder, binary));
}

for (const from of values.from) {
  const commit = execFileSync('git', ['rev-parse', from], { cwd: root, encoding: 'utf8' }).trim();
  const folder = join(root, 'target', 'upgrade', commit.slice(0, 7));
  if (!existsSync(join(folder, 'package.json'))) checkOut(commit, folder);
  if (!existsSync(join(folder, binary))) build(folder);
  console.log(`This version beside ${commit.slice(0, 7)}, ${values.seconds} s a test`);
  run(process.execPath, ['--test', '--test-reporter=spec', '__test__/upgrade/side-by-side.mjs'], {
    env: {
      ...process.env,
      UPGRADE_FROM: pathToFileURL(join(folder, 'index.js')).href,
      UPGRADE_SECONDS: values.seconds,
    },
  });
}
