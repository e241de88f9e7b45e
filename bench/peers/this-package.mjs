/**
 * This package, with its defaults: a promise resolves after the fdatasync of its line.
 */

import { writeFixture } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { writeEntries } from '../support/small-entries.mjs';

export const durability = 'fdatasync for each batch, before the promises resolve';

/** Writes the files of a compacted log, then opens, writes and closes once, so that later starts are usual ones. */
export async function fill(folder, players) {
  writeFixture(folder, players);
  await usualEnd(folder, 'players');
}

export async function fillEntries(folder, total, keys) {
  writeEntries(folder, 'entries', total, keys);
  await usualEnd(folder, 'entries');
}

async function usualEnd(folder, name) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  await storage.collection(name).set('0', { userId: '0', totalScore: 0, gamesHistory: [] });
  await storage.collection(name).delete('0');
  await storage.close();
}

export async function open(folder, { name = 'players' } = {}) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  const data = storage.collection(name);
  return {
    all: async () => (name === 'players' ? storage.loadPlayers() : Object.fromEntries(await data.entries())),
    one: (id) => data.get(id),
    top: (count) => storage.getLeaderboard('totalScore', count),
    rank: async (id) => (await storage.getPlayerRank(id)).rank,
    // The bot's own call. It changes the record as `change` does in the other stores.
    update: (id) => storage.updatePlayerStats(id, 'Player', 500, false, 5, 5),
    append: (entry) => storage.appendLogEntry('events', entry),
    compact: () => storage.compactLog(name),
    close: () => storage.close(),
  };
}
