/**
 * @seald-io/nedb: all records in memory, changes appended to a file of JSON lines, without fsync. It has no atomic update by a
 * function, so updates of one key wait for each other here.
 */

import path from 'node:path';
import Datastore from '@seald-io/nedb';
import { players as playersOf } from '../support/fixture.mjs';
import { oneByOne } from '../support/one-by-one.mjs';
import { smallEntries } from '../support/small-entries.mjs';

export const durability = 'none: appended before the promise resolves, no fsync';

const BATCH = 1000;

export async function fill(folder, players) {
  const database = await openDatabase(folder, 'data');
  let batch = [];
  for (const [_id, record] of playersOf(players)) {
    batch.push({ _id, ...record });
    if (batch.length === BATCH) {
      await database.insertAsync(batch);
      batch = [];
    }
  }
  await database.insertAsync(batch);
}

export async function fillEntries(folder, total, keys) {
  const database = await openDatabase(folder, 'data');
  let pending = [];
  for (const [_id, value] of smallEntries(total, keys)) {
    pending.push(database.updateAsync({ _id }, { _id, ...value }, { upsert: true }));
    if (pending.length === BATCH) {
      await Promise.all(pending);
      pending = [];
    }
  }
  await Promise.all(pending);
}

async function openDatabase(folder, name) {
  const database = new Datastore({ filename: path.join(folder, `${name}.nedb`) });
  await database.loadDatabaseAsync();
  return database;
}

export async function open(folder) {
  const database = await openDatabase(folder, 'data');
  const events = await openDatabase(folder, 'events');
  const inTurn = oneByOne();
  const get = (_id) => database.findOneAsync({ _id });
  const update = async (_id, change) => database.updateAsync({ _id }, change(await get(_id)));
  return {
    all: async () => Object.fromEntries((await database.findAsync({})).map((record) => [record._id, record])),
    one: get,
    top: (count) => database.findAsync({}).sort({ totalScore: -1 }).limit(count),
    rank: async (id) => 1 + (await database.countAsync({ totalScore: { $gt: (await get(id)).totalScore } })),
    update: (id, change) => inTurn(id, () => update(id, change)),
    append: (entry) => events.insertAsync({ ...entry }),
    compact: () => database.compactDatafileAsync(),
    close: async () => {},
  };
}
