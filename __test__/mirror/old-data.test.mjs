/**
 * The first start on the old module's data: mirrors without logs, logs without mirrors, both with different content, and
 * what the old module's crashes leave. After the first write, log and mirror each hold the whole state.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { plain, scene, snapshot } from '../support/durability.mjs';
import {
  assertSettled,
  exampleLog,
  exampleScores,
  leftBehind,
  named,
  score,
  scores,
} from '../support/edits.mjs';

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
  const place = leftBehind(t, { log: exampleLog(), write: plain });
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), scores(exampleScores));
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
