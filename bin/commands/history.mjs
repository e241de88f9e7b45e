// `history`: every recorded value of one key: who changed this, when, and what.

import { EXIT, usageError } from '../support/errors.mjs';
import { bytesToRead, chosenLog, dataFolder, openStorage } from '../support/folder.mjs';
import { parseTime } from '../support/time.mjs';
import { describeDifferences, equal, short } from '../support/values.mjs';

export const summary = 'every recorded value of one key, and what changed each time';
export const usage = 'KEY [path] [options]';
export const help = `
Shows every value that KEY had in a log below path (a data folder or a bot's folder; default: the current folder),
oldest first, from the log, its backups and its archives: when, what changed, and which file tells it. What was
before the oldest file is left as one value, told by its checkpoint. Nothing is changed, and a bot may be running.
Exit code 1 when the key was never seen.
`;
export const positionals = { min: 1, max: 2 };
export const options = {
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
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
  const dataDir = dataFolder(folder, cwd);
  const log = chosenLog(dataDir, options.log);
  const { name } = log;
  const since = options.since && parseTime(options.since, '--since').getTime();
  const storage = openStorage(dataDir, atEnd);
  const work = storage.history(name, key);
  const all = await terminal.waiting('Reading log and backups', work, bytesToRead(log, true));
  const shown = all
    .map((item, index) => ({ item, before: all[index - 1]?.value }))
    .filter(({ item }) => since === undefined || Date.parse(item.timestamp ?? '') >= since);
  terminal.title(`${JSON.stringify(key)} in ${name}`);
  for (const { item, before } of shown) {
    const { timestamp, op, value, source, isExternalEdit } = item;
    const time = timestamp ?? '(no time)'.padEnd(24);
    const place = terminal.dim(`${source}${isExternalEdit ? ', from the JSON file' : ''}`);
    terminal.line(
      `  ${time}  ${terminal.bold(op.padEnd(10))}  ${what(before, value, options.values)}  ${place}`,
    );
  }
  if (shown.length === 0) terminal.line(all.length === 0 ? '  It was never seen.' : '  Nothing since then.');
  const now = await storage.collection(name).get(key);
  if (all.length > 0 && !equal(all.at(-1).value, now)) {
    terminal.line(`  Now it is ${short(now)}: edited in the JSON file, and logged with the next write.`);
  }
  terminal.result({ dataDir, log: name, key, history: shown.map(({ item }) => item), now });
  return all.length === 0 ? EXIT.found : EXIT.ok;
}

function what(before, value, isWhole) {
  if (isWhole) return value === undefined ? 'nothing' : JSON.stringify(value);
  if (before === undefined) return short(value);
  return describeDifferences(before, value) || 'the same';
}
