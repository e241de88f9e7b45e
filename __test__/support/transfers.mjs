// Processes that move coins between accounts (`children/transfers.mjs`) while some of them are killed: whatever happens to
// them, the sum of all accounts is exact. `options` are those of the place. With several `collections`, the accounts are spread
// over them.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Storage } from '../../index.js';
import { atEnd, closeStorage, startScript, waitUntil } from './temp.mjs';

const CHILD = fileURLToPath(new URL('../children/transfers.mjs', import.meta.url));
const ACCOUNTS = ['ann', 'ben', 'cid', 'dan', 'eve', '7'];
const EACH = 100;
const SUM = EACH * ACCOUNTS.length;
const PROCESSES = 3;

const moves = ({ output }) => output.stdout.split('+').length - 1;

async function start(t, { options, collections }, seed) {
  const args = [JSON.stringify({ options, accounts: ACCOUNTS, collections, sum: SUM, seed })];
  return startScript(t, { file: CHILD, args });
}

function assertExact({ stdout, stderr }) {
  assert.equal(stdout.replaceAll('+', ''), '', 'a reader saw half of a move');
  // Those that are left may tell of a lock that they waited for, or of a tail that was cut.
  assert.doesNotMatch(stderr, /Error|ERR_/);
}

const sumOf = (values) => values.reduce((total, coins = 0) => total + coins, 0);

/** Each account with its collection. */
const placesIn = (collections) =>
  ACCOUNTS.map((account, index) => [collections[index % collections.length], account]);

async function sumIn(storage, collections) {
  if (collections.length > 1)
    return sumOf(await storage.transaction(placesIn(collections), (values) => values));
  return sumOf([...(await storage.collection(collections[0]).getMany(ACCOUNTS)).values()]);
}

/** Lets several processes move coins, and kills one of them after each `moved` moves, `kills` times. */
export async function moveAndKill(t, options, { kills, moved, collections = ['coins'] }) {
  const storage = new Storage({ ...options, logger: null });
  atEnd(t, () => closeStorage(storage));
  await storage.transaction(placesIn(collections), (values) => values.map(() => EACH));
  const place = { options, collections };
  let seed = 0;
  const running = [];
  for (let i = 0; i < PROCESSES; i++) running.push(await start(t, place, ++seed));
  for (let kill = 0; kill < kills; kill++) {
    const [victim] = running;
    const before = moves(victim);
    await waitUntil(() => moves(victim) >= before + moved, { what: `${moved} more moves` });
    victim.child.kill('SIGKILL');
    assertExact(await victim.ended);
    running.shift();
    assert.equal(await sumIn(storage, collections), SUM, `after kill ${kill + 1}`);
    running.push(await start(t, place, ++seed));
  }
  for (const each of running) await waitUntil(() => moves(each) > 0, { what: 'a move of each' });
  for (const { child } of running) child.stdin.write('end\n');
  for (const { ended } of running) {
    const result = await ended;
    assert.equal(result.code, 0, result.stderr);
    assertExact(result);
  }
  assert.equal(await sumIn(storage, collections), SUM);
  await storage.close();
  const again = new Storage({ ...options, logger: null });
  atEnd(t, () => closeStorage(again));
  assert.equal(await sumIn(again, collections), SUM, 'read anew');
  const states = await Promise.all(collections.map((name) => again.rebuildStateFromLog(name)));
  assert.equal(sumOf(states.flatMap(Object.values)), SUM, 'from the logs alone');
}
