/**
 * Measures how the figures grow with the data: `node bench/growth.mjs [keys] [values] [compaction] [day]`, all of these by
 * default. Takes about twenty minutes and 8 GB of disk under target/bench, and prints JSON lines. `large`, which has to be
 * named, is 10 GB of values: it takes 45 GB of disk. docs/performance.md has the figures.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inChild } from './support/child.mjs';
import { machineLine } from './support/machine.mjs';
import { REPOSITORY } from './support/package.mjs';

const KINDS = {
  keys: [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000].map((keys) => [
    'growth-keys',
    { keys, samples: 500 },
  ]),
  values: [1000, 10_000, 100_000, 1_000_000].map((valueBytes) => [
    'growth-values',
    { keys: 1e9 / valueBytes, valueBytes, cacheBytes: 16 << 20, samples: 500 },
  ]),
  large: [['growth-values', { keys: 2_000_000, valueBytes: 5000, cacheBytes: 64 << 20, samples: 500 }]],
  compaction: [['growth-compaction', { players: 50_000, rounds: 4, perSecond: 5000 }]],
  day: [['growth-day', { players: 100_000, perSecond: 50, hours: 24 }]],
};

const wanted = process.argv.slice(2);
const root = path.join(REPOSITORY, 'target', 'bench');
fs.mkdirSync(root, { recursive: true });
process.stdout.write(`${machineLine(root)} · load average ${os.loadavg()[0].toFixed(1)} at the start\n`);
for (const [kind, runs] of Object.entries(KINDS)) {
  if (wanted.length > 0 ? !wanted.includes(kind) : kind === 'large') continue;
  for (const [scenario, options] of runs) {
    const folder = fs.mkdtempSync(path.join(root, 'growth-'));
    try {
      for (const step of scenario === 'growth-values' ? ['fill', 'first', 'second'] : [undefined]) {
        const result = await inChild(scenario, { folder, step, ...options }, { secondsMax: 1800 });
        process.stdout.write(`${JSON.stringify({ scenario, step, ...options, ...result })}\n`);
      }
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }
}
