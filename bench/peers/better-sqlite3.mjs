/**
 * better-sqlite3: a row for each player, with the record as JSON and an index on the field that leaderboards sort by.
 * Its calls are synchronous: each one blocks the event loop until its transaction is on disk.
 */

import path from 'node:path';
import Database from 'better-sqlite3';
import { players as playersOf } from '../support/fixture.mjs';
import { smallEntries } from '../support/small-entries.mjs';

export const durability = 'WAL, synchronous = FULL: fsync for each transaction';

export async function fill(folder, players) {
  fillRows(folder, playersOf(players));
}

export async function fillEntries(folder, total, keys) {
  fillRows(folder, smallEntries(total, keys));
}

function fillRows(folder, rows) {
  const database = openDatabase(folder);
  const put = database.prepare('INSERT OR REPLACE INTO records VALUES (?, ?)');
  database.transaction(() => {
    for (const [id, record] of rows) put.run(id, JSON.stringify(record));
  })();
  database.close();
}

function openDatabase(folder) {
  const database = new Database(path.join(folder, 'data.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(`
    CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_score ON records (json_extract(record, '$.totalScore'));
    CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, entry TEXT NOT NULL);
  `);
  return database;
}

export async function open(folder) {
  const database = openDatabase(folder);
  const get = database.prepare('SELECT record FROM records WHERE id = ?').pluck();
  const put = database.prepare('INSERT OR REPLACE INTO records VALUES (?, ?)');
  const insert = database.prepare('INSERT INTO events (entry) VALUES (?)');
  const everything = database.prepare('SELECT id, record FROM records');
  const top = database
    .prepare(`SELECT record FROM records ORDER BY json_extract(record, '$.totalScore') DESC LIMIT ?`)
    .pluck();
  const better = database
    .prepare(`SELECT count(*) FROM records WHERE json_extract(record, '$.totalScore') > ?`)
    .pluck();
  const update = database.transaction((id, change) => {
    put.run(id, JSON.stringify(change(JSON.parse(get.get(id)))));
  });
  return {
    all: async () => {
      const state = {};
      for (const { id, record } of everything.iterate()) state[id] = JSON.parse(record);
      return state;
    },
    one: async (id) => JSON.parse(get.get(id)),
    top: async (count) => top.all(count).map((record) => JSON.parse(record)),
    rank: async (id) => better.get(JSON.parse(get.get(id)).totalScore) + 1,
    update: async (id, change) => update.immediate(id, change),
    append: async (entry) => insert.run(JSON.stringify(entry)),
    compact: async () => database.exec('VACUUM'),
    close: async () => database.close(),
  };
}
