/**
 * Damage in the middle of a log costs only the damaged lines. All others are used. The next write moves the bad lines byte
 * for byte to NAME.log.corrupt.N and reports them once; from then on the log is clean, also for the old module. With
 * `onCorruption: 'refuse'` nothing is touched, and an error says where the damage is.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import {
  listenForWarnings,
  plain,
  player,
  range,
  scene,
  sealed,
  set,
  snapshot,
} from '../support/durability.mjs';

const entries = range(6).map((n) => set(`user-${n}`, player(`user-${n}`, { totalScore: 100 + n })));
const withNewline = (line) => Buffer.concat([Buffer.from(line), Buffer.from('\n')]);
const flip = (line, text, by = 1) => {
  const bytes = Buffer.from(line);
  bytes[bytes.indexOf(text) + text.length - 1] ^= by;
  return bytes;
};

/** What was set aside, as lines. */
function setAside(place, name) {
  const bytes = Buffer.concat(place.aside(`${name}.log.corrupt`).map((file) => fs.readFileSync(file)));
  const text = bytes.toString('latin1');
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/**
 * Writes a log of good lines with damaged ones among them (`lines` are `{ good }` or `{ bad }`), and follows it through
 * reading, writing, and reading by the old module.
 */
async function checkDamage(place, lines) {
  const name = 'players';
  place.writeLog(Buffer.concat(lines.map((line) => withNewline(line.bad ?? line.good))));
  const good = lines.filter((line) => line.good).map((line) => JSON.parse(line.good));
  const bad = lines
    .filter((line) => line.bad !== undefined)
    .map((line) => Buffer.from(line.bad).toString('latin1'));
  const expected = Object.fromEntries(good.map((entry) => [entry.key, entry.value]));
  const warned = listenForWarnings('PS_LOG_DAMAGED');

  const before = snapshot(place.data, { times: true });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), expected);
  const read = await storage.readLogEntries(name);
  assert.deepEqual(
    read.map((entry) => entry.key),
    good.map((entry) => entry.key),
  );
  assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading changed nothing');

  await storage.updatePlayerStats('appended', 'appended', 1);
  await storage.updatePlayerStats('appended', 'appended', 1);
  const state = await storage.loadPlayers();
  await storage.close();

  assert.equal(state.appended.totalGames, 2);
  assert.deepEqual(Object.keys(state), [...Object.keys(expected), 'appended']);
  assert.deepEqual(setAside(place, name), bad);
  assert.deepEqual(place.replayed(), state, 'the log is clean');
  assert.deepEqual(await place.old('loadPlayers'), state);
  fs.rmSync(place.mirror());
  assert.deepEqual(await place.old('loadPlayers'), state, 'the old module reads the log too');

  const again = place.open();
  assert.deepEqual(await again.loadPlayers(), state);
  await again.close();
  assert.equal((await warned()).length, 1);
}

/** Good lines of ours, with the damaged ones at the places given. */
function lines(damaged, write = sealed) {
  return entries.map((entry, n) => (n in damaged ? { bad: damaged[n] } : { good: write(entry) }));
}

test('a flipped byte that leaves valid JSON is found by the checksum', async (t) => {
  const bad = flip(sealed(entries[2]), '"totalScore":102');
  assert.equal(JSON.parse(bad).value.totalScore, 103, 'the line still parses');
  await checkDamage(scene(t), lines({ 2: bad }));
});

test('a flipped bit in each of several lines', async (t) => {
  await checkDamage(
    scene(t),
    lines({
      0: flip(sealed(entries[0]), '"op":"S'),
      2: flip(sealed(entries[2]), '"key":"u', 0x80),
      4: flip(sealed(entries[4]), '"_crc":"', 2),
    }),
  );
});

test('the first line', async (t) => {
  await checkDamage(scene(t), lines({ 0: flip(sealed(entries[0]), '{', 4) }));
});

test('garbage of many kinds', async (t) => {
  for (const bad of [
    'garbage',
    '{',
    '{"op":"SET"',
    Buffer.from([0, 1, 2, 3, 255, 254]),
    '\0'.repeat(512),
    `${sealed(entries[3]).slice(0, 60)}${sealed(entries[4]).slice(0, 60)}`,
    '<<<<<<< HEAD',
    'null',
    '"text"',
    '[1,2]',
    `${plain(entries[3])} trailing`,
    '{"timestamp":"2024-01-01T00:00:00.000Z","op":"SET","key":"x","value":{"a":1}}}',
  ]) {
    await checkDamage(scene(t), lines({ 3: bad }));
  }
});

test('half a UTF-8 sequence in a line of the old module', async (t) => {
  const bad = Buffer.from(plain(set('half', { name: 'é' })));
  bad[bad.indexOf(0xc3)] = 0x20;
  await checkDamage(scene(t), lines({ 3: bad }, plain));
});

test('one good line among many bad ones is enough', async (t) => {
  const garbage = range(50).map((n) => ({ bad: `garbage ${n}` }));
  await checkDamage(scene(t), [
    ...garbage,
    { good: sealed(entries[0]) },
    ...garbage,
    { good: sealed(entries[1]) },
  ]);
});

test('a long damaged line', async (t) => {
  const bad = flip(sealed(set('long', 'x'.repeat(3 << 20))), '"key":"l');
  await checkDamage(scene(t), lines({ 1: bad }));
});

test('damage in the middle and a torn tail at once', async (t) => {
  const place = scene(t);
  const damaged = flip(sealed(entries[1]), '"totalScore":101').toString();
  const torn = sealed(entries[3]).slice(0, 70);
  place.writeLog(`${sealed(entries[0])}\n${damaged}\n${sealed(entries[2])}\n${torn}`);
  const storage = place.open();
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['user-0', 'user-2']);
  await storage.updatePlayerStats('appended', 'appended', 1);
  assert.deepEqual(Object.keys(place.replayed()), ['user-0', 'user-2', 'appended']);
  assert.deepEqual(setAside(place, 'players'), [damaged]);
  assert.equal(fs.readFileSync(place.aside('players.log.torn')[0], 'utf8'), torn);
});

test('a damaged line in the middle of a group', async (t) => {
  const place = scene(t);
  const group = entries.slice(0, 3).map((entry, n) => sealed(entry, { more: n < 2 }));
  const damaged = flip(group[1], '"totalScore":101').toString();
  place.writeLog([group[0], damaged, group[2], sealed(entries[3])]);
  const storage = place.open();
  // Only the damaged line is lost: the rest of the group is kept.
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['user-0', 'user-2', 'user-3']);
  await storage.updatePlayerStats('appended', 'appended', 1);
  assert.deepEqual(Object.keys(place.replayed()), ['user-0', 'user-2', 'user-3', 'appended']);
  assert.deepEqual(setAside(place, 'players'), [damaged]);
});

test('a damaged line costs only what the mirror does not show', async (t) => {
  const place = scene(t);
  const first = place.open();
  for (const n of range(4)) await first.updatePlayerStats(`user-${n}`, 'name', n);
  const state = await first.loadPlayers();
  await first.close();
  const bytes = fs.readFileSync(place.log());
  bytes[bytes.indexOf('user-1') + 2] ^= 1;
  fs.writeFileSync(place.log(), bytes);

  const second = place.open();
  assert.deepEqual(await second.loadPlayers(), state, 'the mirror still had it');
  await second.updatePlayerStats('user-1', 'name', 0);
  assert.equal(place.replayed()['user-1'].totalGames, 2);
  assert.deepEqual(place.replayed(), await second.loadPlayers());
});

test('CR LF, empty lines and doubled lines are no damage', async (t) => {
  const place = scene(t);
  const [a, b, c, d] = entries.map(sealed);
  const old = plain(entries[4]);
  place.writeLog(`\n${a}\r\n\n${b}\n${b}\n   \n\r\n${c}\n${old}\r\n${old}\n\n${d}\n\n\n`);
  const warned = [listenForWarnings('PS_LOG_DAMAGED'), listenForWarnings('PS_TORN_TAIL')];
  const storage = place.open();
  const expected = ['user-0', 'user-1', 'user-2', 'user-4', 'user-3'];
  assert.deepEqual(Object.keys(await storage.loadPlayers()), expected);
  await storage.updatePlayerStats('appended', 'appended', 1);
  await storage.close();
  assert.deepEqual(Object.keys(place.replayed()), [...expected, 'appended']);
  assert.deepEqual(place.replayed(), await place.open().loadPlayers());
  assert.deepEqual(setAside(place, 'players'), []);
  for (const warnings of warned) assert.deepEqual(await warnings(), []);
});

test('a byte order mark at the start, as an editor leaves it, costs no other line', async (t) => {
  for (const write of [sealed, plain]) {
    const place = scene(t);
    place.writeLog(`\ufeff${entries.map((entry) => `${write(entry)}\n`).join('')}`);
    const storage = place.open();
    const ids = Object.keys(await storage.loadPlayers()).filter((id) => id !== 'user-0');
    assert.deepEqual(ids, ['user-1', 'user-2', 'user-3', 'user-4', 'user-5']);
    await storage.updatePlayerStats('appended', 'appended', 1);
    await storage.close();
    assert.equal((await place.old('loadPlayers')).appended.totalGames, 1);
    fs.rmSync(place.mirror());
    assert.equal((await place.old('loadPlayers')).appended.totalGames, 1);
    // The line with the mark is either used or set aside, but never lost.
    const isUsed = 'user-0' in place.replayed();
    assert.ok(isUsed || setAside(place, 'players').length === 1);
  }
});

test('lines set aside at different times are all kept', async (t) => {
  const place = scene(t);
  const bad = range(4).map((n) => `garbage ${n}`);
  for (const [n, garbage] of bad.entries()) {
    fs.mkdirSync(place.file('logs'), { recursive: true });
    fs.appendFileSync(place.log('events'), `${garbage}\n${sealed(set(`good-${n}`, n))}\n`);
    const storage = place.open();
    await storage.appendLogEntry('events', { op: 'SET', key: `key-${n}`, value: n });
    await storage.close();
  }
  const kept = setAside(place, 'events');
  // The package never deletes a line that it cannot read.
  assert.deepEqual(kept, bad);
  assert.equal(Object.keys(place.replayed('events')).length, 8);
});

test('compaction straight after damage keeps the bad lines aside and the good ones in the state', async (t) => {
  const place = scene(t);
  place.writeLog([sealed(entries[0]), 'garbage', sealed(entries[1])]);
  const storage = place.open();
  await storage.compactLog('players');
  await storage.close();
  assert.deepEqual(Object.keys(place.replayed()), ['user-0', 'user-1']);
  // The bytes are kept, either in a file aside or in the backup of the log.
  const kept = [
    ...setAside(place, 'players'),
    ...place.backups().map((file) => fs.readFileSync(file, 'utf8')),
  ];
  assert.ok(kept.some((text) => text.includes('garbage')));
});

test('two processes meet the same damage: each reports it, the lines are set aside once', async (t) => {
  const place = scene(t);
  place.writeLog([sealed(entries[0]), 'garbage', sealed(entries[1])]);
  const mine = place.open();
  const other = await place.remote();
  assert.equal(Object.keys(await mine.loadPlayers()).length, 2);
  assert.equal(Object.keys(await other.call('loadPlayers')).length, 2);
  await Promise.all([
    mine.updatePlayerStats('mine', 'mine', 1),
    other.call('updatePlayerStats', 'theirs', 'theirs', 1),
  ]);
  const expected = ['mine', 'theirs', 'user-0', 'user-1'];
  assert.deepEqual(Object.keys(await mine.loadPlayers()).sort(), expected);
  assert.deepEqual(Object.keys(await other.call('loadPlayers')).sort(), expected);
  assert.deepEqual(Object.keys(place.replayed()).sort(), expected);
  assert.deepEqual(setAside(place, 'players'), ['garbage']);
  await other.end();
});

test("onCorruption: 'refuse' names log, line, byte offset and key, and touches nothing", async (t) => {
  const place = scene(t);
  const good = entries.slice(0, 2).map(sealed);
  const bad = flip(sealed(set('the-damaged-one', { n: 1 })), '"n":1').toString();
  place.writeLog([...good, bad, sealed(entries[3])]);
  place.writeLog([sealed(set('fine', 1))], 'events');
  const offset = Buffer.byteLength(`${good.join('\n')}\n`);
  // A write may take the lock before it finds the damage, so the lock's folder is not compared.
  const look = () => [
    snapshot(place.file('logs'), { times: true }),
    fs.readdirSync(place.data).filter((name) => name !== '.progressive-storage'),
  ];
  const before = look();

  const storage = place.open({ onCorruption: 'refuse' });
  for (const call of [
    () => storage.loadPlayers(),
    () => storage.getPlayerStats('user-0'),
    () => storage.getLeaderboard(),
    () => storage.getPlayerRank('user-0'),
    () => storage.readLogEntries('players'),
    () => storage.rebuildStateFromLog('players'),
    () => storage.updatePlayerStats('user-0', 'name', 1),
    () => storage.updatePlayersStats([{ userId: 'user-0', username: 'name', score: 1 }]),
    () => storage.savePlayers({}),
    () => storage.appendLogEntry('players', { op: 'SET', key: 'k', value: 1 }),
    () => storage.compactLog('players'),
    () => storage.collection('players').set('user-0', {}),
  ]) {
    await assert.rejects(call, (error) => {
      assert.equal(error.code, 'ERR_LOG_CORRUPT', `${call}: ${error.stack}`);
      assert.match(error.message, /players/);
      assert.match(error.message, /\bline 3\b/);
      assert.match(error.message, new RegExp(`\\b${offset}\\b`));
      assert.match(error.message, /the-damaged-one/);
      return true;
    });
  }
  assert.deepEqual(look(), before, 'nothing changed');

  // Damage in one log does not affect another.
  assert.deepEqual(await storage.rebuildStateFromLog('events'), { fine: 1 });
  await storage.appendLogEntry('events', { op: 'SET', key: 'more', value: 2 });
  await storage.saveGameState('channel', {});
  assert.deepEqual(place.replayed('events'), { fine: 1, more: 2 });
});

test("onCorruption: 'refuse' also refuses a bad line without a key", async (t) => {
  const place = scene(t);
  place.writeLog([sealed(entries[0]), '\0\0\0\0', sealed(entries[1])]);
  await assert.rejects(place.open({ onCorruption: 'refuse' }).loadPlayers(), { code: 'ERR_LOG_CORRUPT' });
});

test("onCorruption: 'refuse' accepts a torn tail, and a log that was repaired", async (t) => {
  const place = scene(t);
  place.writeLog(`${sealed(entries[0])}\n${sealed(entries[1]).slice(0, 50)}`);
  const refusing = place.open({ onCorruption: 'refuse' });
  assert.deepEqual(Object.keys(await refusing.loadPlayers()), ['user-0']);
  await refusing.updatePlayerStats('appended', 'appended', 1);
  assert.deepEqual(Object.keys(place.replayed()), ['user-0', 'appended']);
  await refusing.close();

  place.writeLog([sealed(entries[0]), 'garbage', sealed(entries[1])], 'events');
  const still = place.open({ onCorruption: 'refuse' });
  await assert.rejects(still.readLogEntries('events'), { code: 'ERR_LOG_CORRUPT' });
  await still.close();
  const repairing = place.open();
  await repairing.appendLogEntry('events', { op: 'NOTE' });
  await repairing.close();
  assert.equal((await place.open({ onCorruption: 'refuse' }).readLogEntries('events')).length, 3);
});
