// Writes logs as an SQLite database.

import { isRecord } from '../../lib/values.mjs';
import { Stop } from '../support/errors.mjs';
import { eachWithProgress } from '../support/progress.mjs';
import { fieldsOf } from './records.mjs';

export async function loadSqlite() {
  try {
    return await import('node:sqlite');
  } catch {
    throw new Stop(`This runtime (${process.version}) has no node:sqlite.`, {
      code: 'ERR_NO_SQLITE',
      hint: 'Use Node 22.5 or newer, or export as json, jsonl or csv.',
    });
  }
}

// Writes a database with a table for each log. Returns how many rows each has. `read` and `expires` are as for `writeText`.
export async function writeSqlite(terminal, { DatabaseSync }, { file, logs, read, expires }) {
  const counts = {};
  const database = new DatabaseSync(file);
  const tables = new Set();
  try {
    database.exec('BEGIN');
    for (const log of logs) {
      const { name } = log;
      const entries = await read(log);
      const fields = columnsOf(entries, expires);
      const insert = createTable(database, tableName(name, tables), { fields, expires });
      const take = ([key, value, end]) => {
        const cells = fields.map((field) => (isRecord(value) ? sqlValue(value[field]) : null));
        insert.run(key, JSON.stringify(value), ...(expires ? [sqlValue(end)] : []), ...cells);
      };
      await eachWithProgress(terminal, { name, items: entries, total: entries.length, take });
      counts[name] = entries.length;
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
  return counts;
}

// The properties that become columns: those whose values are all simple. SQLite ignores case in names of columns, so of
// properties that differ only in case the first becomes one.
function columnsOf(entries, expires) {
  const taken = new Set(['key', 'value', ...(expires ? ['expiresat'] : [])]);
  return fieldsOf(entries).filter((field) => {
    const isSimple = entries.every(
      ([, value]) => !isRecord(value) || !(value[field] !== null && typeof value[field] === 'object'),
    );
    const isFree = field !== '' && !field.includes('\0') && !taken.has(field.toLowerCase());
    if (isSimple && isFree) taken.add(field.toLowerCase());
    return isSimple && isFree;
  });
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

// Returns the statement that inserts a row.
function createTable(database, table, { fields, expires }) {
  const end = expires ? ', expiresAt INTEGER' : '';
  const columns = fields.map((field) => `, ${quoted(field)}`).join('');
  database.exec(`CREATE TABLE ${quoted(table)} (key TEXT PRIMARY KEY, value TEXT NOT NULL${end}${columns})`);
  const marks = ', ?'.repeat(fields.length + (expires ? 1 : 0));
  return database.prepare(`INSERT INTO ${quoted(table)} VALUES (?, ?${marks})`);
}

// A log's name as the name of a table. SQLite ignores case in names, and reserves some.
function tableName(name, tables) {
  let table = /^sqlite_/i.test(name) ? `_${name}` : name;
  while (tables.has(table.toLowerCase())) table += '_';
  tables.add(table.toLowerCase());
  return table;
}

// node:sqlite stores a number as REAL and a bigint as INTEGER. So a whole number that fits into 64 bits becomes a
// bigint.
export function sqlValue(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  const isInteger = Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
  return isInteger ? BigInt(value) : value;
}
