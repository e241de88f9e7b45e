/**
 * A crash can cut the last line of a log short. That is no error: the line is discarded with one warning, and a read changes
 * nothing. The next write keeps the fragment in a file aside and cuts it from the log before it appends. A whole line that
 * only lacks its newline counts.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import {
  assertSealed,
  checkpoint,
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
} from '../support/durability.mjs';

const fast = { fsync: 'never' };
const whole = (lines) => lines.map((line) => `${line}\n`).join('');

/**
 * A log `events` with `good` lines and then `tail`, which no state may show: reads, then writes, and looks at what
 * became of the tail. `accepted` are entries that the tail is expected to add.
 */
async function checkTail(place, good, tail, { accepted = [], isTorn = true, isSealed = true } = {}) {
  const goodBytes = Buffer.from(whole(good));
  const tailBytes = Buffer.from(tail);
  place.writeLog(Buffer.concat([goodBytes, tailBytes]), 'events');
  const goodEntries = good.map((line) => withoutOwn(JSON.parse(line)));
  const expected = [...goodEntries, ...accepted];
  const warned = listenForWarnings('PS_TORN_TAIL');

  const before = snapshot(place.data, { times: true });
  const storage = place.open(fast);
  assert.deepEqual(await storage.readLogEntries('events'), expected);
  assert.deepEqual(await storage.readLogEntries('events'), expected);
  await storage.rebuildStateFromLog('events');
  assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading changed nothing');

  await storage.appendLogEntry('events', { op: 'SET', key: 'appended', value: 'after the repair' });
  await storage.appendLogEntry('events', { op: 'SET', key: 'appended', value: 'once more' });
  const entries = await storage.readLogEntries('events');
  await storage.close();

  assert.deepEqual(entries.slice(0, -2), expected);
  assert.deepEqual(
    entries.slice(-2).map((entry) => entry.value),
    ['after the repair', 'once more'],
  );
  const reread = place.open(fast);
  assert.deepEqual(await reread.readLogEntries('events'), entries);
  await reread.close();

  const text = place.logText('events');
  assert.ok(text.startsWith(whole(good)), 'the lines before are as they were');
  assert.equal(place.logLines('events').length, entries.length, 'nothing is glued to anything');
  if (isSealed) assertSealed(text);
  const kept = place.aside('events.log.torn').map((file) => fs.readFileSync(file, 'latin1'));
  assert.deepEqual(kept, isTorn ? [tailBytes.toString('latin1')] : []);
  assert.equal((await warned()).length, isTorn ? 1 : 0);
}

const withoutOwn = ({ _crc, _more, _edit, ...entry }) => entry;

for (const [kind, line] of [
  ['ours', sealed],
  ["the old module's", plain],
]) {
  test(`a last line, ${kind}, cut at every byte`, async (t) => {
    const good = [set('ä', { n: 1 }), set('b', [2])].map(line);
    const last = set('umlaut-é-😀', { name: 'ünï', list: [1, 2.5, null], text: 'a "quoted" \\ thing' });
    const bytes = Buffer.from(whole([line(last)]));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const place = scene(t);
      const isWhole = cut >= bytes.length - 1;
      await checkTail(place, good, bytes.subarray(0, cut), {
        accepted: isWhole ? [last] : [],
        isTorn: cut > 0 && !isWhole,
        isSealed: line === sealed,
      });
    }
  });
}

test('a whole line without its newline is accepted, and the next entry starts a line of its own', async (t) => {
  const place = scene(t);
  place.writeLog(plain(set('old', player('old'))));
  place.writeLog(sealed(set('ours', { text: '1' })), 'game_state');
  const storage = place.open();
  await storage.updatePlayerStats('new', 'new', 1);
  await storage.saveGameState('new', {});
  assert.deepEqual(Object.keys(place.replayed()), ['old', 'new']);
  assert.deepEqual(Object.keys(place.replayed('game_state')), ['ours', 'new']);
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['old', 'new']);
});

test('a log that is nothing but a fragment', async (t) => {
  await checkTail(scene(t), [], '{"timestamp":"2024-01-01T00:00:00.000Z","op":"SE');
  await checkTail(scene(t), [], '{');
  await checkTail(scene(t), [], '\0');
});

test('a fragment of two megabytes', async (t) => {
  const line = sealed(set('long', 'x'.repeat(2 << 20)));
  await checkTail(scene(t), [sealed(set('a', 1))], line.slice(0, -10));
});

test('zeros at the end, as a file system leaves them after a power cut', async (t) => {
  const good = [sealed(set('a', 1)), sealed(set('b', 2))];
  const torn = sealed(set('c', 3));
  await checkTail(scene(t), good, '\0'.repeat(4096));
  await checkTail(scene(t), good, `${torn.slice(0, 40)}${'\0'.repeat(500)}`);
  await checkTail(scene(t), good.slice(0, 0), '\0'.repeat(100));
});

test('an unfinished group of lines does not count, not even in part', async (t) => {
  const good = [sealed(set('a', 1)), sealed(set('b', 2))];
  const first = sealed(set('c', 3), { more: true });
  const second = sealed(set('d', 4), { more: true });
  const third = sealed(set('e', 5));
  await checkTail(scene(t), good, whole([first]));
  await checkTail(scene(t), good, whole([first, second]));
  await checkTail(scene(t), good, `${whole([first])}${second.slice(0, 30)}`);
  await checkTail(scene(t), good, `${whole([first, second])}${third.slice(0, -1)}`);
  await checkTail(scene(t), good, first);
  await checkTail(scene(t), [], whole([first, second]));
});

test('a finished group counts with all its lines', async (t) => {
  const place = scene(t);
  const group = [
    sealed(set('c', 3), { more: true }),
    sealed(set('d', 4), { more: true }),
    sealed(set('e', 5)),
  ];
  place.writeLog([sealed(set('a', 1)), ...group], 'events');
  const storage = place.open();
  const warned = listenForWarnings('PS_TORN_TAIL');
  assert.deepEqual(await storage.rebuildStateFromLog('events'), { a: 1, c: 3, d: 4, e: 5 });
  for (const entry of await storage.readLogEntries('events')) {
    assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'key', 'value']);
  }
  await storage.appendLogEntry('events', { op: 'SET', key: 'f', value: 6 });
  assert.deepEqual(place.replayed('events'), { a: 1, c: 3, d: 4, e: 5, f: 6 });
  assert.deepEqual(await warned(), []);
});

test('a group whose last line only lacks its newline is whole', async (t) => {
  const place = scene(t);
  place.writeLog(`${sealed(set('a', 1), { more: true })}\n${sealed(set('b', 2))}`, 'events');
  const storage = place.open();
  assert.deepEqual(await storage.rebuildStateFromLog('events'), { a: 1, b: 2 });
  await storage.appendLogEntry('events', { op: 'SET', key: 'c', value: 3 });
  assert.deepEqual(place.replayed('events'), { a: 1, b: 2, c: 3 });
});

test('each of the kept logs survives a torn tail: players, tokens, game_state, a collection', async (t) => {
  const place = scene(t);
  const first = place.open();
  await first.updatePlayerStats('user', 'name', 1);
  await first.saveTokens(['token']);
  await first.saveGameState('channel', { round: 1 });
  await first.collection('coins').set('user', 5);
  await first.close();
  const names = ['players', 'tokens', 'game_state', 'coins'];
  for (const name of names) fs.appendFileSync(place.log(name), '{"timestamp":"2024-01-01T00:00');

  const second = place.open();
  assert.equal((await second.updatePlayerStats('user', 'name', 1)).totalGames, 2);
  assert.deepEqual((await second.loadTokens()).tokens, ['token']);
  await second.saveTokens(['other']);
  assert.equal((await second.loadGameState('channel')).round, 1);
  await second.saveGameState('channel', { round: 2 });
  assert.equal(await second.collection('coins').get('user'), 5);
  await second.collection('coins').set('user', 6);
  await second.close();
  for (const name of names) {
    assertSealed(place.logText(name));
    assert.equal(place.aside(`${name}.log.torn`).length, 1, name);
    assert.deepEqual(place.mirrorState(name), place.replayed(name));
  }
  assert.equal((await place.old('loadPlayers')).user.totalGames, 2);
});

test('another program leaves a fragment while the process runs', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  fs.appendFileSync(place.log(), '{"timestamp":"2024-01-01T00:00:00.000Z","op":"SET","key":"half","va');
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['user']);
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.updatePlayerStats('other', 'name', 1);
  assertSealed(place.logText());
  assert.deepEqual(place.replayed(), await storage.loadPlayers());
  assert.equal((await storage.getPlayerStats('user')).totalGames, 2);
});

test('compaction straight after a torn tail', async (t) => {
  const place = scene(t);
  place.writeLog(`${sealed(set('a', 1))}\n${sealed(set('b', 2)).slice(0, 50)}`, 'events');
  const storage = place.open();
  await storage.compactLog('events');
  await storage.appendLogEntry('events', { op: 'SET', key: 'c', value: 3 });
  assertSealed(place.logText('events'));
  assert.deepEqual(place.replayed('events'), { a: 1, c: 3 });
  assert.equal(place.logLines('events')[0].op, 'CHECKPOINT');
});

test('a torn checkpoint line costs only itself', async (t) => {
  const place = scene(t);
  const lines = [sealed(set('a', 1)), sealed(checkpoint({ a: 1, b: 2 }))];
  place.writeLog(`${lines[0]}\n${lines[1].slice(0, -20)}`, 'events');
  assert.deepEqual(await place.open().rebuildStateFromLog('events'), { a: 1 });
});

test('the newest three fragments are kept', async (t) => {
  const place = scene(t);
  const fragments = range(5).map((n) => `{"fragment":${n}`);
  for (const [n, fragment] of fragments.entries()) {
    fs.mkdirSync(place.file('logs'), { recursive: true });
    fs.appendFileSync(place.log('events'), fragment);
    const storage = place.open();
    await storage.appendLogEntry('events', { op: 'SET', key: `key-${n}`, value: n });
    await storage.close();
  }
  const kept = place.aside('events.log.torn').map((file) => fs.readFileSync(file, 'utf8'));
  assert.deepEqual(kept, fragments.slice(-3));
  assert.equal(Object.keys(place.replayed('events')).length, 5);
});

test('an entry that the mirror shows although its line was cut is kept', async (t) => {
  const place = scene(t);
  const first = place.open();
  await first.savePlayers(manyPlayers(3));
  await first.updatePlayerStats('last', 'last', 7);
  await first.close();
  const length = fs.statSync(place.log()).size;
  fs.truncateSync(place.log(), length - 20);

  const second = place.open();
  assert.equal((await second.getPlayerStats('last')).totalScore, 7);
  await second.updatePlayerStats('last', 'last', 1);
  assert.equal(place.replayed().last.totalScore, 8);
  assert.equal(place.mirrorText(), pretty(await second.loadPlayers()));
  assert.equal(place.aside('players.log.torn').length, 1);
});
