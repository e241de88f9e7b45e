/**
 * Two running processes read the same edit. Whichever writes next logs it, once, and it undoes no acked update of
 * either.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { player, range, scene } from '../support/durability.mjs';
import { assertSettled, changesOf, named } from '../support/edits.mjs';

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
  // `mine` has not read since; the file has their update and the edit.
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

test('the process that did not write last reads an edit too', async (t) => {
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
