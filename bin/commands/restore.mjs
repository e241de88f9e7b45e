// `restore`: the data as it was at a point in time, in a new folder.
//
// Invariant: the new folder appears whole, by a rename, or not at all; the data folder is only read.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Storage } from '../../index.js';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { EXIT, Stop, usageError } from '../support/errors.mjs';
import { bytesToRead, chosenLogs, dataFolder, openStorage } from '../support/folder.mjs';
import { plural } from '../support/terminal.mjs';
import { parseTime } from '../support/time.mjs';

export const summary = 'the data as it was at a point in time, into a new folder';
export const usage = '[path] --at TIME --into FOLDER [options]';
export const help = `
Rebuilds the logs below path (a data folder or a bot's folder; default: the current folder) as they were at a
point in time, from log, backups and archives, and writes them to a new data folder: a log and a JSON file each.
The data itself is only read, and a bot may be running. To go back to it, stop the bot and put the new folder in
the place of the old one; keep the old one.

A log whose files do not reach back that far is a failure; --log chooses those to restore.
`;
export const positionals = { max: 1 };
export const options = {
  at: {
    type: 'string',
    value: 'TIME',
    description: 'the point in time: 2026-01-31T20:15:00Z, or an age: 30m, 2h, 3d',
  },
  into: { type: 'string', value: 'FOLDER', description: 'the new folder; it must not be there, or be empty' },
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  ...confirmOptions,
};

const IN_FLIGHT = 500;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  if (!options.at) throw usageError('The time is missing.', 'Give --at TIME.');
  if (!options.into) throw usageError('The new folder is missing.', 'Give --into FOLDER.');
  const at = parseTime(options.at, '--at');
  const target = path.resolve(cwd, options.into);
  checkTarget(target);
  const dataDir = dataFolder(positionals[0], cwd);
  const storage = openStorage(dataDir, atEnd);
  const states = [];
  for (const log of chosenLogs(dataDir, options.log)) {
    const { name, mirror } = log;
    const work = storage.rebuildStateFromLog(name, { at });
    const state = await terminal.waiting(`Reading ${name}`, work, bytesToRead(log, true));
    // A log of plain entries has no state to restore.
    if (mirror || Object.keys(state).length > 0) states.push({ name, state });
  }
  const report = { dataDir, into: target, at: at.toISOString(), logs: [], done: false };
  terminal.title(`${dataDir} at ${at.toISOString()}`);
  for (const { name, state } of states) {
    const keys = Object.keys(state).length;
    report.logs.push({ name, keys });
    terminal.fact(name, plural(keys, 'key'));
  }
  terminal.fact('into', target);
  if (!(await confirmed(terminal, options, 'Write this folder?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  await write(terminal, states, target, atEnd);
  report.done = true;
  terminal.line(`Written. To use it, stop the bot and put it in the place of ${dataDir}; keep that.`);
  terminal.result(report);
  return EXIT.ok;
}

function checkTarget(target) {
  const stat = statSync(target, { throwIfNoEntry: false });
  if (stat && !(stat.isDirectory() && readdirSync(target).length === 0)) {
    throw new Stop(`'${target}' is there already and is not empty.`, {
      code: 'EEXIST',
      hint: 'Give a folder that is not there yet.',
    });
  }
}

async function write(terminal, states, target, atEnd) {
  mkdirSync(path.dirname(target), { recursive: true });
  // A name that nobody can have put something at.
  const temporary = `${target}.${randomBytes(8).toString('hex')}.tmp`;
  atEnd(() => rmSync(temporary, { recursive: true, force: true }));
  // Synced by the flush at its end; until then nobody needs it.
  const storage = new Storage({ dataDir: temporary, fsync: 'interval' });
  // Before it is removed, so that nothing is written there afterwards. Ctrl-C may come while it is being closed: whoever
  // comes second waits for the same end, as closing twice is refused.
  let closing;
  const close = () => {
    closing ??= storage.close();
    return closing;
  };
  atEnd(close);
  try {
    mkdirSync(temporary);
    for (const { name, state } of states) {
      const collection = storage.collection(name);
      const entries = Object.entries(state);
      const progress = terminal.progress(`Writing ${name}`, entries.length);
      for (let from = 0; from < entries.length; from += IN_FLIGHT) {
        const part = entries.slice(from, from + IN_FLIGHT);
        await Promise.all(part.map(([key, value]) => collection.set(key, value)));
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
  // The one log before the compaction is of no use to anybody.
  const logs = path.join(temporary, 'logs');
  if (existsSync(logs))
    for (const file of readdirSync(logs)) if (file.includes('.log.backup.')) rmSync(path.join(logs, file));
  if (existsSync(target)) rmdirSync(target);
  renameSync(temporary, target);
}
