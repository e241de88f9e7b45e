/**
 * Large, deep, many, long-named and empty: each either works, and is there after a reopen, or gets a clear error before
 * anything is touched. Nothing ends the process.
 *
 * PS_LONG=1 takes a million keys instead of 200,000, and values as long as V8 can make them.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { freemem } from 'node:os';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  assertSealed,
  isWindows,
  listenForWarnings,
  manyPlayers,
  plain,
  player,
  pretty,
  range,
  scene,
  sealed,
  set,
  snapshot,
  waitFor,
} from '../support/durability.mjs';

const isLong = process.env.PS_LONG === '1';
const fast = { fsync: 'never' };
const DEEP = 10_000;

/** For large values: a comparison that fails must not print 50 MB. */
function assertSame(actual, expected, what = 'the value that was written') {
  assert.ok(JSON.stringify(actual) === JSON.stringify(expected), what);
}

async function refused(call) {
  const error = await call().then(
    () => assert.fail('it was not refused'),
    (reason) => reason,
  );
  assert.ok(error instanceof TypeError, String(error));
  assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
  assert.ok(error.message.length < 1000, 'the message is for people');
  return error;
}

/** The calls that take a value of any kind. */
const writersOf = (storage) => ({
  appendLogEntry: (value) => storage.appendLogEntry('events', { op: 'SET', key: 'k', value }),
  set: (value) => storage.collection('coins').set('k', value),
  update: (value) => storage.collection('coins').update('k', () => value),
  saveGameState: (value) => storage.saveGameState('k', { value }),
  saveTokens: (value) => storage.saveTokens(['token', value]),
  artistInfo: (value) => storage.saveTokens(['token'], { value }),
  savePlayers: (value) => storage.savePlayers({ k: player('k', { value }) }),
});

/** What those calls left, whoever looks. */
async function assertWritten(storage, value) {
  assertSame((await storage.readLogEntries('events')).at(-1).value, value, 'appendLogEntry');
  assertSame(await storage.collection('coins').get('k'), value, 'set and update');
  assertSame((await storage.loadGameState('k')).value, value, 'saveGameState');
  const tokens = await storage.loadTokens();
  assertSame(tokens.artistInfo?.value ?? tokens.tokens[1], value, 'saveTokens');
  assertSame((await storage.loadPlayers()).k.value, value, 'savePlayers');
}

// --------------------------------------------------------------------------------------------------- large

test('values of 50 MB through every call, small ones beside them, compaction, reopen', async (t) => {
  const place = scene(t);
  const large = { hex: randomBytes(25 << 20).toString('hex'), end: 'é"\\\n😀' };
  const storage = place.open(fast);
  for (const [name, write] of Object.entries(writersOf(storage))) {
    if (!['update', 'artistInfo'].includes(name)) await write(large);
  }
  await storage.collection('coins').set('small', 1);
  await storage.updatePlayerStats('small', 'small', 7);
  await assertWritten(storage, large);
  await storage.compactLog('coins');
  await storage.compactLog('events');
  await storage.appendLogEntry('events', { op: 'SET', key: 'small', value: 2 });
  await storage.close();

  const again = place.open(fast);
  assertSame((await again.rebuildStateFromLog('events')).k, large);
  assert.equal((await again.rebuildStateFromLog('events')).small, 2);
  assertSame(await again.collection('coins').get('k'), large);
  assert.equal(await again.collection('coins').get('small'), 1);
  const players = await again.loadPlayers();
  assertSame(players.k.value, large);
  assert.equal(players.small.totalScore, 7);
  assertSame(place.mirrorState('players'), players, 'the mirror is whole');
  assertSame(await place.old('loadPlayers'), players, 'the old module reads it too');
  // One game more is a whole new record of 50 MB, and a name of 50 MB is a name.
  const updated = await again.updatePlayerStats('k', large.hex, 1);
  assert.equal(updated.totalGames, 2);
  assertSame(updated.value, large);
  assert.equal((await again.getLeaderboard('totalScore', 1))[0].username.length, large.hex.length);
});

test('a line of 50 MB that is torn, and one that is damaged', async (t) => {
  const place = scene(t);
  const bytes = Buffer.from(`${sealed(set('long', 'x'.repeat(50 << 20)))}\n`);
  place.writeLog(Buffer.concat([Buffer.from(`${sealed(set('a', 1))}\n`), bytes.subarray(0, -100)]), 'torn');
  bytes[1 << 20] ^= 1;
  place.writeLog(
    Buffer.concat([bytes, Buffer.from(`${sealed(set('b', 2))}\n`), bytes.subarray(0, -100)]),
    'damaged',
  );
  const storage = place.open(fast);
  for (const name of ['torn', 'damaged']) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'after', value: name });
  }
  assert.deepEqual(await storage.rebuildStateFromLog('torn'), { a: 1, after: 'torn' });
  assert.deepEqual(await storage.rebuildStateFromLog('damaged'), { b: 2, after: 'damaged' });
  for (const name of ['torn', 'damaged']) {
    assertSealed(place.logText(name));
    assert.equal(fs.statSync(place.aside(`${name}.log.torn`)[0]).size, bytes.length - 100);
  }
  assert.equal(fs.statSync(place.aside('damaged.log.corrupt')[0]).size, bytes.length);
});

const noRoom = freemem() < 6 * 2 ** 30 && 'needs 6 GB of free memory';
test('values about as long as a string can be', { skip: !isLong ? 'PS_LONG=1' : noRoom }, async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  await coins.set('small', 1);
  const before = snapshot(place.data, { times: true });
  const longest = 2 ** 29 - 24;
  const longer = await refused(() => coins.set('k', 'x'.repeat(longest)));
  assert.match(longer.message, /'value'/);
  assert.deepEqual(snapshot(place.data, { times: true }), before);

  // With its quotes it is just a string, but the object that holds it is not: refused, or readable for ever.
  const value = 'x'.repeat(longest - 2);
  const wasRefused = await coins.set('k', value).then(
    () => false,
    (error) => error.code === 'ERR_INVALID_ARG_VALUE',
  );
  if (wasRefused) assert.deepEqual(snapshot(place.data, { times: true }), before);
  else assert.equal((await coins.get('k')).length, value.length);
  assert.equal((await coins.entries()).length, wasRefused ? 1 : 2);
  assert.equal((await storage.readLogEntries('coins')).length, wasRefused ? 1 : 2);
});

// ---------------------------------------------------------------------------------------------------- deep

function nested(depth, kind = 'array') {
  let value = kind === 'array' ? [] : {};
  for (let i = 1; i < depth; i++) value = kind === 'array' ? [value] : { a: value };
  return value;
}

function depthOf(value) {
  let depth = 0;
  for (let at = value; at !== undefined; at = Array.isArray(at) ? at[0] : at.a) depth += 1;
  return depth;
}

/** What JSON.stringify says against a value; null when it writes it. */
function whyNotWritten(value) {
  try {
    JSON.stringify(value);
    return null;
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
    return error.message;
  }
}

test('nesting that JSON.stringify or the store gives up on: a clear error, and nothing is touched', async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  for (const write of Object.values(writersOf(storage))) await write('before');
  await storage.flush();
  const before = snapshot(place.data, { times: true });
  for (const kind of ['array', 'object']) {
    for (const depth of [2 * DEEP, 10 * DEEP, 100 * DEEP]) {
      const value = nested(depth, kind);
      // Engines of today write any depth; there the limit is the store's own.
      const reason = whyNotWritten(value) ?? 'is nested more than 12000 deep';
      for (const [name, write] of Object.entries(writersOf(storage))) {
        const error = await refused(() => write(value));
        assert.ok(error.message.includes(reason), `${name}: ${error.message}`);
      }
    }
  }
  assert.deepEqual(snapshot(place.data, { times: true }), before);
  await assertWritten(storage, 'before');
});

test('nesting just below that: it works, or gets the same error', async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  let works = 100;
  let fails = DEEP;
  // How deep the stack allows differs from call to call, so this is near the limit and not exactly at it.
  while (fails - works > 20) {
    const depth = Math.floor((works + fails) / 2);
    const call = storage.appendLogEntry('events', { op: 'SET', key: 'k', value: nested(depth) });
    await call.then(
      () => {
        works = depth;
      },
      (error) => {
        assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
        fails = depth;
      },
    );
  }
  assert.equal(depthOf((await storage.readLogEntries('events')).at(-1).value), works);
  await storage.collection('coins').set('k', nested(works - 100));
  await storage.collection('coins').update('k', (value) => [value]);
  await storage.close();
  const again = place.open(fast);
  assert.equal(depthOf((await again.rebuildStateFromLog('events')).k), works);
  assert.equal(depthOf(await again.collection('coins').get('k')), works - 99);
});

test(`nesting ${DEEP} deep, from a thread with a stack for it`, async (t) => {
  const place = scene(t);
  const script = new URL('../children/deep-thread.mjs', import.meta.url);
  const worker = new Worker(script, {
    workerData: { dataDir: place.data, depth: DEEP },
    resourceLimits: { stackSizeMb: 16 },
  });
  const report = await new Promise((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the thread ended with ${code}`)));
  });
  await worker.terminate();
  assert.deepEqual(report, { appended: DEEP, updated: DEEP + 1 });
  // What one thread could write, another one with less stack can read.
  const storage = place.open(fast);
  assert.equal(depthOf((await storage.readLogEntries('events')).at(-1).value), DEEP);
  assert.equal(depthOf(await storage.collection('coins').get('k')), DEEP + 1);
  await storage.collection('coins').set('other', 1);
  await storage.compactLog('coins');
  await storage.compactLog('events');
  assert.equal(depthOf((await storage.rebuildStateFromLog('events')).k), DEEP);
  assert.equal(depthOf((await storage.collection('coins').entries())[0][1]), DEEP + 1);
});

test(`nesting ${DEEP} deep and more, in files that came from elsewhere`, async (t) => {
  const place = scene(t);
  const text = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const objects = (depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  // Deeper than V8 would write it, as a line of the old module, as one of ours, and in a mirror.
  place.writeLog(
    `{"op":"SET","key":"k","value":${text(100 * DEEP)}}\n{"op":"SET","data":{"o":${objects(DEEP)}}}\n`,
  );
  fs.renameSync(place.log('players'), place.log('events'));
  place.writeMirror(`{"k":${text(DEEP)},"small":{"n":1}}`, 'coins');
  const storage = place.open(fast);
  assert.equal(depthOf((await storage.readLogEntries('events'))[0].value), 100 * DEEP);
  await storage.appendLogEntry('events', { op: 'SET', key: 'after', value: 1 });
  await storage.compactLog('events');
  const state = await storage.rebuildStateFromLog('events');
  assert.equal(depthOf(state.k), 100 * DEEP);
  assert.equal(state.after, 1);

  const coins = storage.collection('coins');
  assert.deepEqual(await coins.get('small'), { n: 1 });
  await coins.set('after', 1);
  assert.equal(depthOf(await coins.get('k')), DEEP);
  assert.equal(await coins.delete('k'), true);
  await storage.close();
  assert.deepEqual(place.mirrorState('coins'), { small: { n: 1 }, after: 1 });
});

test('a million opening brackets are damage like any other', async (t) => {
  const place = scene(t);
  const bad = [`{"op":"SET","key":"k","value":${'['.repeat(1_000_000)}`, '{"a":'.repeat(200_000)];
  place.writeLog([sealed(set('a', 1)), bad[0], sealed(set('b', 2)), bad[1], plain(set('c', 3))], 'coins');
  place.writeMirror(`{"a":${'['.repeat(1_000_000)}`, 'coins');
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  assert.deepEqual(await coins.entries(), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  await coins.set('d', 4);
  await storage.close();
  const [aside] = place.aside('coins.log.corrupt');
  assert.equal(fs.readFileSync(aside, 'utf8'), `${bad[0]}\n${bad[1]}\n`);
  assert.equal(place.aside('coins.json.corrupt').length, 1);
  assert.deepEqual(place.mirrorState('coins'), { a: 1, b: 2, c: 3, d: 4 });
});

// ---------------------------------------------------------------------------------------------------- keys

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

test('what is said about a line with a key of 1 MB stays readable', async (t) => {
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
test(`${KEYS} keys: set, looked at, ranked, removed, compacted, reopened`, async (t) => {
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
    // More fields are asked for than any kept order would be worth.
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

// ------------------------------------------------------------------------------------------------ long names

for (const [what, name] of [
  ['ASCII', 'n'.repeat(200)],
  ['two bytes a character', 'ж'.repeat(100)],
  ['three', `${'日'.repeat(66)}ab`],
  ['four', '😀'.repeat(50)],
]) {
  test(`a log name of 200 bytes (${what}): everything that makes a file beside the log`, async (t) => {
    assert.equal(Buffer.byteLength(name), 200);
    const place = scene(t);
    const first = place.open();
    const coins = first.collection(name);
    await coins.set('key', { n: 0 });
    await first.appendLogEntry(name, { op: 'SET', key: 'appended', value: 1 });
    for (const n of range(5)) {
      await coins.update('key', (value) => ({ n: value.n + 1 }));
      await first.compactLog(name);
      assert.equal(place.backups(name).length, Math.min(n + 1, 3));
    }
    await first.close();
    assert.deepEqual(place.mirrorState(name), { key: { n: 5 }, appended: 1 });

    // A torn tail, damage and a broken mirror at once, and again.
    const fragment = '{"timestamp":"2024-01-01T00:00:00.000Z","op":"SE';
    for (const n of range(5)) {
      fs.appendFileSync(place.log(name), `damaged ${n}\n${fragment}`);
      fs.writeFileSync(place.mirror(name), 'no JSON');
      const storage = place.open();
      assert.deepEqual(await storage.collection(name).get('key'), { n: 5 + n });
      await storage.collection(name).update('key', (value) => ({ n: value.n + 1 }));
      await storage.close();
      assert.equal(place.aside(`${name}.log.corrupt`).length, n + 1);
      assert.equal(place.aside(`${name}.log.torn`).length, Math.min(n + 1, 3));
      assert.equal(place.aside(`${name}.json.corrupt`).length, n + 1);
    }
    assert.deepEqual(place.mirrorState(name), { key: { n: 10 }, appended: 1 });
    assert.deepEqual(place.replayed(name), { key: { n: 10 }, appended: 1 });
    const again = place.open();
    assert.deepEqual(await again.rebuildStateFromLog(name), { key: { n: 10 }, appended: 1 });
    const scheduler = again.startCompactionScheduler(1000, [name]);
    scheduler.stop();
    await again.close();

    const before = snapshot(place.data, { times: true });
    const longer = place.open();
    await refused(() => longer.appendLogEntry(`${name}x`, { op: 'NOTE' }));
    await refused(() => longer.readLogEntries(`${name}x`));
    await refused(() => longer.compactLog(`${name}x`));
    assert.throws(() => longer.collection(`${name}x`), { code: 'ERR_INVALID_ARG_VALUE' });
    await longer.close();
    assert.deepEqual(snapshot(place.data, { times: true }), before);
  });
}

test('many logs at once', { skip: isWindows && 'takes long there' }, async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  // More than a process may usually have files open.
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

// ----------------------------------------------------------------------------------------------- empty things

test('empty everything', async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  await coins.clear();
  await storage.savePlayers({});
  await storage.saveTokens([]);
  await storage.saveGameState('channel', {});
  assert.deepEqual(await storage.updatePlayersStats([]), []);
  await storage.appendLogEntry('events', {});
  await storage.appendLogEntry('events', { op: '' });
  await storage.appendLogEntry('events', { op: 'SET' });
  await storage.appendLogEntry('events', { op: 'SET', data: {} });
  await storage.appendLogEntry('events', { op: 'SET', key: '', data: { '': '' } });
  await storage.appendLogEntry('events', { op: 'CHECKPOINT', state: {} });
  await storage.appendLogEntry('events', { op: 'DELETE', key: 'never' });
  await storage.compactLog('nothing');
  await storage.clearGameState('never');
  const values = { text: '', object: {}, array: [], nothing: null, zero: 0, no: false };
  for (const [key, value] of Object.entries(values)) await coins.set(key, value);

  const look = async (on) => {
    assert.deepEqual(await on.loadPlayers(), {});
    assert.deepEqual(await on.getLeaderboard(), []);
    assert.equal(await on.getPlayerRank('nobody'), null);
    assert.deepEqual((await on.loadTokens()).tokens, []);
    assert.deepEqual(Object.keys(await on.loadGameState('channel')), ['lastUpdated']);
    assert.deepEqual(Object.fromEntries(await on.collection('coins').entries()), values);
    assert.deepEqual(await on.rebuildStateFromLog('events'), { '': '' });
    assert.equal((await on.readLogEntries('events')).length, 7);
    assert.deepEqual(await on.rebuildStateFromLog('nothing'), {});
    assert.equal((await on.readLogEntries('nothing')).length, 1);
    assert.deepEqual(await on.readLogEntries('not there'), []);
    assert.equal(await on.getLogSize('not there'), 0);
  };
  await look(storage);
  await storage.close();
  await look(place.open(fast));
  assert.deepEqual(await place.old('loadPlayers'), {});
});

test('empty files', async (t) => {
  for (const [log, mirror] of [
    ['', undefined],
    ['', '{}'],
    ['', ''],
    ['\n', '{}\n'],
    ['\n\n \n', undefined],
    ['\r\n', '  {}  '],
    ['\ufeff', '\ufeff{}'],
    [undefined, '{}'],
    [undefined, ''],
  ]) {
    const place = scene(t);
    fs.mkdirSync(place.file('logs'), { recursive: true });
    if (log !== undefined) place.writeLog(log, 'coins');
    if (mirror !== undefined) place.writeMirror(mirror, 'coins');
    const before = snapshot(place.data, { times: true });
    const storage = place.open(fast);
    const what = JSON.stringify([log, mirror]);
    assert.deepEqual(await storage.collection('coins').entries(), [], what);
    assert.deepEqual(await storage.readLogEntries('coins'), [], what);
    assert.deepEqual(await storage.rebuildStateFromLog('coins'), {}, what);
    assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading wrote nothing');
    await storage.collection('coins').set('a', 1);
    await storage.compactLog('coins');
    await storage.collection('coins').set('b', 2);
    await storage.close();
    assert.deepEqual(place.replayed('coins'), { a: 1, b: 2 }, what);
    assert.equal(place.mirrorText('coins'), pretty({ a: 1, b: 2 }), what);
    assertSealed(place.logText('coins').replace(/^\s+/, ''));
  }
});

test('a log name of 200 bytes has room for all that stands behind it', async (t) => {
  const place = scene(t);
  const name = 'n'.repeat(200);
  const problems = ['PS_BACKUP_FAILED', 'PS_MIRROR_FAILED', 'PS_COMPACTION_FAILED'].map(listenForWarnings);
  const storage = place.open();
  const collection = storage.collection(name);
  // Numbers of temporary files grow.
  for (const i of range(1200)) await collection.set('count', i);
  await storage.compactLog(name);
  // A backup that is over a day old is compressed.
  const [backup] = place.backups(name);
  fs.renameSync(backup, `${place.log(name)}.backup.1000000000000`);
  await collection.set('count', 1200);
  await storage.compactLog(name);
  const scheduler = storage.startCompactionScheduler(5, [name]);
  await waitFor(() => fs.existsSync(`${place.log(name)}.backup.1000000000000.gz`), 'a compressed backup');
  scheduler.stop();
  fs.appendFileSync(place.log(name), 'damage\n{"torn');
  await collection.set('count', 1201);
  fs.writeFileSync(place.mirror(name), 'no JSON');
  await collection.set('count', 1202);
  await storage.close();
  assert.deepEqual(place.replayed(name), { count: 1202 });
  assert.deepEqual(place.mirrorState(name), { count: 1202 });
  for (const kind of ['torn', 'corrupt']) assert.equal(place.aside(`${name}.log.${kind}`).length, 1, kind);
  assert.equal(place.aside(`${name}.json.corrupt`).length, 1);
  for (const told of problems) assert.deepEqual(await told(), []);
});

test('a torn tail of 1 GiB of zeros takes no memory', {
  skip: process.platform !== 'linux' && 'the peak is read from /proc',
}, async (t) => {
  const place = scene(t);
  const GIB = 2 ** 30;
  for (const [name, whole] of [
    ['zeros', sealed(set('a', 1))],
    ['fragment', `${sealed(set('a', 1))}\n{"op":"SET","key":"b","val`],
  ]) {
    place.writeLog(whole, name);
    const size = fs.statSync(place.log(name)).size;
    fs.truncateSync(place.log(name), size + GIB);
    const { stdout } = await place.run('peak-memory.mjs', [place.data, name]);
    const { entries, before, after } = JSON.parse(stdout);
    assert.equal(entries, 1);
    assert.ok(after - before < 100 * 1024, `${name}: ${before} KiB before, ${after} KiB after`);
    assert.deepEqual(place.replayed(name), { a: 1, after: 1 });
    const [torn] = place.aside(`${name}.log.torn`);
    const { size: kept, blocks } = fs.statSync(torn);
    assert.ok(kept >= GIB && blocks * 512 < GIB / 100, `${kept} bytes in ${blocks} blocks`);
  }
});

test('a line that is huge and whole is read also where it ends with a blank megabyte of zeros behind it', async (t) => {
  const place = scene(t);
  const value = 'x'.repeat(3 << 20);
  const line = sealed(set('a', value));
  // Zeros, then something else: not the end of the file.
  place.writeLog(`${line}\n${'\0'.repeat(3 << 20)}x\n${line}${'\0'.repeat(3 << 20)}`);
  const damaged = listenForWarnings('PS_LOG_DAMAGED');
  const torn = listenForWarnings('PS_TORN_TAIL');
  const storage = place.open();
  assert.equal((await storage.readLogEntries('players')).length, 2);
  assert.equal((await damaged()).length, 1);
  assert.match((await torn())[0].message, /ends with 3145728 bytes/);
  await storage.appendLogEntry('players', { op: 'SET', key: 'b', value: 2 });
  await storage.close();
  assert.deepEqual(Object.keys(place.replayed()), ['a', 'b']);
});
