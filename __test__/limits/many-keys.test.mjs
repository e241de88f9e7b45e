/**
 * Large keys, and very many keys, players, fields and logs: all are there after compaction and a reopen.
 *
 * PS_LONG=1 takes a million keys instead of 200,000.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  isWindows,
  listenForWarnings,
  manyPlayers,
  player,
  range,
  scene,
  sealed,
  set,
} from '../support/durability.mjs';
import { assertSame, fast, isLong } from '../support/limits.mjs';

test('keys of 1 MB, of plain and of awkward characters', async (t) => {
  const place = scene(t);
  const keys = [
    'k'.repeat(1 << 20),
    `${'k'.repeat((1 << 20) - 1)}l`,
    '"\\\n\u0001'.repeat(1 << 18),
    '😀é'.repeat(1 << 18),
    '1'.repeat(1 << 20),
  ];
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  for (const [n, key] of keys.entries()) {
    await coins.set(key, { n });
    await coins.update(key, (value) => ({ ...value, m: n * 10 }));
    await storage.updatePlayerStats(key, `name ${n}`, n);
    await storage.saveGameState(key, { n });
    await storage.appendLogEntry('events', { op: 'SET', key, value: n });
  }
  const look = async (on) => {
    for (const [n, key] of keys.entries()) {
      assert.deepEqual(await on.collection('coins').get(key), { n, m: n * 10 });
      assert.equal(await on.collection('coins').has(key), true);
      assert.deepEqual(await on.collection('coins').rank(key, 'n'), { rank: 5 - n, of: 5 });
      const stats = await on.getPlayerStats(key);
      assert.equal(stats.userId === key && stats.totalScore === n, true);
      assert.deepEqual(await on.getPlayerRank(key), { rank: 5 - n, of: 5 });
      assert.equal((await on.loadGameState(key)).n, n);
    }
    const state = await on.rebuildStateFromLog('events');
    assertSame(Object.keys(state), keys, 'the keys as they were set');
  };
  await look(storage);
  for (const name of ['coins', 'players', 'game_state', 'events']) await storage.compactLog(name);
  await look(storage);
  await storage.close();
  const again = place.open(fast);
  await look(again);
  assertSame(Object.keys(await place.old('loadPlayers')), keys, 'the old module reads them too');
  for (const key of keys) {
    await again.clearGameState(key);
    assert.equal(await again.collection('coins').delete(key), true);
  }
  assert.deepEqual(await again.getAllGameStates(), {});
  assert.equal(await again.collection('coins').size(), 0);
});

test('messages about a line with a key of 1 MB stay readable', async (t) => {
  const place = scene(t);
  const line = sealed(set('k'.repeat(1 << 20), 1)).replace('"value":1', '"value":2');
  place.writeLog([line, sealed(set('a', 1))], 'events');
  const warned = listenForWarnings('PS_LOG_DAMAGED');
  assert.equal((await place.open(fast).readLogEntries('events')).length, 1);
  const [warning] = await warned();
  assert.match(warning.message, /key 'kkkk/);
  assert.ok(warning.message.length < 1500, `${warning.message.length} characters`);
  const refusing = place.open({ ...fast, onCorruption: 'refuse' });
  await assert.rejects(refusing.readLogEntries('events'), (error) => {
    assert.equal(error.code, 'ERR_LOG_CORRUPT');
    return error.message.length < 1500;
  });
});

const KEYS = isLong ? 1_000_000 : 200_000;
test(`${KEYS} keys: set, read, ranked, removed, compacted, reopened`, async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  const key = (i) => `user-${i}`;
  const stepped = 20_000;
  for (let i = 0; i < KEYS; i += stepped) {
    await Promise.all(range(stepped).map((n) => coins.set(key(i + n), { n: i + n })));
  }
  assert.equal(await coins.size(), KEYS);
  assert.deepEqual(await coins.get(key(KEYS - 1)), { n: KEYS - 1 });
  const top = await coins.top('n', 3);
  assert.deepEqual(
    top.map(([name]) => name),
    [key(KEYS - 1), key(KEYS - 2), key(KEYS - 3)],
  );
  assert.deepEqual(await coins.rank(key(0), 'n'), { rank: KEYS, of: KEYS });
  const isGone = (i) => i % 2 === 0;
  for (let i = 0; i < KEYS; i += stepped) {
    await Promise.all(
      range(stepped)
        .filter((n) => isGone(i + n))
        .map((n) => coins.delete(key(i + n))),
    );
  }
  const expected = range(KEYS)
    .filter((i) => !isGone(i))
    .map((i) => [key(i), { n: i }]);
  assertSame(await coins.entries(), expected, 'entries');
  await storage.compactLog('coins');
  assertSame(
    await coins.keys(),
    expected.map(([name]) => name),
    'keys after compaction',
  );
  await storage.close();

  const again = place.open(fast);
  assertSame(await again.collection('coins').entries(), expected, 'entries after reopening');
  assertSame(Object.entries(place.mirrorState('coins')), expected, 'the mirror');
  assertSame(Object.entries(place.replayed('coins')), expected, 'the log as anyone reads it');
  await again.collection('coins').set(key(1), { n: 'changed' });
  await again.collection('coins').clear();
  assert.deepEqual(await again.collection('coins').entries(), []);
  await again.close();
  assert.equal(place.mirrorText('coins'), '{}');
  assert.deepEqual(place.replayed('coins'), {});
  assert.equal(await place.open(fast).collection('coins').size(), 0);
});

test('100,000 players saved at once, one of them updated, all replaced', async (t) => {
  const place = scene(t);
  const players = manyPlayers(100_000, 20);
  const storage = place.open(fast);
  await storage.savePlayers(players);
  await storage.updatePlayerStats('user-00007', 'seven', 5);
  assert.deepEqual(await storage.getPlayerRank('user-00007'), { rank: 1, of: 100_000 });
  await storage.close();
  const again = place.open(fast);
  const loaded = await again.loadPlayers();
  assert.equal(loaded['user-00007'].totalGames, 2);
  loaded['user-00007'] = players['user-00007'];
  assertSame(loaded, players);
  await again.savePlayers({ only: player('only') });
  await again.close();
  assert.deepEqual(place.replayed(), { only: player('only') });
  assert.deepEqual(await place.old('loadPlayers'), { only: player('only') });
});

// ------------------------------------------------------------------------------------------ very many fields

test('very many fields, and very long arrays', async (t) => {
  const place = scene(t);
  const many = Object.fromEntries(range(100_000).map((n) => [`field-${n}`, n]));
  const wide = Object.fromEntries(range(20_000).map((n) => [`field-${n}`, n]));
  const array = range(1_000_000);
  const storage = place.open(fast);
  await storage.appendLogEntry('events', { op: 'NOTE', ...many });
  await storage.appendLogEntry('events', { op: 'SET', data: many });
  await storage.savePlayers({ wide: player('wide', wide), other: player('other', { 'field-5': 9 }) });
  await storage.updatePlayerStats('wide', 'wide', 1);
  await storage.collection('coins').set('array', array);
  await storage.saveTokens(array);
  await storage.updatePlayersStats(range(10_000).map((n) => ({ userId: `p${n}`, username: 'p', score: 0 })));

  const look = async (on) => {
    const [note, data] = await on.readLogEntries('events');
    assert.equal(Object.keys(note).length, 100_002);
    assertSame(data.data, many);
    assertSame(await on.rebuildStateFromLog('events'), many);
    const stats = await on.getPlayerStats('wide');
    assert.equal(stats.totalGames, 2);
    assert.equal(stats['field-19999'], 19_999);
    // More fields than the store keeps in order.
    for (const n of range(100)) {
      const best = await on.getLeaderboard(`field-${n}`, 1);
      assert.equal(best[0].userId, n === 5 ? 'other' : 'wide', `field-${n}`);
    }
    assert.equal((await on.getPlayerRank('other', 'field-19999')).of, 10_002);
    assertSame(await on.collection('coins').get('array'), array);
    assertSame((await on.loadTokens()).tokens, array);
  };
  await look(storage);
  await storage.close();
  await look(place.open(fast));
});

test('many logs at once', { skip: isWindows && 'takes long there' }, async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  // More than the usual limit of open files.
  const names = range(1500).map((n) => `log-${n}`);
  await Promise.all(names.map((name) => storage.appendLogEntry(name, { op: 'SET', key: 'k', value: name })));
  await Promise.all(names.slice(0, 300).map((name) => storage.collection(name).set('c', 1)));
  await storage.close();
  const again = place.open(fast);
  for (const name of names.slice(0, 300)) {
    assert.deepEqual(await again.rebuildStateFromLog(name), { k: name, c: 1 });
  }
  for (const name of names.slice(300)) assert.deepEqual(place.replayed(name), { k: name });
});
