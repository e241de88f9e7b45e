/**
 * No update is lost: with many calls at once in one process, and with several processes on one directory, one of which
 * compacts or is killed. Calls of one thread take effect in their order, and every process sees the acked updates of the
 * others.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { pretty, range, scene, seededRandom } from '../support/durability.mjs';

const totalGames = (players) => Object.values(players).reduce((sum, player) => sum + player.totalGames, 0);

test('1,000 updates of 10 users at once all count', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const records = await Promise.all(
    range(1000).map((i) => storage.updatePlayerStats(`user-${i % 10}`, `name ${i}`, i, i % 3 === 0, 2, 1)),
  );

  // Each call sees exactly the calls before it, so the n-th record of a user counts n games.
  for (const [i, record] of records.entries()) assert.equal(record.totalGames, Math.floor(i / 10) + 1);

  const players = await storage.loadPlayers();
  assert.equal(Object.keys(players).length, 10);
  for (const user of range(10)) {
    const calls = range(100).map((n) => n * 10 + user);
    const totalScore = calls.reduce((sum, score) => sum + score, 0);
    const stored = players[`user-${user}`];
    assert.equal(stored.totalGames, 100);
    assert.equal(stored.totalScore, totalScore);
    assert.equal(stored.averageScore, Math.round(totalScore / 100));
    assert.equal(stored.bestScore, 990 + user);
    assert.equal(stored.totalWins, calls.filter((i) => i % 3 === 0).length);
    assert.equal(stored.totalAnswers, 300);
    assert.equal(stored.username, `name ${990 + user}`);
    assert.deepEqual(
      stored.gamesHistory.map((game) => game.score),
      calls.slice(-50),
    );
  }
  assert.equal(place.logLines().length, 1000);
  assert.deepEqual(place.replayed(), players);
});

test('a read between two writes that nobody awaited sees exactly the calls before it', async (t) => {
  const storage = scene(t).open();
  const seen = [];
  for (const round of range(100)) {
    storage.updatePlayerStats('user', 'name', 1);
    seen.push(storage.getPlayerStats('user').then((player) => [round, player.totalGames]));
    storage.saveGameState('channel', { round });
    seen.push(storage.loadGameState('channel').then((state) => [round, state.round + 1]));
    storage.clearGameState('channel');
    seen.push(storage.loadGameState('channel').then((state) => [round, state === null ? round + 1 : state]));
  }
  for (const [round, found] of await Promise.all(seen)) assert.equal(found, round + 1);
});

test('calls on several logs, mixed at random and not awaited, answer as if made one after the other', async (t) => {
  const storage = scene(t).open();
  const coins = storage.collection('coins');
  const random = seededRandom(20);
  const model = { coins: {}, games: {}, states: {}, events: 0 };
  const results = [];
  const expect = (call, value) => results.push(call.then((found) => assert.deepEqual(found, value)));

  const actions = [
    (key) => {
      const value = random(1000);
      model.coins[key] = value;
      expect(coins.set(key, value), undefined);
    },
    (key) => {
      expect(coins.delete(key), key in model.coins);
      delete model.coins[key];
    },
    (key) => expect(coins.get(key), model.coins[key]),
    () => expect(coins.size(), Object.keys(model.coins).length),
    (key) => {
      model.coins[key] = (model.coins[key] ?? 0) + 7;
      expect(
        coins.update(key, (value) => (value ?? 0) + 7),
        model.coins[key],
      );
    },
    (key) => {
      model.games[key] = (model.games[key] ?? 0) + 1;
      const games = model.games[key];
      expect(
        storage.updatePlayerStats(key, key, 1).then((record) => record.totalGames),
        games,
      );
    },
    (key) =>
      expect(
        storage.getPlayerStats(key).then((record) => record.totalGames),
        model.games[key] ?? 0,
      ),
    () =>
      expect(
        storage.loadPlayers().then((all) => Object.keys(all).length),
        Object.keys(model.games).length,
      ),
    (key) => {
      const round = random(1000);
      model.states[key] = round;
      expect(storage.saveGameState(key, { round }), undefined);
    },
    (key) => {
      delete model.states[key];
      expect(storage.clearGameState(key), undefined);
    },
    (key) =>
      expect(
        storage.loadGameState(key).then((state) => state?.round),
        model.states[key],
      ),
    (key) => {
      model.events += 1;
      expect(storage.appendLogEntry('events', { op: 'NOTE', key }), undefined);
    },
    () =>
      expect(
        storage.readLogEntries('events').then((entries) => entries.length),
        model.events,
      ),
    () => expect(storage.compactLog('coins'), undefined),
  ];
  for (const _ of range(600)) actions[random(actions.length)](`key-${random(5)}`);
  await Promise.all(results);
});

test('update(key, fn) keeps its place among the calls of its thread', async (t) => {
  const coins = scene(t).open().collection('coins');
  const add = (value) => (value ?? 0) + 1;
  for (const round of range(20)) {
    const key = `key-${round}`;
    const results = await Promise.all([
      coins.update(key, add),
      coins.get(key),
      coins.set(key, 10),
      coins.update(key, add),
      coins.update(key, add),
      coins.get(key),
      coins.delete(key),
      coins.has(key),
      coins.update(key, add),
      coins.size(),
    ]);
    assert.deepEqual(results, [1, 1, undefined, 11, 12, 12, true, false, 1, round + 1]);
  }
});

test('two Storage objects on one directory lose no update of each other', async (t) => {
  const place = scene(t);
  const both = [place.open(), place.open()];
  await Promise.all(range(200).map((i) => both[i % 2].updatePlayerStats('user', 'name', 1)));
  for (const storage of both) assert.equal((await storage.getPlayerStats('user')).totalGames, 200);
});

test('4 processes of 250 updates each on one directory all count', async (t) => {
  const place = scene(t);
  await Promise.all(
    ['await', 'await', 'at-once', 'at-once'].map((how) =>
      place.run('update-players.mjs', [place.data, 250, 10, how]),
    ),
  );
  const players = await place.open().loadPlayers();
  assert.equal(totalGames(players), 1000);
  for (const user of range(10)) assert.equal(players[`user-${user}`].totalGames, 100);
  assert.equal(place.logLines().length, 1000);
  assert.deepEqual(place.replayed(), players);
  assert.equal(place.mirrorText(), pretty(players));
});

test('a reader sees the acked updates of another process at once', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  for (const round of range(25)) {
    await mine.updatePlayerStats('user', 'mine', 1);
    assert.equal((await other.call('getPlayerStats', 'user')).totalGames, 2 * round + 1);
    await other.call('updatePlayerStats', 'user', 'theirs', 1);
    assert.equal((await mine.getPlayerStats('user')).totalGames, 2 * round + 2);
    assert.equal((await mine.getLeaderboard())[0].username, 'theirs');

    await other.call('saveGameState', 'channel', { round });
    assert.equal((await mine.loadGameState('channel')).round, round);
    await mine.clearGameState('channel');
    assert.equal(await other.call('loadGameState', 'channel'), null);

    await mine.collection('coins').set('user', round);
    assert.equal(await other.call('collection:coins', 'get', 'user'), round);
    await other.call('appendLogEntry', 'events', { op: 'NOTE', round });
    assert.equal((await mine.readLogEntries('events')).at(-1).round, round);
  }
  await other.call('saveTokens', ['a', 'b']);
  assert.deepEqual((await mine.loadTokens()).tokens, ['a', 'b']);
  await other.end();
});

test('processes work on while another one compacts, and follow the new log', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const watcher = await place.remote();
  let running = 2;
  const writers = range(2).map(() =>
    place.run('update-players.mjs', [place.data, 150, 5, 'await']).then(() => {
      running -= 1;
    }),
  );
  let compactions = 0;
  while (running > 0) {
    await mine.compactLog('players');
    compactions += 1;
    // A long-lived reader follows from one log file to the next.
    const theirs = totalGames(await watcher.call('loadPlayers'));
    assert.ok(totalGames(await mine.loadPlayers()) >= theirs);
  }
  await Promise.all(writers);
  assert.ok(compactions > 1, 'there was something to notice');
  assert.equal(totalGames(await watcher.call('loadPlayers')), 300);
  assert.equal(totalGames(await mine.loadPlayers()), 300);
  assert.equal(totalGames(place.replayed()), 300);
  await watcher.end();
});

test('a process that is killed with work under way leaves nothing locked', async (t) => {
  const place = scene(t);
  const mine = place.open();
  await mine.updatePlayerStats('mine', 'mine', 1);
  const other = await place.remote();
  for (const round of range(4)) {
    const acked = await place.killAfter(
      'acked-until-killed.mjs',
      [place.data, 'update', 100, `round-${round}`],
      20,
    );
    // An open storage and another process both write again: with a leftover lock they would hang here.
    await mine.updatePlayerStats('mine', 'mine', 1);
    await other.call('updatePlayerStats', 'mine', 'mine', 1);
    const players = await mine.loadPlayers();
    for (const id of acked) assert.equal(players[id]?.totalGames, 1, `${id} was acked`);
    assert.equal(players.mine.totalGames, 2 * round + 3);
  }
  await other.end();
  assert.deepEqual(place.replayed(), await mine.loadPlayers());
});

test('update(key, fn) is atomic among processes', async (t) => {
  const place = scene(t);
  const counters = place.open().collection('counters');
  const add = (before) => ({ count: (before?.count ?? 0) + 1 });
  const others = ['await', 'at-once', 'await'].map((how) =>
    place.run('count-up.mjs', [place.data, 'counters', 'shared', 100, how]),
  );
  const results = await Promise.all(range(100).map(() => counters.update('shared', add)));
  await Promise.all(others);

  // No two callers got the same number.
  assert.equal(new Set(results.map((result) => result.count)).size, 100);
  assert.deepEqual(await counters.get('shared'), { count: 400 });
  assert.deepEqual(place.replayed('counters'), { shared: { count: 400 } });
});

test('the folder of the lock may vanish between calls', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  for (const round of range(3)) {
    await mine.updatePlayerStats('user', 'name', 1);
    await other.call('updatePlayerStats', 'user', 'name', 1);
    fs.rmSync(place.file('.progressive-storage'), { recursive: true, force: true });
    const [a, b] = [
      mine.updatePlayerStats('user', 'name', 1),
      other.call('updatePlayerStats', 'user', 'name', 1),
    ];
    await Promise.all([a, b]);
    assert.equal((await mine.getPlayerStats('user')).totalGames, 4 * (round + 1));
  }
  await other.end();
});

test('a removed lock file lets no second process in', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const counters = mine.collection('counters');
  await counters.set('shared', { count: 0 });
  const add = (value) => ({ count: value.count + 1 });
  const others = ['together', 'one by one'].map((how) =>
    place.run('count-up.mjs', [place.data, 'counters', 'shared', 300, how]),
  );
  let isDone = false;
  const counting = Promise.all(others).finally(() => {
    isDone = true;
  });
  let counted = 0;
  const removeFolder = () => {
    try {
      fs.rmSync(place.file('.progressive-storage'), { recursive: true, force: true });
    } catch (error) {
      // Somebody created a new file in it meanwhile.
      assert.equal(error.code, 'ENOTEMPTY');
    }
  };
  for (let round = 0; !isDone || round < 20; round++) {
    if (round % 3 === 0) {
      for (const name of ['lock', 'queue'])
        fs.rmSync(place.file('.progressive-storage', name), { force: true });
    } else if (round % 3 === 1) removeFolder();
    const results = await Promise.all(range(5).map(() => counters.update('shared', add)));
    counted += results.length;
  }
  await counting;
  removeFolder();
  await mine.close();
  assert.equal(place.replayed('counters').shared.count, 600 + counted);
  assert.deepEqual(place.mirrorState('counters'), place.replayed('counters'));
});

for (const when of ['after', 'before']) {
  // There the package waits for a turn of the event loop with the setImmediate from when it was loaded.
  const skip =
    when === 'before' && Boolean(process.versions.bun || globalThis.Deno) && 'only Node.js needs no timer';
  test(`answers arrive also with replaced timers, ${when} loading`, { skip }, async (t) => {
    const place = scene(t);
    const { stdout } = await place.run('replaced-timers.mjs', [3000, when], {
      env: { PROGRESSIVE_STORAGE_DIR: place.data },
      expectCode: 0,
    });
    assert.equal(stdout, '3000 101');
  });
}
