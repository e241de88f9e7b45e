/**
 * A worker thread that writes a value nested too deep for other threads' stacks, and reports its depth when read back.
 * workerData: data directory, depth.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Storage } from '../../index.js';

const { dataDir, depth } = workerData;

let value = [];
for (let i = 1; i < depth; i++) value = [value];
function depthOf(array) {
  let found = 0;
  for (let at = array; at !== undefined; at = at[0]) found += 1;
  return found;
}

const storage = new Storage({ dataDir, fsync: 'never' });
await storage.appendLogEntry('events', { op: 'SET', key: 'k', value });
const coins = storage.collection('coins');
await coins.set('k', value);
await coins.update('k', (before) => [before]);
const appended = depthOf((await storage.readLogEntries('events'))[0].value);
const updated = depthOf(await coins.get('k'));
await storage.close();
parentPort.postMessage({ appended, updated });
