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

// Calls `onChange(key, value)` for each key that a line changes; `value` undefined: it is removed.
export function eachChange({ changes }, onChange) {
  for (const [key, value] of changes) onChange(key, value);
}
