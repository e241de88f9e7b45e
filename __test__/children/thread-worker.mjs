/**
 * A worker thread that updates players of its own (and the shared one `everyone`), and ends in the given `way`.
 * It posts to the main thread how many calls it made, and how many were acked.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Storage } from '../../index.js';

const { dataDir, name, way } = workerData;
const storage = new Storage({ dataDir });
const CALLS = 100;
const calls = [];

let acked = 0;

// Not at the module's top level: Node itself may crash when it terminates a thread in an await there.
async function main() {
  for (let i = 0; i < CALLS; i++) {
    const call = storage.updatePlayerStats(i % 2 ? name : 'everyone', name, 1).then(() => {
      acked += 1;
      parentPort.postMessage({ acked });
    });
    if (way === 'await') await call;
    calls.push(call);
  }
  parentPort.postMessage({ called: CALLS });

  if (way === 'exit') process.exit(0);
  if (way === 'throw') throw new Error('thrown in a thread on purpose');
  if (way === 'stay' || way.startsWith('terminate')) setInterval(() => {}, 1000);
}

main();
