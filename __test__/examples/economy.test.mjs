// The recipe of an economy: what is refused, and that no coin and no item is made or lost, whatever runs at once and
// whenever it is killed.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buy, claimDaily, getAccount, offer, Refused, transfer } from '../../examples/recipes/economy.mjs';
import { Storage } from '../../index.js';
import { optionsAt } from '../support/place.mjs';
import { startShard } from '../support/recipes.mjs';
import { openStorage, startScript, temporaryFolder, waitUntil } from '../support/temp.mjs';

const CHILD = fileURLToPath(new URL('../children/economy.mjs', import.meta.url));
const HOSTILE = ['__proto__', 'constructor', 'x\u001b[31m', ''];

const give = (storage, userId, coins) =>
  storage.collection('economy').set(`account:${userId}`, { coins, items: [] });
const coinsOf = async (storage, userId) => (await getAccount(storage, userId)).coins;

test('a transfer moves coins, and is refused where it cannot', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await give(storage, 'ann', 50);
  await transfer(storage, 'ann', 'ben', 20);
  await transfer(storage, 'ann', 'ben', 30);
  const before = await storage.collection('economy').entries();
  for (const coins of [0, -5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '5', undefined, null, 5n])
    await assert.rejects(transfer(storage, 'ben', 'ann', coins), Refused, String(coins));
  await assert.rejects(transfer(storage, 'ben', 'ann', 51), {
    message: 'That takes 51 coins, and there are 50.',
  });
  await assert.rejects(transfer(storage, 'nobody', 'ann', 1), {
    message: 'That takes 1 coins, and there are 0.',
  });
  await assert.rejects(transfer(storage, 'ben', 'ben', 1), { message: 'Nobody can pay themselves.' });
  await assert.rejects(transfer(storage, 42, '42', 1), { message: 'Nobody can pay themselves.' });
  assert.deepEqual(await storage.collection('economy').entries(), before, 'nothing was changed');
  assert.deepEqual([await coinsOf(storage, 'ann'), await coinsOf(storage, 'ben')], [0, 50]);
});

test('nobody has more coins than can be counted', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await give(storage, 'ann', Number.MAX_SAFE_INTEGER);
  await give(storage, 'ben', 5);
  await assert.rejects(transfer(storage, 'ben', 'ann', 1), { message: 'Nobody can have so many coins.' });
  assert.equal(await coinsOf(storage, 'ben'), 5);
});

test('the shop sells what it has, for what it costs', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await give(storage, 'ann', 100);
  await offer(storage, 'sword', 30, 2);
  await offer(storage, 'castle', 1000, 1);
  assert.deepEqual(await buy(storage, 'ann', 'sword'), { coins: 70, items: ['sword'] });
  await assert.rejects(buy(storage, 'ann', 'castle'), {
    message: 'That takes 1000 coins, and there are 70.',
  });
  await assert.rejects(buy(storage, 'ann', 'dragon'), { message: 'The shop has none of these.' });
  await buy(storage, 'ann', 'sword');
  await assert.rejects(buy(storage, 'ann', 'sword'), { message: 'The shop has none of these.' });
  assert.deepEqual(await getAccount(storage, 'ann'), { coins: 40, items: ['sword', 'sword'] });
  assert.deepEqual(await storage.collection('economy').get('goods:castle'), { price: 1000, stock: 1 });
});

test('daily coins are paid once, and again when the claim has ended', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const economy = storage.collection('economy');
  const claims = await Promise.allSettled(Array.from({ length: 5 }, () => claimDaily(storage, 'ann')));
  assert.equal(claims.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const { reason } of claims.filter(({ status }) => status === 'rejected'))
    assert.ok(reason instanceof Refused, String(reason));
  assert.equal(await coinsOf(storage, 'ann'), 100);
  assert.ok((await economy.expiresAt('daily:ann')) > Date.now(), 'paying keeps the time');
  await economy.update('daily:ann', (claim) => claim, { expiresAt: Date.now() - 1 });
  await claimDaily(storage, 'ann');
  assert.equal(await coinsOf(storage, 'ann'), 200);
});

test('a claim that a crash has left unpaid is paid by the next call, once', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.collection('economy').set('daily:ann', { isPaid: false }, { ttlMs: 60_000_000 });
  await claimDaily(storage, 'ann');
  await assert.rejects(claimDaily(storage, 'ann'), Refused);
  assert.equal(await coinsOf(storage, 'ann'), 100);
});

test('names are only names', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const name of HOSTILE) {
    await claimDaily(storage, name);
    await offer(storage, name, 10, 1);
    await buy(storage, name, name);
    await transfer(storage, name, 'bank', 90);
    assert.deepEqual(await getAccount(storage, name), { coins: 0, items: [name] });
  }
  assert.equal(await coinsOf(storage, 'bank'), 90 * HOSTILE.length);
  assert.equal({}.coins, undefined);
});

test('of two shards that want the last item, or all of the coins, one gets it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const options = optionsAt(dataDir);
  const shards = await Promise.all([startShard(t, 'economy', options), startShard(t, 'economy', options)]);
  for (let round = 0; round < 10; round++) {
    await give(storage, 'ann', 10);
    await give(storage, 'ben', 10);
    await offer(storage, 'sword', 10, 1);
    const bought = await Promise.all(shards.map(({ call }, at) => call('buy', ['ann', 'ben'][at], 'sword')));
    assert.equal(bought.filter(({ error }) => error === undefined).length, 1);
    await give(storage, 'cid', 10);
    const paid = await Promise.all(shards.map(({ call }) => call('transfer', 'cid', 'dan', 10)));
    assert.equal(paid.filter(({ error }) => error === undefined).length, 1);
    assert.equal(await coinsOf(storage, 'dan'), 10 * (round + 1));
  }
  assert.deepEqual(await Promise.all(shards.map(({ end }) => end())), [0, 0]);
});

test('processes that are killed in the middle make and lose nothing', async (t) => {
  const PLAYERS = ['ann', 'ben', 'cid', '__proto__'];
  const [COINS, STOCK, PRICE] = [300, 10, 7];
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const { storage } = await openStorage(t, Storage, { dataDir });
  for (const player of PLAYERS) await give(storage, player, COINS);
  await offer(storage, 'sword', PRICE, STOCK);

  const assertWhole = async (what) => {
    const then = new Map(await storage.collection('economy').entries());
    const accounts = PLAYERS.map((player) => then.get(`account:${player}`));
    const paid = PLAYERS.filter((player) => then.get(`daily:${player}`)?.isPaid).length;
    const sold = accounts.flatMap(({ items }) => items).length;
    assert.equal(then.get('goods:sword').stock, STOCK - sold, `${what}: the stock`);
    const coins = accounts.reduce((sum, account) => sum + account.coins, 0);
    assert.equal(coins, PLAYERS.length * COINS + paid * 100 - sold * PRICE, `${what}: the coins`);
  };
  const options = optionsAt(dataDir);
  const start = (seed) =>
    startScript(t, { file: CHILD, args: [JSON.stringify({ options, players: PLAYERS, seed })] });
  const done = ({ output }) => output.stdout.split('+').length - 1;
  let running = [await start(1), await start(2)];
  for (let round = 0; round < 6; round++) {
    const [victim, other] = running;
    await waitUntil(() => done(victim) >= 20, { what: `20 calls: ${victim.output.stderr}` });
    victim.child.kill('SIGKILL');
    assert.equal((await victim.ended).stdout.replaceAll('+', ''), '');
    await assertWhole(`round ${round}`);
    running = [other, await start(round + 3)];
  }
  for (const { child } of running) child.stdin.write('end\n');
  for (const { ended } of running) {
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout.replaceAll('+', ''), '');
  }
  await assertWhole('at the end');
});
