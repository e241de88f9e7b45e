// Numbers and strings: computed numbers are those of JavaScript, values stay as JSON.stringify writes them, and keys and
// names may be any string that JavaScript has. `files/numbers-and-order` tests their bytes on disk.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { Model } from '../support/model.mjs';
import { AWKWARD, MEANS, randomResults, TOTALS } from '../support/numbers.mjs';
import { put, Random } from '../support/random-calls.mjs';
import { maskedJson, openStorage, reopened } from '../support/temp.mjs';

test('a total prints as JavaScript prints it', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const [index, [scores, text]] of TOTALS.entries()) {
    let record;
    for (const score of scores) record = await storage.updatePlayerStats(`u${index}`, 'Ann', score);
    assert.equal(JSON.stringify(record.totalScore), text);
    assert.equal(record.totalGames, scores.length);
    assert.deepEqual(await storage.getPlayerStats(`u${index}`), record);
  }
});

test('Math.round: halves go up, also below zero, and the largest odd numbers stay', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const [index, [scores, text]] of MEANS.entries()) {
    let record;
    for (const score of scores) record = await storage.updatePlayerStats(`u${index}`, 'Ann', score);
    assert.equal(JSON.stringify(record.averageScore), text, `the mean of ${scores}`);
    assert.deepEqual(await storage.getPlayerStats(`u${index}`), record);
  }
});

test('random scores: JavaScript computes every number the same', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const model = new Model();
  const random = new Random(77);
  for (let game = 0; game < 10; game++) {
    const results = randomResults(random);
    const records = await storage.updatePlayersStats(results);
    const expected = model.updatePlayersStats(results);
    for (const [index, record] of records.entries()) {
      assert.equal(maskedJson(record), maskedJson(expected[index]));
    }
  }
  assert.equal(maskedJson(await storage.loadPlayers()), maskedJson(model.loadPlayers()));
});

test('a sum beyond the largest number leaves data that can be read', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u', 'Ann', 1.7976931348623157e308);
  const before = await storage.getPlayerStats('u');
  try {
    // Infinity, as in JavaScript; JSON writes it as null.
    const record = await storage.updatePlayerStats('u', 'Ann', 1.7976931348623157e308);
    assert.equal(JSON.parse(JSON.stringify(record)).totalScore, null);
  } catch (error) {
    // A refusal changes nothing.
    assert.ok(error instanceof TypeError || error instanceof RangeError);
    assert.deepEqual(await storage.getPlayerStats('u'), before);
  }
  await storage.readLogEntries('players');
  await (await reopened(t, Storage, storage, dataDir)).loadPlayers();
});

test('values are kept as JSON.stringify wrote them', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const state = {
    zero: -0,
    big: 1e21,
    list: [0.1, 1 / 3],
    text: '\u2028 \u007f é 😀 \ud800',
    '': { '': '' },
    2: 2,
    1: 1,
  };
  await storage.saveGameState('c', state);
  const { lastUpdated, ...kept } = await storage.loadGameState('c');
  assert.equal(JSON.stringify(kept), JSON.stringify(state));
  assert.ok(Object.is(kept.zero, 0), 'JSON has no negative zero');
  const [entry] = await storage.readLogEntries('game_state');
  assert.equal(JSON.stringify(entry.value), JSON.stringify({ ...state, lastUpdated }));
});

test('user ids may be any string, and stay distinct', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const likeJavaScript = {};
  for (const [index, id] of AWKWARD.entries()) {
    const record = await storage.updatePlayerStats(id, `name ${index}`, index);
    assert.equal(record.userId, id);
    put(likeJavaScript, id, index);
  }
  const check = async (s, what) => {
    const players = await s.loadPlayers();
    assert.deepEqual(Object.keys(players), Object.keys(likeJavaScript), what);
    assert.equal(Object.getPrototypeOf(players), Object.prototype);
    for (const [index, id] of AWKWARD.entries()) {
      const stats = await s.getPlayerStats(id);
      assert.equal(stats.userId, id, what);
      assert.equal(stats.username, `name ${index}`, what);
      assert.equal(stats.totalGames, 1, what);
      assert.equal((await s.getPlayerRank(id)).rank, AWKWARD.length - index, what);
    }
    assert.equal({}.username, undefined, 'no prototype was changed');
  };
  await check(storage, 'at once');
  const entries = await storage.readLogEntries('players');
  assert.deepEqual(
    entries.map(({ key }) => key),
    AWKWARD,
  );
  let again = await reopened(t, Storage, storage, dataDir);
  await check(again, 'after a new start');
  await again.compactLog('players');
  again = await reopened(t, Storage, again, dataDir);
  await check(again, 'after compaction');
});

test('keys of every call may be any string: channels, collections, entries', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const coins = storage.collection('coins');
  for (const [index, key] of AWKWARD.entries()) {
    await storage.saveGameState(key, { index });
    await coins.set(key, index);
    await coins.update(key, (value) => value + 0.5);
    await storage.appendLogEntry('notes', { op: 'SET', key, value: index });
    await storage.appendLogEntry('more', { op: 'SET', data: put({}, key, index) });
  }
  const notes = await storage.rebuildStateFromLog('notes');
  const more = await storage.rebuildStateFromLog('more');
  for (const [index, key] of AWKWARD.entries()) {
    assert.equal((await storage.loadGameState(key)).index, index);
    assert.equal(await coins.get(key), index + 0.5);
    assert.equal(Object.getOwnPropertyDescriptor(notes, key).value, index);
    assert.equal(Object.getOwnPropertyDescriptor(more, key).value, index);
  }
  assert.equal(await coins.size(), AWKWARD.length);
  for (const key of AWKWARD) {
    await storage.clearGameState(key);
    assert.equal(await storage.loadGameState(key), null);
    assert.equal(await coins.delete(key), true);
    assert.equal(await coins.has(key), false);
    await storage.appendLogEntry('notes', { op: 'DELETE', key });
  }
  assert.deepEqual(await storage.getAllGameStates(), {});
  assert.equal(await coins.size(), 0);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
});

test('names of players may be any string', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [index, name] of ['', ...AWKWARD].entries()) {
    const record = await storage.updatePlayerStats(`u${index}`, name, 1);
    assert.equal(record.username, name);
    assert.equal((await storage.getPlayerStats(`u${index}`)).username, name);
  }
  const again = await reopened(t, Storage, storage, dataDir);
  const players = await again.loadPlayers();
  for (const [index, name] of ['', ...AWKWARD].entries()) assert.equal(players[`u${index}`].username, name);
});

test('values may contain __proto__, which changes no prototype', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const hostile = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  await storage.saveGameState('c', hostile);
  await storage.savePlayers(
    JSON.parse('{"__proto__":{"totalScore":5,"polluted":true},"a":{"__proto__":{"x":1}}}'),
  );
  await storage.updatePlayerStats('a', 'Ann', 1);
  await storage.updatePlayerStats('__proto__', 'P', 1);
  const check = async (s) => {
    const players = await s.loadPlayers();
    assert.deepEqual(Object.keys(players), ['__proto__', 'a']);
    assert.equal(Object.getOwnPropertyDescriptor(players, '__proto__').value.totalScore, 6);
    assert.deepEqual(Object.getOwnPropertyDescriptor(players.a, '__proto__').value, { x: 1 });
    assert.ok(Object.hasOwn(await s.loadGameState('c'), '__proto__'));
    assert.equal({}.polluted, undefined);
    assert.equal({}.totalScore, undefined);
  };
  await check(storage);
  await check(await reopened(t, Storage, storage, dataDir));
});

test('deep values and long texts', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  let deep = 1;
  for (let i = 0; i < 500; i++) deep = i % 2 ? [deep] : { d: deep };
  await storage.saveGameState('deep', { deep });
  await storage.saveGameState('long', { text: 'é"\n'.repeat(500_000) });
  const check = async (s) => {
    assert.equal(JSON.stringify((await s.loadGameState('deep')).deep), JSON.stringify(deep));
    assert.equal((await s.loadGameState('long')).text.length, 1_500_000);
  };
  await check(storage);
  await check(await reopened(t, Storage, storage, dataDir));
});
