/**
 * Bad arguments: every call that returns a promise rejects with a TypeError and a stable code before it touches anything.
 * After each case every file is byte for byte as before. An error in the caller's own code rejects that call alone.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import {
  assertRefused,
  badEntries,
  badKeys,
  badLogNames,
  badResults,
  badValues,
  circular,
  EITHER,
  filledPlace,
  given,
  notFinite,
  notNumbers,
  notObjects,
  notStrings,
  refusedByStringify,
  TYPE,
  VALUE,
} from '../support/bad-values.mjs';
import { player, scene, snapshot, watchUnhandled } from '../support/durability.mjs';

/** [name of the parameter, the call, its bad cases] */
const calls = [
  ['appendLogEntry: logName', (s, v) => s.appendLogEntry(v, { op: 'NOTE' }), badLogNames],
  ['readLogEntries: logName', (s, v) => s.readLogEntries(v), badLogNames],
  ['rebuildStateFromLog: logName', (s, v) => s.rebuildStateFromLog(v), badLogNames],
  ['compactLog: logName', (s, v) => s.compactLog(v), badLogNames],
  ['compact: logName', (s, v) => s.compact(v), given(badLogNames)],
  ['getLogSize: logName', (s, v) => s.getLogSize(v), badLogNames],
  ['needsCompaction: logName', (s, v) => s.needsCompaction(v), badLogNames],
  ['appendLogEntry: entry', (s, v) => s.appendLogEntry('players', v), badEntries],

  ['updatePlayerStats: userId', (s, v) => s.updatePlayerStats(v, 'name', 1), badKeys],
  [
    'updatePlayerStats: score',
    (s, v) => s.updatePlayerStats('user', 'name', v),
    [...notNumbers, ...notFinite],
  ],
  [
    'updatePlayerStats: correctAnswers',
    (s, v) => s.updatePlayerStats('user', 'name', 1, false, v),
    given([...notNumbers, ...notFinite]),
  ],
  [
    'updatePlayerStats: incorrectAnswers',
    (s, v) => s.updatePlayerStats('user', 'name', 1, false, 1, v),
    given([...notNumbers, ...notFinite]),
  ],
  ['updatePlayersStats', (s, v) => s.updatePlayersStats(v), badResults],
  ['getPlayerStats: userId', (s, v) => s.getPlayerStats(v), badKeys],
  ['getPlayerRank: userId', (s, v) => s.getPlayerRank(v), badKeys],
  ['getPlayerRank: sortBy', (s, v) => s.getPlayerRank('user', v), given(notStrings)],
  ['getLeaderboard: sortBy', (s, v) => s.getLeaderboard(v), given(notStrings)],
  [
    'getLeaderboard: limit',
    (s, v) => s.getLeaderboard('totalScore', v),
    [...given(notNumbers), ['NaN', NaN, VALUE], ['-1', -1, VALUE], ['-Infinity', -Infinity, VALUE]],
  ],
  [
    'savePlayers',
    (s, v) => s.savePlayers(v),
    [
      ...notObjects,
      ['a list', [], EITHER],
      ['a function', () => {}, EITHER],
      ...refusedByStringify.map(([what, value]) => [what, { user: value }, EITHER]),
    ],
  ],
  [
    'saveTokens: tokens',
    (s, v) => s.saveTokens(v),
    [
      ...notObjects,
      ['an object', {}, TYPE],
      ['like a list', { length: 1, 0: 'a' }, TYPE],
      ...refusedByStringify.map(([what, value]) => [what, ['a', value], EITHER]),
    ],
  ],
  [
    'saveTokens: artistInfo',
    (s, v) => s.saveTokens(['a'], v),
    refusedByStringify.map(([what, value]) => [what, value, EITHER]),
  ],
  ['saveGameState: channelId', (s, v) => s.saveGameState(v, { round: 1 }), badKeys],
  [
    'saveGameState: state',
    (s, v) => s.saveGameState('channel', v),
    [...notObjects, ...refusedByStringify.map(([what, value]) => [what, value, EITHER])],
  ],
  ['loadGameState: channelId', (s, v) => s.loadGameState(v), badKeys],
  ['clearGameState: channelId', (s, v) => s.clearGameState(v), badKeys],

  ['collection get: key', (s, v) => s.collection('coins').get(v), badKeys],
  ['collection set: key', (s, v) => s.collection('coins').set(v, 1), badKeys],
  ['collection set: value', (s, v) => s.collection('coins').set('user', v), badValues],
  ['collection delete: key', (s, v) => s.collection('coins').delete(v), badKeys],
  ['collection has: key', (s, v) => s.collection('coins').has(v), badKeys],
  ['collection update: key', (s, v) => s.collection('coins').update(v, () => 1), badKeys],
  [
    'collection update: fn',
    (s, v) => s.collection('coins').update('user', v),
    [undefined, null, 42, 'text', {}, true].map((value) => [String(value), value, TYPE]),
  ],
  ['collection top: field', (s, v) => s.collection('coins').top(v), notStrings],
  [
    'collection top: n',
    (s, v) => s.collection('coins').top('score', v),
    [...given(notNumbers), ['NaN', NaN, VALUE], ['-1', -1, VALUE]],
  ],
  ['collection rank: key', (s, v) => s.collection('coins').rank(v, 'score'), badKeys],
  ['collection rank: field', (s, v) => s.collection('coins').rank('user', v), notStrings],
];

for (const [what, call, cases] of calls) {
  test(`${what} refuses ${cases.length} kinds of bad input`, async (t) => {
    const unhandled = watchUnhandled(t);
    const { place, storage, entries } = await filledPlace(t);
    const untouched = place.open({ dataDir: path.join(place.root, 'new') });
    const entriesBefore = await entries();
    const before = snapshot(place.root, { times: true });
    for (const [name, value, codes] of cases) {
      for (const each of [storage, untouched]) {
        // It must be a rejection: the caller's catch() would miss an error that is thrown at once.
        const promise = call(each, value);
        assert.equal(typeof promise?.then, 'function', `${what} ${name} returns a promise`);
        const error = await promise.then(
          () => assert.fail(`${what} accepted ${name}`),
          (reason) => reason,
        );
        assertRefused(error, codes, `${what} ${name}`);
      }
      assert.deepEqual(snapshot(place.root, { times: true }), before, `${what} ${name} changed a file`);
    }
    assert.deepEqual(await entries(), entriesBefore, `${what} wrote an entry`);
    assert.deepEqual(await unhandled(), []);
    // Later calls work as usual.
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
  });
}

test('calls without any arguments are refused', async (t) => {
  const { place, storage, entries } = await filledPlace(t);
  const entriesBefore = await entries();
  const before = snapshot(place.root, { times: true });
  for (const name of [
    'appendLogEntry',
    'readLogEntries',
    'rebuildStateFromLog',
    'compactLog',
    'getLogSize',
    'needsCompaction',
    'saveTokens',
    'savePlayers',
    'getPlayerStats',
    'updatePlayerStats',
    'updatePlayersStats',
    'getPlayerRank',
    'saveGameState',
    'loadGameState',
    'clearGameState',
  ]) {
    await assert.rejects(storage[name](), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, name);
  }
  for (const name of ['get', 'set', 'delete', 'has', 'update', 'top', 'rank']) {
    await assert.rejects(
      storage.collection('coins')[name](),
      { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' },
      name,
    );
  }
  assert.deepEqual(await entries(), entriesBefore);
  assert.deepEqual(snapshot(place.root, { times: true }), before);
});

test('a bad call among good ones, none awaited, fails alone', async (t) => {
  const unhandled = watchUnhandled(t);
  const { storage } = await filledPlace(t);
  const results = await Promise.allSettled([
    storage.updatePlayerStats('user', 'name', 1),
    storage.updatePlayerStats('user', 'name', NaN),
    storage.updatePlayerStats('user', 'name', 1),
    storage.appendLogEntry('..', {}),
    storage.updatePlayerStats('user', 'name', 1),
  ]);
  assert.deepEqual(
    results.map((each) => each.status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal((await storage.getPlayerStats('user')).totalGames, 4);
  assert.deepEqual(await unhandled(), []);
});

test('update: an error in fn or an invalid result rejects the call, and nothing changes', async (t) => {
  const unhandled = watchUnhandled(t);
  const { place, storage } = await filledPlace(t);
  const coins = storage.collection('coins');
  // `fn` runs under the lock, so the lock's folder may change.
  const look = () => {
    const files = snapshot(place.data, { times: true });
    return Object.fromEntries(
      Object.entries(files).filter(([name]) => !name.includes('/.progressive-storage/')),
    );
  };
  const before = look();
  const thrown = new RangeError('on purpose');
  await assert.rejects(
    coins.update('user', () => {
      throw thrown;
    }),
    (error) => error === thrown,
  );
  // fn may change the value it receives without changing the data.
  await assert.rejects(
    coins.update('user', (value) => {
      value.score = 99;
      throw thrown;
    }),
    (error) => error === thrown,
  );
  const invalid = { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' };
  for (const key of ['user', 'new']) {
    await assert.rejects(
      coins.update(key, () => undefined),
      invalid,
    );
    await assert.rejects(
      coins.update(key, async (value) => value),
      invalid,
    );
    await assert.rejects(
      coins.update(key, () => Promise.reject(new Error('on purpose'))),
      invalid,
    );
    for (const value of [() => {}, Symbol('s'), 1n, circular]) {
      await assert.rejects(
        coins.update(key, () => value),
        TypeError,
      );
    }
  }
  assert.deepEqual(await coins.entries(), [['user', { score: 1 }]]);
  assert.deepEqual(look(), before);
  assert.deepEqual(await coins.update('user', (value) => ({ score: value.score + 1 })), { score: 2 });
  assert.deepEqual(await unhandled(), []);
});

test('values come back as they went in, and the caller may change its copies', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const given = { user: player('user') };
  const saving = storage.savePlayers(given);
  // The call copied its argument, so a later change has no effect.
  given.user.totalScore = -1;
  await saving;
  const loaded = await storage.loadPlayers();
  assert.equal(loaded.user.totalScore, 10);
  loaded.user.totalScore = -1;
  delete loaded.user.gamesHistory;
  assert.deepEqual(await storage.loadPlayers(), { user: player('user') });
  const [leader] = await storage.getLeaderboard();
  leader.totalScore = -1;
  assert.equal((await storage.getLeaderboard())[0].totalScore, 10);
  assert.equal((await storage.getPlayerStats('user')).totalScore, 10);
});

test('an error in a getter or a proxy rejects its call alone', async (t) => {
  const storage = scene(t).open();
  const coins = storage.collection('coins');
  const thrown = new Error('thrown on purpose');
  const fail = () => {
    throw thrown;
  };
  const thrower = (name) => Object.defineProperty({}, name, { get: fail, enumerable: true });
  const unhandled = watchUnhandled(t);
  const calls = {
    'a result': () => storage.updatePlayersStats([thrower('userId')]),
    toJSON: () => storage.saveGameState('x', thrower('toJSON')),
    'own names': () => storage.saveGameState('x', new Proxy({ toJSON() {} }, { ownKeys: fail })),
    'an option': () => storage.rebuildStateFromLog('events', thrower('at')),
    'what fn returns, unknown before': () => coins.update('a', () => thrower('then')),
    'what fn returns': () => coins.update('a', () => thrower('then')),
  };
  for (const [name, call] of Object.entries(calls)) {
    // Outside of assert.rejects(), which would accept an error that is thrown at once.
    const promise = call();
    await assert.rejects(promise, (error) => error === thrown, name);
  }
  for (const reason of [null, undefined, thrower('message')]) {
    const value = {
      toJSON() {
        throw reason;
      },
    };
    const promise = coins.set('a', value);
    await assert.rejects(promise, { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  }
  await coins.set('b', 1);
  assert.deepEqual(await coins.entries(), [['b', 1]]);
  assert.deepEqual(await unhandled(), []);
});
