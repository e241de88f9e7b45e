/**
 * Measures the first answer of a process:
 *
 *     node bench/start.mjs [--rounds=7] [--mirror=follow] [--cache=BYTES|all] [--package=FOLDER] [--large]
 *
 * Folders of 10,000 players of 5.5 KB after 1,000 and after 30,000 updates; of 1,000 keys after 1,000,000 changes of 150
 * bytes; with `--large`, of 100,000 players. Each as a clean end leaves it, and as a process leaves it that was killed, having
 * begun after a clean end. From `new Storage` to the answer of one `get`, in a process of its own; medians. `without index`:
 * the index is removed first, so the whole log is replayed. All files are in the page cache. `--package`: a checkout of
 * another version, built.
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
    mirror: { type: 'string', default: 'follow' },
    cache: { type: 'string', default: String(64 << 20) },
    large: { type: 'boolean' },
    first: { type: 'string' },
    fill: { type: 'string' },
    kill: { type: 'boolean' },
    updates: { type: 'string' },
    changes: { type: 'string' },
  },
});
const { Storage } = createRequire(import.meta.url)(path.resolve(values.package, 'index.js'));
const cacheBytes = values.cache === 'all' ? 'all' : Number(values.cache);
/** A JSON file that follows, and the index, have had their time. */
const PAUSE_MS = 3000;

if (values.first) await first(values.first);
else if (values.fill) await fill(values.fill);
else measure();

async function first(folder) {
  const started = performance.now();
  const storage = new Storage({ dataDir: folder, mirror: values.mirror, cacheBytes });
  await storage.collection('players').get('user-1');
  process.stdout.write(String(performance.now() - started));
  // Nothing was written: there is nothing to close.
  process.exit();
}

async function fill(folder) {
  const storage = new Storage({ dataDir: folder, mirror: values.mirror, cacheBytes });
  const players = storage.collection('players');
  const keys = await players.keys();
  for (let at = 0; at < Number(values.updates ?? 0); at += 1000) {
    const update = (_, index) =>
      players.update(keys[(at + index) % keys.length], (player) => ({ ...player, at: at + index }));
    await Promise.all(Array.from({ length: 1000 }, update));
  }
  const text = 'x'.repeat(130);
  const changes = Number(values.changes ?? 0);
  for (let at = 0; at < changes; at += 10_000) {
    const set = (_, index) => players.set(`user-${index % 1000}`, { text, at: at + index });
    await Promise.all(Array.from({ length: Math.min(10_000, changes - at) }, set));
  }
  if (values.kill) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    process.kill(process.pid, 'SIGKILL');
  }
  await storage.close();
}

function measure() {
  const root = path.join(REPOSITORY, 'target', 'bench');
  fs.mkdirSync(root, { recursive: true });
  const script = fileURLToPath(import.meta.url);
  const always = [`--package=${values.package}`, `--mirror=${values.mirror}`, `--cache=${values.cache}`];
  const run = (...args) => execFileSync(process.execPath, [script, ...always, ...args], { encoding: 'utf8' });
  process.stdout.write(`${machineLine(root)} · mirror: ${values.mirror} · cacheBytes: ${values.cache}\n`);
  const rows = [
    { name: '10,000 players, 1,000 updates', players: 10_000, fill: '--updates=1000' },
    { name: '10,000 players, 30,000 updates', players: 10_000, fill: '--updates=30000' },
    { name: '1,000 keys, 1,000,000 changes', players: 0, fill: '--changes=1000000' },
    ...(values.large
      ? [{ name: '100,000 players, 1,000 updates', players: 100_000, fill: '--updates=1000' }]
      : []),
  ];
  for (const { name, players, fill } of rows) {
    for (const end of ['clean end', 'killed']) {
      const folder = fs.mkdtempSync(path.join(root, 'start-'));
      if (players > 0) writeFixture(folder, players);
      if (end === 'killed') {
        run(`--fill=${folder}`, '--changes=1');
        spawnSync(process.execPath, [script, ...always, `--fill=${folder}`, fill, '--kill'], {
          stdio: 'inherit',
        });
      } else {
        run(`--fill=${folder}`, fill);
      }
      const logMb = fs.statSync(path.join(folder, 'logs', 'players.log')).size / 1e6;
      const firstMs = () =>
        median(Array.from({ length: Number(values.rounds) }, () => Number(run(`--first=${folder}`)))).toFixed(
          1,
        );
      const withIndex = firstMs();
      fs.rmSync(path.join(folder, '.progressive-storage', 'players.index'), { force: true });
      process.stdout.write(
        `${name}, ${end} (log ${logMb.toFixed(0)} MB): ${withIndex} ms; without index ${firstMs()} ms\n`,
      );
      fs.rmSync(folder, { recursive: true });
    }
  }
}
