/**
 * Awaited updates while the log is compacted, beside the same updates in a quiet time just before.
 */

import { playerId } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

export async function run({ folder, players, rounds, quietSamples }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  const random = randomFrom(rounds);
  const quiet = [];
  const during = [];
  const compactionMs = [];

  const update = async (times) => {
    const index = Math.floor(random() * players);
    const begun = performance.now();
    await storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
    times.push(performance.now() - begun);
  };

  for (let count = 0; count < 30; count++) await update([]);
  for (let round = 0; round < rounds; round++) {
    for (let count = 0; count < quietSamples; count++) await update(quiet);
    let running = true;
    const begun = performance.now();
    const compaction = storage.compactLog('players').then(() => {
      compactionMs.push(performance.now() - begun);
      running = false;
    });
    while (running) await update(during);
    await compaction;
  }
  await storage.close();
  return { players, quiet: summary(quiet), during: summary(during), compactionMs: summary(compactionMs) };
}
