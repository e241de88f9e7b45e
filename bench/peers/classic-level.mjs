/**
 * classic-level (LevelDB), values as JSON. It has no atomic update, so updates of one key wait for each other here.
 */

import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { players as playersOf } from '../support/fixture.mjs';
import { oneByOne } from '../support/one-by-one.mjs';
import { rankOf, topOf } from '../support/ranking.mjs';
import { smallEntries } from '../support/small-entries.mjs';

export const durability = 'sync: true: fsync for each write';

const BATCH = 1000;

export async function fill(folder, players) {
  await fillRecords(folder, playersOf(players));
}

export async function fillEntries(folder, total, keys) {
  await fillRecords(folder, smallEntries(total, keys));
}

async function fillRecords(folder, records) {
  const database = openDatabase(folder);
  let batch = [];
  for (const [key, value] of records) {
    batch.push({ type: 'put', key, value });
    if (batch.length === BATCH) {
      await database.batch(batch);
      batch = [];
    }
  }
  await database.batch(batch);
  await database.close();
}

const openDatabase = (folder) => new ClassicLevel(path.join(folder, 'data.level'), { valueEncoding: 'json' });

export async function open(folder) {
  const database = openDatabase(folder);
  await database.open();
  const events = database.sublevel('events', { valueEncoding: 'json' });
  const inTurn = oneByOne();
  let number = Date.now();
  // Keys of events begin with "!", which sorts before all ids.
  const range = { gt: '"' };
  const values = () => database.values(range).all();
  const update = async (id, change) => database.put(id, change(await database.get(id)), { sync: true });
  return {
    all: async () => Object.fromEntries(await database.iterator(range).all()),
    one: (id) => database.get(id),
    top: async (count) => topOf(await values(), count),
    rank: async (id) => rankOf(await values(), await database.get(id)),
    update: (id, change) => inTurn(id, () => update(id, change)),
    append: (entry) => events.put(String(number++), entry, { sync: true }),
    compact: () => database.compactRange('0', 'z'),
    close: () => database.close(),
  };
}
