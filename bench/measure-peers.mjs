/**
 * Measures the same work on every store of the comparison, round after round, each time in a new process.
 *
 * Returns `{ stores, results, failures }`. `results` are `{ work, players, store, runs }`, with a run for each round.
 * A store that is missing or fails at some size is a line in `failures`; the others are still measured.
 */

import fs from 'node:fs';
import path from 'node:path';
import { PEERS } from './peers/index.mjs';
import { inChild } from './support/child.mjs';

const ENTRIES = { entries: 1_000_000, keys: 1000 };
const SECONDS_MAX = 90;
/** A store whose first round takes longer than this gets no further rounds. */
const ROUND_SECONDS_MAX = 20;
const NOT_OF_STORES = ['bare.log', 'events'];

export async function measurePeers({ work, quick, say }) {
  const rounds = quick ? 1 : 3;
  const sizes = quick ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000];
  const measured = { stores: {}, results: [], failures: [] };

  for (const players of sizes) {
    const at = { work, say, measured, rounds, fill: { players } };
    await withStores(at, async (run) => {
      if (players >= 10_000) await run('open', 'peer-open', { players });
      await run('update', 'peer-update', { players, samples: 300, seconds: quick ? 1 : 2 });
      if (players === 1000) {
        await run('updates', 'peer-burst', { players, kind: 'update', count: 1000, bursts: 5, seconds: 3 });
        await run('appends', 'peer-burst', { players, kind: 'append', count: 1000, bursts: 10, seconds: 3 });
      }
      if (players === 10_000) await run('compaction', 'peer-compaction', { players, quietSamples: 200 });
    });
  }
  const entries = quick ? { ...ENTRIES, entries: 100_000 } : ENTRIES;
  await withStores({ work, say, measured, rounds, fill: entries }, (run) =>
    run('replay', 'peer-open', { name: 'entries', players: entries.keys, total: entries.entries }),
  );
  return measured;
}

/** Fills every store, calls `use` with a function that runs a scenario on each of them, and removes them. */
async function withStores({ work, say, measured, rounds, fill }, use) {
  const { stores, results, failures } = measured;
  const root = fs.mkdtempSync(path.join(work, 'stores-'));
  const folders = new Map();
  say(`filling the stores: ${JSON.stringify(fill)}`);
  for (const { id } of PEERS) {
    const folder = path.join(root, id);
    fs.mkdirSync(folder);
    try {
      const { durability } = await inChild('peer-fill', { store: id, folder, ...fill }, { secondsMax: 300 });
      stores[id] = { durability };
      folders.set(id, folder);
      results.push({ work: 'disk', ...fill, store: id, runs: [{ bytes: sizeOf(folder) }] });
    } catch (error) {
      failures.push(error.message);
      fs.rmSync(folder, { recursive: true });
    }
  }

  await use(async (name, scenario, options) => {
    say(`${name}: ${Object.values(options).join(' ')}`);
    const lists = await runRounds({ folders, rounds, failures }, scenario, options);
    for (const [store, runs] of lists) {
      if (runs !== null) results.push({ work: name, players: options.players, store, runs });
    }
  });
  fs.rmSync(root, { recursive: true, force: true });
}

/** A `Map` from each store to its runs; null for one that cannot do this work, or failed. */
async function runRounds({ folders, rounds, failures }, scenario, options) {
  const lists = new Map();
  const slow = new Set();
  for (let round = 0; round < rounds; round++) {
    for (const { id, inFlight } of PEERS) {
      if (!folders.has(id) || lists.get(id) === null || slow.has(id)) continue;
      const count = inFlight?.[options.kind] ?? options.count;
      const begun = performance.now();
      try {
        const store = { store: id, folder: folders.get(id) };
        const result = await inChild(scenario, { ...store, ...options, count }, { secondsMax: SECONDS_MAX });
        // Null: the store cannot do this work.
        if (result === null) lists.set(id, null);
        else lists.set(id, [...(lists.get(id) ?? []), result]);
      } catch (error) {
        failures.push(error.message);
        lists.set(id, null);
      }
      if (performance.now() - begun > ROUND_SECONDS_MAX * 1000) slow.add(id);
    }
  }
  return lists;
}

/** Bytes of all files under a folder, without those that only the benchmark writes. */
function sizeOf(folder) {
  let bytes = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || NOT_OF_STORES.includes(entry.name)) continue;
    // Blocks, not sizes: some stores have sparse files, such as lmdb.
    bytes += fs.statSync(path.join(entry.parentPath ?? entry.path, entry.name)).blocks * 512;
  }
  return bytes;
}
