// Reads the keys and values of a file in the forms that `export` writes for one log, and when the keys end by themselves.
//
// With `--expires`, the end of a key stands beside its value:
//
//   json    { key: { "value": …, "expiresAt": … }, … }
//   jsonl   { "key": …, "value": …, "expiresAt": … }, also without the option
//   csv     the column expiresAt
//
// It is missing where a key does not end. The time is in milliseconds since 1970.

import { readFileSync } from 'node:fs';
import { isRecord } from '../../lib/values.mjs';
import { parseCsv } from '../support/csv.mjs';
import { usageError } from '../support/errors.mjs';

// The latest time of a Date.
const END_MS_MAX = 8.64e15;

// `{ entries: [[key, value, expiresAt], …], hasEnds }`; each key once. `hasEnds` says whether the file is one that has the ends
// of keys. `current` is a Map of what the log has.
export function readEntries(file, format, { current, expires }) {
  let text;
  try {
    // Some programs write a byte order mark first.
    text = readFileSync(file, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    throw usageError(`'${file}' cannot be read: ${error.code}.`, 'Give a file that exists and is readable.');
  }
  const read = { json: fromJson, jsonl: fromJsonLines, csv: fromCsv }[format];
  const entries = read(text, file, { current, expires });
  const seen = new Set();
  for (const entry of entries) {
    const [key, , expiresAt] = entry;
    if (typeof key !== 'string') throw usageError(`'${file}' has an entry without a key.`);
    if (seen.has(key)) throw usageError(`'${file}' has the key ${JSON.stringify(key)} twice.`);
    seen.add(key);
    if (expiresAt === undefined) continue;
    if (!(typeof expiresAt === 'number' && expiresAt >= 0 && expiresAt <= END_MS_MAX))
      throw usageError(
        `'${file}' has an expiresAt of the key ${JSON.stringify(key)} that is no time.`,
        'It must be a number: milliseconds since 1970.',
      );
    // As the store does it.
    entry[2] = Math.ceil(expiresAt);
  }
  return { entries, hasEnds: expires === true || entries.some(([, , end]) => end !== undefined) };
}

function parse(text, what) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`${what} is not JSON: ${error.message}`);
  }
}

function fromJson(text, file, { expires }) {
  const value = parse(text, `'${file}'`);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw usageError(`'${file}' does not hold a JSON object.`, 'It must be { key: value, … }.');
  }
  const members = Object.entries(value);
  return expires ? members.map(([key, member]) => withEnd(key, member, file)) : members;
}

function withEnd(key, member, file) {
  if (isWithEnd(member)) return [key, member.value, member.expiresAt];
  throw usageError(
    `'${file}' has no value and time of the key ${JSON.stringify(key)}.`,
    'With --expires it must be { key: { "value": …, "expiresAt": … }, … }.',
  );
}

const isWithEnd = (member) =>
  isRecord(member) &&
  member.value !== undefined &&
  Object.keys(member).every((name) => name === 'value' || name === 'expiresAt');

// Whether values that were read as they stand look like those that `--expires` writes.
export const looksExpiring = (entries) =>
  entries.every(([, value]) => isWithEnd(value)) &&
  entries.some(([, value]) => value.expiresAt !== undefined);

function fromJsonLines(text, file) {
  return text
    .split('\n')
    .map((line, index) => [line, index + 1])
    .filter(([line]) => line.trim() !== '')
    .map(([line, number]) => {
      const { key, value, expiresAt } = parse(line, `Line ${number} of '${file}'`) ?? {};
      if (value === undefined)
        throw usageError(`Line ${number} of '${file}' has no value.`, 'It must be { "key": …, "value": … }.');
      return [key, value, expiresAt];
    });
}

function fromCsv(text, file, { current, expires }) {
  const parsed = parseCsv(text);
  if (parsed === null) throw usageError(`'${file}' ends within quotes.`, 'It may have been cut short.');
  const endAt = expires ? (parsed[0]?.indexOf('expiresAt') ?? -1) : -1;
  if (expires && endAt < 0) throw usageError(`'${file}' has no column 'expiresAt' in its first row.`);
  const ends = parsed.slice(1).map((row) => (row[endAt] ? Number(row[endAt]) : undefined));
  const [head, ...rows] = parsed.map((row) => row.filter((_, index) => index !== endAt));
  const at = head?.indexOf('key') ?? -1;
  if (at < 0) throw usageError(`'${file}' has no column 'key' in its first row.`);
  const isPlain = head.length === 2 && head.includes('value');
  const isText = head.map((name, index) =>
    isTextColumn({ name, index, keyIndex: at, rows, current, isPlain }),
  );
  return rows.map((row, number) => {
    const fields = {};
    head.forEach((name, index) => {
      const cell = row[index];
      if (index !== at && cell !== undefined && cell !== '')
        fields[name] = isText[index] ? cell : JSON.parse(cell);
    });
    return [row[at], isPlain ? (fields.value ?? null) : fields, ends[number]];
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
