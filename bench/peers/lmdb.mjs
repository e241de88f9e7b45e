/**
 * lmdb: transactions are batched on a thread of its own. `overlappingSync: false` makes the promise of a transaction
 * resolve after its fsync, not before.
 */

import path from 'node:path';
import lmdb from 'lmdb';
import { players as playersOf } from '../support/fixture.mjs';
import { rankOf, topOf } from '../support/ranking.mjs';
import { smallEntries } from '../support/small-entries.mjs';

export const durability =
  'overlappingSync off: fsync for each batch of transactions, before the promises resolve';

export async function fill(folder, players) {
  await fillRecords(folder, playersOf(players));
}

export async function fillEntries(folder, total, keys) {
  await fillRecords(folder, smallEntries(total, keys));
}

async function fillRecords(folder, records) {
  const root = openRoot(folder, { noSync: true });
  const database = root.openDB('records');
  let count = 0;
  for (const [id, record] of records) {
    const put = database.put(id, record);
    if (++count % 10_000 === 0) await put;
  }
  await database.flushed;
  await root.close();
}

const openRoot = (folder, options) => lmdb.open({ path: path.join(folder, 'data.mdb'), ...options });

export async function open(folder) {
  const root = openRoot(folder, { overlappingSync: false });
  const database = root.openDB('records');
  const events = root.openDB('events');
  let number = Date.now();
  const records = () => database.getRange().map(({ key, value }) => [key, value]);
  const values = () => database.getRange().map(({ value }) => value);
  return {
    all: async () => Object.fromEntries(records()),
    one: async (id) => database.get(id),
    top: async (count) => topOf(values(), count),
    rank: async (id) => rankOf(values(), database.get(id)),
    update: (id, change) => database.transaction(() => void database.put(id, change(database.get(id)))),
    append: (entry) => events.put(number++, entry),
    close: () => root.close(),
  };
}
