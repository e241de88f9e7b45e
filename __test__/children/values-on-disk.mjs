/**
 * Writes values, compacts, reads each of them, opens them anew and reads some. Prints how many had the right value, and by how
 * many bytes this process has grown at most.
 * Arguments: data directory, `cacheBytes`, bytes of all values.
 */
import { Storage } from '../../index.js';

const [dataDir, cacheBytes, totalBytes] = process.argv.slice(2);
const options = { dataDir, cacheBytes: Number(cacheBytes), fsync: 'never', mirror: 'close' };
const COUNT = 1000;
const text = (n) => String.fromCharCode(97 + (n % 26)).repeat(Number(totalBytes) / COUNT);

const base = process.memoryUsage().rss;
let grownBytes = 0;
const look = () => {
  grownBytes = Math.max(grownBytes, process.memoryUsage().rss - base);
};
const timer = setInterval(look, 5);

let sum = 0;
const read = async (large) => {
  for (let n = 0; n < COUNT; n++) {
    const value = await large.get(`k${n}`);
    if (value === text(n)) sum += 1;
  }
};
let storage = new Storage(options);
let large = storage.collection('large');
// A call is always under way, as in a bot that is never idle.
let last = Promise.resolve();
for (let n = 0; n < COUNT; n++) {
  const next = large.set(`k${n}`, text(n));
  await last;
  last = next;
}
await last;
await storage.compactLog('large');
await read(large);
await storage.close();
storage = new Storage(options);
large = storage.collection('large');
await read(large);
await storage.close();
look();
clearInterval(timer);
console.log(JSON.stringify({ sum, grownBytes }));
