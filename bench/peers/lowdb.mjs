/**
 * lowdb: one object in memory. Each write turns all of it into text and writes it to a new file, without fsync.
 * Writes that are called meanwhile share the next file.
 */

import path from 'node:path';
import { JSONFilePreset } from 'lowdb/node';
import { players as playersOf } from '../support/fixture.mjs';
import { rankOf, topOf } from '../support/ranking.mjs';
import { smallEntries } from '../support/small-entries.mjs';

export const durability = 'none: the whole file is written and renamed, no fsync';

export async function fill(folder, players) {
  await fillRecords(folder, playersOf(players));
}

/** Its file holds only the last value of each key. */
export async function fillEntries(folder, total, keys) {
  await fillRecords(folder, smallEntries(total, keys));
}

async function fillRecords(folder, records) {
  const database = await openDatabase(folder);
  for (const [id, record] of records) database.data.records[id] = record;
  await database.write();
}

const openDatabase = (folder) => JSONFilePreset(path.join(folder, 'data.json'), { records: {}, events: [] });

export async function open(folder) {
  const database = await openDatabase(folder);
  const { data } = database;
  const values = () => Object.values(data.records);
  return {
    all: async () => ({ ...data.records }),
    one: async (id) => data.records[id],
    top: async (count) => topOf(values(), count),
    rank: async (id) => rankOf(values(), data.records[id]),
    update: (id, change) => {
      data.records[id] = change(data.records[id]);
      return database.write();
    },
    append: (entry) => {
      data.events.push(entry);
      return database.write();
    },
    close: async () => {},
  };
}
