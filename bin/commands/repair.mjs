// `repair`: what damage has cost, what of it can be had back from backups, and having it back.
//
// What is lost is told by the keys of damaged lines, in the log and in what was set aside earlier, that no later
// line has set again; and, where a damaged line names no key (a checkpoint, say), by keys that a backup has and the
// log neither has nor removes.
// Invariant: a key that changed since it was shown is left alone; the log is kept before anything is written.

import { constants, copyFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setUnlessChanged } from '../support/change.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { EXIT } from '../support/errors.mjs';
import {
  bytesToRead,
  chosenLogs,
  dataFolder,
  entriesOf,
  openStorage,
  stateOfFile,
} from '../support/folder.mjs';
import { eachChange, eachLine, examine } from '../support/lines.mjs';
import { bytes, plural } from '../support/terminal.mjs';
import { equal, short } from '../support/values.mjs';
import { describeDamage } from './verify.mjs';

export const summary =
  'what damage has cost, and having it back from backups; shows first, asks, keeps the old';
export const usage = '[path] [options]';
export const help = `
Looks at the damaged lines of the logs below path (a data folder or a bot's folder; default: the current folder),
and at those that were set aside earlier. For each key that they have cost it shows the value there is now and the
newest one that a backup or archive has; what differs is offered. A key that the JSON file still has is left as it
is there. After the question, the log and JSON file are kept as NAME.log.before-repair.N and
NAME.json.before-repair.N, damaged lines are set aside, and the values are written as new entries. A bot may be
running; a key that it changes meanwhile is left alone.

A backup is older than the damaged line, so the value that comes back is older than the one that was lost.
With --trust-damaged, the content of a damaged line is taken where it still can be read, although its checksum is
wrong.
`;
export const positionals = { max: 1 };
export const options = {
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  'trust-damaged': {
    type: 'boolean',
    description: 'take the content of a damaged line where it can be read',
  },
  ...confirmOptions,
};

export async function run(context) {
  const { terminal, options, positionals, cwd, atEnd } = context;
  const dataDir = dataFolder(positionals[0], cwd);
  const report = { dataDir, logs: [], done: false };
  const storage = openStorage(dataDir, atEnd);
  for (const log of chosenLogs(dataDir, options.log)) {
    const found = await look(context, storage, log);
    if (!found) continue;
    report.logs.push(found);
    show(terminal, found);
  }
  const hasWork = report.logs.some(
    ({ damaged, torn, offers }) => damaged.length > 0 || torn || offers.length > 0,
  );
  if (!hasWork) {
    terminal.line(
      report.logs.length === 0 ? 'Nothing is damaged.' : 'There is nothing that a backup could give back.',
    );
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  if (!(await confirmed(terminal, options, 'Do this?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  for (const found of report.logs) await mend(terminal, storage, dataDir, found);
  report.done = true;
  terminal.result(report);
  return EXIT.ok;
}

// What is wrong with a log, and what could be had back: undefined when nothing is.
async function look({ terminal, options, atEnd }, storage, log) {
  let later = new Map();
  let deleted = new Set();
  const progress = terminal.progress(`Reading ${log.name}.log`, log.log?.sizeBytes ?? 0, bytes);
  const examined =
    log.log &&
    (await examine(log.log.path, {
      onEntry: (entry, line) =>
        eachChange(entry, (key, value) => {
          // Where a key was set last, and when.
          later.set(key, { line: line.line, ms: Date.parse(entry.timestamp ?? entry.compactedAt ?? '') });
          if (value === undefined) deleted.add(key);
          else deleted.delete(key);
        }),
      onRestart: () => {
        later = new Map();
        deleted = new Set();
      },
      progress,
    }));
  progress.end();
  const damaged = examined?.damaged ?? [];
  const losses = new Map();
  let isKeyUnknown = false;
  const lose = (key, text) => {
    if (key === null || key === undefined) isKeyUnknown = true;
    else losses.set(key, text);
  };
  const texts = log.log ? await textsOf(log.log.path, damaged) : [];
  for (const [index, damage] of damaged.entries()) {
    const isSetAgain = damage.key !== null && (later.get(damage.key)?.line ?? 0) > damage.line;
    if (!isSetAgain) lose(damage.key, texts[index]);
  }
  for (const file of log.corrupt) {
    await eachLine(file.path, {
      onLine: (line) => {
        if (line.state === 'empty') return;
        const key = line.key ?? line.entry?.key;
        if (!((later.get(key)?.ms ?? 0) > file.number)) lose(key, undefined);
      },
    });
  }
  if (damaged.length === 0 && !examined?.torn && log.corrupt.length === 0) return undefined;

  const current = Object.fromEntries(log.mirror || log.log ? await entriesOf(terminal, storage, log) : []);
  const backups = [...log.backups, ...log.archives].sort((one, other) => other.number - one.number);
  const states = [];
  if (losses.size > 0 || isKeyUnknown) {
    for (const backup of backups)
      states.push({ from: path.basename(backup.path), state: await stateOfFile(terminal, backup, atEnd) });
  }
  if (isKeyUnknown) {
    for (const { state } of states) {
      for (const key of Object.keys(state))
        if (!Object.hasOwn(current, key) && !deleted.has(key)) losses.set(key, undefined);
    }
  }
  // What the log alone lacks and the bot has is what the JSON file still tells; it is logged with the next write.
  const alone = losses.size > 0 && log.log ? await rebuilt(terminal, storage, log) : current;
  const own = (state, key) => (Object.hasOwn(state, key) ? state[key] : undefined);
  const offers = [];
  const hopeless = [];
  const kept = [];
  for (const [key, text] of losses) {
    const now = own(current, key);
    const trusted = options['trust-damaged'] ? fromDamaged(key, text) : undefined;
    if (!trusted && now !== undefined && !equal(now, own(alone, key))) {
      kept.push(key);
      continue;
    }
    const offer = trusted ?? fromBackups(key, states);
    if (offer && !equal(offer.value, now)) offers.push({ key, now, ...offer });
    else if (!offer) hopeless.push(key);
  }
  return {
    name: log.name,
    log: log.log?.path,
    mirror: log.mirror?.path,
    damaged,
    torn: examined?.torn ?? null,
    setAside: log.corrupt.map((file) => file.path),
    offers,
    hopeless,
    kept,
    applied: [],
  };
}

async function rebuilt(terminal, storage, log) {
  const work = storage.rebuildStateFromLog(log.name);
  return terminal.waiting(`Reading ${log.name}.log`, work, bytesToRead(log));
}

function fromBackups(key, states) {
  const found = states.find(({ state }) => Object.hasOwn(state, key));
  return found && { value: found.state[key], from: found.from };
}

function fromDamaged(key, text) {
  try {
    const entry = JSON.parse(text);
    if (entry.op === 'SET' && entry.key === key && entry.value !== undefined)
      return { value: entry.value, from: 'the damaged line' };
  } catch {
    // It cannot be read.
  }
  return undefined;
}

async function textsOf(file, damaged) {
  if (damaged.length === 0) return [];
  const handle = await open(file, 'r');
  try {
    const texts = [];
    for (const { offset, sizeBytes } of damaged) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
      texts.push(buffer.toString('utf8', 0, bytesRead));
    }
    return texts;
  } finally {
    await handle.close();
  }
}

function show(terminal, { name, damaged, torn, setAside, offers, hopeless, kept }) {
  terminal.title(name);
  for (const damage of damaged) terminal.line(`  ${terminal.red('✘')} ${describeDamage(damage)}`);
  if (torn) terminal.line(`  · ${describeDamage(torn)}; it was never acknowledged`);
  for (const file of setAside) terminal.line(`  · set aside earlier: ${path.basename(file)}`);
  if (damaged.length > 0 || torn)
    terminal.line(`  ${plural(damaged.length + (torn ? 1 : 0), 'line')} will be set aside.`);
  for (const { key, now, value, from } of offers) {
    terminal.line(`  ${terminal.bold(JSON.stringify(key))} from ${from}`);
    terminal.line(`      now  ${short(now)}`);
    terminal.line(`      then ${terminal.green(short(value))}`);
  }
  for (const key of kept) terminal.line(`  ${terminal.bold(JSON.stringify(key))}: the JSON file has it`);
  for (const key of hopeless) terminal.line(`  ${terminal.bold(JSON.stringify(key))}: no backup has it`);
  terminal.line();
}

async function mend(terminal, storage, dataDir, found) {
  const { name, damaged, torn, offers } = found;
  if (damaged.length === 0 && !torn && offers.length === 0) return;
  const number = Date.now();
  found.copies = [];
  for (const file of [found.log, found.mirror].filter(Boolean)) {
    const copy = `${file}.before-repair.${number}`;
    copyFileSync(file, copy, constants.COPYFILE_EXCL);
    found.copies.push(copy);
  }
  const collection = storage.collection(name);
  const progress = terminal.progress(`Writing ${name}`, offers.length);
  for (const { key, now, value } of offers) {
    const isApplied = await setUnlessChanged(collection, key, now, value);
    found.applied.push({ key, isApplied });
    progress.add(1);
  }
  progress.end();
  for (const { key, isApplied } of found.applied) {
    const what = isApplied ? 'is back' : 'changed meanwhile and was left alone';
    terminal.check({ ok: isApplied, text: `${name}: ${JSON.stringify(key)} ${what}` });
  }
  const log = chosenLogs(dataDir, [name])[0];
  const reading = terminal.progress(`Reading ${name}.log`, log.log?.sizeBytes ?? 0, bytes);
  const left = log.log && (await examine(log.log.path, { progress: reading }));
  reading.end();
  if (left && (left.damaged.length > 0 || left.torn))
    await terminal.waiting(`Compacting ${name}`, storage.compactLog(name), 2 * bytesToRead(log));
  await storage.flush();
  terminal.check({
    ok: true,
    text: `${name}: all lines are good; the old files are kept as ${found.copies.map((copy) => path.basename(copy)).join(', ')}`,
  });
}
