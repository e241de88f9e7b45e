// Calls update() and exits at once. Each time the function runs, another writer of the same folder changes the value before
// the result is written, until that has happened as often as the argument says.
import fs from 'node:fs';
import { Storage } from '../../index.js';

const times = Number(process.argv[2]);
const dataDir = process.env.PROGRESSIVE_STORAGE_DIR;
const storage = new Storage({ dataDir });
// Other options make a second writer, like in another process.
const other = new Storage({ dataDir, fsync: 'never' }).collection('coins');
let runs = 0;

function log() {
  const file = `${dataDir}/logs/coins.log`;
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
}

storage.collection('coins').update('a', (value) => {
  if (runs < times) {
    other.set('a', runs);
    // Nothing else runs on this thread, but the other writer has a thread of its own.
    while (!log().includes(`"value":${runs}`));
  }
  runs++;
  return `the last: ${value}`;
});
process.on('exit', () => fs.writeSync(1, String(runs)));
process.exit(0);
