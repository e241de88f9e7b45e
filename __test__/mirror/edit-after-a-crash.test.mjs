/**
 * After a crash or a copy the mirror can be older than the log, and somebody may have edited it too. It belongs to the
 * position of the log that differs least from it, the last one of several. What differs there is the edit. For all other
 * keys the newer entries of the log win.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  checkpoint,
  listenForWarnings,
  manyPlayers,
  plain,
  player,
  range,
  scene,
  sealed,
  snapshot,
} from '../support/durability.mjs';
import { assertSettled, exampleLog, exampleScores, leftBehind, score, scores } from '../support/edits.mjs';

for (const [what, mirror, expected] of [
  ['no edit, current mirror', exampleScores, exampleScores],
  ['a stale mirror, half way', { a: 2, b: 1 }, exampleScores],
  ['a stale mirror with a key that is gone since', { a: 2, b: 1, c: 1 }, exampleScores],
  ['a stale mirror of the first entry', { a: 1 }, exampleScores],
  ['an edit of a current mirror', { a: 2, b: 9, d: 1, e: 1 }, { a: 2, b: 9, d: 1, e: 1 }],
  ['an edit of a stale mirror: a key added', { a: 1, b: 1, e: 5 }, { ...exampleScores, e: 5 }],
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
      const place = leftBehind(t, { log: exampleLog(), mirror: scores(mirror), write });
      const before = snapshot(place.data, { times: true });
      const storage = place.open();
      assert.deepEqual(await storage.loadPlayers(), scores(expected));
      assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading changed nothing');
      await storage.updatePlayerStats('z', 'z', 1);
      await assertSettled(place, storage, { ...scores(expected), z: await storage.getPlayerStats('z') });
    });
  }
}

test('the last of several nearest positions counts', async (t) => {
  // Two updates at once in the old module: both are in the log, but one of them overwrote the other in the JSON file.
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
  const place = leftBehind(t, { log: exampleLog(), mirror: scores({ a: 2, b: 1 }) });
  const warned = listenForWarnings('PS_FOREIGN_EDIT');
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores(exampleScores));
  await storage.updatePlayerStats('z', 'z', 1);
  assert.equal(place.logLines().length, exampleLog().length + 1);
  assert.deepEqual(await warned(), []);
});

test('a stale mirror from after the last compaction, with a key that the log never had', async (t) => {
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
  // The last position of the log is the nearest one.
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

test('SIGKILL before a large mirror is written', async (t) => {
  const place = scene(t);
  const first = place.open();
  await first.savePlayers(manyPlayers(300, 300));
  await first.close();
  const stale = place.mirrorText();
  const other = await place.remote();
  for (const _ of range(3)) await other.call('updatePlayerStats', 'user-00001', 'acked', 1);
  await other.kill();
  // The oldest mirror that a kill can leave.
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
    // By their times, the mirror is much newer than the log.
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
