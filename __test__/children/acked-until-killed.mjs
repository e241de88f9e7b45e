/**
 * Writes without end, with some calls in flight, and prints the id of each entry once it is acked.
 * Arguments: data directory, kind of write, calls in flight, prefix of the ids.
 * Kinds: append (to log `players`), update (updatePlayerStats), set (collection `coins`), compact (append, with
 * compactions running all the time beside it).
 */
import fs from 'node:fs';
import { Storage } from '../../index.js';

const [dataDir, kind, width, prefix] = process.argv.slice(2);
const storage = new Storage({ dataDir });
const coins = storage.collection('coins');
const append = (id) =>
  storage.appendLogEntry('players', { op: 'SET', key: id, value: { note: `note of ${id}` } });
const kinds = {
  append,
  compact: append,
  update: (id) => storage.updatePlayerStats(id, `name of ${id}`, 1),
  set: (id) => coins.set(id, { note: `note of ${id}` }),
};

async function writeForever(lane) {
  for (let i = 0; ; i++) {
    const id = `${prefix}-${lane}-${i}`;
    await kinds[kind](id);
    // Straight to the pipe: whenever the kill comes, each printed id was acked.
    fs.writeSync(1, `${id}\n`);
  }
}

async function compactForever() {
  for (;;) await storage.compactLog('players');
}

const lanes = Array.from({ length: Number(width) }, (_, lane) => writeForever(lane));
if (kind === 'compact') lanes.push(compactForever());
await Promise.all(lanes);
