// Under strace: makes awaited updates, many at once, awaited ones with a small JSON file, and transactions over two logs. Prints
// marks between the parts.
//
//     node few-updates.mjs FOLDER UPDATES BURST

import fs from 'node:fs';
import { createRequire } from 'node:module';

const { Storage } = createRequire(import.meta.url)('../../index.js');

const [folder, updates, burst] = process.argv.slice(2);
const storage = new Storage({ dataDir: folder });
const update = (number) => storage.updatePlayerStats(`user-${number % 300}`, 'Player', 500, false, 5, 5);
const mark = (name) => fs.writeSync(1, `MARK ${name}\n`);

// Enough players that the mirror is written in the background.
for (let round = 0; round < 4; round++) {
  await Promise.all(Array.from({ length: 300 }, (_, number) => update(number)));
}
await storage.flush();
mark('one by one');
for (let number = 0; number < Number(updates); number++) await update(number);
mark('at once');
await Promise.all(Array.from({ length: Number(burst) }, (_, number) => update(number)));
// The large JSON file after the burst must not count for the next part.
mark('large JSON file');
await storage.flush();
mark('small JSON file');
for (let number = 0; number < Number(updates); number++) await storage.saveGameState('channel', { number });
const both = [
  ['coins', 'ann'],
  ['items', 'ann'],
];
const buy = ([coins = 0, items = 0]) => [coins - 1, items + 1];
mark('first transaction');
await storage.transaction(both, buy);
mark('transactions');
for (let number = 0; number < Number(updates); number++) await storage.transaction(both, buy);
mark('end');
await storage.close();
