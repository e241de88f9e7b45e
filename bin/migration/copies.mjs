// Which entries two files after each other both have: a compaction writes its checkpoint, and behind it a copy of what was
// appended meanwhile.
//
// ```text
// before    a b c d e                     d e were appended during the compaction
// after     CHECKPOINT(a b c) d e f       a run of 2
// ```
//
// An entry may equal another one, so equal entries alone say nothing. As in `src/files/past/history.rs`:
//   1. the state before the run must be the one of the checkpoint;
//   2. of such runs, the entries before it are not newer than the checkpoint (`compactedAt`), and its own not older. An
//      entry of `appendLogEntry` has the time of its call, and may have been appended later;
//   3. of those that are left, the shortest counts.
//
// Invariant: where nothing decides, an entry is there twice rather than lost.

import { createHash } from 'node:crypto';
import { readLogLines } from '../../index.js';
import { apply, changesOf, spelled } from '../../lib/entries.mjs';

const hashOf = (entry) => createHash('sha1').update(JSON.stringify(entry)).digest('latin1');

// The good entries of a file: `{ entry, isHead }`. The head is the checkpoint that it begins with.
export function* entriesIn(file) {
  let isHead = true;
  for (let from; ; ) {
    const piece = readLogLines(file, from);
    if (piece === null) return;
    for (const { state, entry, isCheckpoint } of piece.lines) {
      if (entry === undefined || (state !== 'checked' && state !== 'plain')) continue;
      isHead &&= isCheckpoint === true;
      yield { entry, isHead };
    }
    if (piece.isEnd) return;
    from = piece.next;
  }
}

// `{ file, checkpoint, compactedMs, hashes, times }`: the checkpoint that a file begins with (null where there is none),
// and the entries behind it.
export function outlineOf(file) {
  const outline = { file, checkpoint: null, compactedMs: Number.NaN, hashes: [], times: [] };
  for (const { entry, isHead } of entriesIn(file)) {
    if (isHead) {
      outline.checkpoint ??= new Map();
      apply(outline.checkpoint, entry);
      outline.compactedMs = Date.parse(entry.compactedAt ?? entry.timestamp);
      continue;
    }
    outline.hashes.push(hashOf(entry));
    outline.times.push(Date.parse(entry.timestamp));
  }
  return outline;
}

// How many of the first entries of a file are copies of the last ones of the file before it.
export function countCopies(before, after) {
  if (after.checkpoint === null) return 0;
  const equal = equalRuns(before.hashes, after.hashes);
  if (equal.length === 1) return 0;
  const fitting = withState(equal, before, after.checkpoint);
  const isBounded = (length) => !(before.times.at(-length - 1) > after.compactedMs);
  const isLater = (length) => !after.times.slice(0, length).some((ms) => ms < after.compactedMs);
  const bounded = fitting.filter(isBounded);
  return bounded.find(isLater) ?? bounded[0] ?? fitting[0] ?? 0;
}

// The lengths of all runs that end one list and begin the other, shortest first, found as Knuth, Morris and Pratt do.
export function equalRuns(before, own) {
  const fallback = [0];
  for (let at = 1, length = 0; at < own.length; at++) {
    while (length > 0 && own[at] !== own[length]) length = fallback[length - 1];
    if (own[at] === own[length]) length += 1;
    fallback.push(length);
  }
  let length = 0;
  for (const hash of before) {
    while (length > 0 && (length === own.length || hash !== own[length])) length = fallback[length - 1];
    if (own.length > 0 && hash === own[length]) length += 1;
  }
  const runs = [];
  for (; length > 0; length = fallback[length - 1]) runs.push(length);
  return [0, ...runs.reverse()];
}

// Those runs before which a file comes to this state.
function withState(runs, { file, hashes }, wanted) {
  const state = new Map();
  let differing = wanted.size;
  const isWanted = (key) => state.get(key) === wanted.get(key);
  const fitting = [];
  const open = new Set(runs);
  const note = (number) => {
    const length = hashes.length - number;
    if (differing === 0 && open.has(length)) fitting.unshift(length);
  };
  let number = 0;
  let isBegun = false;
  for (const { entry, isHead } of entriesIn(file)) {
    if (!isHead && !isBegun) {
      isBegun = true;
      note(0);
    }
    for (const [key, value, expiresAt] of changesOf(entry, state)) {
      const was = isWanted(key);
      if (value === undefined) state.delete(key);
      else state.set(key, spelled(value, expiresAt));
      differing += Number(was) - Number(isWanted(key));
    }
    if (isHead) continue;
    number += 1;
    note(number);
  }
  return fitting;
}
