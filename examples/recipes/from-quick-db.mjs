// Brings a database of quick.db 9 (SQLite) into a collection. Stop the bot first.
//
//     node from-quick-db.mjs json.sqlite data          the table `json` into the collection `json` of this folder
//     node from-quick-db.mjs json.sqlite data money    another table
//
// It can be run again, and overwrites nothing: see `bring-over.mjs`. Reading needs better-sqlite3, which quick.db brings, or
// Node.js 22.5 or newer.

import path from 'node:path';
import { Storage } from 'progressive-storage';
import { bringOver, inWords, shown } from './bring-over.mjs';
import { isProgram, tryOut } from './try-out.mjs';

/** Opens an SQLite file with what this runtime has. */
export async function openSqlite(file, { mayWrite = false } = {}) {
  try {
    const { default: Database } = await import('better-sqlite3');
    return new Database(file, { readonly: !mayWrite });
  } catch (error) {
    if (error.code?.startsWith('SQLITE_')) throw error;
  }
  const { DatabaseSync } = await import('node:sqlite').catch(() => {
    throw new Error('Install better-sqlite3, or use Node.js 22.5 or newer.');
  });
  return new DatabaseSync(file, { readOnly: !mayWrite });
}

/** The rows of a table of quick.db, as pairs of a key and a value. */
export async function readQuickDb(file, table = 'json') {
  const database = await openSqlite(file);
  try {
    const rows = database.prepare(`SELECT ID, json FROM "${table.replaceAll('"', '""')}"`).all();
    return rows.map(({ ID, json }) => [ID, parsed(ID, json)]);
  } finally {
    database.close();
  }
}

function parsed(key, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The row ${shown(key)} has no JSON. Nothing was written.`);
  }
}

/** Brings a table into the collection of its name. With `overwrite`, keys with other values are overwritten, and named. */
export async function fromQuickDb(storage, file, { table = 'json', overwrite } = {}) {
  return bringOver(storage.collection(table), await readQuickDb(file, table), { overwrite });
}

const [, , file, dataDir = 'data', table = 'json'] = process.argv;
if (isProgram(import.meta.url) && file) {
  const storage = new Storage({ dataDir });
  console.log(inWords(table, await fromQuickDb(storage, file, { table })));
  await storage.close();
} else {
  tryOut(import.meta.url, async (storage, folder) => {
    const sample = path.join(folder, 'json.sqlite');
    const database = await openSqlite(sample, { mayWrite: true });
    database.exec('CREATE TABLE json (ID TEXT PRIMARY KEY, json TEXT)');
    database.exec(`INSERT INTO json VALUES ('42', '{"coins":5}'), ('43', '{"coins":7}')`);
    database.close();
    console.log(inWords('json', await fromQuickDb(storage, sample)));
    await storage.collection('json').increment('42', 'coins', 10);
    console.log(inWords('json', await fromQuickDb(storage, sample)));
  });
}
