// `migrate`: moves the data of a folder to a server, or back.
//
//   1. copy every log, behind what an earlier run has copied      migration/copy
//   2. compare both places                                         migration/check
//   3. see that nobody wrote to the source meanwhile
//   4. mark the source, so that no bot goes on there               migration/mark
//   5. see that again, of a folder
//
// Invariant: a source is marked only after everything of it was found in the target.

import { statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { ServerSource } from '../../lib/server-source.mjs';
import { checkLog } from '../migration/check.mjs';
import { copyLog } from '../migration/copy.mjs';
import { FolderSource } from '../migration/folder-source.mjs';
import { markFolder, markServer, movedTo, removeUnfinished, serverInUse } from '../migration/mark.mjs';
import { FolderTarget, ServerTarget } from '../migration/target.mjs';
import { confirmed, confirmOptions } from '../support/confirm.mjs';
import { dataFolder } from '../support/data-folder.mjs';
import { EXIT, Stop, usageError } from '../support/errors.mjs';
import { bytes, plural } from '../support/format.mjs';
import { FolderPlace, placeOptions, ServerPlace, urlOf } from '../support/place.mjs';
import { processesUsing } from '../support/processes.mjs';
import { unfinishedTransaction } from '../support/transaction-note.mjs';

export const summary = 'move the data of a folder to a PostgreSQL server, or back';
export const usage = 'FROM TO [options]';
export const help = `
Copies all data from one place to another: every entry with its time, so that history and earlier states stay.
One of FROM and TO is a folder (a data folder or a bot's folder), the other one a server: postgres://…, or the
word \`env\` for the url in PROGRESSIVE_STORAGE_URL, which keeps the password out of the list of processes.

Stop all bots first. TO must be empty, or hold what an interrupted run has copied: a second run goes on there.
Then everything is compared: numbers and hashes of entries and values, and the states at twenty points in time.
Only after that FROM is marked as moved: its files or tables stay as they are, but no Storage opens them any more
(ERR_MOVED). Backups and archives become entries too; checkpoints between them say nothing new and are left out.
With --dry-run nothing is written.
`;
const TRIES = 10;
const PAUSE_MS = 200;

export const examples = [
  [
    'what a move to the server of PROGRESSIVE_STORAGE_URL would do',
    'progressive-storage migrate data/ env --dry-run',
  ],
  ['move, without a question', 'progressive-storage migrate data/ env --yes'],
];
export const positionals = { min: 2, max: 2 };
export const options = { schema: placeOptions.schema, ...confirmOptions };

export async function run(context) {
  const { terminal, options, positionals } = context;
  const { from, to } = await placesOf(context, positionals);
  if (!options['dry-run']) removeUnfinished(from);
  await checkPlaces(from, to);
  const stamp = await stampOf(from);
  const checkUnchanged = async () => {
    if ((await stampOf(from)) !== stamp) throw changed();
  };
  const source = sourceOf(context, from, checkUnchanged);
  const logs = await from.counted();
  const target = to.isServer ? new ServerTarget(to, undefined) : new FolderTarget(to, context.atEnd);
  await checkTarget(to, logs);
  const report = { from: from.report, to: to.report, logs: [], done: false };
  terminal.title(`${from.title} → ${to.title}`);
  for (const { name } of logs) terminal.fact(name, sizeOf(logs, name));
  if (options['dry-run']) return dryRun(context, { source, target, logs, report });
  if (!(await confirmed(terminal, options, 'Copy this, and mark the source as moved?'))) return EXIT.ok;
  if (to.isServer) await openTarget(context, target);
  for (const log of logs) {
    const seen = await copyLog({ terminal, source, target, log });
    await target.flush();
    const checked = await checkLog({ terminal, source, target, log, seen }).catch(async (error) => {
      // A writer may have made the difference.
      await checkUnchanged();
      throw error;
    });
    report.logs.push({ ...shown(seen), ...checked });
    terminal.check({ ok: true, text: `${log.name}: ${textOf(seen)}, ${plural(checked.keys, 'key')}` });
    terminal.line(`      compared: entries, values, the states at ${plural(checked.times, 'time')}`);
  }
  await checkUnchanged();
  await source.storage.close();
  await finish(context, { from, to, report, stamp, checkUnchanged });
  return EXIT.ok;
}

async function placesOf({ cwd, options }, words) {
  const urls = words.map(urlOf);
  const servers = urls.filter((url) => url !== undefined).length;
  if (servers !== 1)
    throw usageError(
      servers === 0 ? 'Neither place is a server.' : 'Both places are servers.',
      'Give a folder and a server: postgres://user@host/database, or the word env.',
    );
  const place = async (index, mayBegin) =>
    urls[index] === undefined
      ? new FolderPlace(dataFolder(words[index], cwd, { mayBegin }))
      : ServerPlace.at(urls[index], options.schema);
  const from = await place(0, false);
  if (!from.isServer) checkWhole(from);
  const to = await place(1, true);
  if (from.isServer) from.checkBegun();
  return { from, to };
}

// Its logs say only a part of what a bot loads there.
function checkWhole({ dataDir, title }) {
  const logs = unfinishedTransaction(dataDir);
  if (logs === undefined) return;
  throw new Stop(`A crash cut a transaction over ${logs} short in ${title}.`, {
    code: 'ERR_UNFINISHED_TRANSACTION',
    hint: 'Run `progressive-storage compact` there: it appends what the logs lack.',
  });
}

async function checkPlaces(from, to) {
  for (const [place, what] of [
    [from, 'was moved already'],
    [to, 'is marked as moved'],
  ]) {
    const where = await movedTo(place);
    if (where === null) continue;
    throw new Stop(`The data of ${place.title} ${what}: ${where}.`, {
      code: 'ERR_MOVED',
      hint: 'docs/cli.md says how to remove the mark. Before that, see which of the two places has the newer data.',
    });
  }
  if (from.isServer) return checkSessions(from);
  const { open } = processesUsing({ dataDir: from.dataDir });
  if (open.length > 0)
    throw new Stop(`${from.title} is in use. Stop the bot first.`, {
      code: 'ERR_IN_USE',
      details: open.map(({ pid, command }) => `process ${pid ?? '?'}: ${command}`),
    });
}

// A bot that was just stopped may have sessions for a moment.
async function checkSessions(place) {
  for (let left = TRIES; ; left--) {
    const sessions = await place.ask('sessions');
    if (sessions.length === 0) return;
    if (left === 0) throw serverInUse(place, sessions);
    await wait(PAUSE_MS);
  }
}

async function checkTarget(to, logs) {
  const found = await to.found();
  const strange = found.find(({ name }) => !logs.some((log) => log.name === name));
  // An interrupted run leaves no old logs, and no JSON file without its log.
  const old = found.find(
    ({ log, mirror, backups, archives }) =>
      backups.length + archives.length > 0 || (mirror !== null && log === null),
  );
  if (strange === undefined && old === undefined) return;
  throw new Stop(`${to.title} has other data: the log '${(strange ?? old).name}'.`, {
    code: 'ERR_TARGET_NOT_EMPTY',
    hint: 'Give an empty place: a new folder, or another --schema.',
  });
}

function sourceOf(context, place, checkUnchanged) {
  const storage = place.open(context.atEnd);
  return place.isServer
    ? new ServerSource(place, storage)
    : new FolderSource(context, storage, checkUnchanged);
}

// The first call makes the tables where they are missing.
async function openTarget({ atEnd }, target) {
  target.storage = target.place.open(atEnd);
  await target.storage.getLogSize('players');
  target.place.facts.hasTables = true;
  await target.settle();
}

function sizeOf(logs, name) {
  const { log, mirror, backups, archives } = logs.find((one) => one.name === name);
  const files = [log, ...backups, ...archives].filter(Boolean);
  if (files.length === 0) return `${bytes(mirror?.sizeBytes ?? 0)}, only a JSON file`;
  return bytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
}

const shown = ({ name, entries, copied, sizeBytes }) => ({ name, entries, copied, sizeBytes });

function textOf({ entries, copied }) {
  const were = entries - copied;
  return `${plural(entries, 'entry', 'entries')}${were > 0 ? `, ${were} of them were there already` : ''}`;
}

async function dryRun({ terminal }, { source, target, logs, report }) {
  for (const log of logs) {
    const seen = await copyLog({ terminal, source, target, log, isDryRun: true });
    report.logs.push(shown(seen));
    terminal.check({ ok: true, text: `${log.name}: ${textOf(seen)}` });
  }
  terminal.line();
  terminal.line('This was a dry run. Nothing was changed.');
  terminal.result(report);
  return EXIT.ok;
}

// What changes with every write to a place.
async function stampOf(place) {
  if (place.isServer) return (await place.ask('stamp'))[0];
  const found = await place.found();
  const stamp = ({ path: file }) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  };
  return JSON.stringify(
    found.map(({ log, mirror, backups, archives }) =>
      [log, mirror, ...backups, ...archives].filter(Boolean).map(stamp),
    ),
  );
}

function changed() {
  return new Stop('The source was written to while it was copied, so it was not marked as moved.', {
    code: 'ERR_CHANGED',
    hint: 'Stop every bot that uses it, and run this again: it goes on behind what is copied.',
  });
}

async function finish({ terminal, atEnd }, { from, to, report, stamp, checkUnchanged }) {
  try {
    if (from.isServer) {
      if ((await markServer(from, to.title, stamp)) === 'changed') throw changed();
    } else await markFolder(from, to.title, { checkUnchanged, atEnd });
  } catch (error) {
    if (error.code !== 'ERR_SERVER_RIGHTS') throw error;
    throw new Stop('Everything is copied and compared, but this role may not mark the source as moved.', {
      code: error.code,
      hint: 'Run this again with the url of the owner of the tables: it only compares and marks.',
    });
  }
  report.done = true;
  terminal.line(`Done. ${from.title} is marked as moved, and stays as it is.`);
  terminal.line(
    to.isServer
      ? 'Give the bots the url of the server: PROGRESSIVE_STORAGE_URL.'
      : 'Give the bot the folder, and no url of a server.',
  );
  terminal.result(report);
}
