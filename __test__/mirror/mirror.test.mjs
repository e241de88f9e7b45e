/**
 * The JSON file beside a log is its mirror: always whole and valid, printed like the old module printed it. A small mirror is
 * current when the promise resolves. A large one follows soon, and at flush, close and exit at the latest.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import {
  listenForWarnings,
  manyPlayers,
  player,
  pretty,
  range,
  scene,
  sealed,
  set,
  snapshot,
  waitFor,
} from '../support/durability.mjs';

const LARGE = 300;

test('a small mirror is current when the promise resolves, whatever the call', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const coins = storage.collection('coins');
  const isCurrent = async (name, state) => assert.equal(place.mirrorText(name), pretty(await state));
  const players = () => isCurrent('players', storage.loadPlayers());
  const states = () => isCurrent('game_state', storage.getAllGameStates());

  await storage.updatePlayerStats('user', 'name', 1, true, 2, 3);
  await players();
  await storage.updatePlayersStats([
    { userId: 'a', username: 'A', score: 1 },
    { userId: 'b', username: 'B', score: 2 },
  ]);
  await players();
  await storage.appendLogEntry('players', { op: 'SET', key: 'by-hand', value: player('by-hand') });
  await players();
  await storage.appendLogEntry('players', { op: 'DELETE', key: 'a' });
  await players();
  await storage.savePlayers({ only: player('only') });
  await players();
  await storage.savePlayers({});
  await players();

  await storage.saveTokens(['a', 'b'], { name: 'artist' });
  await isCurrent('tokens', storage.loadTokens());
  await storage.saveTokens([]);
  await isCurrent('tokens', storage.loadTokens());
  assert.equal('artistInfo' in place.mirrorState('tokens'), false);

  await storage.saveGameState('channel', { round: 1 });
  await states();
  await storage.clearGameState('channel');
  await states();

  await coins.set('user', 5);
  assert.equal(place.mirrorText('coins'), pretty({ user: 5 }));
  await coins.update('user', (value) => value + 1);
  assert.equal(place.mirrorText('coins'), pretty({ user: 6 }));
  await coins.delete('user');
  assert.equal(place.mirrorText('coins'), '{}');
  await coins.set('user', 7);
  await coins.clear();
  assert.equal(place.mirrorText('coins'), '{}');
});

test('a small mirror shows each of many calls made at once, when its promise resolves', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await Promise.all(
    range(300).map(async (i) => {
      const { totalGames } = await storage.updatePlayerStats(`user-${i % 5}`, 'name', 1);
      assert.ok(place.mirrorState()[`user-${i % 5}`].totalGames >= totalGames);
    }),
  );
});

test('the mirror is printed exactly as JSON.stringify does with two spaces', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const odd = place.open().collection('odd');
  const values = {
    nested: { empty: {}, list: [], lists: [[], [[]], [{}]], deep: { a: { b: [1, [2, { c: null }]] } } },
    numbers: [0, -0, 0.5, 1e21, 1e-7, 123456789012345680000, -1.5e300, 5e-324, 2 ** 53],
    text: 'quotes " \\ / \b \f \n \r \t \u0000 \u001f \u007f \u2028 \u2029 é 😀 \ud800 {"a": [1, 2]}',
    'key with "quotes" \\ and \n': true,
    10: 'integer-like keys come first',
    2: 'in ascending order',
    '': null,
  };
  const { '': _, ...usable } = values;
  for (const [key, value] of Object.entries(usable)) await odd.set(key, value);
  assert.equal(place.mirrorText('odd'), pretty(usable));

  const players = Object.fromEntries(Object.entries(usable).map(([key, value]) => [key, { value }]));
  await storage.savePlayers(players);
  assert.equal(place.mirrorText(), pretty(players));
  await storage.saveGameState('channel', values);
  assert.equal(place.mirrorText('game_state'), pretty(await storage.getAllGameStates()));
});

test('a large mirror follows soon, while the process does nothing else', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(LARGE, 300));
  await storage.updatePlayerStats('late', 'late', 1);
  const state = await storage.loadPlayers();
  await waitFor(() => fs.existsSync(place.mirror()) && 'late' in place.mirrorState(), 'the mirror to follow');
  assert.equal(place.mirrorText(), pretty(state));
  assert.ok(fs.statSync(place.mirror()).size > 64 * 1024);

  for (const round of range(3)) {
    await storage.updatePlayerStats('late', 'late', 1);
    await waitFor(() => place.mirrorState().late.totalGames === round + 2, 'the mirror to follow again');
  }
});

test('a large mirror is current after flush() and after close()', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(LARGE, 300));
  for (const round of range(3)) {
    storage.updatePlayerStats('late', 'late', 1);
    await storage.flush();
    assert.equal(place.mirrorState().late.totalGames, round + 1);
  }
  storage.updatePlayerStats('late', 'late', 1);
  await storage.close();
  assert.equal(place.mirrorState().late.totalGames, 4);
  assert.equal(place.mirrorText(), pretty(await place.open().loadPlayers()));
});

test('a state that grows past 64 KiB and shrinks again keeps its mirror right', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(LARGE, 300));
  await storage.savePlayers({ only: player('only') });
  assert.equal(place.mirrorText(), pretty({ only: player('only') }));
  await storage.savePlayers(manyPlayers(LARGE, 300));
  await storage.savePlayers({});
  assert.equal(place.mirrorText(), '{}');
  // The large mirror that was being written must not replace the newer one later.
  await storage.flush();
  assert.equal(place.mirrorText(), '{}');
  await storage.close();
  assert.equal(place.mirrorText(), '{}');
});

for (const [size, count] of [
  ['small', 20],
  ['large', LARGE],
]) {
  test(`a reader of a ${size} mirror finds a whole one while it is written`, async (t) => {
    const place = scene(t);
    const storage = place.open({ fsync: 'never' });
    await storage.savePlayers(manyPlayers(count, 300));
    await storage.flush();
    let read = 0;
    let running = true;
    const writing = (async () => {
      for (let i = 0; i < 300 || read < 100; i++) {
        await storage.updatePlayerStats(`user-${String(i % 20).padStart(5, '0')}`, 'n', 1);
      }
      await storage.flush();
      running = false;
    })();
    let games = 0;
    while (running) {
      const players = place.mirrorState();
      assert.equal(Object.keys(players).length, count);
      const seen = Object.values(players).reduce((sum, one) => sum + one.totalGames, 0);
      assert.ok(seen >= games, 'never an older one after a newer one');
      games = seen;
      read += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));
  });
}

test('a missing mirror is rebuilt by the next write, not by a read', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('a', 'a', 1);
  fs.rmSync(place.mirror());
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a']);
  assert.equal(fs.existsSync(place.mirror()), false);
  await storage.updatePlayerStats('b', 'b', 1);
  assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));

  await storage.close();
  fs.rmSync(place.mirror());
  const next = place.open();
  assert.deepEqual(Object.keys(await next.loadPlayers()), ['a', 'b']);
  assert.equal(fs.existsSync(place.mirror()), false);
  await next.updatePlayerStats('c', 'c', 1);
  assert.deepEqual(Object.keys(place.mirrorState()), ['a', 'b', 'c']);
});

const broken = {
  'half of it': '{\n  "a": {\n    "userId": "a",',
  'an empty file': '',
  'white space': ' \n ',
  garbage: 'not JSON at all',
  zeros: '\0'.repeat(300),
  'a list': '[]',
  'a number': '42',
  null: 'null',
  'an object and more': '{}{}',
  'bytes that are not UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
};

for (const [what, content] of Object.entries(broken)) {
  for (const when of ['at a start', 'while running']) {
    test(`a mirror that is ${what}, ${when}: set aside, and the log is used`, async (t) => {
      const place = scene(t);
      const first = place.open();
      await first.updatePlayerStats('a', 'a', 1);
      await first.updatePlayerStats('b', 'b', 1);
      if (when === 'at a start') await first.close();
      const warned = listenForWarnings('PS_MIRROR_BROKEN');
      fs.writeFileSync(place.mirror(), content);

      const storage = when === 'at a start' ? place.open() : first;
      const before = snapshot(place.data, { times: true });
      assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a', 'b']);
      assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a', 'b']);
      assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading changed nothing');

      assert.equal((await storage.updatePlayerStats('a', 'a', 1)).totalGames, 2);
      const kept = place.aside('players.json.corrupt').map((file) => fs.readFileSync(file, 'latin1'));
      assert.deepEqual(kept, [Buffer.from(content).toString('latin1')]);
      assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));
      assert.deepEqual(place.mirrorState(), place.replayed());
      assert.equal((await warned()).length, 1);
    });
  }
}

test('a mirror cut at every byte: set aside byte for byte, and the log is used', async (t) => {
  const place = scene(t);
  const state = { ann: { score: 12, name: 'Änn "A" {x}' }, 7: [1, { n: null }], bob: 'the end }' };
  const lines = Object.entries(state).map(([key, value]) => sealed(set(key, value)));
  const whole = Buffer.from(pretty(state));
  const names = range(whole.length).map((at) => `cut-${at}`);
  for (const [at, name] of names.entries()) {
    place.writeLog(lines, name);
    fs.writeFileSync(place.mirror(name), whole.subarray(0, at));
  }
  const warned = listenForWarnings('PS_MIRROR_BROKEN');
  const storage = place.open({ fsync: 'never' });
  for (const [at, name] of names.entries()) {
    const cut = storage.collection(name);
    assert.deepEqual(Object.fromEntries(await cut.entries()), state, `cut at ${at}`);
    await cut.set('next', at);
    const kept = place.aside(`${name}.json.corrupt`).map((file) => fs.readFileSync(file));
    assert.deepEqual(kept, [whole.subarray(0, at)], `cut at ${at}`);
    assert.equal(place.mirrorText(name), pretty({ ...state, next: at }), `cut at ${at}`);
  }
  await storage.close();
  assert.equal((await warned()).length, names.length, 'each is reported once');
});

test('a broken mirror beside a log that was never compacted, written by the old module', async (t) => {
  const place = scene(t);
  await place.old('updatePlayerStats', 'a', 'a', 5);
  fs.truncateSync(place.mirror(), 30);
  const storage = place.open();
  assert.equal((await storage.getPlayerStats('a')).totalScore, 5);
  await storage.updatePlayerStats('a', 'a', 5);
  assert.equal(place.mirrorState().a.totalScore, 10);
});

test('a broken mirror and no log: no data, but the bytes are kept', async (t) => {
  const place = scene(t);
  place.writeMirror('{"a": {"userId"');
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), {});
  await storage.updatePlayerStats('b', 'b', 1);
  assert.deepEqual(Object.keys(place.mirrorState()), ['b']);
  const kept = place.aside('players.json.corrupt').map((file) => fs.readFileSync(file, 'utf8'));
  assert.deepEqual(kept, ['{"a": {"userId"']);
});

test('a log with only appended entries has no mirror', async (t) => {
  const place = scene(t);
  place.writeLog([sealed(set('a', 1))], 'audit');
  const storage = place.open();
  await storage.appendLogEntry('events', { op: 'SET', key: 'k', value: 1 });
  await storage.appendLogEntry('audit', { op: 'SET', key: 'k', value: 1 });
  await storage.compactLog('audit');
  await storage.close();
  assert.deepEqual(fs.readdirSync(place.data).sort(), ['.progressive-storage', 'logs']);
});

test('no other files are left behind', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const i of range(20)) await storage.updatePlayerStats(`user-${i}`, 'name', 1);
  await storage.savePlayers(manyPlayers(LARGE, 300));
  await storage.saveTokens(['a']);
  await storage.compactLog('players');
  await storage.close();
  const names = fs.readdirSync(place.data).sort();
  assert.deepEqual(names, ['.progressive-storage', 'logs', 'players.json', 'tokens.json']);
  const logs = fs.readdirSync(place.file('logs')).filter((name) => !name.includes('.backup.'));
  assert.deepEqual(logs.sort(), ['players.log', 'tokens.log']);
});
