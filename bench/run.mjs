/**
 * The benchmark: `npm run bench [-- options]`. Measures each scenario in a process of its own, on one disk and in
 * one run, prints each figure beside its budget, and writes everything to results/latest.json.
 *
 *     --quick         leaves out 100,000 players and takes fewer samples
 *     --dir=PATH      where to measure; default: target/bench of the repository
 *     --only=A,B      of: disk, update, load, compaction, flight, loop, open, old
 *     --save          also puts the table into README.md of this folder
 *
 * The exit code is 0 when everything could be measured, whether or not the budgets were met.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  bareDiskRows,
  compactionRows,
  eventLoopRows,
  inFlightRows,
  loadRows,
  oldModuleRows,
  oneUpdateRows,
  openAddonRows,
} from './budgets.mjs';
import { inChild } from './support/child.mjs';
import { writeFixture } from './support/fixture.mjs';
import { fileSystemOf, machineLine } from './support/machine.mjs';
import { addonFile, BENCH, REPOSITORY } from './support/package.mjs';
import { summary } from './support/stats.mjs';
import { textTable } from './support/table.mjs';

const GROUPS = ['disk', 'update', 'load', 'compaction', 'flight', 'loop', 'open', 'old'];
const COMPACTION_PLAYERS = 10_000;

const options = readOptions(process.argv.slice(2));
const rows = [];
const raw = {};
const failures = [];

if (addonFile() === null) {
  process.stderr.write('The addon has not been built: run `npm run build` first.\n');
  process.exit(1);
}
fs.mkdirSync(options.folder, { recursive: true });
const work = fs.mkdtempSync(path.join(options.folder, 'run-'));
const machine = machineLine(work);
// What else the machine had to do: on a busy one the figures say little.
const loadBefore = os.loadavg()[0].toFixed(1);
process.once('SIGINT', () => {
  fs.rmSync(work, { recursive: true, force: true });
  process.exit(130);
});

try {
  process.stdout.write(`${machine} · load average ${loadBefore} at the start\n`);
  if (['tmpfs', 'ramfs'].includes(fileSystemOf(work).type)) {
    process.stdout.write('This is a file system in memory: choose one on a disk with --dir=PATH.\n');
  }
  await measure();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
process.stdout.write(`\n${textTable(rows)}\n\n`);
saveResults();
for (const failure of failures) process.stderr.write(`Not measured: ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;

async function measure() {
  const { quick } = options;
  const sizes = quick ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000];

  await group('disk', 'bare-disk', { samples: quick ? 300 : 1000 }, bareDiskRows);
  await group('open', 'open-addon', {}, openAddonRows, async (run) => {
    const times = [];
    for (let count = 0; count < 15; count++) times.push((await run()).ms);
    return { times: summary(times), binaryBytes: fs.statSync(addonFile()).size };
  });

  const updates = new Map();
  const starts = { first: [], clean: [], logAlone: [] };
  const compactions = [];
  for (const players of sizes) await measurePlayers(players, { updates, starts, compactions });
  for (const result of updates.values()) rows.push(...oneUpdateRows(result));
  for (const { fixture, result } of starts.first)
    rows.push(...loadRows(fixture, result, 'files never seen before'));
  for (const { fixture, result } of starts.clean)
    rows.push(...loadRows(fixture, result, 'after a clean end'));
  for (const { fixture, result } of starts.logAlone)
    rows.push(...loadRows(fixture, result, 'from the log alone, no JSON file'));
  for (const result of compactions) rows.push(...compactionRows(result));

  const window = 20_000;
  const rounds = quick ? 1 : 3;
  for (const kind of [
    { kind: 'text', entryBytes: 5000, total: 60_000 },
    { kind: 'record', entryBytes: 5000, total: 60_000 },
    { kind: 'text', entryBytes: 150, total: 600_000 },
  ]) {
    await group('flight', 'in-flight', { ...kind, window, rounds }, inFlightRows);
  }

  for (const from of [
    { from: 'worker', callers: 1000 },
    { from: 'main', callers: 64 },
  ]) {
    await withFixture('loop', 1000, (folder) =>
      group(
        'loop',
        'event-loop',
        { ...from, folder, players: 1000, seconds: 2, rounds: quick ? 1 : 5 },
        eventLoopRows,
      ),
    );
  }

  for (const [players, samples] of [
    [100, 100],
    [1000, 30],
    [10_000, 5],
  ]) {
    await withFixture('old', players, (folder) =>
      group('old', 'old-module', { folder, players, samples }, (result) =>
        oldModuleRows(result, updates.get(players)),
      ),
    );
  }
}

/** All that is measured on one folder of players, in the order in which a folder's life has it. */
async function measurePlayers(players, { updates, starts, compactions }) {
  const wanted = ['update', 'load', 'compaction'].filter((name) => isWanted(name));
  if (wanted.length === 0) return;
  await withFixture(wanted[0], players, async (folder, fixture) => {
    const collect = (list, wrap) => (result) => {
      list.push(wrap(result));
      return [];
    };
    const load = (list) =>
      group(
        'load',
        'load',
        { folder, players },
        collect(list, (result) => ({ fixture, result })),
      );

    await load(starts.first);
    const samples = options.quick ? 300 : 1000;
    await group('update', 'one-update', { folder, players, samples }, (result) => {
      updates.set(players, result);
      return [];
    });
    if (isWanted('update')) await load(starts.clean);
    const mirror = path.join(folder, 'players.json');
    fs.renameSync(mirror, `${mirror}.aside`);
    await load(starts.logAlone);
    fs.renameSync(`${mirror}.aside`, mirror);
    if (players === COMPACTION_PLAYERS) {
      const rounds = options.quick ? 2 : 5;
      const scenario = { folder, players, rounds, quietSamples: 200 };
      await group(
        'compaction',
        'compaction',
        scenario,
        collect(compactions, (result) => result),
      );
    }
  });
}

/** Runs one scenario in a child process and adds its rows; a failure is noted and the others go on. */
async function group(name, scenario, scenarioOptions, rowsOf, repeat = (run) => run()) {
  if (!isWanted(name)) return;
  const label = [scenario, scenarioOptions.players, scenarioOptions.kind, scenarioOptions.from]
    .filter((part) => part !== undefined)
    .join(' ');
  process.stdout.write(`  measuring ${label}\n`);
  const folder = scenarioOptions.folder ?? fs.mkdtempSync(path.join(work, 'scenario-'));
  try {
    const result = await repeat(() => inChild(scenario, { ...scenarioOptions, folder }));
    raw[scenario] ??= [];
    raw[scenario].push({ options: { ...scenarioOptions, folder: undefined }, result });
    rows.push(...rowsOf(result));
  } catch (error) {
    failures.push(error.message);
  }
  if (scenarioOptions.folder === undefined) fs.rmSync(folder, { recursive: true, force: true });
}

async function withFixture(name, players, use) {
  if (!isWanted(name)) return;
  const folder = fs.mkdtempSync(path.join(work, 'data-'));
  await use(folder, writeFixture(folder, players));
  fs.rmSync(folder, { recursive: true, force: true });
}

function isWanted(name) {
  return options.only.includes(name);
}

function saveResults() {
  const results = path.join(BENCH, 'results');
  fs.mkdirSync(results, { recursive: true });
  const date = new Date().toISOString();
  const latest = { date, machine, loadBefore, quick: options.quick, rows, raw, failures };
  fs.writeFileSync(path.join(results, 'latest.json'), `${JSON.stringify(latest, null, 2)}\n`);
  if (!options.save) return;
  const readme = path.join(BENCH, 'README.md');
  const text = fs.readFileSync(readme, 'utf8');
  const heading = `Measured on ${date.slice(0, 10)}: ${machine} · load average ${loadBefore} at the start.`;
  const table = ['<!-- table -->', heading, `\`\`\`text\n${textTable(rows)}\n\`\`\``, '<!-- /table -->'].join(
    '\n\n',
  );
  fs.writeFileSync(
    readme,
    text.replace(/<!-- table -->[\s\S]*<!-- \/table -->/, () => table),
  );
}

function readOptions(args) {
  const read = { quick: false, save: false, folder: path.join(REPOSITORY, 'target', 'bench'), only: GROUPS };
  for (const argument of args) {
    if (argument === '--quick') read.quick = true;
    else if (argument === '--save') read.save = true;
    else if (argument.startsWith('--dir=')) read.folder = path.resolve(argument.slice('--dir='.length));
    else if (argument.startsWith('--only=')) read.only = argument.slice('--only='.length).split(',');
    else refuse(`Not understood: ${argument}`);
  }
  const unknown = read.only.filter((name) => !GROUPS.includes(name));
  if (unknown.length > 0) refuse(`--only knows ${GROUPS.join(', ')}; not ${unknown.join(', ')}`);
  return read;
}

function refuse(message) {
  process.stderr.write(`${message}\nOptions: --quick --dir=PATH --only=A,B --save\n`);
  process.exit(2);
}
