// Reading the lines of a log file one after the other, with their places, while a bot may be writing it.
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

// Calls `onLine` for each line. Gives `{ sizeBytes, next }`, or null when there is no such file.
export async function eachLine(file, { onLine, onRestart = () => {}, progress } = {}) {
  for (let attempt = 0; attempt < RESTARTS_MAX; attempt++) {
    const read = await tryEachLine(file, onLine, progress);
    if (read !== 'replaced') return read;
    onRestart();
  }
  throw new Stop(`'${file}' was replaced again and again while it was read.`, {
    code: 'ERR_LOG_REPLACED',
    hint: 'Try again when the bot is not compacting it.',
  });
}

async function tryEachLine(file, onLine, progress) {
  const began = inode(file);
  if (began === undefined) return null;
  let from = { offset: 0, line: 1 };
  let waits = 0;
  for (;;) {
    const piece = readLogLines(file, from);
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

// What a log file is made of, and every line that is not good.
export async function examine(file, { onEntry = () => {}, onRestart = () => {}, progress } = {}) {
  let found;
  const begin = () => {
    found = {
      lines: 0,
      entries: 0,
      checked: 0,
      plain: 0,
      checkpoints: 0,
      edits: 0,
      damaged: [],
      torn: null,
      oldest: null,
      newest: null,
      sizeBytes: 0,
    };
    found.operation = null;
  };
  begin();
  const onLine = (line) => {
    if (line.state === 'empty') return;
    found.lines += 1;
    const place = () => ({
      line: line.line,
      offset: line.offset,
      sizeBytes: line.sizeBytes,
      key: line.key ?? null,
      reason: line.reason,
    });
    if (line.state === 'damaged') {
      found.damaged.push(place());
      if (found.operation) found.operation.more -= 1;
      if (found.operation?.more <= 0) found.operation = null;
      return;
    }
    if (line.state === 'torn') {
      found.torn = { ...place(), reason: 'it was cut short' };
      return;
    }
    if (line.endsOperation) {
      found.operation = null;
      return;
    }
    found.entries += 1;
    found[line.state] += 1;
    if (line.isEdit) found.edits += 1;
    if (line.entry.op === 'CHECKPOINT') found.checkpoints += 1;
    const time = line.entry.timestamp ?? line.entry.compactedAt;
    if (typeof time === 'string') {
      found.oldest ??= time;
      found.newest = time;
    }
    if (line.more) found.operation ??= { ...place() };
    if (found.operation) found.operation.more = line.more ?? 0;
    if (!line.more) found.operation = null;
    onEntry(line.entry, line);
  };
  const read = await eachLine(file, {
    onLine,
    onRestart: () => {
      begin();
      onRestart();
    },
    progress,
  });
  if (read === null) return null;
  if (found.operation) {
    const { line, offset } = found.operation;
    found.torn = {
      line,
      offset,
      sizeBytes: read.sizeBytes - offset,
      key: null,
      reason: 'its operation of several lines was not finished',
    };
  }
  delete found.operation;
  found.sizeBytes = read.sizeBytes;
  return found;
}

// Calls `onChange(key, value)` for each key that an entry changes; `value` undefined: it is removed. The rules are
// those of replay.
export function eachChange(entry, onChange) {
  if (entry.op === 'SET' && entry.key) onChange(String(entry.key), entry.value);
  else if (entry.op === 'SET' || entry.op === 'CHECKPOINT') {
    const members = entry.op === 'SET' ? entry.data : entry.state;
    if (members === null || typeof members !== 'object' || Array.isArray(members)) return;
    for (const [key, value] of Object.entries(members)) onChange(key, value);
  } else if (entry.op === 'DELETE' && entry.key !== undefined) onChange(String(entry.key), undefined);
}
