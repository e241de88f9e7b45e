// What a log was at a point in time: how far back its files go, and which keys were to end by themselves.
//
// The store says the values (`rebuildStateFromLog`). When they end stands in the entries alone, so these are read once more,
// up to the same one: the last that is not of a later time.

import { closeSync, openSync, readSync } from 'node:fs';
import { changesOf } from '../../lib/entries.mjs';
import { storedEntries } from '../../lib/server-source.mjs';
import { entriesOf, plainFile } from './contents.mjs';
import { eachChange, eachLine } from './lines.mjs';
import { bytesOfHistory, bytesToRead } from './log-files.mjs';

// How far back the files of a log go: `{ begins, isReached, later }`. `begins` is the time of the oldest entry,
// `isReached` says whether that is before `at`. `later` are keys that came from the JSON file after `at`, or are only
// there: when that file got them is unknown. On a server, `log` is one of `place.counted`.
export async function pastOf(terminal, place, { storage, log, at, atEnd }) {
  if (place.isServer) return pastOnServer(log, at);
  const old = [...log.backups, ...log.archives].sort((one, other) => one.number - other.number);
  // Read before the files, because a bot may be writing: so the files below have each of these keys, unless only the
  // JSON file has it.
  const current = await entriesOf(terminal, storage, log);
  const past = { begins: null, isReached: false, later: [] };
  const known = new Set();
  let entries = 0;
  for (const file of [...old, log.log].filter(Boolean)) {
    await eachLine(await plainFile(terminal, file, atEnd), {
      want: { entries: false, changes: true },
      onLine: ({ state, time, isEdit, changes = [] }) => {
        if (state === 'damaged' || state === 'torn') return;
        entries += changes.length > 0 ? 1 : 0;
        const ms = time === undefined ? Number.NaN : new Date(time).getTime();
        if (!Number.isNaN(ms)) past.begins ??= new Date(ms).toISOString();
        past.isReached ||= ms <= at.getTime();
        for (const [key] of changes) {
          if (isEdit && ms > at.getTime() && !known.has(key)) past.later.push(key);
          known.add(key);
        }
      },
    });
  }
  for (const [key] of current) if (!known.has(key)) past.later.push(key);
  // Entries without a time may be of any age. Without any data, nothing can be missing.
  if (past.begins === null) past.isReached = entries > 0 || current.length === 0;
  past.later = [...new Set(past.later)];
  return past;
}

// On a server every key is in the entries, so nothing can be missing.
function pastOnServer({ counts }, at) {
  const begins = counts.oldestMs === null ? null : new Date(counts.oldestMs).toISOString();
  return { begins, isReached: begins === null || counts.oldestMs <= at.getTime(), later: [] };
}

export const whyNotReached = (begins) =>
  begins === null ? 'only its JSON file has data, which has no times' : `it begins at ${begins}`;

// When keys of a log end by themselves, as a Map in milliseconds since 1970; with `at` (a Date), as it was then. It has keys
// that are over, and may have some that are not there: it is asked for those that are.
export async function endsAt(terminal, place, { log, at, atEnd }) {
  const replay = new Replay(at);
  if (place.isServer) {
    for await (const entry of storedEntries(place, log.name, undefined, await startOf(place, log, at)))
      replay.take({
        changes: changesOf(entry),
        until: entry.op === 'EXPIRE' ? entry._until : undefined,
        time: entry.timestamp ?? entry.compactedAt,
      });
    return replay.ends;
  }
  const old = at ? [...log.backups, ...log.archives].sort((one, other) => one.number - other.number) : [];
  const files = [];
  for (const file of [...old, log.log].filter(Boolean))
    files.push(await plainFile(terminal, file, atEnd).catch(unlessGone));
  if (!files.some(namesEnds)) return replay.ends;
  const work = async () => {
    for (const file of files.filter(Boolean)) await readEnds(file, replay);
  };
  const total = at ? bytesOfHistory(log) : bytesToRead(log);
  await terminal.waiting(`Reading when keys of ${log.name} end`, work(), total);
  return replay.ends;
}

// The same for a file alone, which is not compressed.
export async function endsIn(file) {
  const replay = new Replay();
  if (namesEnds(file)) await readEnds(file, replay);
  return replay.ends;
}

async function readEnds(file, replay) {
  const before = new Map(replay.ends);
  await eachLine(file, {
    want: { entries: false, changes: true },
    onLine: (line) => {
      if (line.state !== 'damaged' && line.state !== 'torn' && line.changes) replay.take(line);
    },
    onRestart: () => replay.begin(before),
  });
}

// On a server the newest generation has all that counts now. It begins with its checkpoint.
async function startOf(place, { name }, at) {
  if (at) return undefined;
  const newest = (await place.ask('generations', name)).at(-1);
  return newest ? [String(BigInt(newest.seq) - 1n), String(2 ** 31 - 1)] : undefined;
}

class Replay {
  ends = new Map();
  #atMs;
  // What came since the last entry that counts.
  #waiting = [];
  #lastMs;

  constructor(at) {
    this.#atMs = at?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  begin(ends) {
    this.ends = new Map(ends);
    this.#waiting = [];
  }

  take({ changes, until, time }) {
    // One without a time belongs to the one before it.
    const ms = Date.parse(time ?? '');
    if (!Number.isNaN(ms)) this.#lastMs = ms;
    // Their values are let go.
    this.#waiting.push({ changes: changes.map(([key, , expiresAt]) => [key, null, expiresAt]), until });
    if (this.#lastMs > this.#atMs) return;
    for (const change of this.#waiting) eachChange(change, this.ends, () => {});
    this.#waiting = [];
  }
}

// A bot's compaction may remove a backup at any time.
function unlessGone(error) {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}

const NAME = Buffer.from('"_expires"');
const PIECE_BYTES = 1 << 20;

// Whether a file has the name of that property somewhere: most logs do not, and need not be read line by line.
function namesEnds(file) {
  let handle;
  try {
    if (file !== undefined) handle = openSync(file, 'r');
  } catch (error) {
    unlessGone(error);
  }
  if (handle === undefined) return false;
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let kept = 0; ; ) {
      const read = readSync(handle, piece, kept, PIECE_BYTES - kept, null);
      if (read === 0) return false;
      const end = kept + read;
      if (piece.subarray(0, end).includes(NAME)) return true;
      // The name may stand across two pieces.
      kept = Math.min(NAME.length - 1, end);
      piece.copyWithin(0, end - kept, end);
    }
  } finally {
    closeSync(handle);
  }
}

// The pairs `[key, value, expiresAt]` that can be put back, and as `{ key, expiresAt }` those that are over by now.
export function splitByEnd(pairs, now = Date.now()) {
  const [left, ended] = [[], []];
  for (const pair of pairs) {
    const [key, , expiresAt] = pair;
    if (expiresAt <= now) ended.push({ key, expiresAt });
    else left.push(pair);
  }
  return { left, ended };
}
