// `undo`: sets a key to an earlier value, as a new entry.

import { setUnlessChanged } from '../support/change.mjs';
import { chosenLog } from '../support/chosen-logs.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { openStorage } from '../support/contents.mjs';
import { dataFolder } from '../support/data-folder.mjs';
import { EXIT, Stop, usageError } from '../support/errors.mjs';
import { bytesOfHistory, bytesToRead } from '../support/log-files.mjs';
import { parseTime } from '../support/time.mjs';
import { describeDifferences, equal, short } from '../support/values.mjs';

export const summary = 'give a key its previous value, or the one of a time, as a new entry';
export const usage = 'KEY [path] [options]';
export const help = `
Sets KEY in a log below path (a data folder or a bot's folder; default: the current folder) to the value that it
had before its last change or, with --to, at a point in time. If the key did not exist then, it is removed. The
command shows both values and asks first. Nothing is removed from the log: the value is a new entry, so an undo
can be undone. A bot may be running; if it changes the key after the question, nothing is written.
`;
export const positionals = { min: 1, max: 2 };
export const options = {
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  to: {
    type: 'string',
    value: 'TIME',
    description: 'the value at this time (2026-01-31T20:15:00Z, or an age: 2h, 3d)',
  },
  ...confirmOptions,
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const [key, folder] = positionals;
  if (key === '') throw usageError('The key is empty.');
  const dataDir = dataFolder(folder, cwd);
  const log = chosenLog(dataDir, options.log);
  const { name } = log;
  const storage = openStorage(dataDir, atEnd);
  const collection = storage.collection(name);
  const now = await terminal.waiting(`Reading ${name}`, collection.get(key), bytesToRead(log));
  const work = options.to
    ? valueAt(storage, name, key, parseTime(options.to, '--to'))
    : valueBefore(storage, name, key, now);
  const then = await terminal.waiting('Reading log and backups', work, bytesOfHistory(log));
  const report = { dataDir, log: name, key, now, then, done: false };
  terminal.title(`${JSON.stringify(key)} in ${name}`);
  terminal.fact('now', short(now));
  terminal.fact('then', short(then));
  if (equal(now, then)) {
    terminal.line('It has that value. There is nothing to do.');
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  terminal.fact('changes', describeDifferences(now, then));
  if (!(await confirmed(terminal, options, then === undefined ? 'Remove it?' : 'Write this?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  const isDone =
    then === undefined
      ? await removeUnlessChanged(collection, key, now)
      : await setUnlessChanged(storage, name, key, now, then);
  if (!isDone) {
    throw new Stop(`The key ${JSON.stringify(key)} changed meanwhile. Nothing was written.`, {
      code: 'ERR_CHANGED',
      hint: 'Check its history, and try again.',
    });
  }
  report.done = true;
  terminal.line('Done.');
  terminal.result(report);
  return EXIT.ok;
}

async function valueAt(storage, name, key, at) {
  const state = await storage.rebuildStateFromLog(name, { at });
  if (Object.hasOwn(state, key)) return state[key];
  const [first] = await storage.history(name, key);
  if (isFromBefore(first) && !(Date.parse(first?.timestamp) <= at.getTime())) throw unknown(name, key, first);
  return undefined;
}

async function valueBefore(storage, name, key, now) {
  const history = await storage.history(name, key);
  const before = history.findLast(({ value }) => !equal(value, now));
  if (before) return before.value;
  if (isFromBefore(history[0])) throw unknown(name, key, history[0]);
  // The key did not exist before its first entry.
  return undefined;
}

// Whether the key may have existed before its first record. A checkpoint holds older entries, and a logged edit of
// the JSON file may have been in that file for long.
const isFromBefore = (first) => !first || first.op === 'CHECKPOINT' || first.isExternalEdit;

function unknown(name, key, first) {
  const named = JSON.stringify(key);
  let message = `The key ${named} was never seen in '${name}'.`;
  if (first?.isExternalEdit)
    message = `What ${named} was before ${first.timestamp} is unknown: its value then came from the JSON file.`;
  else if (first)
    message = `No other value of ${named} is recorded: its older lines were in a backup that is gone.`;
  return new Stop(message, { code: 'ERR_NO_HISTORY', hint: 'Nothing was changed.' });
}

// A collection has no conditional removal, so this check and the removal are two steps. A change between them is
// removed too, but stays in the log.
async function removeUnlessChanged(collection, key, expected) {
  if (!equal(await collection.get(key), expected)) return false;
  await collection.delete(key);
  return true;
}
