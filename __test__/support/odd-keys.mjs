/** Odd but legal keys and log names, and what tests do with them at any place. */
import assert from 'node:assert/strict';

/** Legal names of logs: one of exactly 200 bytes, and some that look reserved. */
export const legalLogNames = [
  'x'.repeat(200),
  'é'.repeat(100),
  'a.b',
  'con2',
  'nulls',
  'with space',
  '-',
  '日本',
  '$HOME',
];

/** Legal keys that others mishandle. */
const oddKeys = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '../../outside',
  '..',
  '/etc/passwd',
  'C:\\outside',
  'a\0b',
  'a\nb',
  '"quoted"',
  '\u2028',
  ' ',
  '😀',
  'x'.repeat(10_000),
  '-1',
  '1.5',
  '4294967295',
  '007',
];

/** Reads each odd key, stores something under it, and reads and removes it in another storage on the same place. */
export async function playOddKeys(place) {
  const storage = place.open();
  const coins = storage.collection('coins');
  for (const key of oddKeys) {
    assert.equal(await coins.get(key), undefined, key.slice(0, 20));
    assert.equal(await coins.has(key), false);
    assert.equal(await storage.loadGameState(key), null);
    assert.deepEqual((await storage.getPlayerStats(key)).gamesHistory, []);
    assert.equal((await storage.getPlayerStats(key)).userId, key);
    assert.equal(await storage.getPlayerRank(key), null);

    await coins.set(key, { polluted: key });
    assert.deepEqual(await coins.get(key), { polluted: key });
    await storage.saveGameState(key, { polluted: key });
    assert.equal((await storage.loadGameState(key)).polluted, key);
    assert.equal((await storage.updatePlayerStats(key, key, 1)).totalGames, 1);
    assert.equal((await storage.updatePlayerStats(key, key, 1)).totalGames, 2);
  }
  assert.equal(await coins.size(), oddKeys.length);
  const expected = [...oddKeys].sort();
  assert.deepEqual((await coins.keys()).sort(), expected);
  assert.deepEqual(Object.keys(await storage.loadPlayers()).sort(), expected);
  await storage.close();

  const again = place.open();
  assert.deepEqual(Object.keys(await again.loadPlayers()).sort(), expected);
  assert.deepEqual(Object.keys(await again.getAllGameStates()).sort(), expected);
  for (const key of oddKeys) {
    assert.equal((await again.getPlayerStats(key)).totalGames, 2);
    assert.equal(await again.collection('coins').delete(key), true);
    await again.clearGameState(key);
  }
  assert.equal(await again.collection('coins').size(), 0);
  assert.deepEqual(await again.getAllGameStates(), {});
}

/** Stores an own `__proto__` by every call that takes one, and compacts a log with it. */
export async function storePrototypes(storage) {
  const evil = JSON.parse('{"__proto__": {"polluted": true}}');
  await storage.savePlayers(evil);
  await storage.appendLogEntry('events', { op: 'SET', data: evil });
  await storage.appendLogEntry('events', { op: 'SET', key: '__proto__', value: { polluted: 'again' } });
  await storage.appendLogEntry('players', { op: 'SET', data: evil });
  await storage.updatePlayersStats([{ userId: '__proto__', username: 'name', score: 1 }]);
  await storage.saveGameState('channel', evil);
  await storage.collection('coins').set('__proto__', evil);
  await storage.compactLog('players');
}

/** Reads what `storePrototypes` stored. */
export async function assertPrototypesAreKeys(storage) {
  const players = await storage.loadPlayers();
  const rebuilt = await storage.rebuildStateFromLog('events');
  const states = await storage.getAllGameStates();
  const [[, coin]] = await storage.collection('coins').entries();
  for (const object of [players, rebuilt, states, coin, await storage.getPlayerStats('other')]) {
    assert.equal(Object.getPrototypeOf(object), Object.prototype);
    assert.equal(object.polluted, undefined);
  }
  assert.equal({}.polluted, undefined);
  assert.equal(Object.hasOwn(players, '__proto__'), true);
  assert.deepEqual(Object.getOwnPropertyDescriptor(rebuilt, '__proto__').value, { polluted: 'again' });
  const stored = Object.getOwnPropertyDescriptor(players, '__proto__').value;
  assert.equal(stored.polluted, true);
  assert.equal(stored.totalGames, 1);
  assert.deepEqual(Object.keys(await storage.loadGameState('channel')), ['__proto__', 'lastUpdated']);
  assert.deepEqual(Object.keys(coin), ['__proto__']);
  const [entry] = await storage.readLogEntries('events');
  assert.deepEqual(Object.keys(entry.data), ['__proto__']);
}
