/**
 * Others change the files while the bot runs, and after: a log is rotated, emptied, moved or replaced, an editor saves what
 * it opened an hour ago, a copy takes the JSON file before the logs, a mirror is old. What was acknowledged is there
 * afterwards, and so is every change of a person.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { manyPlayers, player, range, scene, waitFor } from '../support/durability.mjs';

/** Over 64 KiB, so that the JSON file follows in the background. */
const LARGE = manyPlayers(40, 2000);
const nameOf = (number) => `user-${String(number).padStart(5, '0')}`;

function eventsOf(storage, name) {
  const events = [];
  storage.on(name, (event) => events.push(event));
  return events;
}

/** Each player of a large state gets one game more, so that the JSON file is behind. */
async function playOn(storage, games = 3) {
  for (let game = 0; game < games; game++) {
    await Promise.all(range(40).map((at) => storage.updatePlayerStats(nameOf(at), 'n', 10, false, 1, 0)));
  }
}

const LOSSES = {
  'removed (rm)': (log) => fs.rmSync(log),
  'moved (mv)': (log) => fs.renameSync(log, `${log}.1`),
  'rotated with copytruncate': (log) => {
    fs.copyFileSync(log, `${log}.1`);
    fs.truncateSync(log, 0);
  },
  'rotated with create': (log) => {
    fs.renameSync(log, `${log}.1`);
    fs.writeFileSync(log, '');
  },
  'cut to its first half': (log) => fs.truncateSync(log, Math.floor(fs.statSync(log).size / 2)),
  'replaced by an older copy': (log, older) => {
    fs.writeFileSync(`${log}.new`, older);
    fs.renameSync(`${log}.new`, log);
  },
  'overwritten by an older copy': (log, older) => fs.writeFileSync(log, older),
};

for (const [what, lose] of Object.entries(LOSSES)) {
  for (const size of ['small', 'large', 'large, not mirrored yet']) {
    test(`a log that is ${what} while the bot runs costs nothing (${size} state)`, async (t) => {
      const place = scene(t);
      const storage = place.open();
      const recovered = eventsOf(storage, 'recovery');
      const edits = eventsOf(storage, 'externalEdit');
      await storage.savePlayers(size === 'small' ? manyPlayers(3) : LARGE);
      const older = fs.readFileSync(place.log());
      if (size === 'large') await storage.flush();
      if (size !== 'small') await playOn(storage);
      await storage.updatePlayerStats('joined', 'Joined', 7, true, 1, 1);
      await storage.collection('players').delete(nameOf(1));
      const before = await storage.loadPlayers();

      lose(place.log(), older);
      assert.deepEqual(await storage.loadPlayers(), before, 'a read has all of it');
      const record = await storage.updatePlayerStats('late', 'Late', 5, false, 0, 1);
      const expected = { ...before, late: record };
      assert.deepEqual(await storage.loadPlayers(), expected);
      assert.deepEqual(place.replayed(), expected, 'the log alone has all of it');
      const isCheckpoint = place.logLines().some(({ op, state }) => op === 'CHECKPOINT' && 'joined' in state);
      assert.ok(isCheckpoint, 'as a checkpoint');
      await waitFor(() => recovered.some(({ code }) => code === 'PS_LOG_LOST'), 'an event');
      const lost = recovered.filter(({ code }) => code === 'PS_LOG_LOST');
      assert.equal(lost.length, 1, 'said once');
      assert.equal(lost[0].log, 'players');
      assert.deepEqual(edits, [], 'nobody edited');
      await storage.close();
      assert.deepEqual(place.mirrorState(), expected);
      assert.deepEqual(await place.old('loadPlayers'), expected);
      assert.deepEqual(await place.open().loadPlayers(), expected, 'after a start');
    });
  }
}

test('a log that is lost after the last call is written again at the end', async (t) => {
  for (const lose of [LOSSES['removed (rm)'], LOSSES['rotated with copytruncate']]) {
    const place = scene(t);
    const storage = place.open();
    await storage.savePlayers(LARGE);
    await playOn(storage);
    await storage.flush();
    const before = await storage.loadPlayers();
    lose(place.log());
    await storage.close();
    assert.deepEqual(place.replayed(), before);
    assert.deepEqual(place.mirrorState(), before);
  }
});

test('a lost log is written again soon without a call, so a kill costs nothing', async (t) => {
  const place = scene(t);
  const bot = await place.remote();
  for (const id of ['a', 'b', 'c'])
    await bot.call('collection:coins', 'set', id, { note: 'x'.repeat(40_000) });
  await bot.call('collection:coins', 'set', 'a', 7);
  fs.truncateSync(place.log('coins'), 0);
  assert.equal(await bot.call('collection:coins', 'get', 'a'), 7);
  await waitFor(() => place.logText('coins').includes('"a":7'), 'the log is written again');
  await bot.kill();
  assert.deepEqual(Object.keys(place.replayed('coins')), ['a', 'b', 'c']);
});

test('a lost log of several processes: each adds what it has in memory', async (t) => {
  const place = scene(t);
  const [storage, other] = [place.open(), await place.remote()];
  await storage.savePlayers(LARGE);
  await storage.flush();
  assert.equal((await other.call('getPlayerStats', nameOf(0))).totalGames, 1);
  // This process continues alone; the other one does not read, and the JSON file is behind.
  await storage.updatePlayerStats(nameOf(0), 'n', 5);
  fs.truncateSync(place.log(), 0);
  await other.call('updatePlayerStats', nameOf(1), 'n', 5);
  await storage.updatePlayerStats(nameOf(2), 'n', 5);
  for (const number of [0, 1, 2]) {
    assert.equal((await storage.getPlayerStats(nameOf(number))).totalGames, 2, `player ${number}`);
    assert.equal(
      (await other.call('getPlayerStats', nameOf(number))).totalGames,
      2,
      `player ${number}, the other`,
    );
    assert.equal(place.replayed()[nameOf(number)].totalGames, 2, `player ${number} in the log`);
  }
});

for (const when of ['while the process runs', 'after a clean end', 'after a crash']) {
  test(`an editor saves an older file ${when}: only what the person changed`, async (t) => {
    const place = scene(t);
    let bot = await place.remote();
    for (const id of ['ann', 'ben', 'cid', 'dan']) await bot.call('updatePlayerStats', id, id, 10);
    const opened = place.mirrorState();
    await bot.call('updatePlayerStats', 'ann', 'ann', 90);
    await bot.call('updatePlayerStats', 'eve', 'eve', 30);
    await bot.call('updatePlayerStats', 'dan', 'dan', 20);
    if (when === 'after a clean end') await bot.end();
    if (when === 'after a crash') await bot.kill();
    // The person gives ben a name, and removes cid.
    opened.ben.username = 'Benjamin';
    delete opened.cid;
    place.replaceMirror(opened);
    if (when !== 'while the process runs') bot = await place.remote();
    const players = await bot.call('loadPlayers');
    assert.deepEqual(Object.keys(players).sort(), ['ann', 'ben', 'dan', 'eve']);
    assert.equal(players.ben.username, 'Benjamin');
    assert.deepEqual(
      [players.ann.totalScore, players.eve.totalScore, players.dan.totalScore],
      [100, 30, 30],
      'what others did since then is there',
    );
    await bot.call('updatePlayerStats', 'ben', 'Benjamin', 1);
    assert.deepEqual(Object.keys(place.replayed()).sort(), ['ann', 'ben', 'dan', 'eve']);
    await bot.end();
  });
}

test('an editor saves what it opened before a compaction: the backup shows the edit', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const id of ['ann', 'ben', 'cid', 'dan']) await storage.updatePlayerStats(id, id, 10);
  const opened = place.mirrorState();
  for (const id of ['ann', 'ben', 'eve']) await storage.updatePlayerStats(id, id, 10);
  await storage.compactLog('players');
  await storage.updatePlayerStats('ann', 'ann', 10);
  opened.dan.username = 'Daniel';
  opened.fay = player('fay');
  place.replaceMirror(opened);
  const players = await storage.loadPlayers();
  assert.deepEqual(
    ['ann', 'ben', 'cid', 'dan', 'eve', 'fay'].map((id) => players[id].totalGames),
    [3, 2, 1, 1, 1, 1],
  );
  assert.equal(players.dan.username, 'Daniel');
});

test('an ambiguous edit is reported, key by key', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const edits = eventsOf(storage, 'externalEdit');
  const coins = storage.collection('coins');
  for (const key of ['a', 'b', 'c', 'd', 'e\u001b[31m']) await coins.set(key, 1);
  const opened = place.mirrorState('coins');
  await coins.set('a', 2);
  await coins.set('b', 2);
  // The person changes b, which has changed since. The file's value of a may be old or intended.
  place.replaceMirror({ ...opened, b: 9, f: 1 }, 'coins');
  assert.deepEqual(Object.fromEntries(await coins.entries()), {
    a: 2,
    b: 9,
    c: 1,
    d: 1,
    'e\u001b[31m': 1,
    f: 1,
  });
  await waitFor(() => edits.length > 0, 'an event');
  assert.deepEqual(edits[0].ambiguousKeys.sort(), ['a', 'b']);
  assert.equal(edits[0].keys, 2);
  assert.match(edits[0].message, /2 keys/);

  // An edit of the newest content is not ambiguous.
  await coins.set('g', 1);
  place.writeMirror({ ...place.mirrorState('coins'), a: 5 }, 'coins');
  assert.equal(await coins.get('a'), 5);
  await waitFor(() => edits.length > 1, 'an event');
  assert.equal(edits[1].ambiguousKeys, undefined);
  assert.match(edits[1].message, /changes of 1 key /);
});

test('a copy that takes the JSON file before the logs undoes nothing, compactions or not', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const copy = path.join(place.root, 'copy');
  for (let round = 0; round < 12; round++) {
    await storage.updatePlayerStats(`p${round % 4}`, 'n', 10);
    if (round % 3 === 0) await storage.updatePlayerStats(`new${round}`, 'n', 10);
    fs.rmSync(copy, { recursive: true, force: true });
    fs.mkdirSync(copy);
    fs.copyFileSync(place.mirror(), path.join(copy, 'players.json'));
    // Between the two parts of the copy.
    for (let more = 0; more < 2; more++) {
      await storage.updatePlayerStats(`p${(round + more) % 4}`, 'n', 10);
      if (round % 2 === 0) await storage.updatePlayerStats(`late${round}`, 'n', 10);
      if (round % 3 > 0) await storage.compactLog('players');
    }
    const acked = await storage.loadPlayers();
    for (const folder of ['logs', '.progressive-storage']) {
      fs.cpSync(place.file(folder), path.join(copy, folder), { recursive: true });
    }
    const restored = place.open({ dataDir: copy });
    assert.deepEqual(await restored.loadPlayers(), acked, `round ${round}`);
    await restored.close();
  }
});

test('flush() and compactAllLogs() renew a mirror that a killed process left behind', async (t) => {
  for (const renew of ['flush', 'compactAllLogs']) {
    for (const reads of [true, false]) {
      const place = scene(t);
      const bot = await place.remote();
      await bot.call('savePlayers', LARGE);
      await bot.call('flush');
      await bot.call('updatePlayerStats', nameOf(3), 'n', 10);
      await bot.kill();
      assert.equal(place.mirrorState()[nameOf(3)].totalGames, 1, 'stale');
      const storage = place.open();
      if (reads) await storage.loadPlayers();
      await storage[renew]();
      assert.equal(place.mirrorState()[nameOf(3)].totalGames, 2, `${renew}, reads: ${reads}`);
      await storage.close();
    }
  }
});

test('flush() without the right to write changes nothing, and without data creates nothing', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.flush();
  assert.ok(!fs.existsSync(place.data));
  await storage.appendLogEntry('notes', { op: 'NOTE' });
  fs.writeFileSync(place.file('notes.json'), '{"mine":1}');
  await storage.flush();
  assert.deepEqual(fs.readdirSync(place.data).sort(), ['.progressive-storage', 'logs', 'notes.json']);
  assert.equal(fs.readFileSync(place.file('notes.json'), 'utf8'), '{"mine":1}', 'not a mirror');
});

test('compacting a log without data leaves no JSON file, as the old module does', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.compactAllLogs();
  await storage.compactLog('players');
  await storage.close();
  assert.deepEqual(fs.readdirSync(place.data).sort(), ['.progressive-storage', 'logs']);
  assert.deepEqual(place.replayed(), {});
});

test('damage whose key the JSON file still has is not reported as an edit', async (t) => {
  const place = scene(t);
  const first = place.open();
  for (const id of ['a', 'b', 'c']) await first.collection('players').set(id, player(id));
  await first.close();
  const log = fs.readFileSync(place.log());
  log[log.indexOf('name of b')] ^= 1;
  fs.writeFileSync(place.log(), log);
  const storage = place.open();
  const [edits, recovered] = [eventsOf(storage, 'externalEdit'), eventsOf(storage, 'recovery')];
  assert.deepEqual((await storage.loadPlayers()).b, player('b'));
  await waitFor(() => recovered.length > 0, 'an event');
  assert.deepEqual(
    recovered.map(({ code, keys }) => [code, keys]),
    [['PS_RECOVERED_FROM_MIRROR', 1]],
  );
  assert.deepEqual(edits, []);
});
