/**
 * The delay of the main thread's event loop, in turn idle and under constant writes.
 *
 * - `from: 'worker'`: another thread makes the calls. The main thread's delay then comes from the package, and from
 *   the competition for processor cores.
 * - `from: 'main'`: the measured thread makes the calls itself, as a bot does, with `callers` calls open at any time.
 *   The delay then includes the work of making the calls.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { playerId } from '../support/fixture.mjs';
import { delayDuring } from '../support/loop.mjs';
import { loadPackage } from '../support/package.mjs';
import { median, randomFrom } from '../support/stats.mjs';

if (!isMainThread && workerData?.scenario === 'event-loop') {
  parentPort.postMessage(await load(workerData));
}

export async function run({ folder, players, from, callers, seconds, rounds }) {
  const options = { scenario: 'event-loop', folder, players, callers };
  const loadFor = from === 'main' ? load : loadInWorker;
  await loadFor({ ...options, until: Date.now() + 500 });
  const idle = [];
  const busy = [];
  let updates = 0;
  for (let round = 0; round < rounds; round++) {
    idle.push(await delayDuring(() => sleep(seconds * 1000)));
    const whileLoaded = async () => {
      updates += await loadFor({ ...options, until: Date.now() + seconds * 1000 });
    };
    busy.push(await delayDuring(whileLoaded));
  }
  const updatesPerSecond = updates / (rounds * seconds);
  return { from, callers, idle: middle(idle), busy: middle(busy), updatesPerSecond, rounds: { idle, busy } };
}

/** The median of several rounds, figure by figure, so that one disturbed round does not count. */
function middle(rounds) {
  const of = (field) => median(rounds.map((round) => round[field]));
  return { median: of('median'), p99: of('p99'), max: Math.max(...rounds.map((round) => round.max)) };
}

function loadInWorker(options) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: options });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Keeps `callers` updates open until the time is up; returns how many were made. */
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
