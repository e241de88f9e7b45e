// One shard of a bot, with the package of the version that it is given. It writes until its standard input ends, and prints a
// line for each call that was acknowledged. node shard.mjs PACKAGE-URL OPTIONS ID, the
// options of Storage being JSON text.
//
//   + KEY      an increment of that counter
//   = KEY      a value under a key of its own
//   * NAME     a game of that player
//
// It also compacts, so that each version goes on from the checkpoints of the other. Where its version has transactions, it
// moves coins between two collections; their sum never changes.

import fs from 'node:fs';

const [packageUrl, options, id] = process.argv.slice(2);
const { Storage } = await import(packageUrl);
const storage = new Storage({ ...JSON.parse(options), logger: null });
const counters = storage.collection('counters');
const LANES = 4;
const COMPACT_EVERY = 150;
const hasTransactions = process.env.UPGRADE_TRANSACTIONS === '1';
let isEnding = false;
process.stdin.on('end', () => {
  isEnding = true;
});
process.stdin.resume();
/** Straight to the pipe: whenever a kill comes, what is printed was acknowledged. */
const acked = (line) => fs.writeSync(1, `${line}\n`);

async function lane(number) {
  for (let i = 0; !isEnding; i++) {
    const counter = `shared${i % 3}`;
    await counters.update(counter, (n) => (n ?? 0) + 1);
    acked(`+ ${counter}`);
    const own = `${id}-${number}-${i}`;
    await storage.collection('owned').set(own, { i });
    acked(`= ${own}`);
    await storage.updatePlayerStats(`player${i % 4}`, `by ${id}`, 1);
    acked(`* player${i % 4}`);
    if (hasTransactions) await moveCoin(i);
    if (number === 0 && i % COMPACT_EVERY === COMPACT_EVERY - 1)
      for (const name of ['counters', 'owned', 'players']) await storage.compactLog(name);
  }
}

function moveCoin(i) {
  const places = [
    ['purses', `p${i % 2}`],
    ['chests', `c${i % 2}`],
  ];
  return storage.transaction(places, ([purse, chest]) => [(purse ?? 0) - 1, (chest ?? 0) + 1]);
}

acked('ready');
await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
await storage.close();
acked('closed');
