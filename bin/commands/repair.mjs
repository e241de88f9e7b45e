// `repair`: what damage has cost, what of it can be had back from backups, and having it back.
//
// What is lost is told by the keys of damaged lines, in the log and in what was set aside earlier, that no later
// line has set again; and, where a damaged line names no key (a checkpoint, say) or the log was emptied or removed, by keys
// that the newest backup has and the log neither has nor removes. A backup is older than every line of the log: what it has is offered for keys that are
// gone, never in the place of a value that there is.
// Invariant: a key that changed since it was shown is left alone; the log is kept before anything is written.

import { constants, copyFileSync } from 'node:fs';
import path from 'node:path';
import { setUnlessChanged } from '../support/change.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { EXIT } from '../support/errors.mjs';
import { describeDamage, examine } from '../support/examine.mjs';
import {
  bytesToRead,
  chosenLogs,
  dataFolder,
  entriesOf,
  openStorage,
  stateOfFile,
} from '../support/folder.mjs';
import { bytes, count, plural } from '../support/format.mjs';
import { eachChange, eachLine } from '../support/lines.mjs';
import { equal, short } from '../support/values.mjs';

export const summary =
  'what damage has cost, and having it back from backups; shows first, asks, keeps the old';
export const usage = '[path] [options]';
export const help = `
Looks at the damaged lines of the logs below path (a data folder or a bot's folder; default: the current folder),
and at those that were set aside earlier. For each key that they have cost, and that has no older value in the log,
it offers the newest one that a backup or archive has. Where a checkpoint is damaged, or the log was emptied or removed,
it offers what the newest backup has and the data lacks. A key that the JSON file still has is left as it is there.
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
  let damages = [];
  const progress = terminal.progress(`Reading ${log.name}.log`, log.log?.sizeBytes ?? 0, bytes);
  const examined =
    log.log &&
    (await examine(log.log.path, {
      told: { changes: true },
      onEntry: (line) =>
        eachChange(line, (key, value) => {
          // Where a key was set last, and when.
          later.set(key, { line: line.line, ms: Date.parse(line.time ?? '') });
          if (value === undefined) deleted.add(key);
          else deleted.delete(key);
        }),
      onDamage: (line) => damages.push(line),
      onRestart: () => {
        later = new Map();
        deleted = new Set();
        damages = [];
      },
      progress,
    }));
  progress.end();
  const damaged = examined?.damaged ?? [];
  const backups = [...log.backups, ...log.archives].sort((one, other) => other.number - one.number);
  // A compaction leaves a log that begins with a checkpoint: one that does not was emptied, removed or cut.
  const isBeheaded = backups.length > 0 && damaged.length === 0 && !examined?.beginsWithCheckpoint;
  // By key: what the damaged line would have set, where that can be read.
  const losses = new Map();
  let isKeyUnknown = isBeheaded || damaged.some(({ isCheckpoint }) => isCheckpoint);
  const lose = ({ state, changes = [], key, isPartOfLine }, isSetAgain) => {
    const members = changes.filter((change) => change.length > 1);
    if (members.length === 0 && key !== undefined) members.push([key, undefined]);
    // A byte in the place of a line break is nothing that is lost.
    if (members.length === 0 && state !== 'empty' && !isPartOfLine) isKeyUnknown = true;
    for (const [name, value] of members) if (!isSetAgain(later.get(name))) losses.set(name, value);
  };
  for (const file of log.corrupt) {
    await eachLine(file.path, {
      told: { entries: false, changes: true },
      onLine: (line) => {
        // Where it stood in the log is not known any more: times tell what came later.
        const ms = Date.parse(line.time ?? '');
        lose(line, (last) => last?.ms >= (Number.isNaN(ms) ? file.number : ms));
      },
    });
  }
  for (const damage of damages) lose(damage, (last) => last?.line > damage.line);
  if (damaged.length === 0 && !examined?.torn && log.corrupt.length === 0 && !isBeheaded) return undefined;

  const current = Object.fromEntries(log.mirror || log.log ? await entriesOf(terminal, storage, log) : []);
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
    // An older one may have keys that were removed before the newest was made.
    const newest = states.find(({ state }) => Object.keys(state).length > 0)?.state ?? {};
    for (const key of Object.keys(newest))
      if (!Object.hasOwn(current, key) && !deleted.has(key)) losses.set(key, undefined);
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
  if (damaged.length === 0 && !examined?.torn && log.corrupt.length === 0 && offers.length === 0)
    return undefined;
  return {
    name: log.name,
    isBeheaded,
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

function show(
  terminal,
  { name, log, isBeheaded, damaged, torn, setAside, unreadable, offers, hopeless, kept },
) {
  terminal.title(name);
  if (isBeheaded) {
    const what = log ? 'does not begin with the checkpoint of its last compaction' : 'is not there';
    terminal.line(`  ${terminal.red('✘')} the log ${what}: it was emptied, cut or removed`);
    terminal.line(
      '  What its newest backup has and the data lacks can be taken back; keys that were removed since are',
    );
    terminal.line('  among it.');
  }
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
  const progress = terminal.progress(`Writing ${name}`, offers.length);
  for (const { key, now, value } of offers) {
    const isApplied = await setUnlessChanged(storage, name, key, now, value);
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
