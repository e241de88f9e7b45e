/**
 * Measures what a JSON file of up to 64 KiB costs an awaited update: `node bench/small-mirror.mjs [--against=FILE]`.
 *
 * In turn, 200 awaited updates each: the bare disk (append and fdatasync of about as many bytes), the bare disk that
 * also writes, syncs and renames a second file, and this package with a small and with a large JSON file. `--against`
 * also measures another build of the addon.
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { machineLine } from './support/machine.mjs';
import { addonFile, REPOSITORY } from './support/package.mjs';
import { median } from './support/stats.mjs';

const { values } = parseArgs({ options: { against: { type: 'string' }, rounds: { type: 'string' } } });
const ROUNDS = Number(values.rounds ?? 5);
const UPDATES = 200;
const LINE = Buffer.from(`${'x'.repeat(480)}\n`);
const FILE = Buffer.from('y'.repeat(4000));
const root = path.join(REPOSITORY, 'target', 'bench');
fs.mkdirSync(root, { recursive: true });
const require = createRequire(import.meta.url);

/** Median time of a call, in milliseconds. */
async function timed(call) {
  const times = [];
  for (let count = 0; count < UPDATES; count++) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  return median(times);
}

async function bare(folder, { hasFile = false } = {}) {
  const log = fs.openSync(path.join(folder, 'log'), 'a');
  const median = await timed(() => {
    if (hasFile) {
      const file = fs.openSync(path.join(folder, 'file.tmp'), 'w');
      fs.writeSync(file, FILE);
      fs.fdatasyncSync(file);
      fs.closeSync(file);
    }
    fs.writeSync(log, LINE);
    fs.fdatasyncSync(log);
    if (hasFile) fs.renameSync(path.join(folder, 'file.tmp'), path.join(folder, 'file'));
  });
  fs.closeSync(log);
  return median;
}

async function ours(addon, folder, { isLarge = false } = {}) {
  const { Storage } = require(addon);
  const storage = new Storage({ dataDir: folder });
  const coins = storage.collection('coins');
  if (isLarge) await coins.set('large', 'x'.repeat(70_000));
  await coins.set('ann', { count: 0, note: 'x'.repeat(400) });
  const median = await timed(() => coins.update('ann', (value) => ({ ...value, count: value.count + 1 })));
  await storage.close();
  return median;
}

const addons = [...(values.against ? [['before', path.resolve(values.against)]] : []), ['now', addonFile()]];
const works = [
  ['bare disk', (folder) => bare(folder)],
  ['bare disk, two files', (folder) => bare(folder, { hasFile: true })],
  ...addons.flatMap(([when, addon]) => [
    [`${when}, small JSON file`, (folder) => ours(addon, folder)],
    [`${when}, large JSON file`, (folder) => ours(addon, folder, { isLarge: true })],
  ]),
];
const results = new Map(works.map(([name]) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, work] of works) {
    const folder = fs.mkdtempSync(path.join(root, 'small-mirror-'));
    results.get(name).push(await work(folder));
    fs.rmSync(folder, { recursive: true });
  }
}
process.stdout.write(`${machineLine(root)} · load average ${os.loadavg()[0].toFixed(1)} at the end\n`);
for (const [name, all] of results) {
  const [low, high] = [Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(2));
  process.stdout.write(`${name.padEnd(26)} ${median(all).toFixed(2)} ms  (${low} to ${high})\n`);
}
