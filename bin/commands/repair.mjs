// `repair`: shows what damage has cost, and recovers what backups still have.
//
// Invariants: a key that changed since it was shown is left alone. The log and the JSON file are copied before
// anything is written.

import { constants, copyFileSync } from 'node:fs';
import path from 'node:path';
import { short } from '../../lib/values.mjs';
import { lossesOf } from '../recovery/losses.mjs';
import { offersFor } from '../recovery/offers.mjs';
import { setUnlessChanged } from '../support/change.mjs';
import { chosenLogs } from '../support/chosen-logs.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { openStorage } from '../support/contents.mjs';
import { dataFolder } from '../support/data-folder.mjs';
import { EXIT } from '../support/errors.mjs';
import { describeDamage, examine } from '../support/examine.mjs';
import { bytes, count, plural } from '../support/format.mjs';
import { bytesToRead } from '../support/log-files.mjs';
import { untilText } from '../support/time.mjs';

export const summary =
  'what damage has cost, and recovering it from backups; shows first, asks, keeps the old';
export const usage = '[path] [options]';
export const help = `
Checks the damaged lines of the logs below path (a data folder or a bot's folder; default: the current folder),
and those that were set aside earlier. Where such a line changed a key and the log has no value of it, the
newest value in a backup or archive is offered. Where a checkpoint is damaged, or the log was emptied or
removed, everything is offered that the newest backup has and the data lacks. A key that the JSON file still has
is left as it is there. A recovered key ends by itself when the lost one was to; one whose time is over is not put back.

The command shows all this and asks. Then it copies log and JSON file to NAME.log.before-repair.N and
NAME.json.before-repair.N, sets damaged lines aside, and writes the values as new entries. A bot may be running;
a key that it changes meanwhile is left alone.

A backup is older than the damaged line, so a recovered value is older than the lost one. With --trust-damaged,
the content of a damaged line is used where it can be read, although its checksum is wrong. Exit code 1 when
damage is left: after a dry run, and where something is gone that no backup has.
`;
export const examples = [
  ['what is damaged, and what backups have of it', 'progressive-storage repair --dry-run'],
  ['take it back, without a question', 'progressive-storage repair bot/ --yes'],
];
export const positionals = { max: 1 };
export const options = {
  log: { type: 'string', multiple: true, value: 'NAME', description: 'only this log (may be given again)' },
  'trust-damaged': {
    type: 'boolean',
    description: 'use the content of a damaged line where it can be read',
  },
  ...confirmOptions,
};

// Keys of each kind on the screen; --json has all.
const KEYS_SHOWN = 20;

export async function run(context) {
  const { terminal, options, positionals, cwd, atEnd } = context;
  const dataDir = dataFolder(positionals[0], cwd);
  const report = { dataDir, logs: [], done: false };
  const storage = openStorage(dataDir, atEnd);
  for (const log of chosenLogs(dataDir, options.log)) {
    const found = await findingOf(context, storage, log);
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
    // After a dry run the damage is still there.
    return EXIT.found;
  }
  for (const found of report.logs) await repair(terminal, { storage, dataDir, found });
  report.done = true;
  terminal.result(report);
  return report.logs.some(isLost) ? EXIT.found : EXIT.ok;
}

// Whether something is gone that cannot be recovered.
const isLost = ({ hopeless }) => hopeless.some(({ now }) => now === undefined);

// What is wrong with a log, and what can be recovered; undefined where there is nothing to show.
async function findingOf(context, storage, log) {
  const lost = await lossesOf(context.terminal, log);
  const { damaged, torn, isBeheaded } = lost;
  const isDamaged = damaged.length > 0 || torn !== null || log.corrupt.length > 0;
  if (!isDamaged && !isBeheaded) return undefined;
  const found = await offersFor(context, { storage, log, lost });
  if (!isDamaged && found.offers.length === 0) return undefined;
  return {
    name: log.name,
    isBeheaded,
    log: log.log?.path,
    mirror: log.mirror?.path,
    damaged,
    torn,
    setAside: log.corrupt.map((file) => file.path),
    ...found,
    applied: [],
  };
}

function show(
  terminal,
  { name, log, isBeheaded, damaged, torn, setAside, unreadable, offers, ended, hopeless, kept },
) {
  terminal.title(name);
  if (isBeheaded) {
    const what = log ? 'does not begin with the checkpoint of its last compaction' : 'is not there';
    terminal.line(`  ${terminal.red('✘')} the log ${what}: it was emptied, cut or removed`);
    terminal.line(
      '  What its newest backup has and the data lacks can be recovered. Keys that were removed on purpose since',
    );
    terminal.line('  then are among it.');
  }
  for (const damage of damaged) terminal.line(`  ${terminal.red('✘')} ${describeDamage(damage)}`);
  if (torn) terminal.line(`  · ${describeDamage(torn)}; it was never acknowledged`);
  for (const file of setAside) terminal.line(`  · set aside earlier: ${path.basename(file)}`);
  for (const { problem } of unreadable) terminal.line(`  · ${problem}`);
  if (damaged.length > 0 || torn)
    terminal.line(`  ${plural(damaged.length + (torn ? 1 : 0), 'line')} will be set aside.`);
  const each = (items, showItem) => {
    for (const item of items.slice(0, KEYS_SHOWN)) showItem(item, terminal.bold(JSON.stringify(item.key)));
    if (items.length > KEYS_SHOWN) terminal.line(`  … and ${count(items.length - KEYS_SHOWN)} more`);
  };
  each(offers, ({ now, value, expiresAt, from }, key) => {
    terminal.line(`  ${key} from ${from}`);
    terminal.line(`      now  ${short(now)}`);
    terminal.line(`      then ${terminal.green(short(value))}${untilText(expiresAt)}`);
  });
  if (ended.length > 0)
    terminal.line(`  ${plural(ended.length, 'key')} ended by itself since and will not be put back`);
  each(kept, (_, key) => terminal.line(`  ${key}: the JSON file has it`));
  each(hopeless, ({ now }, key) =>
    terminal.line(
      `  ${key}: ${now === undefined ? 'no backup has it' : `stays at its older value, ${short(now)}`}`,
    ),
  );
  terminal.line();
}

async function repair(terminal, { storage, dataDir, found }) {
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
  for (const { key, now, value, expiresAt } of offers) {
    const end = expiresAt === undefined ? null : { expiresAt };
    const isApplied = await setUnlessChanged(storage, name, key, now, value, end);
    found.applied.push({ key, isApplied });
    progress.add(1);
  }
  progress.end();
  for (const { key, isApplied } of found.applied) {
    const what = isApplied ? 'is back' : 'changed meanwhile and was left alone';
    terminal.check({ ok: isApplied, text: `${name}: ${JSON.stringify(key)} ${what}` });
  }
  const log = chosenLogs(dataDir, [name])[0];
  const reading = terminal.progress(`Reading ${name}.log`, log.log?.sizeBytes ?? 0, { unit: bytes });
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
