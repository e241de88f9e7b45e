/**
 * An admin edits, or deletes, files after a process ended cleanly. Then every difference between mirror and log is an edit,
 * even if the mirror looks like an older one.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { listenForWarnings, manyPlayers, player, scene, snapshot } from '../support/durability.mjs';
import { assertSettled, leftCleanly, named } from '../support/edits.mjs';

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

test('an edit after a clean end that only removes keys is no old mirror', async (t) => {
  // The content equals the state at an older position of the log.
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

test('an edit that a process read but never logged still counts', async (t) => {
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
