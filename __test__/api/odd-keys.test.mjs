/**
 * Odd but legal keys and log names: `__proto__`, paths, control characters, lone surrogates. Each is an ordinary name. It
 * changes no prototype, and becomes no other name. `files/odd-keys` tests that it reaches no other file.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertRefused, EITHER, oddKeys } from '../support/bad-values.mjs';
import { scene } from '../support/durability.mjs';

test('a log name of exactly 200 bytes, and other legal ones', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const name of [
    'x'.repeat(200),
    'é'.repeat(100),
    'a.b',
    'con2',
    'nulls',
    'with space',
    '-',
    '日本',
    '$HOME',
  ]) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'k', value: name });
    assert.deepEqual(await storage.rebuildStateFromLog(name), { k: name });
    await storage.compactLog(name);
  }
});

test('odd keys are ordinary keys', async (t) => {
  const place = scene(t);
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
});

test('__proto__ as a key changes no prototype, in any call', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const evil = JSON.parse('{"__proto__": {"polluted": true}}');
  await storage.savePlayers(evil);
  await storage.appendLogEntry('events', { op: 'SET', data: evil });
  await storage.appendLogEntry('events', { op: 'SET', key: '__proto__', value: { polluted: 'again' } });
  await storage.appendLogEntry('players', { op: 'SET', data: evil });
  await storage.updatePlayersStats([{ userId: '__proto__', username: 'name', score: 1 }]);
  await storage.saveGameState('channel', evil);
  await storage.collection('coins').set('__proto__', evil);
  await storage.compactLog('players');

  const players = await storage.loadPlayers();
  const rebuilt = await storage.rebuildStateFromLog('events');
  const states = await storage.getAllGameStates();
  for (const object of [players, rebuilt, states, await storage.getPlayerStats('other')]) {
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
  const [entry] = await storage.readLogEntries('events');
  assert.deepEqual(Object.keys(entry.data), ['__proto__']);

  await storage.clearGameState('__proto__');
  await storage.updatePlayerStats('__proto__', 'name', 1);
  assert.equal({}.totalGames, undefined);
});

test('a lone surrogate is kept or refused, but never becomes another key', async (t) => {
  const coins = scene(t).open().collection('coins');
  const keys = ['\ud800', '\udfff', '\ufffd', 'a\ud800b'];
  const accepted = [];
  for (const key of keys) {
    const refusal = await coins.set(key, { key }).then(
      () => null,
      (error) => error,
    );
    if (refusal) assertRefused(refusal, EITHER, JSON.stringify(key));
    else accepted.push(key);
  }
  assert.deepEqual(await coins.keys(), accepted);
  for (const key of accepted) assert.deepEqual(await coins.get(key), { key });
});
