/**
 * Measures this package against its budgets: each scenario in a new process, its figures as rows of the table.
 * README.md in this folder explains each scenario.
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

const IN_FLIGHT = [
  { kind: 'text', entryBytes: 5000, total: 60_000 },
  { kind: 'record', entryBytes: 5000, total: 60_000 },
  { kind: 'text', entryBytes: 150, total: 600_000 },
];
const EVENT_LOOP = [
  { from: 'worker', callers: 1000 },
  { from: 'main', callers: 64 },
];

/** Measures the groups that `only` names; returns `{ rows, raw, failures }`. */
export async function measureBudgets(options) {
  const measurement = new Measurement(options);
  await measurement.measure();
  const { rows, raw, failures } = measurement;
  return { rows, raw, failures };
}

class Measurement {
  rows = [];
  raw = {};
  failures = [];
  #work;
  #quick;
  #only;
  #say;

  constructor({ work, quick, only, say }) {
    this.#work = work;
    this.#quick = quick;
    this.#only = only;
    this.#say = say;
  }

  async measure() {
    const quick = this.#quick;
    await this.#group('disk', 'bare-disk', { samples: quick ? 300 : 1000 }, bareDiskRows);
    await this.#group('open', 'open-addon', {}, openAddonRows, async (run) => {
      const times = [];
      for (let count = 0; count < 15; count++) times.push((await run()).ms);
      return { times: summary(times), binaryBytes: fs.statSync(addonFile()).size };
    });
    await this.#measureSizes(quick ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000]);
    for (const kind of IN_FLIGHT) {
      await this.#group(
        'flight',
        'in-flight',
        { ...kind, window: 20_000, rounds: quick ? 1 : 3 },
        inFlightRows,
      );
    }
    for (const from of EVENT_LOOP) {
      await this.#withFixture('loop', 1000, (folder) => {
        const options = { ...from, folder, players: 1000, seconds: 2, rounds: quick ? 1 : 5 };
        return this.#group('loop', 'event-loop', options, eventLoopRows);
      });
    }
  }

  /** Measures each size in turn. The table has its rows by kind of work, so they are collected first. */
  async #measureSizes(sizes) {
    const rows = { update: [], first: [], clean: [], logAlone: [], compaction: [] };
    for (const players of sizes) await this.#measurePlayers(players, rows);
    this.rows.push(...Object.values(rows).flat());
  }

  /** Everything that is measured on one folder of players, in the order of a folder's life. */
  async #measurePlayers(players, rows) {
    const [first] = ['update', 'load', 'compaction'].filter((name) => this.#isWanted(name));
    if (first === undefined) return;
    await this.#withFixture(first, players, async (folder, fixture) => {
      const collect = (kind, rowsOf) => (result) => {
        rows[kind].push(...rowsOf(result));
        return [];
      };
      const load = (kind, start) =>
        this.#group(
          'load',
          'load',
          { folder, players },
          collect(kind, (result) => loadRows(fixture, result, start)),
        );

      await load('first', 'files never seen before');
      const update = { folder, players, samples: this.#quick ? 300 : 1000 };
      await this.#group('update', 'one-update', update, collect('update', oneUpdateRows));
      if (this.#isWanted('update')) await load('clean', 'after a clean end');
      const mirror = path.join(folder, 'players.json');
      fs.renameSync(mirror, `${mirror}.aside`);
      await load('logAlone', 'from the log alone, no JSON file');
      fs.renameSync(`${mirror}.aside`, mirror);
      if (players !== COMPACTION_PLAYERS) return;
      const compaction = { folder, players, rounds: this.#quick ? 2 : 5, quietSamples: 200 };
      await this.#group('compaction', 'compaction', compaction, collect('compaction', compactionRows));
    });
  }

  /** Runs one scenario in a child process and adds its rows. A failure is recorded, and the others still run. */
  async #group(name, scenario, options, rowsOf, repeat = (run) => run()) {
    if (!this.#isWanted(name)) return;
    const label = [scenario, options.players, options.kind, options.from];
    this.#say(label.filter((part) => part !== undefined).join(' '));
    const folder = options.folder ?? fs.mkdtempSync(path.join(this.#work, 'scenario-'));
    try {
      const result = await repeat(() => inChild(scenario, { ...options, folder }));
      this.raw[scenario] ??= [];
      this.raw[scenario].push({ options: { ...options, folder: undefined }, result });
      this.rows.push(...rowsOf(result));
    } catch (error) {
      this.failures.push(error.message);
    }
    if (options.folder === undefined) fs.rmSync(folder, { recursive: true, force: true });
  }

  async #withFixture(name, players, use) {
    if (!this.#isWanted(name)) return;
    const folder = fs.mkdtempSync(path.join(this.#work, 'data-'));
    await use(folder, writeFixture(folder, players));
    fs.rmSync(folder, { recursive: true, force: true });
  }

  #isWanted(name) {
    return this.#only.includes(name);
  }
}
