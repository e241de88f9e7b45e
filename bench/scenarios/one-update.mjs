/**
 * One awaited updatePlayerStats after another, among `players` with 50 games each. After each, the bare disk appends
 * and syncs as many bytes as the update added to the log.
 */

import fs from 'node:fs';
import path from 'node:path';
import { BareLog } from '../support/disk.mjs';
import { playerId } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { median, randomFrom, summary } from '../support/stats.mjs';

const WARM_UP = 30;

export async function run({ folder, players, samples }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  const log = path.join(folder, 'logs', 'players.log');
  const bare = new BareLog(path.join(folder, 'bare.log'));
  const random = randomFrom(samples);
  const ours = [];
  const disk = [];
  const sizes = [];

  const update = async () => {
    const index = Math.floor(random() * players);
    const begun = performance.now();
    await storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
    return performance.now() - begun;
  };

  // Not measured: the first update after a start also takes over the data of the files and writes the JSON file anew.
  // Later the JSON file is written in the background, as in any running bot.
  const firstMs = await update();
  await storage.flush();
  for (let count = 0; count < WARM_UP; count++) await update();
  let end = fs.statSync(log).size;
  for (let count = 0; count < samples; count++) {
    ours.push(await update());
    const size = fs.statSync(log).size - end;
    end += size;
    sizes.push(size);
    disk.push(bare.append(size));
  }
  bare.close();
  const begun = performance.now();
  await storage.close();
  const closeMs = performance.now() - begun;
  fs.rmSync(path.join(folder, 'bare.log'));
  return { players, ours: summary(ours), disk: summary(disk), entryBytes: median(sizes), firstMs, closeMs };
}
