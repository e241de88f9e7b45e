// `history`: every recorded value of one key, when it changed, and what changed.

import { EXIT, usageError } from '../support/errors.mjs';
import { plural } from '../support/format.mjs';
import { bytesOfHistory } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';
import { describeChanges } from '../support/structure.mjs';
import { parseTime } from '../support/time.mjs';
import { equal, short } from '../support/values.mjs';
import { columnsOf, fit, visible } from '../support/visible.mjs';

export const summary = 'every recorded value of one key, and what changed each time';
export const usage = 'KEY [path] [options]';
export const help = `
Shows every value that KEY had in a log below path (a data folder or a bot's folder; default: the current
folder), oldest first, from the log, its backups and its archives: when, what changed, and in which file it is.
Of a list, it counts the items that were added and removed, and shows the last one. Of the time before the
oldest file, only the value in its checkpoint is known. On a terminal, lines are cut to its width; --values and
--json leave nothing out. EXPIRE stands where a key ended by itself. Nothing is changed, and a bot may be running. Exit code 1 when the key was never seen.
`;
export const positionals = { min: 1, max: 2 };
const CHANGE_COLUMNS_MIN = 24;
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
  terminal.title(`${JSON.stringify(key)} in ${name}`);
  for (const { item, before } of shown)
    terminal.line(row(terminal, { item, before, isWhole: options.values }));
  if (shown.length < found.length)
    terminal.line(`  ${plural(found.length - shown.length, 'older one')} not shown.`);
  if (shown.length === 0) terminal.line(all.length === 0 ? '  It was never seen.' : '  Nothing since then.');
  const now = await storage.collection(name).get(key);
  if (all.length > 0 && !equal(all.at(-1).value, now)) {
    terminal.line(`  Now it is ${short(now)}: edited in the JSON file, and logged with the next write.`);
  }
  terminal.result({ ...place.report, log: name, key, history: shown.map(({ item }) => item), now });
  return all.length === 0 ? EXIT.found : EXIT.ok;
}

// Time, operation, what changed, file. Cut to the width of the terminal, except for whole values.
function row(terminal, { item, before, isWhole }) {
  const { timestamp, op, value, expiresAt, source, isExternalEdit } = item;
  const time = timestamp ?? '(no time)'.padEnd(24);
  const head = op.padEnd(10);
  const place = `  ${source}${isExternalEdit ? ', from the JSON file' : ''}`;
  const end = expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`;
  const text = visible((isWhole ? wholeText(value) : changeText(before, value)) + end);
  if (isWhole) return `  ${time}  ${terminal.bold(head)}  ${text}${terminal.dim(place)}`;
  const left = terminal.width - columnsOf(`  ${time}  ${head}  `);
  if (left < CHANGE_COLUMNS_MIN) return fit(visible(`  ${time}  ${head}  ${text}`), terminal.width);
  const withPlace = left - columnsOf(visible(place));
  // Where both do not fit, what changed matters more than the file.
  if (withPlace < CHANGE_COLUMNS_MIN) return `  ${time}  ${terminal.bold(head)}  ${fit(text, left)}`;
  return `  ${time}  ${terminal.bold(head)}  ${fit(text, withPlace)}${terminal.dim(place)}`;
}

const wholeText = (value) => (value === undefined ? 'nothing' : JSON.stringify(value));

function changeText(before, value) {
  if (before === undefined) return short(value);
  return describeChanges(before, value) || 'the same';
}
