/**
 * Measures what each value of the option `mirror` has written to the disk:
 *
 *     node bench/mirror-option.mjs [--players=10000] [--updates=2000] [--rounds=3]
 *
 * In turn, with 'follow' and with 'close': a new folder of players with 50 games of history each, its first update and a
 * flush; then the updates, each awaited, of random players; then close(). The bytes are those that Linux counts for the
 * process (`write_bytes` of /proc/self/io).
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writtenBytes } from './support/disk.mjs';
import { playerId, writeFixture } from './support/fixture.mjs';
import { machineLine } from './support/machine.mjs';
import { loadPackage, REPOSITORY } from './support/package.mjs';
import { median, randomFrom } from './support/stats.mjs';

const { values } = parseArgs({
  options: { players: { type: 'string' }, updates: { type: 'string' }, rounds: { type: 'string' } },
});
const PLAYERS = Number(values.players ?? 10_000);
const UPDATES = Number(values.updates ?? 2000);
const ROUNDS = Number(values.rounds ?? 3);
const root = path.join(REPOSITORY, 'target', 'bench');
fs.mkdirSync(root, { recursive: true });
const { Storage } = loadPackage();
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

async function measure(mirror) {
  const folder = fs.mkdtempSync(path.join(root, 'mirror-option-'));
  const { mirrorBytes } = writeFixture(folder, PLAYERS);
  const storage = new Storage({ dataDir: folder, mirror });
  storage.on('mirrorCostly', ({ message }) => process.stdout.write(`${message}\n`));
  const random = randomFrom(PLAYERS);
  const update = () => {
    const index = Math.floor(random() * PLAYERS);
    return storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
  };
  await update();
  await storage.flush();
  const log = path.join(folder, 'logs', 'players.log');
  const [before, size] = [writtenBytes(), fs.statSync(log).size];
  const begun = performance.now();
  for (let count = 0; count < UPDATES; count++) await update();
  const seconds = (performance.now() - begun) / 1000;
  const updated = writtenBytes();
  const logged = fs.statSync(log).size - size;
  await storage.close();
  const closed = writtenBytes();
  fs.rmSync(folder, { recursive: true });
  return { mirrorBytes, seconds, logged, updates: updated - before, close: closed - updated };
}

const results = new Map([
  ['follow', []],
  ['close', []],
]);
for (let round = 0; round < ROUNDS; round++) {
  for (const [mirror, all] of results) all.push(await measure(mirror));
}
const [{ mirrorBytes }] = results.get('follow');
process.stdout.write(`${machineLine(root)} · load average ${os.loadavg()[0].toFixed(1)} at the end\n`);
process.stdout.write(
  `${UPDATES} awaited updates of ${PLAYERS} players, a JSON file of ${megabytes(mirrorBytes)}, medians of ${ROUNDS} rounds\n`,
);
for (const [mirror, all] of results) {
  const of = (name) => median(all.map((one) => one[name]));
  process.stdout.write(
    `mirror: '${mirror}'`.padEnd(18) +
      `${megabytes(of('logged'))} logged, ${megabytes(of('updates'))} written in ${of('seconds').toFixed(1)} s, ` +
      `${megabytes(of('close'))} more by close()\n`,
  );
}
