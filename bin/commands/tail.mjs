// `tail`: the newest entries of a log, and, with --follow, those that come.
//
// A compaction replaces the file. The old one stays as a backup (the same file under another name), so what was
// not read of it is read there; the new one begins with checkpoints and then repeats the entries that came during
// the compaction, which are recognised and not shown twice.

import { statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { readLogLines } from '../../index.js';
import { usageError } from '../support/errors.mjs';
import { chosenLog, dataFolder, logsIn } from '../support/folder.mjs';
import { plural } from '../support/format.mjs';
import { eachLine } from '../support/lines.mjs';
import { short } from '../support/values.mjs';

export const summary = 'the newest entries of a log; with -f, those that come';
export const usage = '[path] [options]';
export const help = `
Prints the newest entries of a log below path (a data folder or a bot's folder; default: the current folder), one
a line, oldest first: time, operation, key, value. With --json each is one line of JSON. With --follow it goes on
until Ctrl-C, also over compactions.
`;
export const positionals = { max: 1 };
export const options = {
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  lines: { type: 'string', short: 'n', value: 'N', default: '10', description: 'how many entries' },
  follow: { type: 'boolean', short: 'f', description: 'wait for more' },
};

const POLL_MS = 150;
const REMEMBERED = 5000;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const dataDir = dataFolder(positionals[0], cwd);
  const wanted = Number(options.lines);
  if (!Number.isInteger(wanted) || wanted < 0)
    throw usageError(`--lines is '${options.lines}'; give a whole number from 0 on.`);
  const { name, log } = chosenLog(dataDir, options.log);
  const show = (entry) =>
    terminal.json ? terminal.jsonLine(entry) : terminal.line(describe(terminal, entry));
  const file = log?.path;
  if (file === undefined)
    terminal.note(`note: there is no log '${name}' in '${dataDir}': only its JSON file or old logs of it.`);
  let last = [];
  const read = file
    ? await eachLine(file, {
        onLine: (line) => {
          if (!line.entry) return;
          last.push(line.entry);
          if (last.length > Math.max(wanted, REMEMBERED)) last = last.slice(-Math.max(wanted, REMEMBERED));
        },
        onRestart: () => {
          last = [];
        },
      })
    : null;
  for (const entry of wanted > 0 ? last.slice(-wanted) : []) show(entry);
  if (options.follow)
    await follow({ dataDir, name, show, read, shown: last.map((entry) => JSON.stringify(entry)), atEnd });
}

function describe(terminal, entry) {
  const { timestamp, compactedAt, op, key, value, data, state, ...rest } = entry;
  const parts = [terminal.dim(timestamp ?? compactedAt ?? '-'), terminal.bold(op ?? '-')];
  if (key !== undefined) parts.push(terminal.cyan(String(key)));
  if (value !== undefined) parts.push(short(value, 100));
  for (const members of [data, state]) {
    if (members !== undefined) {
      const keys = plural(Object.keys(members ?? {}).length, 'key');
      parts.push(`${keys}: ${short(members, 80)}`);
    }
  }
  if (Object.keys(rest).length > 0) parts.push(short(rest, 100));
  return parts.join('  ');
}

async function follow({ dataDir, name, show, read, shown, atEnd }) {
  let isEnded = false;
  atEnd(() => {
    isEnded = true;
  });
  let inode;
  let from = read?.next ?? { offset: 0, line: 1 };
  const take = (entry) => {
    show(entry);
    shown.push(JSON.stringify(entry));
    if (shown.length > REMEMBERED) shown.splice(0, shown.length - REMEMBERED);
  };
  const stamp = () => {
    const file = chosenOrNone(dataDir, name);
    return file && statSync(file, { throwIfNoEntry: false });
  };
  inode = stamp()?.ino;
  while (!isEnded) {
    const stat = stamp();
    if (stat && inode !== undefined && (stat.ino !== inode || stat.size < from.offset)) {
      ({ from, inode } = catchUp({ dataDir, name, inode, from, shown, take }));
      continue;
    }
    inode ??= stat?.ino;
    if (stat && stat.size > from.offset) from = readOn(chosenOrNone(dataDir, name), from, take);
    await wait(POLL_MS);
  }
}

const chosenOrNone = (dataDir, name) => logsIn(dataDir).find((log) => log.name === name)?.log?.path;

// Reads from a place on; gives the place behind the last whole line.
function readOn(file, from, take) {
  let place = from;
  for (;;) {
    const piece = readLogLines(file, place);
    if (piece === null) return place;
    for (const line of piece.lines) {
      // It is still being written.
      if (!line.isTerminated) return { offset: line.offset, line: line.line };
      if (line.entry) take(line.entry, line);
    }
    place = piece.next;
    if (piece.isEnd) return place;
  }
}

// After the file was replaced: the rest of the old one, which is a backup now, what was compacted since, and the new
// one. Gives the place behind it, and which file that is.
function catchUp({ dataDir, name, inode, from, shown, take }) {
  const log = logsIn(dataDir).find((one) => one.name === name);
  const olds = [...(log?.backups ?? []), ...(log?.archives ?? [])]
    .filter(({ isGzip }) => !isGzip)
    .sort((one, other) => one.number - other.number);
  const at = olds.findIndex((file) => statSync(file.path, { throwIfNoEntry: false })?.ino === inode);
  if (at >= 0) {
    readOn(olds[at].path, from, take);
    for (const old of olds.slice(at + 1)) readNew(old.path, shown, take);
  } else
    process.stderr.write('The log was replaced, and its old file is gone: entries may be missing here.\n');
  if (!log?.log) return { from: { offset: 0, line: 1 }, inode: undefined };
  const now = statSync(log.log.path, { throwIfNoEntry: false })?.ino;
  return { from: readNew(log.log.path, shown, take), inode: now };
}

// A file that a compaction made, from its first entry that was not shown yet. Gives the place behind it.
function readNew(file, shown, take) {
  const entries = [];
  let begin = 0;
  const place = readOn(file, { offset: 0, line: 1 }, (entry, { isCheckpoint }) => {
    entries.push(entry);
    if (isCheckpoint) begin = entries.length;
  });
  const newer = entries.slice(begin);
  const texts = newer.map((entry) => JSON.stringify(entry));
  // The longest end of what was shown with which the rest begins.
  let repeated = Math.min(texts.length, shown.length);
  while (
    repeated > 0 &&
    !texts.slice(0, repeated).every((text, i) => text === shown[shown.length - repeated + i])
  ) {
    repeated -= 1;
  }
  for (const entry of newer.slice(repeated)) take(entry);
  return place;
}
