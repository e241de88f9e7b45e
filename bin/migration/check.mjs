// Compares a log that was copied with its source: the number and the hash of all entries, the hash of the state as a bot
// loads it, and the states at twenty points in time. Of a folder also the entries of its log, and the histories of keys.
//
// Invariant: what was copied is not compared only with the reading that it was copied by. States, histories and the entries
// of a folder's log are what a Storage of the source says.

import { createHash } from 'node:crypto';
import { withTime } from '../../lib/entries.mjs';
import { Stop } from '../support/errors.mjs';

const TIMES = 20;
const KEYS = 50;

function hashOf(state) {
  const hash = createHash('sha256');
  const members = Object.entries(state).map(([key, value]) => [key, JSON.stringify(value)]);
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  for (const member of members) hash.update(JSON.stringify(member)).update('\n');
  return hash.digest('hex');
}

// `{ keys, times }`. Ends the command where something differs.
export async function checkLog({ terminal, source, target, log, seen }) {
  const progress = terminal.progress(`Checking ${log.name}`, TIMES + 3);
  const differs = (what) => {
    throw new Stop(`The copy of '${log.name}' differs from its source: ${what}.`, {
      code: 'ERR_CHECK_FAILED',
      hint: 'The source is as it was, and not marked. Empty the target, and see that nothing writes to either place.',
    });
  };
  try {
    const hash = createHash('sha256');
    let entries = 0;
    for await (const entry of target.stored(log.name)) {
      entries += 1;
      hash.update(JSON.stringify(entry)).update('\n');
    }
    if (entries !== seen.entries) differs(`${entries} entries instead of ${seen.entries}`);
    if (hash.digest('hex') !== seen.hash) differs('the hash of the entries');
    progress.add(1);
    const [from, to] = [await loadedState(source.storage, log), await loadedState(target.storage, log)];
    const keys = Object.keys(from).length;
    if (Object.keys(to).length !== keys) differs(`${Object.keys(to).length} keys instead of ${keys}`);
    if (hashOf(from) !== hashOf(to)) differs('the hash of the values');
    progress.add(1);
    if (source.history !== undefined) {
      await checkEntries({ source, target, log, seen, differs });
      await checkHistories({ source, target, log, keys: Object.keys(from), differs });
    }
    progress.add(1);
    const times = timesOf(seen);
    for (const at of times) {
      const [then, copied] = [await stateAt(source.storage, log, at), await stateAt(target.storage, log, at)];
      if (then !== copied) differs(`the state at ${new Date(at).toISOString()}`);
      progress.add(1);
    }
    return { keys, times: times.length };
  } finally {
    progress.end();
  }
}

// The entries of the log as it stands are the last ones of the copy, but for the edit of the JSON file.
async function checkEntries({ source, target, log, seen, differs }) {
  if (!log.log) return;
  const last = [];
  const own = [];
  for await (const entry of source.storage.streamLogEntries(log.name)) {
    if (entry.op === 'CHECKPOINT' && own.length === 0) continue;
    own.push(entry.timestamp === undefined ? null : hashOfText(JSON.stringify(withTime(entry))));
  }
  const begin = seen.entries - seen.edits - own.length;
  let number = 0;
  for await (const entry of target.stored(log.name)) {
    if (number >= begin && number < begin + own.length) last.push(hashOfText(JSON.stringify(entry)));
    number += 1;
  }
  const isSame = own.every(
    (hash, index) => last[index] !== undefined && (hash ?? last[index]) === last[index],
  );
  if (!isSame) differs('the newest entries');
}

const hashOfText = (text) => createHash('sha1').update(text).digest('latin1');

// Each record that the source has of a key is there, in the same order. Where equal entries stand on both sides of a
// compaction, the copy may have one more: none is lost.
async function checkHistories({ source, target, log, keys, differs }) {
  const { keysAtJoints, ownKeys } = source.history;
  const step = Math.max(1, Math.floor((2 * keys.length) / KEYS));
  const spread = keys.filter((_, index) => index % step === 0);
  const chosen = [...new Set([...keysAtJoints, ...spread])].filter((key) => key !== '').slice(0, KEYS);
  for (const key of chosen) {
    const [wanted, found] = [await recordsOf(source, log, key), await recordsOf(target, log, key)];
    const isSame = ownKeys.has(key) ? isCovered(wanted, found) : isInOrder(wanted, found);
    if (!isSame) differs(`the history of ${JSON.stringify(key)}`);
  }
}

function isInOrder(wanted, found) {
  const known = new Set(wanted);
  let at = 0;
  for (const record of found) {
    if (record === wanted[at]) at += 1;
    else if (!known.has(record)) return false;
  }
  return at === wanted.length;
}

// Of a key of which the copy says something else, what an entry of its own recorded is there.
function isCovered(wanted, found) {
  const known = new Set(found);
  return wanted.every((record) => known.has(record) || isCheckpointOrTimeless.test(record));
}

const isCheckpointOrTimeless = /^\["[^"]*","CHECKPOINT"|^\[null,/;

async function recordsOf({ storage }, { name }, key) {
  const records = await storage.history(name, key);
  return records.map(({ timestamp, op, value, expiresAt }) =>
    JSON.stringify([timestamp, op, value, expiresAt]),
  );
}

// As a bot loads it. A log of plain entries is no collection, and reading it as one could make it one.
async function loadedState(storage, { name, mirror }) {
  const replayed = await storage.rebuildStateFromLog(name);
  if (!mirror && Object.keys(replayed).length === 0) return replayed;
  return Object.fromEntries(await storage.collection(name).entries());
}

async function stateAt(storage, { name }, at) {
  try {
    return hashOf(await storage.rebuildStateFromLog(name, { at }));
  } catch (error) {
    if (error.code === 'ERR_NO_HISTORY') return error.code;
    throw error;
  }
}

// Times of entries, evenly among them, and one before the first. What an edit of the JSON file was before it was logged is
// unknown.
function timesOf({ times, editTime }) {
  const known = times.filter((ms) => editTime === null || ms < editTime);
  if (known.length === 0) return [];
  const step = (known.length - 1) / (TIMES - 2);
  const chosen = Array.from({ length: TIMES - 1 }, (_, number) => known[Math.round(number * step)]);
  return [...new Set([known[0] - 1, ...chosen])];
}
