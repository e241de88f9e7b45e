// Reading the lines of a log file one after the other, with their places, while a bot may be writing it.
//
// What a line is, what it says and what it does to which key is told by the engine (`readLogLines`); nothing here reads an
// entry.
//
// Invariant: the lines come from one file. A log that is replaced meanwhile (a compaction) is read anew from its
// beginning; the caller's `onRestart` forgets what it counted.

import { statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { readLogLines } from '../../index.js';
import { Stop } from './errors.mjs';

const RESTARTS_MAX = 10;
const UNFINISHED_WAIT_MS = 50;
const UNFINISHED_WAITS = 6;

const inode = (file) => statSync(file, { throwIfNoEntry: false })?.ino;

// Calls `onLine` for each line; `told` says what lines have beside their place, as for `readLogLines`. Gives
// `{ sizeBytes, next }`, or null when there is no such file.
export async function eachLine(file, { onLine, onRestart = () => {}, progress, told } = {}) {
  for (let attempt = 0; attempt < RESTARTS_MAX; attempt++) {
    const read = await tryEachLine(file, onLine, progress, told);
    if (read !== 'replaced') return read;
    onRestart();
  }
  throw new Stop(`'${file}' was replaced again and again while it was read.`, {
    code: 'ERR_LOG_REPLACED',
    hint: 'Try again when the bot is not compacting it.',
  });
}

async function tryEachLine(file, onLine, progress, told) {
  const began = inode(file);
  if (began === undefined) return null;
  let from = { offset: 0, line: 1 };
  let waits = 0;
  for (;;) {
    const piece = readLogLines(file, from, told);
    if (piece === null || inode(file) !== began) return 'replaced';
    const { lines, next, isEnd, sizeBytes } = piece;
    const last = lines.at(-1);
    const isUnfinished = isEnd && last?.state === 'torn';
    // A line that is being written at this moment is whole a moment later.
    if (isUnfinished && waits < UNFINISHED_WAITS) {
      waits += 1;
      lines.pop();
      from = { offset: last.offset, line: last.line };
      for (const line of lines) onLine(line);
      await wait(UNFINISHED_WAIT_MS);
      continue;
    }
    for (const line of lines) onLine(line);
    progress?.to(next.offset);
    if (isEnd) return { sizeBytes, next };
    from = next;
    // Lets signals and output through.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// What a log file is made of, and every line that is not good. `onEntry` is called with the line of each entry,
// `onDamage` with each damaged one; `told` says what they have beside their place.
export async function examine(
  file,
  { onEntry = () => {}, onDamage = () => {}, onRestart = () => {}, progress, told } = {},
) {
  let found;
  let operation;
  const begin = () => {
    operation = null;
    found = {
      lines: 0,
      entries: 0,
      checked: 0,
      plain: 0,
      checkpoints: 0,
      edits: 0,
      // Whether the first entry is a checkpoint, as in every log that a compaction left backups of.
      beginsWithCheckpoint: false,
      damaged: [],
      torn: null,
      oldest: null,
      newest: null,
      sizeBytes: 0,
    };
  };
  begin();
  const read = await eachLine(file, {
    onLine: (line) => {
      if (line.state === 'empty') return;
      if (line.state === 'damaged' || line.state === 'torn') {
        if (line.state === 'torn') found.torn = { ...placeOf(line), reason: 'it was cut short' };
        else {
          found.damaged.push(placeOf(line));
          onDamage(line);
        }
        if (operation && !line.isPartOfLine) operation.more -= 1;
        // One that is cut short tells itself that the rest is missing.
        if (operation && (operation.more <= 0 || (line.state === 'damaged' && !line.isTerminated)))
          operation = null;
      } else if (line.endsOperation) operation = null;
      else {
        count(found, line);
        if (line.more) operation = { start: operation?.start ?? placeOf(line), more: line.more };
        else operation = null;
        onEntry(line);
      }
      found.lines += 1;
    },
    onRestart: () => {
      begin();
      onRestart();
    },
    progress,
    told: { entries: false, ...told },
  });
  if (read === null) return null;
  found.sizeBytes = read.sizeBytes;
  if (operation) endWithin(found, operation.start, read);
  return found;
}

function placeOf({ line, offset, sizeBytes, key, reason, isCheckpoint }) {
  return { line, offset, sizeBytes, key: key ?? null, reason, isCheckpoint: isCheckpoint ?? false };
}

function count(found, line) {
  if (found.entries === 0) found.beginsWithCheckpoint = line.isCheckpoint ?? false;
  found.entries += 1;
  found[line.state] += 1;
  if (line.isEdit) found.edits += 1;
  if (line.isCheckpoint) found.checkpoints += 1;
  if (typeof line.time === 'string') {
    found.oldest ??= line.time;
    found.newest = line.time;
  }
}

// The file ends within an operation of several lines: a crash leaves an entry so, but never a checkpoint.
function endWithin(found, start, { sizeBytes, next }) {
  if (!start.isCheckpoint) {
    const { line, offset } = start;
    const reason = 'its operation of several lines was not finished';
    found.torn = { line, offset, sizeBytes: sizeBytes - offset, key: null, reason, isCheckpoint: false };
    return;
  }
  const { line, offset } = found.torn ?? { line: next.line, offset: sizeBytes };
  found.torn = null;
  const reason = 'the rest of the CHECKPOINT is missing';
  found.damaged.push({ line, offset, sizeBytes: sizeBytes - offset, key: null, reason, isCheckpoint: true });
}

// Calls `onChange(key, value)` for each key that a line changes; `value` undefined: it is removed.
export function eachChange({ changes }, onChange) {
  for (const [key, value] of changes) onChange(key, value);
}
