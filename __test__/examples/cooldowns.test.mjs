// The recipe of cooldowns: one of several callers gets it, all see what is left, and it outlives each process.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endCooldown, inWords, leftMs, startCooldown } from '../../examples/recipes/cooldowns.mjs';
import { Storage } from '../../index.js';
import { optionsAt } from '../support/place.mjs';
import { startShard } from '../support/recipes.mjs';
import { openStorage, reopened, waitUntil } from '../support/temp.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;

// Every cooldown here is of a day, so hours may pass.
const assertLeft = (ms) => assert.ok(ms > DAY_MS / 2 && ms <= DAY_MS, `${ms} ms are left`);

test('a user may go on once, and is told what is left', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.equal(await leftMs(storage, 'daily', 'ann'), 0);
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => startCooldown(storage, 'daily', 'ann', DAY_MS)),
  );
  assert.equal(answers.filter((left) => left === 0).length, 1);
  for (const left of answers.filter((each) => each !== 0)) assertLeft(left);
  assertLeft(await startCooldown(storage, 'daily', 'ann', 5));
  assertLeft(await leftMs(storage, 'daily', 'ann'));
  assert.equal(await startCooldown(storage, 'daily', 'ben', DAY_MS), 0, 'another user');
  assert.equal(await startCooldown(storage, 'work', 'ann', DAY_MS), 0, 'another command');
  assert.equal(await endCooldown(storage, 'daily', 'ann'), true);
  assert.equal(await endCooldown(storage, 'daily', 'ann'), false);
  assert.equal(await startCooldown(storage, 'daily', 'ann', DAY_MS), 0, 'it was ended');
});

test('a cooldown ends by itself', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.equal(await startCooldown(storage, 'hug', 'ann', 50), 0);
  await waitUntil(async () => (await leftMs(storage, 'hug', 'ann')) === 0, { what: 'its end' });
  assert.equal(await startCooldown(storage, 'hug', 'ann', DAY_MS), 0);
});

test('names are only names', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const name of ['__proto__', 'constructor', '']) {
    assert.equal(await leftMs(storage, name, name), 0);
    assert.equal(await startCooldown(storage, name, name, DAY_MS), 0);
    assertLeft(await leftMs(storage, name, name));
  }
});

test('shards share it, and it outlives all of them', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const options = optionsAt(dataDir);
  const shards = await Promise.all([1, 2, 3].map(() => startShard(t, 'cooldowns', options)));
  for (const user of ['ann', 'ben', '__proto__']) {
    const answers = await Promise.all(shards.map(({ call }) => call('startCooldown', 'daily', user, DAY_MS)));
    const left = answers.map(({ value }) => value).filter((value) => value !== 0);
    assert.equal(left.length, 2, JSON.stringify(answers));
    for (const ms of left) assertLeft(ms);
  }
  await Promise.all(shards.map(({ kill }) => kill()));
  const again = await startShard(t, 'cooldowns', options);
  assertLeft((await again.call('startCooldown', 'daily', 'ann', DAY_MS)).value);
  assert.equal(await again.end(), 0);
  assertLeft(await leftMs(await reopened(t, Storage, storage, dataDir), 'daily', 'ben'));
});

test('what is left, in words', () => {
  const minute = 60_000;
  assert.deepEqual([1, 90_000, 90_001, 90 * minute, 90 * minute + 1, DAY_MS].map(inWords), [
    '1 s',
    '90 s',
    '2 min',
    '90 min',
    '2 h',
    '24 h',
  ]);
});
