/**
 * Awaited updates while the log is compacted, and the same updates in a quiet time just before.
 *
 * For comparison, the bare disk: appends and syncs while another thread writes as many bytes as a compaction (the log
 * and the JSON file, each with one sync at its end).
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { BareLog, sequentialWrite } from '../support/disk.mjs';
import { playerId } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

if (!isMainThread && workerData?.scenario === 'compaction') {
  for (const [index, size] of workerData.sizes.entries())
    sequentialWrite(`${workerData.file}-${index}`, size);
}

export async function run({ folder, players, rounds, quietSamples }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  const random = randomFrom(rounds);
  const quiet = [];
  const during = [];
  const compactionMs = [];

  const update = async (times) => {
    const index = Math.floor(random() * players);
    const begun = performance.now();
    await storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
    times.push(performance.now() - begun);
  };

  for (let count = 0; count < 30; count++) await update([]);
  for (let round = 0; round < rounds; round++) {
    for (let count = 0; count < quietSamples; count++) await update(quiet);
    let running = true;
    const begun = performance.now();
    const compaction = storage.compactLog('players').then(() => {
      compactionMs.push(performance.now() - begun);
      running = false;
    });
    while (running) await update(during);
    await compaction;
  }
  await storage.close();
  return {
    players,
    quiet: summary(quiet),
    during: summary(during),
    compactionMs: summary(compactionMs),
    bareDuring: summary(await bareBesideWriter(folder, rounds)),
  };
}

async function bareBesideWriter(folder, rounds) {
  const sizes = ['logs/players.log', 'players.json'].map((file) => fs.statSync(path.join(folder, file)).size);
  const bare = new BareLog(path.join(folder, 'bare.log'));
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const data = { scenario: 'compaction', file: path.join(folder, 'bare-writer'), sizes };
    const writer = new Worker(fileURLToPath(import.meta.url), { workerData: data });
    let running = true;
    const failed = new Promise((_, reject) => writer.once('error', reject));
    writer.once('exit', () => {
      running = false;
    });
    while (running) {
      times.push(bare.append(5600));
      await Promise.race([new Promise(setImmediate), failed]);
    }
  }
  bare.close();
  fs.rmSync(path.join(folder, 'bare.log'));
  return times;
}
