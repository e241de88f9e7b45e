// `export`: writes the data of a folder in a format that other programs read.
//
// Invariant: a file of --output appears whole, by a rename, or not at all.

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
import { loadSqlite, writeSqlite } from '../formats/sqlite.mjs';
import { writeText } from '../formats/text.mjs';
import { entriesOf } from '../support/contents.mjs';
import { Stop, usageError } from '../support/errors.mjs';
import { plural } from '../support/format.mjs';
import { endsAt } from '../support/past.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'the data as JSON, JSON lines, CSV or SQLite';
export const usage = '[path] [options]';
export const help = `
Writes the data below path (a data folder, a bot's folder or a server; default: the current folder), as a bot
loads it, to stdout or to --output:
  json     { key: value, … }; with several logs { log: { key: value, … }, … }
  jsonl    one line { "key": …, "value": … } for each key
  csv      one row for each key: key, then a column for each property; inner objects and lists as JSON
  sqlite   a database with a table for each log: key, value (JSON), and a column for each simple property
           (needs node:sqlite, Node 22.5 or newer, and --output)
Keys that have ended by themselves are left out. With --expires, a key that will end has that time, in milliseconds
since 1970, which \`import --expires\` reads: json is { key: { "value": …, "expiresAt": … }, … } then, the others have
expiresAt beside the key. With --entries, jsonl gives the log's entries instead, which have it too (_expires). The
file of --output appears only when it is complete. Nothing of the data is changed, and a bot may be running.
`;
export const examples = [
  ['the players as JSON', 'progressive-storage export > all-players.json'],
  ['another log for a spreadsheet', 'progressive-storage export --log guilds --output guilds.csv'],
  ['all logs as an SQLite database', 'progressive-storage export bot/ --output bot.sqlite'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: {
    type: 'string',
    multiple: true,
    value: 'NAME',
    description: 'which log; may be given again (json, sqlite). Default: players; sqlite: all',
  },
  format: {
    type: 'string',
    short: 'f',
    value: 'FORMAT',
    description: 'json, jsonl, csv or sqlite (default: by the extension of --output, else json)',
  },
  output: { type: 'string', short: 'o', value: 'FILE', description: 'write to this file' },
  force: { type: 'boolean', description: 'replace the file if it is there' },
  expires: { type: 'boolean', description: 'with the times at which keys end by themselves' },
  entries: { type: 'boolean', description: 'the entries of the log instead of its state (jsonl)' },
};

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
  const place = await placeOf({ options, cwd }, positionals[0]);
  const output = options.output && path.resolve(cwd, options.output);
  const format =
    options.format ??
    (options.entries ? 'jsonl' : ENDINGS[path.extname(output ?? '').toLowerCase()]) ??
    'json';
  check(format, options, output);
  const names =
    options.log ?? (format === 'sqlite' ? (await place.logs()).map(({ name }) => name) : ['players']);
  const logs = await place.logs(names);
  if (names.length > 1 && (format === 'csv' || format === 'jsonl')) {
    throw usageError(
      `${format} can hold one log, not ${names.length}.`,
      'Give one --log, or use json or sqlite.',
    );
  }
  const storage = place.open(atEnd);
  const { expires = false } = options;
  const seen = { ends: 0 };
  const read = async (log) => {
    const entries = await entriesOf(terminal, storage, log);
    const ends = await endsAt(terminal, place, { log, atEnd });
    for (const entry of entries) entry.push(ends.get(entry[0]));
    seen.ends += entries.filter(([, , end]) => end !== undefined).length;
    return entries;
  };
  const request = { storage, logs, format, ofEntries: options.entries, read, expires };
  const counts = await write(terminal, { request, output, atEnd });
  if (!expires && seen.ends > 0)
    terminal.note(
      `${plural(seen.ends, 'key ends by itself', 'keys end by themselves')}; --expires keeps when.`,
    );
  return output ? done(terminal, { output, format, counts }) : undefined;
}

// Returns how many rows of each log were written.
async function write(terminal, { request, output, atEnd }) {
  const { format } = request;
  if (format === 'sqlite') {
    const sqlite = await loadSqlite();
    return throughTemporary(output, atEnd, (file) => writeSqlite(terminal, sqlite, { file, ...request }));
  }
  if (output) return throughTemporary(output, atEnd, (file) => writeFile(terminal, request, file));
  return writeText(terminal, request, (text) => terminal.raw(text, { isRecord: format === 'csv' }));
}

async function writeFile(terminal, request, file) {
  const handle = openSync(file, 'wx');
  try {
    const counts = await writeText(terminal, request, (text) => writeSync(handle, text));
    fsyncSync(handle);
    return counts;
  } finally {
    closeSync(handle);
  }
}

function check(format, options, output) {
  if (!FORMATS.includes(format))
    throw usageError(`There is no format '${format}'.`, `The formats: ${FORMATS.join(', ')}.`);
  if (options.entries && format !== 'jsonl')
    throw usageError('--entries needs the format jsonl.', 'Give --format jsonl.');
  if (options.entries && options.expires)
    throw usageError('The entries have the times already.', 'Leave out --expires.');
  if (format === 'sqlite' && !output) throw usageError('A database needs a file.', 'Give --output FILE.');
  if (output && !existsSync(path.dirname(output))) {
    throw new Stop(`There is no folder '${path.dirname(output)}'.`, {
      code: 'ENOENT',
      hint: 'Create it, or give --output another one.',
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

// Works on a file in a new folder that nobody else may write to. So no link that somebody else put in the way of the
// file, or of a database's journal, is followed.
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
