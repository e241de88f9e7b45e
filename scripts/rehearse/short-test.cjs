// The short test, as a bot in a clean folder runs it: node short-test.cjs write FOLDER | read FOLDER SEEN.
//
// `write`: a hundred updates at once, a compaction, then one update after the other, each acknowledged with a line, until
// it is killed. `read`: all that was acknowledged is there, and the store goes on.

const assert = require('node:assert');
const { Storage } = require('progressive-storage');

const UPDATES = 100;
/** Nobody kills it when the rehearsal itself was killed. */
const ALONE_MS = 120_000;

const [, , phase, dataDir, seen] = process.argv;
const storage = new Storage({ dataDir });
const update = () => storage.updatePlayerStats('1', 'Ann', 3);

async function write() {
  await Promise.all(Array.from({ length: UPDATES }, update));
  await storage.compactLog('players');
  assert.equal((await storage.readLogEntries('players'))[0].op, 'CHECKPOINT');
  const startedMs = Date.now();
  for (let count = 1; Date.now() - startedMs < ALONE_MS; count++) {
    await update();
    console.log(`acknowledged ${count}`);
  }
}

async function read() {
  const before = await storage.getPlayerStats('1');
  assert.ok(before.totalGames >= UPDATES + Number(seen), `${before.totalGames} updates, ${seen} seen`);
  assert.equal(before.totalScore, 3 * before.totalGames);
  await update();
  await storage.close();
  const again = new Storage({ dataDir });
  assert.equal((await again.getPlayerStats('1')).totalGames, before.totalGames + 1);
  await again.close();
  console.log('data whole');
}

(phase === 'write' ? write() : read()).catch((error) => {
  console.error(error);
  process.exit(1);
});
