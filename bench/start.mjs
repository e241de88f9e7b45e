/**
 * Measures the first answer of a process:
 *
 *     node bench/start.mjs [--rounds=7] [--package=FOLDER]
 *
 * Three folders: 10,000 players of 5.5 KB that were written once; the same after 30,000 updates; and 1,000 keys after
 * 1,000,000 changes of 150 bytes. Each as a clean end leaves it, and as a process leaves it that was killed. From
 * `new Storage` to the answer of one `get`, in a process of its own; medians. `without index`: the index is removed first, so
 * the whole log is replayed. All files are in the page cache. `--package`: a checkout of another version, built.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeFixture } from './support/fixture.mjs';
import { machineLine } from './support/machine.mjs';
import { REPOSITORY } from './support/package.mjs';
import { median } from './support/stats.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    package: { type: 'string', default: REPOSITORY },
    first: { type: 'string' },
    fill: { type: 'string' },
    kill: { type: 'boolean' },
    updates: { type: 'string' },
    changes: { type: 'string' },
  },
});
const { Storage } = createRequire(import.meta.url)(path.resolve(values.package, 'index.js'));

if (values.first) await first(values.first);
else if (values.fill) await fill(values.fill);
else measure();

async function first(folder) {
  const started = performance.now();
  const storage = new Storage({ dataDir: folder });
  await storage.collection('players').get('user-1');
  process.stdout.write(String(performance.now() - started));
  // Nothing was written: there is nothing to close.
  process.exit();
}

async function fill(folder) {
  const storage = new Storage({ dataDir: folder, mirror: 'close' });
  const players = storage.collection('players');
  const keys = await players.keys();
  for (let at = 0; at < Number(values.updates ?? 0); at += 1000) {
    const update = (_, index) =>
      players.update(keys[(at + index) % keys.length], (player) => ({ ...player, at: at + index }));
    await Promise.all(Array.from({ length: 1000 }, update));
  }
  const text = 'x'.repeat(130);
  for (let at = 0; at < Number(values.changes ?? 0); at += 10_000) {
    const set = (_, index) => players.set(`user-${index % 1000}`, { text, at: at + index });
    await Promise.all(Array.from({ length: 10_000 }, set));
  }
  if (values.kill) {
    // What is written beside the calls has had its time by then.
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(process.pid, 'SIGKILL');
  }
  await storage.close();
}

function measure() {
  const root = path.join(REPOSITORY, 'target', 'bench');
  fs.mkdirSync(root, { recursive: true });
  const script = fileURLToPath(import.meta.url);
  const run = (...args) => [script, `--package=${values.package}`, ...args];
  process.stdout.write(`${machineLine(root)}\n`);
  const rows = [
    ['10,000 players, written once', []],
    ['10,000 players, 30,000 updates', ['--updates=30000']],
    ['1,000 keys, 1,000,000 changes', ['--changes=1000000']],
  ];
  for (const [name, fills] of rows) {
    for (const end of ['clean end', 'killed']) {
      const folder = fs.mkdtempSync(path.join(root, 'start-'));
      if (!fills.includes('--changes=1000000')) writeFixture(folder, 10_000);
      spawnSync(
        process.execPath,
        run(
          `--fill=${folder}`,
          ...(fills.length ? fills : ['--updates=1000']),
          ...(end === 'killed' ? ['--kill'] : []),
        ),
        { stdio: 'inherit' },
      );
      const logMb = fs.statSync(path.join(folder, 'logs', 'players.log')).size / 1e6;
      const firstMs = () => {
        const times = Array.from({ length: Number(values.rounds) }, () =>
          Number(execFileSync(process.execPath, run(`--first=${folder}`), { encoding: 'utf8' })),
        );
        return median(times).toFixed(1);
      };
      const withIndex = firstMs();
      fs.rmSync(path.join(folder, '.progressive-storage', 'players.index'), { force: true });
      process.stdout.write(
        `${name}, ${end} (log ${logMb.toFixed(0)} MB): ${withIndex} ms; without index ${firstMs()} ms\n`,
      );
      fs.rmSync(folder, { recursive: true });
    }
  }
}
