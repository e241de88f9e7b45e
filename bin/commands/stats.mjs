// `stats`: what is written to the logs, how much, when, and by which keys.

import { changesOf } from '../../lib/entries.mjs';
import { storedEntries } from '../../lib/server-source.mjs';
import { usageError } from '../support/errors.mjs';
import { examine } from '../support/examine.mjs';
import { bytes, count } from '../support/format.mjs';
import { eachChange } from '../support/lines.mjs';
import { placeOf, placeOptions } from '../support/place.mjs';

export const summary = 'what is written, how much, when, and which keys change most';
export const usage = '[path] [options]';
export const help = `
Counts the entries of the logs below path (a data folder or a bot's folder; default: the current folder): by
operation, by day, their sizes, the keys that change most, and the keys with the largest values. Entries that a
compaction has merged into a checkpoint no longer count. Nothing is changed, and a bot may be running.
`;
export const examples = [
  ['all logs of the data in this folder', 'progressive-storage stats'],
  ['the three busiest and largest keys of one log', 'progressive-storage stats bot/ --log guilds --top 3'],
];
export const positionals = { max: 1 };
export const options = {
  ...placeOptions,
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  top: { type: 'string', value: 'N', default: '5', description: 'show N keys of each kind' },
};

const BAR_WIDTH = 30;
const DAYS_SHOWN = 14;

export async function run({ terminal, options, positionals, cwd }) {
  const top = Number(options.top);
  if (!Number.isInteger(top) || top < 1)
    throw usageError(`--top is '${options.top}'; give a whole number, 1 or more.`);
  const place = await placeOf({ options, cwd }, positionals[0]);
  const report = { ...place.report, logs: [] };
  terminal.title(place.title);
  for (const log of await place.logs(options.log)) {
    if (!log.log) continue;
    const found = await statsOf(terminal, place, log, top);
    report.logs.push(found);
    terminal.line();
    show(terminal, found);
  }
  if (report.logs.length === 0) terminal.line('  There are no logs.');
  terminal.result(report);
}

// Calls `onEntry` with each entry of a log, as `examine` does with the lines of a file.
async function examineServer(place, name, { onEntry, progress }) {
  let done = 0;
  for await (const entry of storedEntries(place, name)) {
    const sizeBytes = Buffer.byteLength(JSON.stringify(entry));
    const isCheckpoint = entry.op === 'CHECKPOINT';
    onEntry({
      entry,
      sizeBytes,
      isCheckpoint,
      time: entry.timestamp,
      changes: changesOf(entry),
      until: entry._until,
    });
    done += sizeBytes;
    progress.to(done);
  }
}

async function statsOf(terminal, place, { name, log }, top) {
  let operations;
  let days;
  let sizes;
  let changes;
  let values;
  let expiries;
  const begin = () => {
    operations = new Map();
    days = new Map();
    sizes = [];
    changes = new Map();
    values = new Map();
    expiries = new Map();
  };
  begin();
  const add = (map, key, number = 1) => map.set(key, (map.get(key) ?? 0) + number);
  const progress = terminal.progress(`Reading ${name}`, log.sizeBytes, { unit: bytes });
  const each = place.isServer
    ? (choices) => examineServer(place, name, choices)
    : (choices) => examine(log.path, choices);
  await each({
    onRestart: begin,
    want: { entries: true, changes: true },
    onEntry: (line) => {
      add(operations, line.entry.op ?? '(none)');
      sizes.push(line.sizeBytes + 1);
      if (!line.isCheckpoint && typeof line.time === 'string') add(days, line.time.slice(0, 10));
      eachChange(line, expiries, (key, value) => {
        if (!line.isCheckpoint) add(changes, key);
        if (value === undefined) values.delete(key);
        else values.set(key, Buffer.byteLength(JSON.stringify(value)));
      });
    },
    progress,
  });
  progress.end();
  // What is over is there for nobody, though no line has removed it yet.
  for (const [key, expiresAt] of expiries) if (expiresAt <= Date.now()) values.delete(key);
  sizes.sort((one, other) => one - other);
  const at = (share) => sizes[Math.min(sizes.length - 1, Math.floor(share * sizes.length))] ?? 0;
  const greatest = (map) => [...map].sort(([, one], [, other]) => other - one).slice(0, top);
  return {
    name,
    entries: sizes.length,
    operations: Object.fromEntries([...operations].sort()),
    entryBytes: { median: at(0.5), p99: at(0.99), max: sizes.at(-1) ?? 0 },
    keys: values.size,
    valueBytes: [...values.values()].reduce((sum, size) => sum + size, 0),
    days: Object.fromEntries([...days].sort()),
    busiest: greatest(changes).map(([key, number]) => ({ key, changes: number })),
    largest: greatest(values).map(([key, size]) => ({ key, bytes: size })),
  };
}

function show(terminal, found) {
  terminal.title(found.name);
  const operations = Object.entries(found.operations).map(([op, number]) => `${count(number)} ${op}`);
  terminal.fact(
    'entries',
    `${count(found.entries)}${operations.length > 0 ? ` (${operations.join(', ')})` : ''}`,
  );
  const { median, p99, max } = found.entryBytes;
  terminal.fact('entry sizes', `median ${bytes(median)}, 99 % up to ${bytes(p99)}, largest ${bytes(max)}`);
  terminal.fact('keys', `${count(found.keys)}, ${bytes(found.valueBytes)} of values`);
  if (found.busiest.length > 0) {
    terminal.fact(
      'change most',
      found.busiest.map(({ key, changes }) => `${key} (${count(changes)})`).join(', '),
    );
  }
  if (found.largest.length > 0) {
    terminal.fact(
      'largest values',
      found.largest.map(({ key, bytes: size }) => `${key} (${bytes(size)})`).join(', '),
    );
  }
  const days = Object.entries(found.days).slice(-DAYS_SHOWN);
  const most = Math.max(...days.map(([, number]) => number));
  for (const [day, number] of days) {
    const bar = '█'.repeat(Math.max(1, Math.round((number / most) * BAR_WIDTH)));
    terminal.fact(day, `${terminal.cyan(bar)} ${count(number)}`);
  }
}
