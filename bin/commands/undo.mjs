// `undo`: sets a key to an earlier value, as a new entry.

import { equal } from '../../lib/values.mjs';
import { confirmOptions } from '../support/confirm.mjs';
import { Stop } from '../support/errors.mjs';
import { bytesOfHistory } from '../support/log-files.mjs';
import { keyOptions, openKey } from '../support/one-key.mjs';
import { endsAt as endsOfLog } from '../support/past.mjs';
import { replaceValue } from '../support/replace-value.mjs';
import { parseTime } from '../support/time.mjs';

export const summary = 'give a key its previous value, or the one of a time, as a new entry';
export const usage = 'KEY [path] [options]';
export const help = `
Sets KEY in a log below path (a data folder or a bot's folder; default: the current folder) to the value that it
had before its last change or, with --to, at a point in time. If the key did not exist then, it is removed. The
command shows both values and asks first. Nothing is removed from the log: the value is a new entry, so an undo
can be undone. A bot may be running; if it changes the key after the question, nothing is written. A value that
was to end by itself still does so at its time; one whose time is over is not put back (exit code 1).
`;
export const examples = [
  ['what the player would get back', 'progressive-storage undo 42 --dry-run'],
  ['the value of two days ago, without a question', 'progressive-storage undo 42 bot/ --to 2d --yes'],
];
export const positionals = { min: 1, max: 2 };
export const options = {
  ...keyOptions,
  to: {
    type: 'string',
    value: 'TIME',
    description: 'the value at this time (2026-01-31T20:15:00Z, or an age: 2h, 3d)',
  },
  ...confirmOptions,
};

export async function run(context) {
  const { terminal, options, positionals, atEnd } = context;
  const [key, folder] = positionals;
  const opened = await openKey(context, key, folder);
  const { place, log, name, storage, now, endsAt } = opened;
  const at = options.to && parseTime(options.to, '--to');
  const past = await terminal.waiting(
    place.isServer ? 'Reading the entries' : 'Reading log and backups',
    at ? valueAt(opened, key, at) : valueBefore(opened, key),
    bytesOfHistory(log),
  );
  const ends = at && past ? await endsOfLog(terminal, place, { log, at, atEnd }) : undefined;
  const expiresAt = ends ? ends.get(key) : past?.expiresAt;
  const end = expiresAt === undefined ? null : { expiresAt };
  const then = past?.value;
  return replaceValue({ terminal, options, place, storage }, { name, key, now, endsAt, then, end });
}

// `{ value }`; undefined where the key was not there.
async function valueAt({ name, storage }, key, at) {
  const state = await storage.rebuildStateFromLog(name, { at });
  if (Object.hasOwn(state, key)) return { value: state[key] };
  const [first] = await storage.history(name, key);
  if (isFromBefore(first) && !(Date.parse(first?.timestamp) <= at.getTime())) throw unknown(name, key, first);
  return undefined;
}

// `{ value, expiresAt }`; undefined where the key was not there.
async function valueBefore({ name, storage, now }, key) {
  const history = await storage.history(name, key);
  const newest = history.at(-1);
  // A value of the JSON file alone has no time there.
  const isLogged = newest !== undefined && equal(newest.value, now);
  const before = history.findLast(
    ({ value, expiresAt }) => !equal(value, now) || (isLogged && expiresAt !== newest.expiresAt),
  );
  if (before) return before.value === undefined ? undefined : before;
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
