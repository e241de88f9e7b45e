// `history`: every recorded value of one key, when it changed, and what changed.

import { equal } from '../../lib/values.mjs';
import { changeLines, SIGN_COLOURS } from '../support/change-lines.mjs';
import { EXIT, usageError } from '../support/errors.mjs';
import { count, plural } from '../support/format.mjs';
import { bytesOfHistory } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';
import { parseTime } from '../support/time.mjs';

export const summary = 'every recorded value of one key, and what changed each time';
export const usage = 'KEY [path] [options]';
export const help = `
Shows every value that KEY had in a log below path (a data folder, a bot's folder or a server; default: the current
folder), oldest first, from the log, its backups and its archives: when, by which operation, in which file, and
below it what changed: + for a field that came, - for one that went, ~ for an old value and a new one. stats.best
is a field in a field, games[3] an item of a list, games[] one that the list gained or lost. EXPIRE stands where a
key ended by itself. Of the time before the oldest file, only the value in its checkpoint is known.

On a terminal, lines are cut to its width. In a pipe or a file, and with --values and --json, nothing is. Nothing is
changed, and a bot may be running. Exit code 1 when the key was never seen.
`;
export const examples = [
  ['every value of a player', 'progressive-storage history 42'],
  ['what changed in the last two days', 'progressive-storage history 42 --since 2d'],
  ['the newest three values of a guild', 'progressive-storage history 123 bot/ --log guilds --newest 3'],
];
export const positionals = { min: 1, max: 2 };
const INDENT = ' '.repeat(6);
const NO_TIME = '(no time)'.padEnd(24);
// On a terminal, one change shows at most so many lines.
const LINES_MAX = 40;
export const options = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  newest: { type: 'string', short: 'n', value: 'N', description: 'only the newest N' },
  values: { type: 'boolean', description: 'whole values instead of what changed' },
  since: {
    type: 'string',
    value: 'TIME',
    description: 'only from this time on (2026-01-31T20:15:00Z, or an age: 2h, 3d)',
  },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const [key, folder] = positionals;
  if (key === '') throw usageError('The key is empty.');
  const newest = options.newest === undefined ? Number.POSITIVE_INFINITY : Number(options.newest);
  if (options.newest !== undefined && !(Number.isInteger(newest) && newest > 0))
    throw usageError(`--newest is '${options.newest}'; give a whole number, 1 or more.`);
  const place = await placeOf({ options, cwd }, folder);
  const log = await place.log(options.log);
  const { name } = log;
  const since = options.since && parseTime(options.since, '--since').getTime();
  const storage = place.open(atEnd);
  const work = storage.history(name, key);
  const all = await terminal.waiting(
    place.isServer ? 'Reading the entries' : 'Reading log and backups',
    work,
    bytesOfHistory(log),
  );
  const found = all
    .map((item, index) => ({ item, before: all[index - 1]?.value }))
    .filter(({ item }) => since === undefined || Date.parse(item.timestamp ?? '') >= since);
  const shown = found.slice(-newest);
  terminal.fitted([`${JSON.stringify(key)} in ${name}`, 'bold']);
  for (const { item, before } of shown) {
    if (options.values) showWhole(terminal, item);
    else show(terminal, { item, before });
  }
  if (shown.length < found.length)
    terminal.line(`  ${plural(found.length - shown.length, 'older one')} not shown.`);
  if (shown.length === 0) terminal.line(all.length === 0 ? '  It was never seen.' : '  Nothing since then.');
  const now = await storage.collection(name).get(key);
  if (all.length > 0 && !equal(all.at(-1).value, now)) {
    terminal.fitted(['  Now it is edited in the JSON file, which the next write logs:']);
    const lines = changeLines(all.at(-1).value, now, terminal.width - INDENT.length - 2);
    for (const { sign, text } of lines) terminal.fitted([INDENT], [`${sign} ${text}`, SIGN_COLOURS[sign]]);
  }
  terminal.result({ ...place.report, log: name, key, history: shown.map(({ item }) => item), now });
  return all.length === 0 ? EXIT.found : EXIT.ok;
}

const isCut = (terminal) => terminal.width !== Number.POSITIVE_INFINITY;

// Time, operation, file; below it what changed, one line a field.
function show(terminal, { item, before }) {
  const { timestamp, op, value, expiresAt, source, isExternalEdit } = item;
  const lines = changeLines(before, value, terminal.width - INDENT.length - 2);
  terminal.fitted(
    [`  ${timestamp ?? NO_TIME}  `],
    [op.padEnd(10), 'bold'],
    [`  ${source}${isExternalEdit ? ', from the JSON file' : ''}`, 'dim'],
    [expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`],
    [lines.length === 0 ? ', the same value' : ''],
  );
  const shown = isCut(terminal) ? lines.slice(0, LINES_MAX) : lines;
  for (const { sign, text } of shown) terminal.fitted([INDENT], [`${sign} ${text}`, SIGN_COLOURS[sign]]);
  if (shown.length < lines.length)
    terminal.fitted([`${INDENT}… and ${count(lines.length - shown.length)} more: --values shows all`]);
}

// The same on one line, with the whole value, and never cut.
function showWhole(terminal, { timestamp, op, value, expiresAt, source, isExternalEdit }) {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  const end = expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`;
  const place = `  ${source}${isExternalEdit ? ', from the JSON file' : ''}`;
  const head = `  ${timestamp ?? NO_TIME}  ${terminal.bold(op.padEnd(10))}`;
  terminal.line(`${head}  ${text}${end}${terminal.dim(place)}`);
}
