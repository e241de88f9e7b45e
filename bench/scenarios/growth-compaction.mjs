/**
 * The compaction of a large log during appends at a fixed rate. The time of an append counts from when it was due, so
 * every append that is due in a pause shows the pause.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFixture } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { summary } from '../support/stats.mjs';

export async function run({ folder, players, rounds, perSecond }) {
  writeFixture(folder, players);
  const log = path.join(folder, 'logs', 'players.log');
  // The same state again and again: all but the last part of the log is dead.
  const checkpoint = fs.readFileSync(log);
  for (let round = 1; round < rounds; round++) fs.appendFileSync(log, checkpoint);
  const logBytes = fs.statSync(log).size;
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  await storage.getPlayerStats('nobody');
  const append = () => storage.appendLogEntry('players', { op: 'NOTE', text: 'x'.repeat(60) });
  await append();

  const at = async (until) => {
    const times = [];
    const pending = [];
    const begun = performance.now();
    let made = 0;
    while (!until()) {
      const due = Math.floor(((performance.now() - begun) / 1000) * perSecond);
      for (; made < due; made++) {
        const dueMs = begun + (made * 1000) / perSecond;
        pending.push(append().then(() => times.push(performance.now() - dueMs)));
      }
      await sleep(1);
    }
    await Promise.all(pending);
    return { ...summary(times), perSecond: (made * 1000) / (performance.now() - begun) };
  };
  const quietUntil = performance.now() + 3000;
  const quiet = await at(() => performance.now() > quietUntil);
  let compactionMs = null;
  const begun = performance.now();
  const compaction = storage.compactLog('players').then(() => {
    compactionMs = performance.now() - begun;
  });
  const during = await at(() => compactionMs !== null);
  await compaction;
  const afterBytes = fs.statSync(log).size;
  await storage.close();
  return { logBytes, afterBytes, compactionMs, quiet, during };
}
