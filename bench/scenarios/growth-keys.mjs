/**
 * What grows with the number of keys: memory and the time of a start should, the time of an awaited update should
 * not. The values have about 100 bytes, so that a million keys fit into the memory of any machine.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadPackage } from '../support/package.mjs';
import { writeEntries } from '../support/small-entries.mjs';
import { randomFrom, summary } from '../support/stats.mjs';

export async function run({ folder, keys, samples }) {
  writeEntries(folder, 'entries', keys, keys);
  const log = path.join(folder, 'logs', 'entries.log');
  const logBytes = fs.statSync(log).size;
  const { Storage } = loadPackage();
  const bareBytes = process.memoryUsage.rss();
  const storage = new Storage({ dataDir: folder });
  const data = storage.collection('entries');
  let begun = performance.now();
  const size = await data.size();
  const openMs = performance.now() - begun;
  if (size !== keys) throw new Error(`${size} keys were found, ${keys} were written`);
  await sleep(500);
  const memoryBytes = process.memoryUsage.rss() - bareBytes;

  await data.set('key-0', { score: 0 });
  await storage.flush();
  const random = randomFrom(keys);
  const times = [];
  for (let count = 0; count < samples; count++) {
    begun = performance.now();
    await data.set(`key-${Math.floor(random() * keys)}`, { score: count, name: 'A small value', open: true });
    times.push(performance.now() - begun);
  }
  await storage.close();
  return { keys, logBytes, openMs, memoryBytes, update: summary(times) };
}
