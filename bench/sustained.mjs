/**
 * Sustained load from the measured thread: `node bench/sustained.mjs [options]`, about five minutes.
 *
 *     --seconds=3         how long to measure each line
 *     --rounds=1          how many rounds; each figure is the median of them
 *     --only=append,read  some of: append, update, read
 *     --callers=64,1000   any numbers of callers; default: 64, 1000 and 10000
 *     --against=FILE      also measure another build of the addon, in turn
 *
 * See README.md in this folder for what is measured.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { inChild } from './support/child.mjs';
import { machineLine } from './support/machine.mjs';
import { addonFile, REPOSITORY } from './support/package.mjs';
import { median } from './support/stats.mjs';
import { ms, whole } from './support/table.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string', default: 'append,update,read' },
    callers: { type: 'string', default: '64,1000,10000' },
    against: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const addons = [...(values.against ? [['before', path.resolve(values.against)]] : []), ['now', addonFile()]];
const root = path.join(REPOSITORY, 'target', 'bench');
fs.mkdirSync(root, { recursive: true });

process.stdout.write(`${machineLine(root)} · load average ${os.loadavg()[0].toFixed(1)} at the start\n\n`);
put('', '', 'longest gap', 'beyond own work', 'of processor time', 'a collection', 'calls a second');
for (const kind of values.only.split(',')) {
  for (const callers of values.callers.split(',').map(Number)) {
    for (const bytes of [150, 5000, 50_000]) {
      const what = `${kind}, ${whole(callers)} × ${whole(bytes)} bytes`;
      const results = await measure({ kind, callers, bytes, seconds });
      addons.forEach(([name], index) => {
        put(index === 0 ? what : '', addons.length > 1 ? name : '', ...figures(results[index]));
      });
    }
  }
}

/** The rounds of each addon; the addons take turns. */
async function measure(options) {
  const rounds = addons.map(() => []);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, [, file]] of addons.entries()) {
      process.env.NAPI_RS_NATIVE_LIBRARY_PATH = file;
      const folder = fs.mkdtempSync(path.join(root, 'sustained-'));
      try {
        rounds[index].push(await inChild('sustained', { folder, ...options }));
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }
  }
  return rounds;
}

function figures(rounds) {
  const middle = (of) => median(rounds.map(of));
  const gap = (name) => {
    const figure = middle((result) => result.gap[name]);
    return Number.isNaN(figure) ? '?' : ms(figure);
  };
  return [
    gap('ms'),
    gap('beyondMs'),
    gap('processorMs'),
    gap('collectionMs'),
    whole(middle((result) => result.callsPerSecond)),
  ];
}

function put(what, name, ...cells) {
  const figures = cells.map((cell) => cell.padStart(19)).join('');
  process.stdout.write(`${what.padEnd(32)}${addons.length > 1 ? name.padEnd(7) : ''}${figures}\n`);
}
