/**
 * Ends with work under way while another process holds the lock.
 * Arguments: data directories. In each one update is acked, then a line is printed. After a line of input, the calls are
 * made and process.exit() follows.
 */
import { once } from 'node:events';
import { Storage } from '../../index.js';

const storages = process.argv.slice(2).map((dataDir) => new Storage({ dataDir }));
await Promise.all(storages.map((storage) => storage.updatePlayerStats('user', 'name', 1)));
console.log('ready');
await once(process.stdin, 'data');
for (const storage of storages) {
  for (const _ of [1, 2]) storage.updatePlayerStats('user', 'name', 1).catch(() => {});
  storage
    .collection('coins')
    .set('user', 5)
    .catch(() => {});
}
process.exit(3);
