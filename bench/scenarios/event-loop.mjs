/**
 * The delay of the main thread's event loop, idle and while the disk is kept writing.
 *
 * `from: 'worker'`: another thread of the process makes the calls; what the main thread then feels is what the
 * package does to it, and the competition for the processor's cores. `from: 'main'`: the measured thread makes the calls itself, as a bot
 * does, with as many users waiting for an answer as `callers` says; that includes the work of making them.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { playerId } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { randomFrom } from '../support/stats.mjs';

const SAMPLE_MS = 1;

if (!isMainThread && workerData?.scenario === 'event-loop') {
  parentPort.postMessage(await load(workerData));
}

export async function run({ folder, players, from, callers, seconds }) {
  const options = { scenario: 'event-loop', folder, players, callers, from, until: 0 };
  if (from === 'main') await load({ ...options, until: Date.now() + 500 });
  const idle = await delayDuring(() => sleep(seconds * 1000));
  let updates = 0;
  const busy = await delayDuring(async () => {
    options.until = Date.now() + seconds * 1000;
    updates = from === 'main' ? await load(options) : await loadInWorker(options);
  });
  return { from, callers, idle, busy, updatesPerSecond: updates / seconds };
}

async function delayDuring(work) {
  const histogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  histogram.enable();
  await work();
  histogram.disable();
  const milliseconds = (nanoseconds) => nanoseconds / 1e6;
  return {
    median: milliseconds(histogram.percentile(50)),
    p99: milliseconds(histogram.percentile(99)),
    max: milliseconds(histogram.max),
  };
}

function loadInWorker(options) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: options });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Keeps `callers` updates waiting until the time is up; gives how many were made. */
async function load({ folder, players, callers, until }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ dataDir: folder });
  const random = randomFrom(callers);
  let updates = 0;
  const caller = async () => {
    while (Date.now() < until) {
      const index = Math.floor(random() * players);
      await storage.updatePlayerStats(playerId(index), `Player ${index}`, 500, false, 5, 5);
      updates += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  await storage.close();
  return updates;
}
