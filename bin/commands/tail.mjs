// `tail`: prints the newest entries of a log and, with --follow, each new one.
//
// A compaction replaces the file. `tail` then
//   1. reads the rest of the old file: it is a backup now, the same file under another name;
//   2. reads the new file behind its checkpoints. It repeats the entries that came during the compaction, so those that
//      were already shown are left out.

import { statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { readLogLines } from '../../index.js';
import { short } from '../../lib/values.mjs';
import { tailServer } from '../server/tail.mjs';
import { usageError } from '../support/errors.mjs';
import { plural } from '../support/format.mjs';
import { eachLine } from '../support/lines.mjs';
import { logsIn } from '../support/log-files.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'the newest entries of a log; with -f, new ones as they come';
export const usage = '[path] [options]';
export const help = `
Prints the newest entries of a log below path (a data folder or a bot's folder; default: the current folder),
one a line, oldest first: time, operation, key, value. With --json each is one line of JSON. With --follow it
prints new entries until Ctrl-C, across compactions too.
`;
export const examples = [
  ['the newest entries, and then each new one until Ctrl-C', 'progressive-storage tail --follow'],
  ['the newest three of another log', 'progressive-storage tail bot/ --log guilds --lines 3'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: { type: 'string', value: 'NAME', default: 'players', description: 'which log' },
  lines: { type: 'string', short: 'n', value: 'N', default: '10', description: 'how many entries' },
  follow: { type: 'boolean', short: 'f', description: 'wait for new entries' },
};

const POLL_MS = 150;
const REMEMBERED = 5000;

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const wanted = Number(options.lines);
  if (!Number.isInteger(wanted) || wanted < 0)
    throw usageError(`--lines is '${options.lines}'; give a whole number, 0 or more.`);
  const place = await placeOf({ options, cwd }, positionals[0]);
  const { dataDir } = place;
  const { name, log } = await place.log(options.log);
  const show = (entry) =>
    terminal.json ? terminal.jsonLine(entry) : terminal.line(describe(terminal, entry));
  if (place.isServer) {
    const note = (text) => terminal.note(text);
    return tailServer(place, { name, wanted, isFollowing: options.follow === true, show, note, atEnd });
  }
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
  return undefined;
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

// Reads from a place on; returns the place behind the last whole line.
function readOn(file, from, take) {
  let place = from;
  for (;;) {
    const piece = readLogLines(file, place);
    if (piece === null) return place;
    for (const line of piece.lines) {
      // The bot is still writing this line.
      if (!line.isTerminated) return { offset: line.offset, line: line.line };
      if (line.entry) take(line.entry, line);
    }
    place = piece.next;
    if (piece.isEnd) return place;
  }
}

// After the file was replaced: reads the rest of the old file, then the newer backups, then the new file. Returns the
// place behind it, and its inode.
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
    process.stderr.write(
      'The log was replaced, and its old file is gone. Some entries may be missing here.\n',
    );
  if (!log?.log) return { from: { offset: 0, line: 1 }, inode: undefined };
  const now = statSync(log.log.path, { throwIfNoEntry: false })?.ino;
  return { from: readNew(log.log.path, shown, take), inode: now };
}

// Reads a file that a compaction wrote, from the first entry that was not shown yet. Returns the place behind it.
function readNew(file, shown, take) {
  const entries = [];
  let begin = 0;
  const place = readOn(file, { offset: 0, line: 1 }, (entry, { isCheckpoint }) => {
    entries.push(entry);
    if (isCheckpoint) begin = entries.length;
  });
  const newer = entries.slice(begin);
  const texts = newer.map((entry) => JSON.stringify(entry));
  // The longest run of entries that ends what was shown and begins this file.
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
