/**
 * The JSON file is still the admin's. What someone else changes in it, or in the folder, counts: while the process runs,
 * after a clean end, after a crash, and on data that this package never saw. It is applied on top of the newest state,
 * undoes nobody's acked update of another key, and is logged by the next write as if it had been called. An old mirror
 * that comes back after a crash is no edit.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  assertSealed,
  checkpoint,
  del,
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
} from '../support/durability.mjs';

const changesOf = (entries, key) =>
  entries.filter((entry) => entry.key === key || (entry.data && key in entry.data));
const named = (ids) => Object.fromEntries(ids.map((id) => [id, player(id)]));

/** All that must hold once a write came after an edit: log, mirror, memory and the old module agree. */
async function assertSettled(place, storage, expected, name = 'players') {
  const load = { players: 'loadPlayers', tokens: 'loadTokens', game_state: 'getAllGameStates' }[name];
  const state = load ? await storage[load]() : Object.fromEntries(await storage.collection(name).entries());
  assert.deepEqual(state, expected);
  assert.deepEqual(place.replayed(name), expected, 'the log alone says it');
  await storage.flush();
  assert.deepEqual(place.mirrorState(name), expected, 'the mirror alone says it');
  if (load) assert.deepEqual(await place.old(load), expected, 'the old module says it');
}

/** A directory that a process left by a clean end. */
async function leftCleanly(t, players = named(['a', 'b', 'c'])) {
  const place = scene(t);
  const storage = place.open();
  for (const [id, value] of Object.entries(players)) await storage.collection('players').set(id, value);
  await storage.close();
  return place;
}

/** A directory as a crash or a copy leaves it, made by hand. */
function leftBehind(t, { log, mirror, write = sealed }) {
  const place = scene(t);
  if (log) place.writeLog(log.map((entry) => (typeof entry === 'string' ? entry : write(entry))));
  if (mirror) place.writeMirror(mirror);
  return place;
}

// --------------------------------------------------------------------------------------- while the process runs

for (const how of ['writeMirror', 'replaceMirror']) {
  test(`an edit while running: keys added, changed and removed (${how})`, async (t) => {
    const place = scene(t);
    const storage = place.open();
    await storage.savePlayers(named(['a', 'b', 'c', 'd']));
    const linesBefore = place.logLines().length;
    const warned = listenForWarnings('PS_FOREIGN_EDIT');

    const edited = { ...named(['a', 'c', 'd']), c: player('c', { totalScore: 5000 }), e: player('e') };
    place[how](edited);
    const files = snapshot(place.data, { times: true });
    assert.deepEqual(await storage.loadPlayers(), edited);
    assert.equal((await storage.getPlayerStats('c')).totalScore, 5000);
    assert.equal((await storage.getLeaderboard())[0].userId, 'c');
    assert.deepEqual(await storage.getPlayerRank('c'), { rank: 1, of: 4 });
    assert.equal((await storage.getPlayerStats('b')).username, null);
    assert.deepEqual(await storage.collection('players').keys(), Object.keys(edited));
    assert.deepEqual(snapshot(place.data, { times: true }), files, 'a read logs nothing');

    // The next write logs the edit first, and only what the edit changed.
    await storage.updatePlayerStats('a', 'a', 1);
    const fresh = place.logLines().slice(linesBefore);
    assert.deepEqual(changesOf(fresh, 'd'), []);
    for (const key of ['b', 'c', 'e']) assert.equal(changesOf(fresh, key).length, 1, `${key} is logged once`);
    assert.equal(fresh.at(-1).key, 'a');
    assert.equal(fresh.at(-1).value.totalGames, 2);
    assertSealed(place.logText());
    await assertSettled(place, storage, { ...edited, a: (await storage.loadPlayers()).a });

    const afterwards = place.logLines().length;
    await storage.updatePlayerStats('a', 'a', 1);
    assert.equal(place.logLines().length, afterwards + 1, 'the edit is logged once and no more');
    assert.equal((await warned()).length, 1);
  });
}

test('entries that carry an edit are shown as if they had been called', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(named(['a', 'b']));
  place.writeMirror({ a: player('a', { totalScore: 7 }) });
  await storage.updatePlayerStats('z', 'z', 1);
  for (const entry of await storage.readLogEntries('players')) {
    assert.ok(['SET', 'DELETE'].includes(entry.op));
    assert.match(entry.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const own of ['_crc', '_more', '_edit', '_end']) assert.equal(own in entry, false);
  }
});

test('an update builds on what the edit says', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('a', 'a', 10);
  const edited = place.mirrorState();
  edited.a.totalScore = 1000;
  place.writeMirror(edited);
  const record = await storage.updatePlayerStats('a', 'a', 10);
  assert.equal(record.totalScore, 1010);
  assert.equal(record.totalGames, 2);
  await assertSettled(place, storage, { a: record });
});

test('back to an older content while running is an edit', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('a', 'a', 1);
  const older = place.mirrorText();
  await storage.updatePlayerStats('a', 'a', 1);
  await storage.updatePlayerStats('b', 'b', 1);
  place.writeMirror(older);
  assert.deepEqual(await storage.loadPlayers(), JSON.parse(older));
  const { totalGames } = await storage.updatePlayerStats('a', 'a', 1);
  assert.equal(totalGames, 2);
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a']);
  await assertSettled(place, storage, await storage.loadPlayers());
  // There and back again.
  const newer = place.mirrorText();
  place.writeMirror(older);
  await storage.loadPlayers();
  place.writeMirror(newer);
  assert.deepEqual(await storage.loadPlayers(), JSON.parse(newer));
});

/** Changes one digit of a score in the file itself: same inode, same length. */
function changeInPlace(place, score) {
  const text = place.mirrorText();
  const at = text.indexOf('"totalScore": ') + '"totalScore": '.length;
  const file = fs.openSync(place.mirror(), 'r+');
  const digits = Buffer.from(String(score));
  fs.writeSync(file, digits, 0, digits.length, at);
  fs.closeSync(file);
}

test('an edit in place of the same length, at once after our own write', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const round of range(30)) {
    // Read, so that the storage knows the file, then edit within the same tick of the file system's clock.
    await storage.collection('players').set('a', player('a', { totalScore: 5 }));
    const score = (round % 4) + 1;
    changeInPlace(place, score);
    assert.equal((await storage.getPlayerStats('a')).totalScore, score, `round ${round}`);
  }
});

test('an edit in place of the same length, at once after a read', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.collection('players').set('a', player('a', { totalScore: 5 }));
  for (const round of range(30)) {
    const score = (round % 4) + 1;
    changeInPlace(place, score);
    assert.equal((await storage.getPlayerStats('a')).totalScore, score, `round ${round}`);
  }
});

const skip = isWindows && 'needs touch(1)';
test('an edit that puts the file time back is an edit', { skip }, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.collection('players').set('a', player('a', { totalScore: 5 }));
  await storage.loadPlayers();
  const before = path.join(place.root, 'time-before');
  execFileSync('touch', ['-r', place.mirror(), before]);
  changeInPlace(place, 7);
  execFileSync('touch', ['-r', before, place.mirror()]);
  assert.equal((await storage.getPlayerStats('a')).totalScore, 7);
});

test('white space and formatting are no edit', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(named(['a', 'b']));
  const lines = place.logLines().length;
  place.writeMirror(JSON.stringify(place.mirrorState()));
  const warned = listenForWarnings('PS_FOREIGN_EDIT');
  assert.deepEqual(await storage.loadPlayers(), named(['a', 'b']));
  await storage.updatePlayerStats('c', 'c', 1);
  assert.equal(place.logLines().length, lines + 1);
  assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));
  assert.deepEqual(await warned(), []);
});

test('a byte order mark, as an editor leaves it, never costs data', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(named(['a', 'b']));
  fs.writeFileSync(place.mirror(), `\ufeff${pretty({ ...named(['a', 'b']), c: player('c') })}`);
  const ids = Object.keys(await storage.loadPlayers());
  assert.deepEqual(ids.slice(0, 2), ['a', 'b']);
  await storage.updatePlayerStats('d', 'd', 1);
  const isUsed = ids.includes('c');
  assert.ok(isUsed || place.aside('players.json.corrupt').length === 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('edits of tokens.json and game_state.json count, too', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.saveTokens(['a', 'b'], { name: 'artist' });
  await storage.saveGameState('one', { round: 1 });
  await storage.saveGameState('two', { round: 1 });

  const tokens = place.mirrorState('tokens');
  delete tokens.artistInfo;
  tokens.tokens.push('by hand');
  place.writeMirror(tokens, 'tokens');
  assert.deepEqual(await storage.loadTokens(), tokens);

  const states = place.mirrorState('game_state');
  delete states.one;
  states.two.round = 9;
  place.writeMirror(states, 'game_state');
  assert.equal(await storage.loadGameState('one'), null);
  assert.equal((await storage.loadGameState('two')).round, 9);

  await storage.saveGameState('three', { round: 1 });
  const all = await storage.getAllGameStates();
  assert.deepEqual(Object.keys(all), ['two', 'three']);
  await assertSettled(place, storage, all, 'game_state');
  await storage.saveTokens(['new']);
  assert.deepEqual((await storage.loadTokens()).tokens, ['new']);
  await assertSettled(place, storage, await storage.loadTokens(), 'tokens');
});

test('an edit of a collection counts, too', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const coins = storage.collection('coins');
  await coins.set('a', 1);
  await coins.set('b', 2);
  place.writeMirror({ b: 20, c: 3 }, 'coins');
  assert.equal(await coins.get('a'), undefined);
  assert.equal(await coins.update('b', (value) => value + 1), 21);
  await assertSettled(place, storage, { b: 21, c: 3 }, 'coins');
});

test('an edit of a mirror that was stale at that time undoes no acked update', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(300, 300));
  await storage.flush();
  for (const round of range(5)) {
    const stale = place.mirrorState();
    // Acked, but too large a file to be written before the promise resolves.
    await storage.updatePlayerStats('user-00001', 'acked', 1);
    stale['user-00002'].totalScore = 1000 + round;
    delete stale[`user-0001${round}`];
    place.replaceMirror(stale);

    const players = await storage.loadPlayers();
    assert.equal(players['user-00001'].totalGames, round + 2, 'the acked update is there');
    assert.equal(players['user-00002'].totalScore, 1000 + round, 'the edit is there');
    assert.equal(`user-0001${round}` in players, false);
    await storage.updatePlayerStats('user-00003', 'after', 1);
    await assertSettled(place, storage, await storage.loadPlayers());
  }
});

test('the old module writes while the process runs', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('a', 'a', 1);
  for (const round of range(3)) {
    await place.old('updatePlayerStats', 'a', 'old', 1);
    await place.old('updatePlayerStats', `new-${round}`, 'old', 1);
    await place.old('saveGameState', 'channel', { round });
    assert.equal((await storage.getPlayerStats('a')).totalGames, 2 * round + 2);
    assert.equal((await storage.loadGameState('channel')).round, round);
    assert.equal((await storage.updatePlayerStats('a', 'a', 1)).totalGames, 2 * round + 3);
    assert.equal((await place.old('getPlayerStats', 'a')).totalGames, 2 * round + 3);
  }
  // Log and mirror said the same, so nothing had to be logged a second time.
  assert.equal(changesOf(place.logLines(), 'new-0').length, 1);
  assert.equal(changesOf(place.logLines(), 'a').length, 7);
  await assertSettled(place, storage, await storage.loadPlayers());
});

// ---------------------------------------------------------------------------------- files that go while it runs

test('log deleted while running: memory is used, and the next log starts with all of it', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const id of ['a', 'b', 'c']) await storage.updatePlayerStats(id, id, 1);
  const before = await storage.loadPlayers();
  fs.rmSync(place.log());
  assert.deepEqual(await storage.loadPlayers(), before);
  assert.equal(fs.existsSync(place.log()), false);
  await storage.updatePlayerStats('d', 'd', 1);
  const [first, ...rest] = place.logLines();
  assert.equal(first.op, 'CHECKPOINT');
  assert.deepEqual(Object.keys(first.state).slice(0, 3), ['a', 'b', 'c']);
  assert.ok(rest.length <= 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('log deleted and mirror edited while running', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(named(['a', 'b']));
  fs.rmSync(place.log());
  place.writeMirror(named(['b', 'c']));
  assert.deepEqual(await storage.loadPlayers(), named(['b', 'c']));
  await storage.updatePlayerStats('d', 'd', 1);
  assert.equal(place.logLines()[0].op, 'CHECKPOINT');
  await assertSettled(place, storage, await storage.loadPlayers());
  assert.deepEqual(Object.keys(place.replayed()), ['b', 'c', 'd']);
});

test('mirror deleted while running: the log is used', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const id of ['a', 'b']) await storage.updatePlayerStats(id, id, 1);
  fs.rmSync(place.mirror());
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a', 'b']);
  assert.equal((await storage.updatePlayerStats('a', 'a', 1)).totalGames, 2);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('log and mirror deleted while running: no data', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const id of ['a', 'b']) await storage.updatePlayerStats(id, id, 1);
  await storage.saveGameState('channel', { round: 1 });
  fs.rmSync(place.log());
  fs.rmSync(place.mirror());
  assert.deepEqual(await storage.loadPlayers(), {});
  assert.deepEqual(await storage.readLogEntries('players'), []);
  assert.equal(await storage.getLogSize('players'), 0);
  assert.equal((await storage.updatePlayerStats('a', 'a', 1)).totalGames, 1);
  await assertSettled(place, storage, await storage.loadPlayers());
  assert.equal((await storage.loadGameState('channel')).round, 1, 'the other log is as it was');
});

test('log and mirror replaced while running: the state follows the files', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const id of ['a', 'b']) await storage.updatePlayerStats(id, id, 1);
  place.writeLog([plain(set('x', player('x'))), plain(set('y', player('y'))), plain(del('x'))]);
  fs.rmSync(place.mirror());
  assert.deepEqual(await storage.loadPlayers(), named(['y']));
  await storage.updatePlayerStats('z', 'z', 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('what was deleted while running does not come back at close()', async (t) => {
  for (const players of [{ a: player('a') }, manyPlayers(300, 300)]) {
    const place = scene(t);
    const storage = place.open();
    await storage.savePlayers(players);
    await storage.saveGameState('channel', { round: 1 });
    fs.rmSync(place.data, { recursive: true });
    await storage.close();
    assert.deepEqual(fs.readdirSync(place.root), []);
  }
});

test('the whole directory deleted while running: no data, and the next write makes it anew', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const other = await place.remote();
  for (const _ of range(2)) {
    await storage.updatePlayerStats('a', 'a', 1);
    assert.equal((await other.call('updatePlayerStats', 'a', 'a', 1)).totalGames, 2);
    fs.rmSync(place.data, { recursive: true });
    assert.deepEqual(await storage.loadPlayers(), {});
    assert.equal(fs.existsSync(place.data), false);
    assert.equal((await storage.updatePlayerStats('b', 'b', 1)).totalGames, 1);
    assert.equal((await other.call('updatePlayerStats', 'b', 'b', 1)).totalGames, 2);
    await assertSettled(place, storage, await storage.loadPlayers());
    fs.rmSync(place.data, { recursive: true });
  }
  await other.end();
});

// ------------------------------------------------------------------------------------------- after a clean end

test('no edit after a clean end: nothing is logged, nothing is warned of', async (t) => {
  const place = await leftCleanly(t);
  const warned = listenForWarnings('PS_FOREIGN_EDIT');
  const lines = place.logLines().length;
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), named(['a', 'b', 'c']));
  await storage.updatePlayerStats('d', 'd', 1);
  assert.equal(place.logLines().length, lines + 1);
  assert.deepEqual(await warned(), []);
});

test('an edit after a clean end: keys added, changed and removed', async (t) => {
  const place = await leftCleanly(t);
  const warned = listenForWarnings('PS_FOREIGN_EDIT');
  const edited = { b: player('b', { totalScore: 77 }), c: player('c'), d: player('d') };
  place.writeMirror(edited);
  const before = snapshot(place.data, { times: true });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), edited);
  assert.deepEqual(snapshot(place.data, { times: true }), before);
  await storage.updatePlayerStats('e', 'e', 1);
  await assertSettled(place, storage, { ...edited, e: await storage.getPlayerStats('e') });
  assert.equal((await warned()).length, 1);
});

test('an edit after a clean end that only removes is not taken for an old mirror', async (t) => {
  // The content is exactly what an older position of the log shows.
  const place = await leftCleanly(t);
  place.writeMirror(named(['a', 'b']));
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), named(['a', 'b']));
  await storage.updatePlayerStats('d', 'd', 1);
  await assertSettled(place, storage, { ...named(['a', 'b']), d: await storage.getPlayerStats('d') });
});

test('an edit after a clean end to an empty object', async (t) => {
  const place = await leftCleanly(t);
  place.writeMirror('{}');
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), {});
  await storage.updatePlayerStats('d', 'd', 1);
  assert.deepEqual(Object.keys(place.replayed()), ['d']);
});

test('an edit after a process ended by itself, without close()', async (t) => {
  const place = scene(t);
  const { data } = place;
  await place.run('exit-with-work.mjs', [10, 'natural', 'module'], {
    env: { PROGRESSIVE_STORAGE_DIR: data },
  });
  const edited = place.mirrorState();
  delete edited['key-2'];
  edited['key-3'].note = 'by hand';
  place.writeMirror(edited);
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), edited);
});

test('an edit seen, not logged, and the process ended: it still counts', async (t) => {
  const place = await leftCleanly(t);
  place.writeMirror(named(['b', 'c', 'z']));
  const reader = place.open();
  assert.deepEqual(await reader.loadPlayers(), named(['b', 'c', 'z']));
  await reader.close();
  const next = place.open();
  assert.deepEqual(await next.loadPlayers(), named(['b', 'c', 'z']));
  await next.updatePlayerStats('y', 'y', 1);
  await assertSettled(place, next, { ...named(['b', 'c', 'z']), y: await next.getPlayerStats('y') });
});

test('files deleted after a clean end', async (t) => {
  const noMirror = await leftCleanly(t);
  fs.rmSync(noMirror.mirror());
  const first = noMirror.open();
  assert.deepEqual(await first.loadPlayers(), named(['a', 'b', 'c']));

  const noLog = await leftCleanly(t);
  fs.rmSync(noLog.log());
  const second = noLog.open();
  assert.deepEqual(await second.loadPlayers(), named(['a', 'b', 'c']));
  await second.updatePlayerStats('d', 'd', 1);
  assert.equal(noLog.logLines()[0].op, 'CHECKPOINT');
  await assertSettled(noLog, second, await second.loadPlayers());

  const neither = await leftCleanly(t);
  fs.rmSync(neither.log());
  fs.rmSync(neither.mirror());
  const third = neither.open();
  assert.deepEqual(await third.loadPlayers(), {});
  await third.updatePlayerStats('d', 'd', 1);
  await assertSettled(neither, third, await third.loadPlayers());
});

test('an edit after the old module ran on our files', async (t) => {
  const place = await leftCleanly(t);
  await place.old('updatePlayerStats', 'a', 'old', 5);
  await place.old('updatePlayerStats', 'z', 'old', 5);
  const state = await place.old('loadPlayers');
  const storage = place.open();
  const lines = place.logLines().length;
  assert.deepEqual(await storage.loadPlayers(), state);
  await storage.updatePlayerStats('a', 'new', 5);
  assert.equal(place.logLines().length, lines + 1, 'what the old module logged is not logged again');
  await assertSettled(place, storage, await storage.loadPlayers());
  assert.equal(place.replayed().a.totalGames, 3);
});

// ---------------------------------------------------------------------------------------------- after a crash

const score = (id, totalScore) => set(id, player(id, { totalScore }));
const scores = (object) =>
  Object.fromEntries(Object.entries(object).map(([id, totalScore]) => [id, player(id, { totalScore })]));
const log = () => [
  score('a', 1),
  score('b', 1),
  score('a', 2),
  score('c', 1),
  score('b', 2),
  del('c'),
  score('d', 1),
];
const final = { a: 2, b: 2, d: 1 };

for (const [what, mirror, expected] of [
  ['no edit, current mirror', final, final],
  ['a stale mirror, half way', { a: 2, b: 1 }, final],
  ['a stale mirror with a key that is gone since', { a: 2, b: 1, c: 1 }, final],
  ['a stale mirror of the first entry', { a: 1 }, final],
  ['an edit of a current mirror', { a: 2, b: 9, d: 1, e: 1 }, { a: 2, b: 9, d: 1, e: 1 }],
  ['an edit of a stale mirror: a key added', { a: 1, b: 1, e: 5 }, { ...final, e: 5 }],
  [
    'an edit of a stale mirror: a key changed that later entries leave',
    { a: 2, b: 1, c: 9 },
    { a: 2, b: 2, d: 1, c: 9 },
  ],
]) {
  for (const [whose, write] of [
    ['our', sealed],
    ["the old module's", plain],
  ]) {
    test(`after a crash, on ${whose} log: ${what}`, async (t) => {
      const place = leftBehind(t, { log: log(), mirror: scores(mirror), write });
      const before = snapshot(place.data, { times: true });
      const storage = place.open();
      assert.deepEqual(await storage.loadPlayers(), scores(expected));
      assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading changed nothing');
      await storage.updatePlayerStats('z', 'z', 1);
      await assertSettled(place, storage, { ...scores(expected), z: await storage.getPlayerStats('z') });
    });
  }
}

test('of several nearest positions the last one counts', async (t) => {
  // Two updates at once in the old module: both are logged, one of them overwrote the other in the JSON file.
  const lost = leftBehind(t, {
    log: [score('a', 1), score('b', 1), score('c', 1)],
    mirror: scores({ a: 1, c: 1 }),
  });
  assert.deepEqual(await lost.open().loadPlayers(), scores({ a: 1, c: 1 }));
  const late = leftBehind(t, {
    log: [score('a', 1), score('c', 1), score('b', 1)],
    mirror: scores({ a: 1, c: 1 }),
  });
  assert.deepEqual(await late.open().loadPlayers(), scores({ a: 1, b: 1, c: 1 }));
});

test('a stale mirror is no edit: nothing is logged for it and nothing is warned of', async (t) => {
  const place = leftBehind(t, { log: log(), mirror: scores({ a: 2, b: 1 }) });
  const warned = listenForWarnings('PS_FOREIGN_EDIT');
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores(final));
  await storage.updatePlayerStats('z', 'z', 1);
  assert.equal(place.logLines().length, log().length + 1);
  assert.deepEqual(await warned(), []);
});

test('a stale mirror of the time before the log was last compacted further', async (t) => {
  const compacted = checkpoint(scores({ a: 5, b: 5 }));
  const place = leftBehind(t, {
    log: [compacted, score('a', 6), score('c', 1), score('a', 7)],
    mirror: scores({ a: 6, b: 5, x: 1 }),
  });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores({ a: 7, b: 5, c: 1, x: 1 }));
});

test('SIGKILL, then an edit', async (t) => {
  const place = scene(t);
  const other = await place.remote();
  for (const id of ['a', 'b', 'c', 'a', 'c']) await other.call('updatePlayerStats', id, id, 1);
  await other.kill();
  // Of all positions in the log the last one is nearest to this.
  const edited = place.mirrorState();
  delete edited.b;
  edited.c.totalScore = 50;
  edited.d = player('d');
  place.writeMirror(edited);
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), edited);
  await storage.updatePlayerStats('c', 'c', 1);
  assert.equal((await storage.getPlayerStats('c')).totalScore, 51);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('SIGKILL, and an older mirror comes back: newer log entries win', async (t) => {
  const place = scene(t);
  const other = await place.remote();
  const mirrors = [];
  for (const i of range(6)) {
    await other.call('updatePlayerStats', `user-${i % 3}`, 'name', 1);
    mirrors.push(place.mirrorText());
  }
  await other.kill();
  for (const older of mirrors) {
    const copy = scene(t);
    fs.cpSync(place.data, copy.data, { recursive: true });
    copy.writeMirror(older);
    const storage = copy.open();
    const players = await storage.loadPlayers();
    assert.deepEqual(players, place.replayed());
    await storage.updatePlayerStats('user-0', 'name', 1);
    assert.equal(copy.replayed()['user-0'].totalGames, 3);
    await assertSettled(copy, storage, await storage.loadPlayers());
  }
});

test('SIGKILL, an older mirror comes back, and is edited', async (t) => {
  const place = scene(t);
  const other = await place.remote();
  for (const id of ['a', 'b']) await other.call('updatePlayerStats', id, id, 1);
  const stale = place.mirrorState();
  for (const id of ['a', 'c']) await other.call('updatePlayerStats', id, id, 1);
  await other.kill();
  stale['by-hand'] = player('by-hand');
  place.writeMirror(stale);
  const storage = place.open();
  const players = await storage.loadPlayers();
  assert.equal(players.a.totalGames, 2, 'the newer entry wins');
  assert.equal(players.c.totalGames, 1);
  assert.deepEqual(players['by-hand'], player('by-hand'), 'the edit is there');
  await storage.updatePlayerStats('a', 'a', 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('SIGKILL with a large mirror that had not followed yet', async (t) => {
  const place = scene(t);
  const first = place.open();
  await first.savePlayers(manyPlayers(300, 300));
  await first.close();
  const stale = place.mirrorText();
  const other = await place.remote();
  for (const _ of range(3)) await other.call('updatePlayerStats', 'user-00001', 'acked', 1);
  await other.kill();
  // Whether or not the mirror made it: the oldest one it can be.
  place.writeMirror(stale);
  const storage = place.open();
  assert.equal((await storage.getPlayerStats('user-00001')).totalGames, 4);
  await storage.updatePlayerStats('user-00001', 'acked', 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('the crash came between logging an edit and writing the mirror', async (t) => {
  const place = scene(t);
  const other = await place.remote();
  for (const id of ['a', 'b', 'c']) await other.call('updatePlayerStats', id, id, 1);
  const edited = place.mirrorState();
  edited.a.totalScore = 100;
  delete edited.b;
  place.writeMirror(edited);
  await other.call('updatePlayerStats', 'a', 'a', 1);
  const lines = place.logLines().length;
  await other.kill();
  place.writeMirror(edited);
  const storage = place.open();
  assert.equal((await storage.getPlayerStats('a')).totalScore, 101, 'the edit is not applied a second time');
  await storage.updatePlayerStats('c', 'c', 1);
  assert.equal(place.logLines().length, lines + 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

for (const withRecord of [true, false]) {
  test(`a folder copied after a crash, all times changed, ${withRecord ? 'with' : 'without'} the small record`, async (t) => {
    const place = scene(t);
    const other = await place.remote();
    for (const id of ['a', 'b', 'a']) await other.call('updatePlayerStats', id, id, 1);
    const stale = place.mirrorText();
    for (const id of ['a', 'c']) await other.call('updatePlayerStats', id, id, 1);
    await other.kill();
    place.writeMirror(stale);

    const copy = scene(t);
    await fs.promises.cp(place.data, copy.data, { recursive: true });
    if (!withRecord) fs.rmSync(copy.file('.progressive-storage'), { recursive: true });
    // The mirror looks newer than the log by far.
    for (const [name, year] of [
      ['.', 2030],
      ['logs', 2001],
      [path.join('logs', 'players.log'), 2001],
      ['players.json', 2030],
    ]) {
      fs.utimesSync(copy.file(name), new Date(year, 0), new Date(year, 0));
    }
    const storage = copy.open();
    const players = await storage.loadPlayers();
    assert.deepEqual(players, place.replayed());
    assert.equal(players.a.totalGames, 3);
    await storage.updatePlayerStats('c', 'c', 1);
    await assertSettled(copy, storage, await storage.loadPlayers());
  });
}

test('a folder copied after a clean end, without the small record, has the same state', async (t) => {
  const place = await leftCleanly(t);
  const copy = scene(t);
  fs.cpSync(place.data, copy.data, { recursive: true });
  fs.rmSync(copy.file('.progressive-storage'), { recursive: true });
  const lines = place.logLines().length;
  const storage = copy.open();
  assert.deepEqual(await storage.loadPlayers(), named(['a', 'b', 'c']));
  await storage.updatePlayerStats('d', 'd', 1);
  assert.equal(copy.logLines().length, lines + 1);
});

// --------------------------------------------------------------------------------------- first start on old data

/** After the first write either file alone can be lost. */
async function assertEitherAlone(place, name = 'players') {
  const state = place.replayed(name);
  for (const lost of ['log', 'mirror']) {
    const copy = { data: `${place.data}-without-${lost}` };
    fs.rmSync(copy.data, { recursive: true, force: true });
    fs.cpSync(place.data, copy.data, { recursive: true });
    fs.rmSync(path.join(copy.data, lost === 'log' ? `logs/${name}.log` : `${name}.json`));
    const storage = place.open({ dataDir: copy.data });
    const entries = await storage.collection(name).entries();
    assert.deepEqual(Object.fromEntries(entries), state, `without ${lost}`);
    await storage.close();
  }
}

test('old data: mirrors only', async (t) => {
  const place = scene(t);
  const old = named(['a', 'b', '7']);
  place.writeMirror(old);
  place.writeMirror({ lastUpdated: '2024-01-01T00:00:00.000Z', count: 1, tokens: ['t'] }, 'tokens');
  place.writeMirror({ channel: { round: 3, lastUpdated: '2024-01-01T00:00:00.000Z' } }, 'game_state');
  const before = snapshot(place.data, { times: true });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), old);
  assert.deepEqual((await storage.loadTokens()).tokens, ['t']);
  assert.equal((await storage.loadGameState('channel')).round, 3);
  assert.deepEqual(snapshot(place.data, { times: true }), before);

  await storage.updatePlayerStats('a', 'a', 5);
  await storage.saveGameState('other', { round: 1 });
  await storage.saveTokens(['u'], { name: 'artist' });
  for (const name of ['players', 'game_state', 'tokens']) {
    assert.equal(place.logLines(name)[0].op, 'CHECKPOINT', name);
    assert.ok(place.logLines(name).length <= 3, name);
    await assertEitherAlone(place, name);
  }
  assert.equal(place.replayed().a.totalGames, 2);
  assert.deepEqual(Object.keys(place.replayed()), ['7', 'a', 'b']);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('old data: an empty log file beside a mirror', async (t) => {
  const place = scene(t);
  place.writeLog('');
  place.writeMirror(named(['a', 'b']));
  const storage = place.open();
  await storage.updatePlayerStats('c', 'c', 1);
  assert.equal(place.logLines()[0].op, 'CHECKPOINT');
  await assertSettled(place, storage, await storage.loadPlayers());
  await assertEitherAlone(place);
});

test('old data: a mirror with more players than the log ever saw', async (t) => {
  const place = leftBehind(t, {
    log: [score('a', 1), score('a', 2)],
    mirror: scores({ x: 1, y: 2, a: 2, z: 3 }),
    write: plain,
  });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores({ x: 1, y: 2, a: 2, z: 3 }));
  await storage.updatePlayerStats('a', 'a', 1);
  assert.equal(place.replayed().a.totalScore, 3);
  await assertSettled(place, storage, await storage.loadPlayers());
  await assertEitherAlone(place);
});

test('old data: a mirror with more players, and the last entry of the log not in it', async (t) => {
  const place = leftBehind(t, {
    log: [score('a', 1), score('b', 1), score('a', 2)],
    mirror: scores({ x: 1, y: 2, a: 1, b: 1, z: 3 }),
    write: plain,
  });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores({ x: 1, y: 2, a: 2, b: 1, z: 3 }));
  await storage.updatePlayerStats('b', 'b', 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('old data: a log only', async (t) => {
  const place = leftBehind(t, { log: log(), write: plain });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores(final));
  await storage.updatePlayerStats('a', 'a', 1);
  await assertSettled(place, storage, await storage.loadPlayers());
  await assertEitherAlone(place);
});

test("old data: the old module's crash between log and JSON", async (t) => {
  const place = scene(t);
  await place.old('updatePlayerStats', 'a', 'a', 1);
  await place.old('updatePlayerStats', 'b', 'b', 1);
  const stale = place.mirrorText();
  await place.old('updatePlayerStats', 'a', 'a', 1);
  await place.old('updatePlayerStats', 'c', 'c', 1);
  place.writeMirror(stale);
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), place.replayed());
  assert.equal((await storage.getPlayerStats('a')).totalGames, 2);
  await storage.updatePlayerStats('a', 'a', 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test("old data: the old module's crash in the middle of writing the JSON", async (t) => {
  const place = scene(t);
  for (const id of ['a', 'b', 'a']) await place.old('updatePlayerStats', id, id, 1);
  fs.truncateSync(place.mirror(), 20);
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), place.replayed());
  await storage.updatePlayerStats('a', 'a', 1);
  assert.equal(place.replayed().a.totalGames, 3);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('old data: compacted by the old module', async (t) => {
  const place = scene(t);
  for (const id of ['a', 'b', 'a']) await place.old('updatePlayerStats', id, id, 1);
  await place.old('compactAllLogs');
  await place.old('updatePlayerStats', 'a', 'a', 1);
  const storage = place.open();
  const state = await place.old('loadPlayers');
  assert.deepEqual(await storage.loadPlayers(), state);
  const lines = place.logLines().length;
  await storage.updatePlayerStats('d', 'd', 1);
  assert.equal(place.logLines().length, lines + 1);
  await assertSettled(place, storage, await storage.loadPlayers());
});

test('an edit and a large state: only the edited keys are logged', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(300, 300));
  await storage.close();
  const size = fs.statSync(place.log()).size;
  const edited = place.mirrorState();
  edited['user-00100'].totalScore = 1;
  place.writeMirror(edited);
  const next = place.open();
  await next.updatePlayerStats('user-00001', 'name', 1);
  assert.equal((await next.getPlayerStats('user-00100')).totalScore, 1);
  assert.ok(fs.statSync(place.log()).size - size < 5000);
  await assertSettled(place, next, await next.loadPlayers());
});

// ------------------------------------------------------------------------------------------------ two processes

test('an edit that two running processes see is logged once and undoes nothing', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  await mine.savePlayers(named(['a', 'b', 'c']));
  assert.deepEqual(await other.call('loadPlayers'), named(['a', 'b', 'c']));
  const lines = place.logLines().length;

  const edited = { ...named(['a', 'b', 'd']), a: player('a', { totalScore: 500 }) };
  place.writeMirror(edited);
  assert.deepEqual(await mine.loadPlayers(), edited);
  assert.deepEqual(await other.call('loadPlayers'), edited);

  await mine.updatePlayerStats('a', 'mine', 1);
  await other.call('updatePlayerStats', 'b', 'theirs', 1);
  await mine.updatePlayerStats('d', 'mine', 1);
  await other.call('updatePlayerStats', 'a', 'theirs', 1);
  const fresh = place.logLines().slice(lines);
  assert.equal(changesOf(fresh, 'c').length, 1, 'the removal is logged once');
  assert.equal(changesOf(fresh, 'a').length, 3, 'the edit once, and the two updates');
  const players = await mine.loadPlayers();
  assert.equal(players.a.totalScore, 502);
  assert.equal(players.b.totalGames, 2);
  assert.equal(players.d.totalGames, 2);
  assert.deepEqual(await other.call('loadPlayers'), players);
  await assertSettled(place, mine, players);
  await other.end();
});

test('an edit, and both processes write at once', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  await mine.savePlayers(named(['a', 'b']));
  await other.call('loadPlayers');
  for (const round of range(8)) {
    const edited = place.mirrorState();
    const lines = place.logLines().length;
    edited[`edit-${round}`] = player(`edit-${round}`);
    edited.a.totalScore = 1000 * (round + 1);
    place.replaceMirror(edited);
    await Promise.all([mine.updatePlayerStats('a', 'x', 1), other.call('updatePlayerStats', 'a', 'x', 1)]);
    const players = await mine.loadPlayers();
    assert.equal(players.a.totalScore, 1000 * (round + 1) + 2, `round ${round}`);
    assert.equal(players.a.totalGames, 2 * round + 3);
    assert.equal(changesOf(place.logLines().slice(lines), `edit-${round}`).length, 1);
    assert.deepEqual(await other.call('loadPlayers'), players);
  }
  await assertSettled(place, mine, await mine.loadPlayers());
  await other.end();
});

test('an edit made before a process saw the acked update of another one', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  await mine.savePlayers(named(['a', 'b']));
  await other.call('updatePlayerStats', 'b', 'theirs', 1);
  // `mine` has not looked since; the file holds their update and the edit.
  const edited = place.mirrorState();
  edited.a.totalScore = 99;
  place.writeMirror(edited);
  assert.equal((await mine.updatePlayerStats('a', 'mine', 1)).totalScore, 100);
  const players = await mine.loadPlayers();
  assert.equal(players.b.totalGames, 2);
  assert.deepEqual(await other.call('loadPlayers'), players);
  await assertSettled(place, mine, players);
  await other.end();
});

test('an edit is seen by the process that did not write last', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  for (const round of range(4)) {
    await mine.updatePlayerStats('a', 'mine', 1);
    await other.call('updatePlayerStats', 'b', 'theirs', 1);
    const edited = place.mirrorState();
    edited.c = player('c', { totalScore: round });
    place.writeMirror(edited);
    assert.equal((await mine.getPlayerStats('c')).totalScore, round);
    assert.equal((await other.call('getPlayerStats', 'c')).totalScore, round);
  }
  const before = place.logLines().length;
  await mine.updatePlayerStats('a', 'mine', 1);
  assert.equal(changesOf(place.logLines().slice(before), 'c').length, 1);
  await assertSettled(place, mine, await mine.loadPlayers());
  await other.end();
});
