// `repair`: what damage has cost, what of it can be had back from backups, and having it back.
//
// What is lost is told by the keys of damaged lines, in the log and in what was set aside earlier, that no later
// line has set again; and, where a damaged line names no key (a checkpoint, say), by keys that a backup has and the
// log neither has nor removes. A backup is older than every line of the log: what it has is offered for keys that are
// gone, never in the place of a value that there is.
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
import { bytes, count, plural } from '../support/terminal.mjs';
import { equal, short } from '../support/values.mjs';
import { describeDamage } from './verify.mjs';

export const summary =
  'what damage has cost, and having it back from backups; shows first, asks, keeps the old';
export const usage = '[path] [options]';
export const help = `
Looks at the damaged lines of the logs below path (a data folder or a bot's folder; default: the current folder),
and at those that were set aside earlier. For each key that they have cost, and that has no older value in the log,
it offers the newest one that a backup or archive has. A key that the JSON file still has is left as it is there.
After the question, the log and JSON file are kept as NAME.log.before-repair.N and
NAME.json.before-repair.N, damaged lines are set aside, and the values are written as new entries. A bot may be
running; a key that it changes meanwhile is left alone.

A backup is older than the damaged line, so the value that comes back is older than the one that was lost.
With --trust-damaged, the content of a damaged line is taken where it still can be read, although its checksum is
wrong. Exit code 1 when damage is left: after a dry run, and where something is gone that no backup has.
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

// Of each kind; --json has all.
const KEYS_SHOWN = 20;

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
    return report.logs.some(isLost) ? EXIT.found : EXIT.ok;
  }
  if (!(await confirmed(terminal, options, 'Do this?'))) {
    terminal.result(report);
    // A dry run: the damage is still there.
    return EXIT.found;
  }
  for (const found of report.logs) await mend(terminal, storage, dataDir, found);
  report.done = true;
  terminal.result(report);
  return report.logs.some(isLost) ? EXIT.found : EXIT.ok;
}

// Whether something is gone that nothing gives back.
const isLost = ({ hopeless }) => hopeless.some(({ now }) => now === undefined);

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
  // By key: what the damaged line would have set, where that can be read.
  const losses = new Map();
  let isKeyUnknown = false;
  const lose = (damage, text, isSetAgain) => {
    const { members, ms } = contentOf(text);
    if (members.length === 0 && damage.key !== null) members.push([damage.key, undefined]);
    if (members.length === 0) isKeyUnknown = true;
    for (const [key, value] of members) if (!isSetAgain(later.get(key), ms)) losses.set(key, value);
  };
  for (const file of log.corrupt) {
    const lines = [];
    await eachLine(file.path, {
      onLine: ({ state, offset, sizeBytes, key, entry }) => {
        if (state !== 'empty') lines.push({ offset, sizeBytes, key: key ?? entry?.key ?? null });
      },
    });
    const texts = await textsOf(file.path, lines);
    for (const [index, line] of lines.entries()) {
      // Where it stood in the log is not known any more: times tell what came later.
      lose(line, texts[index], (last, ms) => last?.ms >= (Number.isNaN(ms) ? file.number : ms));
    }
  }
  const texts = log.log ? await textsOf(log.log.path, damaged) : [];
  for (const [index, damage] of damaged.entries()) {
    lose(damage, texts[index], (last) => last?.line > damage.line);
  }
  if (damaged.length === 0 && !examined?.torn && log.corrupt.length === 0) return undefined;

  const current = Object.fromEntries(log.mirror || log.log ? await entriesOf(terminal, storage, log) : []);
  const backups = [...log.backups, ...log.archives].sort((one, other) => other.number - one.number);
  const states = [];
  const unreadable = [];
  for (const backup of losses.size > 0 || isKeyUnknown ? backups : []) {
    try {
      states.push({ from: path.basename(backup.path), state: await stateOfFile(terminal, backup, atEnd) });
    } catch (error) {
      // Others may have what it had.
      if (error.code !== 'ERR_BACKUP_CORRUPT') throw error;
      unreadable.push({ file: backup.path, problem: error.message });
    }
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
  for (const [key, value] of losses) {
    const now = own(current, key);
    const isTrusted = options['trust-damaged'] && value !== undefined;
    if (!isTrusted && now !== undefined && !equal(now, own(alone, key))) {
      kept.push({ key });
      continue;
    }
    let offer;
    if (isTrusted) offer = { value, from: 'the damaged line' };
    else if (now === undefined) offer = fromBackups(key, states);
    if (!offer) hopeless.push({ key, now });
    else if (!equal(offer.value, now)) offers.push({ key, now, ...offer });
  }
  return {
    name: log.name,
    log: log.log?.path,
    mirror: log.mirror?.path,
    damaged,
    torn: examined?.torn ?? null,
    setAside: log.corrupt.map((file) => file.path),
    unreadable,
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

// What a damaged line would set and when, where its text can still be read.
function contentOf(text) {
  const members = [];
  let entry;
  try {
    entry = JSON.parse(text);
  } catch {
    // It cannot be read.
  }
  if (entry) eachChange(entry, (key, value) => value !== undefined && members.push([key, value]));
  return { members, ms: Date.parse(entry?.timestamp ?? entry?.compactedAt ?? '') };
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

function show(terminal, { name, damaged, torn, setAside, unreadable, offers, hopeless, kept }) {
  terminal.title(name);
  for (const damage of damaged) terminal.line(`  ${terminal.red('✘')} ${describeDamage(damage)}`);
  if (torn) terminal.line(`  · ${describeDamage(torn)}; it was never acknowledged`);
  for (const file of setAside) terminal.line(`  · set aside earlier: ${path.basename(file)}`);
  for (const { problem } of unreadable) terminal.line(`  · ${problem}`);
  if (damaged.length > 0 || torn)
    terminal.line(`  ${plural(damaged.length + (torn ? 1 : 0), 'line')} will be set aside.`);
  const each = (items, tell) => {
    for (const item of items.slice(0, KEYS_SHOWN)) tell(item, terminal.bold(JSON.stringify(item.key)));
    if (items.length > KEYS_SHOWN) terminal.line(`  … and ${count(items.length - KEYS_SHOWN)} more`);
  };
  each(offers, ({ now, value, from }, key) => {
    terminal.line(`  ${key} from ${from}`);
    terminal.line(`      now  ${short(now)}`);
    terminal.line(`      then ${terminal.green(short(value))}`);
  });
  each(kept, (_, key) => terminal.line(`  ${key}: the JSON file has it`));
  each(hopeless, ({ now }, key) =>
    terminal.line(
      `  ${key}: ${now === undefined ? 'no backup has it' : `stays at its older value, ${short(now)}`}`,
    ),
  );
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
