/**
 * The plain JavaScript module that this package replaces. Each update reads the whole JSON file, appends and syncs a
 * line, and writes the whole JSON file again without a sync. It does not order concurrent calls, so updates of one
 * key wait for each other here.
 */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeFixture } from '../support/fixture.mjs';
import { oneByOne } from '../support/one-by-one.mjs';
import { REPOSITORY } from '../support/package.mjs';
import { writeEntries } from '../support/small-entries.mjs';

export const durability = 'fsync of the log for each call; the JSON file is not synced';

export const fill = async (folder, players) => void writeFixture(folder, players);
export const fillEntries = async (folder, total, keys) => writeEntries(folder, 'entries', total, keys);

export async function open(folder, { name = 'players' } = {}) {
  process.env.OLD_DATA_DIR = folder;
  const module = (file) => import(pathToFileURL(path.join(REPOSITORY, '__test__', 'old-module', file)).href);
  const log = await module('append-log.mjs');
  const storage = await module('storage.mjs');
  const inTurn = oneByOne();
  return {
    all: () => (name === 'players' ? storage.loadPlayers() : log.rebuildStateFromLog(name)),
    one: (id) => storage.getPlayerStats(id),
    top: (count) => storage.getLeaderboard('totalScore', count),
    update: (id) => inTurn('players', () => storage.updatePlayerStats(id, 'Player', 500, false, 5, 5)),
    append: (entry) => log.appendLogEntry('events', entry),
    compact: () => inTurn('players', () => log.compactLog(name)),
    close: async () => {},
  };
}
