// `export`: the data of a folder in a form that other programs read.

import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { csvLine } from '../support/csv.mjs';
import { Stop, usageError } from '../support/errors.mjs';
import { chosenLogs, dataFolder, entriesOf, openStorage } from '../support/folder.mjs';
import { bytes, plural } from '../support/format.mjs';
import { breathe } from '../support/progress.mjs';
import { visibleJson } from '../support/visible.mjs';

export const summary = 'the data as JSON, JSON lines, CSV or SQLite';
export const usage = '[path] [options]';
export const help = `
Writes the data below path (a data folder or a bot's folder; default: the current folder), as a bot would load
it, to stdout or to --output:
  json     { key: value, … }; with several logs { log: { key: value, … }, … }
  jsonl    one line { "key": …, "value": … } for each key
  csv      one row for each key: key, then a column for each property; inner objects and lists as JSON
  sqlite   a database with a table for each log: key, value (JSON), and a column for each simple property
           (needs node:sqlite, Node 22.5 or newer, and --output)
With --entries, jsonl gives the log's entries instead. A file is written beside and renamed, so --output is whole
or not there. Nothing in the data folder is changed, and a bot may be running.
`;
export const positionals = { max: 1 };
export const options = {
  log: {
    type: 'string',
    multiple: true,
    value: 'NAME',
    description: 'which log; again for more (json, sqlite). Default: players; sqlite: all',
  },
  format: {
    type: 'string',
    short: 'f',
    value: 'FORMAT',
    description: 'json, jsonl, csv or sqlite (default: by the ending of --output, else json)',
  },
  output: { type: 'string', short: 'o', value: 'FILE', description: 'write to this file' },
  force: { type: 'boolean', description: 'replace the file if it is there' },
  entries: { type: 'boolean', description: 'the entries of the log instead of its state (jsonl)' },
};

// Of each line of a log, about: `,"_crc":"12345678"`, which entries do not show.
const CHECKSUM_BYTES = 18;
const FORMATS = ['json', 'jsonl', 'csv', 'sqlite'];
const ENDINGS = {
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.sqlite': 'sqlite',
  '.sqlite3': 'sqlite',
  '.db': 'sqlite',
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const dataDir = dataFolder(positionals[0], cwd);
  const output = options.output && path.resolve(cwd, options.output);
  const format =
    options.format ??
    (options.entries ? 'jsonl' : ENDINGS[path.extname(output ?? '').toLowerCase()]) ??
    'json';
  check(format, options, output);
  const names =
    options.log ?? (format === 'sqlite' ? chosenLogs(dataDir).map(({ name }) => name) : ['players']);
  const logs = chosenLogs(dataDir, names);
  if (names.length > 1 && (format === 'csv' || format === 'jsonl')) {
    throw usageError(
      `${format} holds one log; there are ${names.length}.`,
      'Give one --log, or use json or sqlite.',
    );
  }
  const storage = openStorage(dataDir, atEnd);
  if (format === 'sqlite') {
    const sqlite = await loadSqlite();
    const counts = await throughTemporary(output, atEnd, (file) =>
      writeSqlite(terminal, sqlite, file, storage, logs),
    );
    return done(terminal, { output, format, counts });
  }
  const counts = output
    ? await throughTemporary(output, atEnd, async (file) => {
        const handle = openSync(file, 'wx');
        try {
          const counted = await writeText(terminal, storage, logs, format, options, (text) =>
            writeSync(handle, text),
          );
          fsyncSync(handle);
          return counted;
        } finally {
          closeSync(handle);
        }
      })
    : await writeText(terminal, storage, logs, format, options, (text) =>
        terminal.raw(text, { isRecord: format === 'csv' }),
      );
  if (output) return done(terminal, { output, format, counts });
  return undefined;
}

function check(format, options, output) {
  if (!FORMATS.includes(format))
    throw usageError(`There is no format '${format}'.`, `The formats: ${FORMATS.join(', ')}.`);
  if (options.entries && format !== 'jsonl')
    throw usageError('--entries is for jsonl.', 'Give --format jsonl.');
  if (format === 'sqlite' && !output) throw usageError('A database needs a file.', 'Give --output FILE.');
  if (output && !existsSync(path.dirname(output))) {
    throw new Stop(`There is no folder '${path.dirname(output)}'.`, {
      code: 'ENOENT',
      hint: 'Make it, or give --output another one.',
    });
  }
  if (output && existsSync(output) && !options.force) {
    throw new Stop(`'${output}' is there already.`, {
      code: 'EEXIST',
      hint: 'Give another name, or --force to replace it.',
    });
  }
}

function done(terminal, { output, format, counts }) {
  for (const [name, number] of Object.entries(counts)) terminal.line(`${name}: ${plural(number, 'row')}`);
  terminal.line(`Written to ${output}`);
  terminal.result({ output, format, counts });
}

// In a folder of its own, which nobody else may write to: a link that somebody put in the file's way, or in that of a
// database's journal, is never followed.
async function throughTemporary(output, atEnd, work) {
  const folder = mkdtempSync(`${output}.tmp-`);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  atEnd(remove);
  try {
    const temporary = path.join(folder, path.basename(output));
    const result = await work(temporary);
    chmodSync(temporary, 0o666 & ~process.umask());
    renameSync(temporary, output);
    return result;
  } finally {
    remove();
  }
}

async function writeText(terminal, storage, logs, format, options, write) {
  const counts = {};
  if (options.entries) {
    const [{ name, log }] = logs;
    counts[name] = 0;
    const progress = terminal.progress(`Writing ${name}`, log?.sizeBytes ?? 0, bytes);
    for await (const entry of storage.streamLogEntries(name)) {
      const text = `${visibleJson(entry)}\n`;
      write(text);
      counts[name] += 1;
      progress.add(Buffer.byteLength(text) + CHECKSUM_BYTES);
    }
    progress.end();
    return counts;
  }
  const isMany = logs.length > 1;
  if (format === 'json' && isMany) write('{');
  for (const [index, log] of logs.entries()) {
    const { name } = log;
    const entries = await entriesOf(terminal, storage, log);
    counts[name] = entries.length;
    if (format === 'json' && isMany) write(`${index > 0 ? ',' : ''}\n${visibleJson(name)}: `);
    const texts = { jsonl: lineTexts, csv: csvTexts, json: memberTexts }[format](entries);
    await eachShown(terminal, name, texts, entries.length, write);
    if (format === 'json') write(entries.length > 0 ? '\n}' : '{}');
    if (format === 'json' && !isMany) write('\n');
  }
  if (format === 'json' && isMany) write('\n}\n');
  return counts;
}

// Calls `take` with each of `items`, and shows how far it is.
async function eachShown(terminal, name, items, total, take) {
  const progress = terminal.progress(`Writing ${name}`, total);
  let done = 0;
  for (const item of items) {
    take(item);
    await breathe(++done, progress);
  }
  progress.to(done);
  progress.end();
}

function* lineTexts(entries) {
  for (const [key, value] of entries) yield `${visibleJson({ key, value })}\n`;
}

// Member by member: the whole may be longer than the longest string.
function* memberTexts(entries) {
  let before = '{';
  for (const [key, value] of entries) {
    yield `${before}\n  ${visibleJson(key)}: ${visibleJson(value, 2).replaceAll('\n', '\n  ')}`;
    before = ',';
  }
}

const isRecord = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function fieldsOf(entries) {
  const fields = new Set();
  for (const [, value] of entries)
    if (isRecord(value)) for (const field of Object.keys(value)) fields.add(field);
  return [...fields];
}

function* csvTexts(entries) {
  const fields = fieldsOf(entries);
  const hasPlain = entries.some(([, value]) => !isRecord(value));
  yield csvLine(['key', ...(hasPlain ? ['value'] : []), ...fields]);
  for (const [key, value] of entries) {
    const cells = fields.map((field) =>
      isRecord(value) && Object.hasOwn(value, field) ? value[field] : undefined,
    );
    yield csvLine([key, ...(hasPlain ? [isRecord(value) ? undefined : value] : []), ...cells]);
  }
}

async function loadSqlite() {
  try {
    return await import('node:sqlite');
  } catch {
    throw new Stop(`This runtime (${process.version}) has no node:sqlite.`, {
      code: 'ERR_NO_SQLITE',
      hint: 'Use Node 22.5 or newer, or export as json, jsonl or csv.',
    });
  }
}

async function writeSqlite(terminal, { DatabaseSync }, file, storage, logs) {
  const counts = {};
  const database = new DatabaseSync(file);
  const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
  const tables = new Set();
  try {
    database.exec('BEGIN');
    for (const log of logs) {
      const { name } = log;
      const table = tableName(name, tables);
      const entries = await entriesOf(terminal, storage, log);
      const taken = new Set(['key', 'value']);
      // Names of columns are the same whatever their case.
      const fields = fieldsOf(entries).filter((field) => {
        const isSimple = entries.every(
          ([, value]) => !isRecord(value) || !(value[field] !== null && typeof value[field] === 'object'),
        );
        const isFree = field !== '' && !field.includes('\0') && !taken.has(field.toLowerCase());
        if (isSimple && isFree) taken.add(field.toLowerCase());
        return isSimple && isFree;
      });
      const columns = fields.map((field) => `, ${quoted(field)}`).join('');
      database.exec(`CREATE TABLE ${quoted(table)} (key TEXT PRIMARY KEY, value TEXT NOT NULL${columns})`);
      const marks = fields.map(() => ', ?').join('');
      const insert = database.prepare(`INSERT INTO ${quoted(table)} VALUES (?, ?${marks})`);
      await eachShown(terminal, name, entries, entries.length, ([key, value]) => {
        const cells = fields.map((field) => (isRecord(value) ? sqlValue(value[field]) : null));
        insert.run(key, JSON.stringify(value), ...cells);
      });
      counts[name] = entries.length;
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
  return counts;
}

// A log's name as a table's: those are the same whatever their case, and some belong to SQLite.
function tableName(name, tables) {
  let table = /^sqlite_/i.test(name) ? `_${name}` : name;
  while (tables.has(table.toLowerCase())) table += '_';
  tables.add(table.toLowerCase());
  return table;
}

// A number of JavaScript becomes a REAL, so whole ones that fit into 64 bits go as bigints: those become INTEGERs.
export function sqlValue(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  const isInteger = Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
  return isInteger ? BigInt(value) : value;
}
