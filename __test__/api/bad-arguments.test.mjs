/**
 * Bad arguments: every call that returns a promise rejects with a TypeError and a stable code before it changes
 * anything: each log has the same entries after it. An error in the caller's own code rejects that call alone.
 * `files/bad-arguments` tests that it touches no file.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  assertRefused,
  badCalls,
  callsWithoutArguments,
  circular,
  entriesOf,
  filledPlace,
} from '../support/bad-values.mjs';
import { player, scene, watchUnhandled } from '../support/durability.mjs';

for (const [what, call, cases] of badCalls) {
  test(`${what} refuses ${cases.length} kinds of bad input`, async (t) => {
    const unhandled = watchUnhandled(t);
    const { place, storage } = await filledPlace(t);
    const empty = place.open({ dataDir: `${place.data}-empty` });
    const before = [await entriesOf(storage), await entriesOf(empty)];
    for (const [name, value, codes] of cases) {
      for (const [index, each] of [storage, empty].entries()) {
        // It must be a rejection: the caller's catch() would miss an error that is thrown at once.
        const promise = call(each, value);
        assert.equal(typeof promise?.then, 'function', `${what} ${name} returns a promise`);
        const error = await promise.then(
          () => assert.fail(`${what} accepted ${name}`),
          (reason) => reason,
        );
        assertRefused(error, codes, `${what} ${name}`);
        assert.deepEqual(await entriesOf(each), before[index], `${what} ${name} wrote an entry`);
      }
    }
    assert.deepEqual(await unhandled(), []);
    // Later calls work as usual.
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
  });
}

test('calls without any arguments are refused', async (t) => {
  const { storage } = await filledPlace(t);
  const before = await entriesOf(storage);
  for (const [name, call] of callsWithoutArguments) {
    await assert.rejects(call(storage), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, name);
  }
  assert.deepEqual(await entriesOf(storage), before);
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
  const { storage } = await filledPlace(t);
  const coins = storage.collection('coins');
  const before = await entriesOf(storage);
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
  assert.deepEqual(await entriesOf(storage), before);
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
