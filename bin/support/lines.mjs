// Reads the lines of a log file in order, with their places, while a bot may be writing it.
//
// The store (`readLogLines`) decides what a line is, what it says and which keys it changes. Nothing here interprets
// an entry.
//
// Invariant: all lines come from one file. If a compaction replaces the log meanwhile, it is read again from its
// beginning, and the caller's `onRestart` discards its counts.

import { statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { readLogLines } from '../../index.js';
import { Stop } from './errors.mjs';

const RESTARTS_MAX = 10;
const UNFINISHED_WAIT_MS = 50;
const UNFINISHED_WAITS = 6;

const inode = (file) => statSync(file, { throwIfNoEntry: false })?.ino;

// Calls `onLine` for each line. `want` says what a line has beside its place, as for `readLogLines`. Returns
// `{ sizeBytes, next }`, or null where there is no such file.
export async function eachLine(file, { onLine, onRestart = () => {}, progress, want } = {}) {
  for (let attempt = 0; attempt < RESTARTS_MAX; attempt++) {
    const read = await tryEachLine(file, { onLine, progress, want });
    if (read !== 'replaced') return read;
    onRestart();
  }
  throw new Stop(`'${file}' was replaced again and again while it was read.`, {
    code: 'ERR_LOG_REPLACED',
    hint: 'Try again when the bot is not compacting it.',
  });
}

async function tryEachLine(file, { onLine, progress, want }) {
  const began = inode(file);
  if (began === undefined) return null;
  let from = { offset: 0, line: 1 };
  let waits = 0;
  for (;;) {
    const piece = readLogLines(file, from, want);
    if (piece === null || inode(file) !== began) return 'replaced';
    const { lines, next, isEnd, sizeBytes } = piece;
    const last = lines.at(-1);
    const isUnfinished = isEnd && (last?.state === 'torn' || last?.more > 0);
    // The bot may be writing this line, or the ones that follow it, right now: wait until all is whole.
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
    // Lets the event loop handle signals and output.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// Calls `onChange(key, value)` for each key that a line changes; `value` is undefined where it removes the key. `expiries`
// is a Map that the lines of one log keep up to date: when which key ends.
export function eachChange({ changes, until }, expiries, onChange) {
  for (const [key, value, expiresAt] of changes) {
    if (expiresAt === undefined) expiries.delete(key);
    else expiries.set(key, expiresAt);
    onChange(key, value);
  }
  if (until === undefined) return;
  for (const [key, expiresAt] of expiries) {
    if (expiresAt > until) continue;
    expiries.delete(key);
    onChange(key, undefined);
  }
}
