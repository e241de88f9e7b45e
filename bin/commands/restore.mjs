// `restore`: writes the data as it was at a point in time into a new folder.
//
// Invariant: the new folder appears whole, by a rename, or not at all. The data folder is only read.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Storage } from '../../index.js';
import { setAny } from '../support/change.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { EXIT, Stop, usageError } from '../support/errors.mjs';
import { count, plural } from '../support/format.mjs';
import { bytesOfHistory } from '../support/log-files.mjs';
import { endsAt, pastOf, splitByEnd, whyNotReached } from '../support/past.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';
import { parseTime } from '../support/time.mjs';

export const summary = 'the data as it was at a point in time, into a new folder';
export const usage = '[path] --at TIME --into FOLDER [options]';
export const help = `
Rebuilds the logs below path (a data folder or a bot's folder; default: the current folder) as they were at a
point in time, from log, backups and archives. Writes each one to a new data folder, as a log and a JSON file.
The data itself is only read, and a bot may be running. To go back to that time, stop the bot and put the new
folder in the place of the old one; keep the old one.

The command fails (ERR_NO_HISTORY) where the files of a log do not reach back that far, even where the log began
later: its earlier data may have been only in its JSON file. With --log, only the named logs are restored; the new
folder has no others. What was to end by itself later does so there at its time; keys whose time is over by now are
left out and counted, with --json named. A key that came from a JSON file later may have been in that file at that
time: the command names such keys, and asks a question that --yes does not answer.
`;
export const examples = [
  ['how many keys there were two days ago', 'progressive-storage restore --at 2d --into before --dry-run'],
  ['the data of that time in a new folder', 'progressive-storage restore bot/ --at 2d --into before --yes'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  at: {
    type: 'string',
    value: 'TIME',
    description: 'the point in time: 2026-01-31T20:15:00Z, or an age: 30m, 2h, 3d',
  },
  into: { type: 'string', value: 'FOLDER', description: 'the new folder; it must be missing or empty' },
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  ...confirmOptions,
};

const IN_FLIGHT = 500;
const KEYS_SHOWN = 20;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  if (!options.at) throw usageError('The time is missing.', 'Give --at TIME.');
  if (!options.into) throw usageError('The new folder is missing.', 'Give --into FOLDER.');
  const at = parseTime(options.at, '--at');
  const target = path.resolve(cwd, options.into);
  checkTarget(target);
  const place = await placeOf({ options, cwd }, positionals[0]);
  const storage = place.open(atEnd);
  const states = [];
  for (const log of await place.counted(options.log)) {
    const { name } = log;
    const work = storage.rebuildStateFromLog(name, { at });
    const state = await terminal.waiting(`Reading ${name}`, work, bytesOfHistory(log));
    const past = await pastOf(terminal, place, { storage, log, at, atEnd });
    if (!past.isReached) throw noHistory(log, at, past.begins);
    const missing = past.later.filter((key) => !Object.hasOwn(state, key));
    const ends = await endsAt(terminal, place, { log, at, atEnd });
    const entries = Object.entries(state).map(([key, value]) => [key, value, ends.get(key)]);
    // A log of plain entries has no state.
    if (log.mirror || log.counts?.isCollection || entries.length > 0 || missing.length > 0)
      states.push({ name, ...splitByEnd(entries), missing });
  }
  const report = { ...place.report, into: target, at: at.toISOString(), logs: [], done: false };
  terminal.title(`${place.title} at ${at.toISOString()}`);
  for (const { name, left, ended, missing } of states) {
    const keys = left.length;
    report.logs.push({
      name,
      keys,
      ...(ended.length > 0 && { ended }),
      ...(missing.length > 0 && { missing }),
    });
    const without = ended.length === 0 ? '' : `, without ${count(ended.length)} that ended by itself since`;
    terminal.fact(name, `${plural(keys, 'key')}${without}`);
  }
  terminal.fact('into', target);
  await askAboutMissing(terminal, options, states);
  if (!(await confirmed(terminal, options, 'Write this folder?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  await write(terminal, states, target, atEnd);
  report.done = true;
  terminal.line(
    place.isServer
      ? 'Written. `migrate` brings it to a server: into another schema, so that the one there stays.'
      : `Written. To use it, stop the bot and put it in the place of ${place.title}; keep that.`,
  );
  terminal.result(report);
  return EXIT.ok;
}

function noHistory({ name }, at, begins) {
  return new Stop(`What '${name}' was at ${at.toISOString()} is not known: ${whyNotReached(begins)}.`, {
    code: 'ERR_NO_HISTORY',
    hint: 'Give a later time, or name with --log the logs to restore. Nothing was written.',
  });
}

async function askAboutMissing(terminal, options, states) {
  const missing = states.filter((one) => one.missing.length > 0);
  if (missing.length === 0) return;
  const details = missing.map(({ name, missing: keys }) => {
    const shown = keys.slice(0, KEYS_SHOWN).map((key) => JSON.stringify(key));
    if (keys.length > KEYS_SHOWN) shown.push(`${count(keys.length - KEYS_SHOWN)} more`);
    return `${name}: ${shown.join(', ')}`;
  });
  terminal.line();
  terminal.line(
    'These keys came from a JSON file later. They may have been in it at that time, and would be missing:',
  );
  for (const text of details) terminal.line(`  ${text}`);
  if (options['dry-run']) return;
  if (!options.yes && (await terminal.confirm('Write the folder without them?'))) return;
  throw new Stop('Keys would be missing that may have been there at that time. Nothing was written.', {
    code: 'ERR_NO_HISTORY',
    hint: 'Give a later time, or answer the question on a terminal, without --yes.',
    details,
  });
}

function checkTarget(target) {
  const stat = statSync(target, { throwIfNoEntry: false });
  if (stat && !(stat.isDirectory() && readdirSync(target).length === 0)) {
    throw new Stop(`'${target}' is there already and is not empty.`, {
      code: 'EEXIST',
      hint: 'Give a new or an empty folder.',
    });
  }
}

async function write(terminal, states, target, atEnd) {
  mkdirSync(path.dirname(target), { recursive: true });
  // A name that nobody can guess: so nothing is there already.
  const temporary = `${target}.${randomBytes(8).toString('hex')}.tmp`;
  atEnd(() => rmSync(temporary, { recursive: true, force: true }));
  // The flush at the end syncs everything. Until then nobody uses the folder.
  const storage = new Storage({ dataDir: temporary, fsync: 'interval' });
  // Closed before the folder is removed: otherwise it could write there again. Ctrl-C may come while it is closing,
  // and a second `close` rejects, so both callers await the same promise.
  let closing;
  const close = () => {
    closing ??= storage.close();
    return closing;
  };
  atEnd(close);
  try {
    mkdirSync(temporary);
    for (const { name, left } of states) {
      const progress = terminal.progress(`Writing ${name}`, left.length);
      for (let from = 0; from < left.length; from += IN_FLIGHT) {
        const part = left.slice(from, from + IN_FLIGHT);
        await Promise.all(part.map(([key, value, end]) => setAny(storage, name, key, value, end)));
        progress.add(part.length);
      }
      progress.end();
      const { liveBytes } = storage.metrics().logs[name] ?? { liveBytes: 0 };
      await terminal.waiting(`Compacting ${name}`, storage.compactLog(name), 2 * liveBytes);
    }
    await terminal.waiting('Syncing', storage.flush());
  } finally {
    await close();
  }
  // The backup of the compaction above has nothing that the new log lacks.
  const logs = path.join(temporary, 'logs');
  if (existsSync(logs))
    for (const file of readdirSync(logs)) if (file.includes('.log.backup.')) rmSync(path.join(logs, file));
  if (existsSync(target)) rmdirSync(target);
  renameSync(temporary, target);
}
