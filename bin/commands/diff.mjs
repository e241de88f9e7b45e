// `diff`: what differs between a log and its JSON file, a log and a backup, two times, or two places.

import path from 'node:path';
import { eachMember } from '../../lib/members.mjs';
import { equal, isRecord } from '../../lib/values.mjs';
import { changeLines, linesOfChange, SIGN_COLOURS } from '../support/change-lines.mjs';
import { chosenLogs } from '../support/chosen-logs.mjs';
import { entriesOf, openStorage, stateOfFile } from '../support/contents.mjs';
import { EXIT, placeError, Stop, usageError } from '../support/errors.mjs';
import { bytes, count, plural } from '../support/format.mjs';
import { bytesOfHistory, bytesToRead } from '../support/log-files.mjs';
import { pastOf, whyNotReached } from '../support/past.mjs';
import { givenUrl, placeOf, placeOptions, urlOf } from '../support/place.mjs';
import { breathe } from '../support/progress.mjs';
import { parseTime } from '../support/time.mjs';

export const summary = 'what differs between log and JSON file, log and backup, two times, or two places';
export const usage = '[path] [other] [options]';
export const help = `
Compares, key by key:
  diff [path]                  each log with its JSON file
  diff [path] --backup N       each log with its backup of that number, or with \`newest\` or \`oldest\`
  diff [path] --at TIME        the data as it was at a time with the data now
  diff PATH OTHER              the data of two places, as a bot loads it
Paths are data folders or bots' folders; in the last two forms also a server: postgres://…, or the word \`env\` for the
one in PROGRESSIVE_STORAGE_URL. A log whose files do not reach back to the time is named and left out; a key that came from
a JSON file since then counts as new.

+ stands for what only the second one has, - for what only the first one has, ~ for a value of the first one and that of
the second. Of a key that both have, each field that differs is shown: stats.best is a field in a field, games[3] an item
of a list, games[] one that the list gained or lost. On a terminal, lines are cut to its width; in a pipe or a file, and
with --json, nothing is. Nothing is changed, and a bot may be running. Exit code 1 when something differs.
`;
export const examples = [
  ['each log with its JSON file', 'progressive-storage diff'],
  ['what changed in the last two days', 'progressive-storage diff bot/ --at 2d'],
  ['a folder with a copy of it', 'progressive-storage diff backups/yesterday bot/ --log guilds'],
];
const KEY_INDENT = ' '.repeat(6);
const FIELD_INDENT = ' '.repeat(10);
export const positionals = { max: 2 };
export const options = {
  schema: placeOptions.schema,
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  backup: { type: 'string', value: 'N', description: 'compare with a backup: its number, newest or oldest' },
  at: {
    type: 'string',
    value: 'TIME',
    description: 'compare with the data at this time (2026-01-31T20:15:00Z, or an age: 2h, 3d)',
  },
  keys: { type: 'string', value: 'N', default: '20', description: 'show at most N keys of a log' },
};

export async function run(context) {
  const { terminal, options, positionals } = context;
  const shownMax = Number(options.keys);
  if (!Number.isInteger(shownMax) || shownMax < 0)
    throw usageError(`--keys is '${options.keys}'; give a whole number.`);
  if (positionals.length === 2 && options.backup !== undefined)
    throw usageError('--backup is for one folder.', 'Give one path, or leave out --backup.');
  if (options.at !== undefined && (positionals.length === 2 || options.backup !== undefined))
    throw usageError('--at compares one place with itself.', 'Give one path, and no --backup.');
  const at = options.at === undefined ? undefined : parseTime(options.at, '--at');
  if (positionals.length < 2 && at === undefined && givenUrl({}, positionals[0]) !== undefined)
    throw usageError('A server has no JSON files and no backups to compare with.', 'Give a second place.');
  const place = await placeFor(context, positionals[0]);
  const report = { ...place.report, comparisons: [], skipped: [], ok: true };
  const { pairs, skipped } =
    positionals.length === 2
      ? await ofTwoPlaces(context, place, await placeFor(context, positionals[1]))
      : await (at === undefined ? ofOneFolder(context, place.dataDir) : ofTwoTimes(context, place, at));
  report.skipped = skipped;
  for (const { name, left, right } of pairs) {
    const comparison = {
      log: name,
      from: left.what,
      to: right.what,
      ...(await compare(terminal, name, left.state, right.state)),
    };
    report.comparisons.push(comparison);
    show(terminal, comparison, shownMax);
  }
  report.ok = report.comparisons.every(({ same }) => same);
  for (const { log, reason } of skipped) terminal.line(`  · ${log}: not compared, ${reason}`);
  terminal.result(report);
  return report.ok ? EXIT.ok : EXIT.found;
}

// `--schema` is of the server among the places.
function placeFor({ options, cwd }, given) {
  const isFolder = given === undefined ? !process.env.PROGRESSIVE_STORAGE_URL : urlOf(given) === undefined;
  return placeOf({ options: isFolder ? {} : { schema: options.schema }, cwd }, given);
}

async function ofOneFolder({ terminal, options, atEnd }, dataDir) {
  const storage = openStorage(dataDir, atEnd);
  const pairs = [];
  const skipped = [];
  for (const found of chosenLogs(dataDir, options.log)) {
    const { name, log, mirror, backups } = found;
    const backup = options.backup === undefined ? undefined : chosenBackup(backups, options.backup);
    if (options.backup === undefined ? !mirror : !backup) {
      const reason =
        options.backup === undefined ? 'it has no JSON file' : `its backups are ${numbersOf(backups)}`;
      skipped.push({ log: name, reason });
      continue;
    }
    const state =
      log && terminal.waiting(`Reading ${name}.log`, storage.rebuildStateFromLog(name), bytesToRead(found));
    const right = { what: `${name}.log`, state: (await state) ?? {} };
    const left = backup
      ? { what: path.basename(backup.path), state: await stateOfFile(terminal, backup, atEnd) }
      : { what: `${name}.json`, state: await mirrorState(terminal, mirror) };
    pairs.push({ name, left, right });
  }
  // A backup's number usually belongs to one log, so others may lack it. A log that --log names must have it.
  if (pairs.length === 0 || (options.log && skipped.length > 0)) throw nothingToCompare(options, skipped);
  return { pairs, skipped };
}

function nothingToCompare(options, skipped) {
  const all = skipped.map(({ log, reason }) => `${log}: ${reason}`).join('; ') || 'there are no logs';
  return options.backup === undefined
    ? placeError(
        'ERR_NO_LOG',
        `There is nothing to compare: ${all}.`,
        'Compare with a backup (--backup newest).',
      )
    : placeError('ERR_NO_BACKUP', `There is no backup '${options.backup}'.`, `Of ${all}.`);
}

const numbersOf = (backups) => backups.map(({ number }) => number).join(', ') || 'none';

function chosenBackup(backups, wanted) {
  if (wanted === 'newest') return backups.at(-1);
  if (wanted === 'oldest') return backups[0];
  return backups.find(({ number }) => String(number) === wanted);
}

async function mirrorState(terminal, mirror) {
  const members = [];
  const progress = terminal.progress(`Reading ${path.basename(mirror.path)}`, mirror.sizeBytes, {
    unit: bytes,
  });
  try {
    await eachMember(mirror.path, { onMember: (key, value) => members.push([key, value]), progress });
    return Object.fromEntries(members);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  } finally {
    progress.end();
  }
  throw new Stop(`'${mirror.path}' is not a JSON object.`, {
    code: 'ERR_MIRROR_BROKEN',
    hint: 'The log is used instead; the next write sets the file aside and writes a new one.',
  });
}

async function ofTwoTimes({ terminal, options, atEnd }, place, at) {
  const storage = place.open(atEnd);
  const pairs = [];
  const skipped = [];
  for (const log of await place.counted(options.log)) {
    const { name } = log;
    const past = await pastOf(terminal, place, { storage, log, at, atEnd });
    if (!past.isReached) {
      skipped.push({ log: name, reason: whyNotReached(past.begins) });
      continue;
    }
    const work = storage.rebuildStateFromLog(name, { at });
    const then = await terminal.waiting(`Reading ${name}`, work, bytesOfHistory(log));
    pairs.push({
      name,
      left: { what: `${name} at ${at.toISOString()}`, state: then },
      right: { what: `${name} now`, state: Object.fromEntries(await entriesOf(terminal, storage, log)) },
    });
  }
  if (pairs.length > 0 && !(options.log && skipped.length > 0)) return { pairs, skipped };
  const all = skipped.map(({ log, reason }) => `${log}: ${reason}`).join('; ') || 'there are no logs';
  throw new Stop(`What was at ${at.toISOString()} is not known: ${all}.`, {
    code: 'ERR_NO_HISTORY',
    hint: 'Give a later time.',
  });
}

async function ofTwoPlaces({ terminal, options, atEnd }, one, other) {
  const [logsOfOne, logsOfOther] = [await one.logs(), await other.logs()];
  const known = [...new Set([...logsOfOne, ...logsOfOther].map(({ name }) => name))];
  const strange = options.log?.find((name) => !known.includes(name));
  if (strange !== undefined)
    throw placeError('ERR_NO_LOG', `Neither place has a log '${strange}'.`, `The logs: ${known.join(', ')}.`);
  const names = options.log ?? known;
  const load = async (place, logs) => {
    const storage = place.open(atEnd);
    const states = {};
    for (const name of names) {
      const log = logs.find((found) => found.name === name);
      states[name] = log ? Object.fromEntries(await entriesOf(terminal, storage, log)) : {};
    }
    return states;
  };
  const [left, right] = [await load(one, logsOfOne), await load(other, logsOfOther)];
  const pairs = names.map((name) => ({
    name,
    left: { what: nameAt(one, name), state: left[name] },
    right: { what: nameAt(other, name), state: right[name] },
  }));
  return { pairs, skipped: [] };
}

const nameAt = (place, name) =>
  place.isServer ? `${name} in the ${place.title}` : path.join(place.dataDir, name);

// `{ same, equalKeys, changes }`: the keys whose values differ between two states.
async function compare(terminal, name, from, to) {
  const changes = [];
  let equalKeys = 0;
  const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
  const progress = terminal.progress(`Comparing ${name}`, keys.size);
  let done = 0;
  for (const key of keys) {
    await breathe(++done, progress);
    const [was, is] = [own(from, key), own(to, key)];
    if (was !== undefined && is !== undefined && equal(was, is)) equalKeys += 1;
    else changes.push({ key, from: was, to: is });
  }
  progress.end();
  return { same: changes.length === 0, equalKeys, changes };
}

const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);

function show(terminal, { from, to, same, equalKeys, changes }, shownMax) {
  const text = `${from} → ${to}: ${same ? `the same, ${plural(equalKeys, 'key')}` : `${plural(changes.length, 'key differs', 'keys differ')}, ${count(equalKeys)} the same`}`;
  terminal.check({ ok: same, text });
  for (const change of changes.slice(0, shownMax)) showKey(terminal, change);
  if (changes.length > shownMax) terminal.line(`      … and ${count(changes.length - shownMax)} more`);
}

// A key that came or went on one line; of one that changed, a line for each field.
function showKey(terminal, { key, from, to }) {
  const put = (indent, lines) => {
    for (const { sign, text } of lines) terminal.fitted([indent], [`${sign} ${text}`, SIGN_COLOURS[sign]]);
  };
  const columns = terminal.width - KEY_INDENT.length - 2;
  if (![from, to].every(isRecord) && ![from, to].every(Array.isArray)) {
    put(KEY_INDENT, linesOfChange({ path: JSON.stringify(key), from, to }, columns));
    return;
  }
  terminal.fitted([`${KEY_INDENT}~ `, SIGN_COLOURS['~']], [JSON.stringify(key), 'bold']);
  put(FIELD_INDENT, changeLines(from, to, columns - FIELD_INDENT.length + KEY_INDENT.length));
}
