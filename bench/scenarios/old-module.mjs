/**
 * The same awaited updates with the plain JavaScript module that this package replaces.
 */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { playerId } from '../support/fixture.mjs';
import { REPOSITORY } from '../support/package.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

export async function run({ folder, players, samples }) {
  process.env.OLD_DATA_DIR = folder;
  const module = path.join(REPOSITORY, '__test__', 'old-module', 'storage.mjs');
  const storage = await import(pathToFileURL(module).href);
  const random = randomFrom(samples);
  const times = [];
  for (let count = -1; count < samples; count++) {
    const index = Math.floor(random() * players);
    const begun = performance.now();
    await storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
    if (count >= 0) times.push(performance.now() - begun);
  }
  return { players, ours: summary(times) };
}
