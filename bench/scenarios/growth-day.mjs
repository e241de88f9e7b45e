/**
 * A day of a large bot: the updates of `hours` at `perSecond`, made as fast as possible. Reports bytes written to the
 * disk, compactions and mirrors. The scheduler's hourly check runs after the updates of each hour.
 *
 * The clock decides when a mirror is written, so these short hours have fewer of them than real ones. The report
 * gives the bytes of one mirror; those of a real day follow from it.
 */

import fs from 'node:fs';
import path from 'node:path';
import { writtenBytes } from '../support/disk.mjs';
import { playerId, writeFixture } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { randomFrom } from '../support/stats.mjs';

export async function run({ folder, players, perSecond, hours }) {
  const { logBytes, mirrorBytes } = writeFixture(folder, players);
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  await storage.getPlayerStats(playerId(0));
  const log = path.join(folder, 'logs', 'players.log');
  const random = randomFrom(players);
  const before = writtenBytes();
  const begun = performance.now();
  let [updates, appended, compactions, size] = [0, 0, 0, logBytes];
  for (let hour = 0; hour < hours; hour++) {
    for (let left = perSecond * 3600; left > 0; left -= 1000) {
      const calls = Array.from({ length: Math.min(left, 1000) }, () => {
        const index = Math.floor(random() * players);
        return storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
      });
      await Promise.all(calls);
      updates += calls.length;
    }
    const now = fs.statSync(log).size;
    appended += now - size;
    size = now;
    // The scheduler's rule: over 1 MiB, and at least half of it dead.
    if (now >= 2 * logBytes) {
      await storage.compactLog('players');
      compactions += 1;
      size = fs.statSync(log).size;
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  await storage.close();
  return {
    updates,
    seconds,
    appended,
    compactions,
    mirrorBytes,
    logBytes,
    written: writtenBytes() - before,
  };
}
