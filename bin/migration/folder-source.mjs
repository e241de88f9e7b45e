// All entries of a log of a folder in one sequence: from its backups and archives, the log, and the JSON file.
//
// ```text
// backup 1   CHECKPOINT a b c d
// backup 2              CHECKPOINT c d e f          c d were appended during the compaction: both files have them
// log                              CHECKPOINT g     the JSON file differs from it: an edit h
// gives      CHECKPOINT a b c d e f g h
// ```
//
// A checkpoint says nothing new where it shows what the files before it come to, so it is left out. Where a file is
// missing between two, the keys that differ become entries with the time of the checkpoint.
//
// Invariant: the entries come to the state that a bot loads.

import { statSync } from 'node:fs';
import { apply, between, changesOf, endOf, later, spelled, withTime } from '../../lib/entries.mjs';
import { plainFile } from '../support/contents.mjs';
import { countCopies, entriesIn, outlineOf } from './copies.mjs';

const OLDEST = '1970-01-01T00:00:00.000Z';
// Entries on both sides of a joint between two files whose keys are compared in the end.
const AT_JOINT = 3;

export class FolderSource {
  #context;
  #checkUnchanged;
  // Of the log that was read last: keys of entries beside a joint between two files, and keys of which this sequence says
  // something else than `history`: where a file is missing, where the JSON file was edited, where a copy has the time of a
  // call before the compaction, and where an entry has no time.
  history = { keysAtJoints: new Set(), ownKeys: new Set() };

  // `checkUnchanged` rejects where the source was written to since the copy began.
  constructor(context, storage, checkUnchanged) {
    this.#context = context;
    this.storage = storage;
    this.#checkUnchanged = checkUnchanged;
  }

  async *entries(log) {
    const files = [...log.backups, ...log.archives].sort((one, other) => one.number - other.number);
    this.history = { keysAtJoints: new Set(), ownKeys: new Set() };
    const sequence = { state: new Map(), time: OLDEST, before: null };
    for (const file of [...files, log.log].filter(Boolean)) {
      const plain = await plainFile(this.#context.terminal, file, this.#context.atEnd);
      yield* this.#ofFile(plain, sequence);
    }
    yield* this.#edit(log, sequence);
  }

  *#ofFile(file, sequence) {
    const { before } = sequence;
    const outline = outlineOf(file);
    const copies = before === null ? 0 : countCopies(before, outline);
    // What this file comes to, up to where it says something new.
    const own = new Map();
    let number = 0;
    let isJoined = before === null;
    const last = [];
    for (const { entry, isHead } of entriesIn(file)) {
      const timed = withTime(entry, sequence.time);
      if (!isHead) number += 1;
      if (!isHead && entry.timestamp === undefined) this.#noteKeys(this.history.ownKeys, entry);
      if (before !== null && (isHead || number <= copies)) {
        apply(own, timed);
        if (isHead) sequence.checkpointTime = timed.timestamp;
        else if (Date.parse(timed.timestamp) < outline.compactedMs)
          this.#noteKeys(this.history.ownKeys, timed);
        continue;
      }
      if (!isJoined) {
        isJoined = true;
        yield* this.#join(sequence, own, timed.timestamp);
      }
      if (!isHead) {
        if (before !== null && number <= copies + AT_JOINT) this.#noteKeys(this.history.keysAtJoints, timed);
        last.push(timed);
        if (last.length > AT_JOINT) last.shift();
      }
      yield take(sequence, timed);
    }
    if (!isJoined) yield* this.#join(sequence, own, sequence.checkpointTime ?? sequence.time);
    for (const entry of last) this.#noteKeys(this.history.keysAtJoints, entry);
    sequence.before = outline;
  }

  #noteKeys(keys, entry) {
    for (const [key] of changesOf(entry)) keys.add(key);
  }

  *#join(sequence, own, timestamp) {
    const time = later(sequence.checkpointTime ?? timestamp, sequence.time);
    for (const entry of between(sequence.state, own, time)) {
      this.#noteKeys(this.history.ownKeys, entry);
      yield take(sequence, entry);
    }
    sequence.checkpointTime = undefined;
  }

  // What the JSON file has and the log lacks: an edit that is not logged yet, or data that never had a log.
  async *#edit(log, sequence) {
    if (!log.mirror) return;
    const loaded = await this.storage.collection(log.name).entries();
    // Else what a bot has written meanwhile would look like an edit.
    await this.#checkUnchanged();
    // What is over is in no JSON file, and what has an end there keeps it.
    const state = new Map([...sequence.state].filter(([, text]) => endOf(text) > Date.now()));
    const endIn = (key) =>
      endOf(state.get(key)) < Number.POSITIVE_INFINITY ? endOf(state.get(key)) : undefined;
    const now = new Map(loaded.map(([key, value]) => [key, spelled(value, endIn(key))]));
    const modified = new Date(statSync(log.mirror.path).mtimeMs).toISOString();
    const time = later(modified, sequence.time);
    for (const entry of between(state, now, time)) {
      this.#noteKeys(this.history.ownKeys, entry);
      yield { ...take(sequence, entry), isEdit: true };
    }
  }
}

function take(sequence, entry) {
  apply(sequence.state, entry);
  sequence.time = entry.timestamp;
  return { entry };
}
