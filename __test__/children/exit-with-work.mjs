/**
 * Calls `count` appends without awaiting any, and then ends in the given way.
 * Arguments: count, way of ending, module | object. The data directory is in PROGRESSIVE_STORAGE_DIR.
 * Ways: natural, exit, throw, rejection, sigint, listener. The last one makes the calls in a listener of 'exit' that is added
 * after the first use of the storage, so it runs after the storage's own listener.
 */
import * as ps from '../../index.js';

const [count, way, api] = process.argv.slice(2);
const storage = api === 'object' ? new ps.Storage({ dataDir: process.env.PROGRESSIVE_STORAGE_DIR }) : ps;

if (way === 'sigint') process.on('SIGINT', () => process.exit(130));

function append(from, to) {
  for (let i = from; i < to; i++) {
    const value = { note: `entry ${i}`, filling: 'x'.repeat(100) };
    // Nobody awaits the promise on purpose: a rejection would be an unhandled one.
    storage.appendLogEntry('players', { op: 'SET', key: `key-${i}`, value });
  }
}

if (way === 'listener') {
  append(0, 1);
  process.on('exit', () => append(1, Number(count)));
  process.exit(0);
}

append(0, Number(count));
if (way === 'exit') process.exit(7);
if (way === 'throw') throw new Error('thrown on purpose');
if (way === 'rejection') Promise.reject(new Error('rejected on purpose'));
if (way === 'sigint') {
  process.kill(process.pid, 'SIGINT');
  // Waits for the signal.
  setTimeout(() => {}, 60_000);
}
