/**
 * An admin edits a JSON file while the process runs. The next call answers with the edit, a read writes nothing, and the
 * next write logs exactly what the edit changed. An edit undoes no acked update of another key.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  assertSealed,
  isWindows,
  listenForWarnings,
  manyPlayers,
  player,
  pretty,
  range,
  scene,
  snapshot,
} from '../support/durability.mjs';
import { assertSettled, changesOf, named } from '../support/edits.mjs';

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

test('logged edits look like ordinary entries', async (t) => {
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
  // Forth to the newer content, as another edit.
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
    // The storage knows the file from its own write; the edit comes within the same tick of the file system's clock.
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

test('edits of tokens.json and game_state.json count too', async (t) => {
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

test('an edit of a collection counts too', async (t) => {
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

test('an edit of a stale mirror undoes no acked update', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(300, 300));
  await storage.flush();
  for (const round of range(5)) {
    const stale = place.mirrorState();
    // Acked, but the file is too large to be written before the promise resolves.
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
  // Log and mirror agreed, so nothing was logged twice.
  assert.equal(changesOf(place.logLines(), 'new-0').length, 1);
  assert.equal(changesOf(place.logLines(), 'a').length, 7);
  await assertSettled(place, storage, await storage.loadPlayers());
});
