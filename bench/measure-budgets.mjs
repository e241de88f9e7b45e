/**
 * This package against its budgets: each scenario in a process of its own, its figures as rows of the table.
 * See README.md in this folder for what each one measures.
 */

import fs from 'node:fs';
import path from 'node:path';
import {
  bareDiskRows,
  compactionRows,
  eventLoopRows,
  inFlightRows,
  loadRows,
  oneUpdateRows,
  openAddonRows,
} from './budgets.mjs';
import { inChild } from './support/child.mjs';
import { writeFixture } from './support/fixture.mjs';
import { addonFile } from './support/package.mjs';
import { summary } from './support/stats.mjs';

const COMPACTION_PLAYERS = 10_000;

/** Measures the groups of `only`; gives `{ rows, raw, failures }`. */
export async function measureBudgets({ work, quick, only, say }) {
  const rows = [];
  const raw = {};
  const failures = [];
  const isWanted = (name) => only.includes(name);
  await measure();
  return { rows, raw, failures };

  async function measure() {
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
      const samples = quick ? 300 : 1000;
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
        const rounds = quick ? 2 : 5;
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
    say(label);
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
}
