// Checks the package as a user gets it:
//   1. packs it and the platforms' packages, and compares their files with the lists;
//   2. checks its manifest and types as bundlers and TypeScript read them (publint, arethetypeswrong);
//   3. installs it with this machine's binary into an empty project;
//   4. loads it as a bot does: by `require`, by `import` and by its subpaths.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetched } from './fetched.mjs';
import { fail, root, run } from './tools.mjs';

/**
 * Every file of the package, one a line. Whoever adds a file adds it here, and so knows that it is published. No test,
 * simulation or forgotten file is published by accident.
 */
const LIST = 'scripts/packed-files.txt';
/** A few per cent above what it is: sources, documents and JavaScript, each with its header. */
const SIZE_MAX_BYTES = 780 * 1024;

/** What each platform's package has beside its binary. */
const BESIDE_BINARY = ['LICENSE', 'README.md', 'THIRD-PARTY-LICENSES', 'package.json'];

const npm = (args, cwd) =>
  execFileSync('npm', [...args, '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });

/** Packs a folder into `to`; returns the tarball's path, its files and its size. */
function pack(folder, to) {
  const [packed] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', to], folder));
  return {
    tarball: join(to, packed.filename),
    files: packed.files.map((file) => file.path).sort(),
    bytes: packed.size,
  };
}

/** The faults of the platforms' packages. A file with the binary's name stands in for binaries of other systems. */
function faultsOfPlatforms(place) {
  const platforms = join(place, 'platforms');
  cpSync(join(root, 'npm'), platforms, { recursive: true });
  const manifests = readdirSync(platforms).map((name) => {
    const manifest = JSON.parse(readFileSync(join(platforms, name, 'package.json'), 'utf8'));
    writeFileSync(join(platforms, name, manifest.main), '');
    return { ...manifest, folder: `./${name}` };
  });
  const folders = manifests.map(({ folder }) => folder);
  const packed = JSON.parse(npm(['pack', '--json', '--dry-run', '--ignore-scripts', ...folders], platforms));
  return manifests.flatMap(({ name, main }) => {
    const files = packed.find((each) => each.name === name).files.map(({ path }) => path);
    const expected = [...BESIDE_BINARY, main].sort().join(', ');
    return files.sort().join(', ') === expected
      ? []
      : [`${name} packs ${files.join(', ')}\n  instead of ${expected}`];
  });
}

const binary = readdirSync(root).find((name) => name.endsWith('.node'));
if (!binary) fail('There is no built addon. Run `npm run build` first.');
const platform = binary.split('.')[1];
const platformFolder = join(root, 'npm', platform);
if (!existsSync(platformFolder)) fail(`There is no folder npm/${platform} for the built addon ${binary}.`);

const place = mkdtempSync(join(tmpdir(), 'progressive-storage-package-'));
try {
  const main = pack(root, place);
  const expected = readFileSync(join(root, LIST), 'utf8').trim().split('\n');
  const surplus = main.files.filter((file) => !expected.includes(file));
  const missing = expected.filter((file) => !main.files.includes(file));
  if (surplus.length + missing.length > 0) {
    fail(
      `The package holds other files than ${LIST} names.\n  not named there: ${surplus}\n  not packed:      ${missing}\nIf that is intended, update the list.`,
    );
  }
  if (main.bytes > SIZE_MAX_BYTES)
    fail(`The package has ${main.bytes} bytes packed, over ${SIZE_MAX_BYTES}.`);
  const faults = faultsOfPlatforms(place);
  if (faults.length > 0) fail(faults.join('\n'));
  const lint = (name, program, args) => run(process.execPath, [join(fetched(name), program), ...args]);
  lint('publint', 'src/cli.js', ['run', main.tarball, '--strict']);
  lint('@arethetypeswrong/cli', 'dist/index.js', [main.tarball, '--format', 'ascii', '--quiet']);

  const withBinary = join(place, platform);
  cpSync(platformFolder, withBinary, { recursive: true });
  cpSync(join(root, binary), join(withBinary, binary));
  const native = pack(withBinary, place);

  const project = join(place, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true }));
  npm(['install', '--no-audit', '--no-fund', '--ignore-scripts', main.tarball, native.tarball], project);

  const names = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports);
  writeFileSync(
    join(project, 'by-require.cjs'),
    `const assert = require('node:assert/strict');
     const ps = require('progressive-storage');
     for (const path of ${JSON.stringify(names)}) require('progressive-storage' + path.slice(1));
     (async () => {
       await ps.updatePlayerStats('1', 'Ann', 10);
       assert.equal((await require('progressive-storage/storage').getPlayerStats('1')).totalScore, 10);
     })();`,
  );
  writeFileSync(
    join(project, 'by-import.mjs'),
    `import assert from 'node:assert/strict';
     import { updatePlayerStats, CompactionScheduler, OpType, Storage } from 'progressive-storage';
     import { appendLogEntry, readLogEntries } from 'progressive-storage/append-log';
     import { getPlayerStats } from 'progressive-storage/storage';
     assert.equal(OpType.SET, 'SET');
     assert.equal(typeof CompactionScheduler, 'function');
     assert.equal(typeof Storage, 'function');
     await updatePlayerStats('1', 'Ann', 10);
     await appendLogEntry('events', { op: OpType.SET, key: 'a', value: 1 });
     assert.equal((await readLogEntries('events')).length, 1);
     assert.equal((await getPlayerStats('1')).totalGames, 2);`,
  );
  for (const script of ['by-require.cjs', 'by-import.mjs']) {
    execFileSync(process.execPath, [script], { cwd: project, stdio: 'inherit' });
  }
  console.log(
    `The package (${main.files.length} files, ${main.bytes} bytes) and its binary (${native.bytes} bytes packed) install and load by require and by import.`,
  );
} finally {
  rmSync(place, { recursive: true, force: true });
}
