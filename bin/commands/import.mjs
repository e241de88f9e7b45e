// `import`: keys and values of a file become entries of a log.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { deleteAny, setAny } from '../support/change.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { parseCsv } from '../support/csv.mjs';
import { EXIT, usageError } from '../support/errors.mjs';
import { dataFolder, entriesOf, logsIn, openStorage } from '../support/folder.mjs';
import { count, plural } from '../support/format.mjs';
import { equal } from '../support/values.mjs';

export const summary = 'keys and values of a JSON, JSON lines or CSV file, as new entries';
export const usage = 'FILE [path] [options]';
export const help = `
Reads FILE, in the forms that \`export\` writes for one log, and sets each of its keys in a log below path (a data
folder or a bot's folder; default: the current folder). First it shows how many are new, changed and the same; what
is the same is not written. Keys that the file lacks stay, unless --replace is given. A bot may be running. A data
folder that is not there, or is empty, is begun.

The keys are written one by one, many in a sync: an interruption leaves some of them, and a second run the rest.
In CSV, a column becomes numbers, lists and so on where all of its cells read as JSON, and text else; one that
holds text in the log now stays text.
`;
export const positionals = { min: 1, max: 2 };
export const options = {
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  format: {
    type: 'string',
    short: 'f',
    value: 'FORMAT',
    description: 'json, jsonl or csv (default: by the ending of the file)',
  },
  replace: { type: 'boolean', description: 'remove keys that the file lacks' },
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
  const dataDir = dataFolder(positionals[1], cwd, { mayBegin: true });
  const storage = openStorage(dataDir, atEnd);
  const log = logsIn(dataDir).find(({ name }) => name === options.log);
  const current = new Map(log && (await entriesOf(terminal, storage, log)));
  const entries = read(file, format, current);
  const toSet = entries.filter(([key, value]) => !current.has(key) || !equal(current.get(key), value));
  const keys = new Set(entries.map(([key]) => key));
  const toDelete = options.replace ? [...current.keys()].filter((key) => !keys.has(key)) : [];
  const added = toSet.filter(([key]) => !current.has(key)).length;
  const report = {
    dataDir,
    log: options.log,
    added,
    changed: toSet.length - added,
    same: entries.length - toSet.length,
    removed: toDelete.length,
    done: false,
  };
  terminal.title(`${options.log} in ${dataDir}`);
  terminal.fact('new', count(report.added));
  terminal.fact('changed', count(report.changed));
  terminal.fact('the same', count(report.same));
  if (options.replace) terminal.fact('removed', count(report.removed));
  if (toSet.length + toDelete.length === 0) {
    terminal.line('There is nothing to do.');
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  if (
    !(await confirmed(
      terminal,
      options,
      `Write ${plural(toSet.length + toDelete.length, 'entry', 'entries')}?`,
    ))
  ) {
    terminal.result(report);
    return EXIT.ok;
  }
  const work = [
    ...toSet.map(
      ([key, value]) =>
        () =>
          setAny(storage, options.log, key, value),
    ),
    ...toDelete.map((key) => () => deleteAny(storage, options.log, key)),
  ];
  const progress = terminal.progress('Writing', work.length);
  for (let from = 0; from < work.length; from += IN_FLIGHT) {
    await Promise.all(work.slice(from, from + IN_FLIGHT).map((write) => write()));
    progress.add(Math.min(IN_FLIGHT, work.length - from));
  }
  progress.end();
  report.done = true;
  terminal.line('Done.');
  terminal.result(report);
  return EXIT.ok;
}

// `[[key, value], …]`; every key once.
function read(file, format, current) {
  let text;
  try {
    // Some programs begin a file with a byte order mark.
    text = readFileSync(file, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    throw usageError(`'${file}' cannot be read: ${error.code}.`, 'Give a file that is there.');
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
  const isText = head.map((name, index) => isTextColumn(name, index, at, rows, current, isPlain));
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

// Ids look like numbers and are text: in the log, or because they are the keys.
function isTextColumn(name, index, keyIndex, rows, current, isPlain) {
  const cells = rows.filter((row) => row[index] !== undefined && row[index] !== '');
  if (cells.every((row) => row[index] === row[keyIndex])) return true;
  if (!cells.every((row) => isJsonText(row[index]))) return true;
  return [...current.values()].some((value) => typeof (isPlain ? value : value?.[name]) === 'string');
}

// Text that JSON would print in the same way: 12, true, [1,2]; not 007 or 1e400.
function isJsonText(text) {
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}
