/**
 * Calls `count` appends without waiting for any, and then ends in the way that is asked for.
 * Arguments: count, way of ending, module | object. The data directory is in PROGRESSIVE_STORAGE_DIR.
 * Ways: natural, exit, throw, rejection, sigint.
 */
import * as ps from '../../index.js';

const [count, way, api] = process.argv.slice(2);
const storage = api === 'object' ? new ps.Storage({ dataDir: process.env.PROGRESSIVE_STORAGE_DIR }) : ps;

if (way === 'sigint') process.on('SIGINT', () => process.exit(130));

for (let i = 0; i < Number(count); i++) {
  const value = { note: `entry ${i}`, filling: 'x'.repeat(100) };
  // The promise is left alone on purpose; were it rejected, that would show as an unhandled rejection.
  storage.appendLogEntry('players', { op: 'SET', key: `key-${i}`, value });
}

if (way === 'exit') process.exit(7);
if (way === 'throw') throw new Error('thrown on purpose');
if (way === 'rejection') Promise.reject(new Error('rejected on purpose'));
if (way === 'sigint') {
  process.kill(process.pid, 'SIGINT');
  // Until the signal has come.
  setTimeout(() => {}, 60_000);
}
