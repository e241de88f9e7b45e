/**
 * The benchmark: `npm run bench [-- options]`. Measures this package against its budgets and beside other stores, on
 * one disk and in one run, and writes everything to results/latest.json.
 *
 *     --quick         leave out 100,000 players, and take fewer samples
 *     --dir=PATH      where to measure; default: target/bench of the repository
 *     --only=A,B      some of: disk, open, update, load, compaction, flight, loop, peers; or server, which is not measured
 *                     without being named
 *     --million       with server: also a leaderboard of 1,000,000 players
 *     --save          also write tables and charts to README.md of this folder and docs/performance.md
 *
 * The exit code is 0 when everything of this package was measured, even where a budget is not met. A store of the
 * comparison that cannot be measured is named at the end.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { whyNoServer } from '../scripts/postgres/index.mjs';
import { comparison, comparisonTable } from './compare.mjs';
import { measureBudgets } from './measure-budgets.mjs';
import { measurePeers } from './measure-peers.mjs';
import { measureServer } from './measure-server.mjs';
import { saveReport } from './report.mjs';
import { installPeers, installPrisma } from './support/install.mjs';
import { fileSystemOf, machineLine } from './support/machine.mjs';
import { addonFile, BENCH, REPOSITORY } from './support/package.mjs';
import { textTable } from './support/table.mjs';

const BUDGETS = ['disk', 'open', 'update', 'load', 'compaction', 'flight', 'loop'];
const GROUPS = [...BUDGETS, 'peers'];
const NO_SERVER = 3;

const options = readOptions(process.argv.slice(2));
if (addonFile() === null) {
  process.stderr.write('The addon has not been built: run `npm run build` first.\n');
  process.exit(1);
}
if (options.only.includes('server') && whyNoServer()) {
  process.stderr.write(`Nothing is measured on a server: ${whyNoServer()}.\n`);
  process.exit(NO_SERVER);
}
if (options.only.some((name) => ['peers', 'server'].includes(name))) installPeers();
fs.mkdirSync(options.folder, { recursive: true });
const work = fs.mkdtempSync(path.join(options.folder, 'run-'));
process.once('SIGINT', () => {
  fs.rmSync(work, { recursive: true, force: true });
  process.exit(130);
});
const begun = Date.now();
const results = {
  date: new Date(begun).toISOString(),
  machine: machineLine(work),
  // On a busy machine the figures say little.
  loadBefore: os.loadavg()[0].toFixed(1),
  command: `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
};
try {
  process.stdout.write(`${results.machine} · load average ${results.loadBefore} at the start\n`);
  if (['tmpfs', 'ramfs'].includes(fileSystemOf(work).type)) {
    process.stdout.write('This is a file system in memory: choose one on a disk with --dir=PATH.\n');
  }
  const say = (what) => process.stdout.write(`  measuring ${what}\n`);
  const { quick, only } = options;
  if (only.some((name) => BUDGETS.includes(name))) {
    results.budgets = await measureBudgets({ work, quick, only, say });
    process.stdout.write(`\n${textTable(results.budgets.rows)}\n\n`);
  }
  if (only.includes('peers')) {
    results.peers = await measurePeers({ work, quick, say });
    results.lines = comparison(results.peers);
    process.stdout.write(`\n${comparisonTable(results.lines, results.peers.stores)}\n\n`);
  }
  if (only.includes('server')) {
    const without = installPrisma() ? [] : ['prisma'];
    results.server = await measureServer({ quick, million: options.million, without, say });
    process.stdout.write(`\n${textTable(results.server.rows)}\n\n`);
  }
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
process.stdout.write(`Done in ${Math.round((Date.now() - begun) / 1000)} s.\n`);
fs.mkdirSync(path.join(BENCH, 'results'), { recursive: true });
fs.writeFileSync(path.join(BENCH, 'results', 'latest.json'), `${JSON.stringify(results, null, 2)}\n`);
if (options.save) saveReport(results);

const ours = results.budgets?.failures ?? [];
const theirs = results.peers?.failures ?? [];
const onServer = results.server?.failures ?? [];
for (const failure of [...ours, ...theirs, ...onServer]) process.stderr.write(`Not measured: ${failure}\n`);
process.exitCode =
  ours.length + onServer.length > 0 || theirs.some((failure) => failure.includes('this-package')) ? 1 : 0;

function readOptions(args) {
  const read = {
    quick: false,
    save: false,
    million: false,
    folder: path.join(REPOSITORY, 'target', 'bench'),
    only: GROUPS,
  };
  for (const argument of args) {
    if (argument === '--quick') read.quick = true;
    else if (argument === '--save') read.save = true;
    else if (argument === '--million') read.million = true;
    else if (argument.startsWith('--dir=')) read.folder = path.resolve(argument.slice('--dir='.length));
    else if (argument.startsWith('--only=')) read.only = argument.slice('--only='.length).split(',');
    else refuse(`Not understood: ${argument}`);
  }
  const unknown = read.only.filter((name) => ![...GROUPS, 'server'].includes(name));
  if (unknown.length > 0) refuse(`--only takes ${GROUPS.join(', ')}, server; not ${unknown.join(', ')}`);
  return read;
}

function refuse(message) {
  process.stderr.write(`${message}\nOptions: --quick --dir=PATH --only=A,B --million --save\n`);
  process.exit(2);
}
