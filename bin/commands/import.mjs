// `import`: writes the keys and values of a file as entries of a log.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { equal } from '../../lib/values.mjs';
import { deleteAny, setAny } from '../support/change.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { entriesOf } from '../support/contents.mjs';
import { parseCsv } from '../support/csv.mjs';
import { EXIT, usageError } from '../support/errors.mjs';
import { count, plural } from '../support/format.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'keys and values of a JSON, JSON lines or CSV file, as new entries';
export const usage = 'FILE [path] [options]';
export const help = `
Reads FILE, in a format that \`export\` writes for one log, and sets each of its keys in a log below path (a
data folder or a bot's folder; default: the current folder). First it shows how many keys are new, changed and
the same; those that are the same are not written. Keys that the file lacks stay, unless --replace is given. A
bot may be running. A data folder that is missing or empty is begun.

The keys are written one by one, many with one sync: after an interruption some are written, and a second run
writes the rest. What is written stays until somebody removes it, also where the key was to end by itself. In CSV, a column becomes numbers, lists and so on where all its cells are JSON; else it is
text. A column that is text in the log stays text.
`;
export const examples = [
  ['what a file would change', 'progressive-storage import all-players.json --dry-run'],
  [
    'into another log, without a question',
    'progressive-storage import new-guilds.csv bot/ --log guilds --yes',
  ],
];
export const positionals = { min: 1, max: 2 };
export const options = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  format: {
    type: 'string',
    short: 'f',
    value: 'FORMAT',
    description: 'json, jsonl or csv (default: by the extension of the file)',
  },
  replace: { type: 'boolean', description: 'remove the keys that the file lacks' },
  ...confirmOptions,
};

const ENDINGS = { '.json': 'json', '.jsonl': 'jsonl', '.ndjson': 'jsonl', '.csv': 'csv' };
const IN_FLIGHT = 500;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const file = path.resolve(cwd, positionals[0]);
  const format = options.format ?? ENDINGS[path.extname(file).toLowerCase()];
  if (!Object.values(ENDINGS).includes(format)) {
    throw usageError(`The format of '${positionals[0]}' is not known.`, 'Give --format json, jsonl or csv.');
  }
  const place = await placeOf({ options, cwd }, positionals[1], { mayBegin: true });
  const storage = place.open(atEnd);
  const log = (await place.found()).find(({ name }) => name === options.log);
  const current = new Map(log && (await entriesOf(terminal, storage, log)));
  const plan = planOf(read(file, format, current), current, options);
  const report = { ...place.report, log: options.log, ...plan.counts, done: false };
  showPlan(terminal, { title: place.title, ...report }, options);
  const total = plan.toSet.length + plan.toDelete.length;
  if (total === 0) {
    terminal.line('There is nothing to do.');
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  if (!(await confirmed(terminal, options, `Write ${plural(total, 'entry', 'entries')}?`))) {
    terminal.result(report);
    return EXIT.ok;
  }
  await write(terminal, storage, options.log, plan);
  report.done = true;
  terminal.line('Done.');
  terminal.result(report);
  return EXIT.ok;
}

// Which keys to set and which to delete, so that the log has the entries of the file.
function planOf(entries, current, { replace }) {
  const toSet = entries.filter(([key, value]) => !current.has(key) || !equal(current.get(key), value));
  const keys = new Set(entries.map(([key]) => key));
  const toDelete = replace ? [...current.keys()].filter((key) => !keys.has(key)) : [];
  const added = toSet.filter(([key]) => !current.has(key)).length;
  const counts = {
    added,
    changed: toSet.length - added,
    same: entries.length - toSet.length,
    removed: toDelete.length,
  };
  return { toSet, toDelete, counts };
}

function showPlan(terminal, { title, log, added, changed, same, removed }, { replace }) {
  terminal.title(`${log} in ${title}`);
  terminal.fact('new', count(added));
  terminal.fact('changed', count(changed));
  terminal.fact('the same', count(same));
  if (replace) terminal.fact('removed', count(removed));
}

async function write(terminal, storage, log, { toSet, toDelete }) {
  const work = [
    ...toSet.map(
      ([key, value]) =>
        () =>
          setAny(storage, log, key, value),
    ),
    ...toDelete.map((key) => () => deleteAny(storage, log, key)),
  ];
  const progress = terminal.progress('Writing', work.length);
  for (let from = 0; from < work.length; from += IN_FLIGHT) {
    const part = work.slice(from, from + IN_FLIGHT);
    await Promise.all(part.map((call) => call()));
    progress.add(part.length);
  }
  progress.end();
}

// `[[key, value], …]`; each key once.
function read(file, format, current) {
  let text;
  try {
    // Some programs write a byte order mark first.
    text = readFileSync(file, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    throw usageError(`'${file}' cannot be read: ${error.code}.`, 'Give a file that exists and is readable.');
  }
  const entries = { json: fromJson, jsonl: fromJsonLines, csv: fromCsv }[format](text, file, current);
  const seen = new Set();
  for (const [key] of entries) {
    if (typeof key !== 'string') throw usageError(`'${file}' has an entry without a key.`);
    if (seen.has(key)) throw usageError(`'${file}' has the key ${JSON.stringify(key)} twice.`);
    seen.add(key);
  }
  return entries;
}

function parse(text, what) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`${what} is not JSON: ${error.message}`);
  }
}

function fromJson(text, file) {
  const value = parse(text, `'${file}'`);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw usageError(`'${file}' does not hold a JSON object.`, 'It must be { key: value, … }.');
  }
  return Object.entries(value);
}

function fromJsonLines(text, file) {
  return text
    .split('\n')
    .map((line, index) => [line, index + 1])
    .filter(([line]) => line.trim() !== '')
    .map(([line, number]) => {
      const { key, value } = parse(line, `Line ${number} of '${file}'`) ?? {};
      if (value === undefined)
        throw usageError(`Line ${number} of '${file}' has no value.`, 'It must be { "key": …, "value": … }.');
      return [key, value];
    });
}

function fromCsv(text, file, current) {
  const parsed = parseCsv(text);
  if (parsed === null) throw usageError(`'${file}' ends within quotes.`, 'It may have been cut short.');
  const [head, ...rows] = parsed;
  const at = head?.indexOf('key') ?? -1;
  if (at < 0) throw usageError(`'${file}' has no column 'key' in its first row.`);
  const isPlain = head.length === 2 && head.includes('value');
  const isText = head.map((name, index) =>
    isTextColumn({ name, index, keyIndex: at, rows, current, isPlain }),
  );
  return rows.map((row) => {
    const fields = {};
    head.forEach((name, index) => {
      const cell = row[index];
      if (index !== at && cell !== undefined && cell !== '')
        fields[name] = isText[index] ? cell : JSON.parse(cell);
    });
    return [row[at], isPlain ? (fields.value ?? null) : fields];
  });
}

// Whether a column is text although its cells look like JSON: ids look like numbers. It is text where its cells are the
// keys, or the log has text there.
function isTextColumn({ name, index, keyIndex, rows, current, isPlain }) {
  const cells = rows.filter((row) => row[index] !== undefined && row[index] !== '');
  if (cells.every((row) => row[index] === row[keyIndex])) return true;
  if (!cells.every((row) => isJsonText(row[index]))) return true;
  return [...current.values()].some((value) => typeof (isPlain ? value : value?.[name]) === 'string');
}

// Whether JSON prints the text in the same way: 12, true, [1,2]; not 007 or 1e400.
function isJsonText(text) {
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}
