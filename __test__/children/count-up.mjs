/**
 * Adds 1 to `count` of one key of a collection, `times` times.
 * Arguments: data directory, collection, key, times, await | at-once.
 */
import { Storage } from '../../index.js';

const [dataDir, name, key, times, how] = process.argv.slice(2);
const storage = new Storage({ dataDir });
const counters = storage.collection(name);
const calls = [];
for (let i = 0; i < Number(times); i++) {
  const call = counters.update(key, (before) => ({ count: (before?.count ?? 0) + 1 }));
  if (how === 'await') await call;
  calls.push(call);
}
await Promise.all(calls);
await storage.close();
