/**
 * @alcalzone/jsonl-db: all records in memory, changes appended to a file of JSON lines. A change is written soon after the
 * call, without fsync, and no promise says when. So an "awaited" update is only in memory.
 */

import path from 'node:path';
import { JsonlDB } from '@alcalzone/jsonl-db';
import { players as playersOf } from '../support/fixture.mjs';
import { rankOf, topOf } from '../support/ranking.mjs';
import { smallEntries } from '../support/small-entries.mjs';

export const durability = 'none: written soon after, no fsync, nothing to await';

export async function fill(folder, players) {
  await fillRecords(folder, playersOf(players));
}

export async function fillEntries(folder, total, keys) {
  await fillRecords(folder, smallEntries(total, keys));
}

async function fillRecords(folder, records) {
  const database = await openDatabase(folder, 'data');
  let count = 0;
  for (const [id, record] of records) {
    database.set(id, record);
    // Let it write what it buffers.
    if (++count % 1000 === 0) await new Promise(setImmediate);
  }
  await database.close();
}

async function openDatabase(folder, name) {
  const database = new JsonlDB(path.join(folder, `${name}.jsonl`));
  await database.open();
  return database;
}

export async function open(folder) {
  const database = await openDatabase(folder, 'data');
  const events = await openDatabase(folder, 'events');
  let number = Date.now();
  return {
    all: async () => Object.fromEntries(database.entries()),
    one: async (id) => database.get(id),
    top: async (count) => topOf(database.values(), count),
    rank: async (id) => rankOf(database.values(), database.get(id)),
    update: async (id, change) => void database.set(id, change(database.get(id))),
    append: async (entry) => void events.set(String(number++), entry),
    compact: () => database.compress(),
    close: () => Promise.all([database.close(), events.close()]),
  };
}
