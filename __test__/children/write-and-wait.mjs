/**
 * Appends some entries, prints `acked`, and then waits to be killed or for its input to end.
 * Arguments: JSON of the Storage's options, count, close | leave: what it does when its input ends.
 */
import { Storage } from '../../index.js';

const [options, count, atEnd] = process.argv.slice(2);
const storage = new Storage(JSON.parse(options));
const calls = [];
for (let i = 0; i < Number(count); i++) {
  calls.push(storage.appendLogEntry('events', { op: 'SET', key: `key-${i}`, value: i }));
}
await Promise.all(calls);
console.log('acked');
for await (const _ of process.stdin);
if (atEnd === 'close') await storage.close();
