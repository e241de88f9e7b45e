/**
 * Counts in two logs, always first in one, then in the other, and compacts them now and then. Prints a line for each number,
 * until it is killed. Argument: the data directory.
 */
import { Storage } from '../../index.js';

const storage = new Storage({ dataDir: process.argv[2] });
const [first, second] = ['first', 'second'].map((name) => storage.collection(name));
for (let count = 1; ; count += 1) {
  await first.set('count', count);
  await second.set('count', count);
  if (count % 20 === 0) await storage.compactLog(count % 40 === 0 ? 'first' : 'second');
  console.log(count);
}
