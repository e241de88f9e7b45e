// What can be recovered of lost keys, from backups, archives and damaged lines.
//
// Every backup is older than every line of the log. So a backup is offered only for a key that is gone, and never
// replaces a value that exists.

import path from 'node:path';
import { equal } from '../../lib/values.mjs';
import { entriesOf, stateOfFile } from '../support/contents.mjs';
import { bytesToRead } from '../support/log-files.mjs';
import { endsIn } from '../support/past.mjs';

// `{ unreadable, offers, hopeless, kept }` for what `lossesOf` found:
//   unreadable   backups that cannot be read
//   offers       keys that can be recovered, with value, origin, and when they end by themselves
//   ended        keys that have ended by themselves since, so they are not put back
//   hopeless     keys that no backup has, or that still have an older value
//   kept         keys that the JSON file still has; the next write logs them
export async function offersFor({ terminal, options, atEnd }, { storage, log, lost }) {
  const hasData = log.mirror || log.log;
  const current = Object.fromEntries(hasData ? await entriesOf(terminal, storage, log) : []);
  const isNeeded = lost.keys.size > 0 || lost.isKeyUnknown;
  const { states, unreadable } = isNeeded
    ? await statesOfBackups(terminal, log, atEnd)
    : { states: [], unreadable: [] };
  const keys = new Map(lost.keys);
  if (lost.isKeyUnknown) for (const key of keysGone(states, current, lost.deleted)) keys.set(key, {});
  // Where the bot has a key that the log alone lacks, it comes from the JSON file.
  const logged = keys.size > 0 && log.log ? await loggedState(terminal, storage, log) : current;
  const found = { unreadable, offers: [], ended: [], hopeless: [], kept: [] };
  for (const [key, { value, expiresAt }] of keys) {
    const now = own(current, key);
    const isTrusted = options['trust-damaged'] && value !== undefined;
    if (!isTrusted && now !== undefined && !equal(now, own(logged, key))) {
      found.kept.push({ key });
      continue;
    }
    let offer;
    if (isTrusted) offer = { value, expiresAt, from: 'the damaged line' };
    else if (now === undefined) offer = fromBackups(key, states);
    if (!offer) found.hopeless.push({ key, now });
    else if (offer.expiresAt <= Date.now()) found.ended.push({ key, expiresAt: offer.expiresAt });
    else if (!equal(offer.value, now)) found.offers.push({ key, now, ...offer });
  }
  return found;
}

const own = (state, key) => (Object.hasOwn(state, key) ? state[key] : undefined);

// The states of backups and archives, newest first.
async function statesOfBackups(terminal, log, atEnd) {
  const states = [];
  const unreadable = [];
  const backups = [...log.backups, ...log.archives].sort((one, other) => other.number - one.number);
  for (const backup of backups) {
    try {
      let ends;
      const state = await stateOfFile(terminal, backup, atEnd, async (plain) => {
        ends = await endsIn(plain);
      });
      states.push({ from: path.basename(backup.path), state, ends });
    } catch (error) {
      // Other backups may have the same keys.
      if (error.code !== 'ERR_BACKUP_CORRUPT') throw error;
      unreadable.push({ file: backup.path, problem: error.message });
    }
  }
  return { states, unreadable };
}

// Keys of the newest backup that neither the data has nor the log removes. An older backup may have keys that were
// removed before the newest one was made.
function keysGone(states, current, deleted) {
  const newest = states.find(({ state, ends }) => Object.keys(state).length > 0 || ends.size > 0);
  const keys = newest ? [...Object.keys(newest.state), ...newest.ends.keys()] : [];
  return keys.filter((key) => !Object.hasOwn(current, key) && !deleted.has(key));
}

function loggedState(terminal, storage, log) {
  const work = storage.rebuildStateFromLog(log.name);
  return terminal.waiting(`Reading ${log.name}.log`, work, bytesToRead(log));
}

function fromBackups(key, states) {
  // The state of a file lacks what is over; the times have it.
  const found = states.find(({ state, ends }) => Object.hasOwn(state, key) || ends.get(key) <= Date.now());
  return found && { value: own(found.state, key), from: found.from, expiresAt: found.ends.get(key) };
}
