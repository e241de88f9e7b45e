/**
 * A log, a mirror or the whole folder is deleted or replaced while the process runs. What one file lacks comes from the
 * other one or from memory; when both are gone, there is no data, and close() writes none back.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { del, manyPlayers, plain, player, range, scene, set } from '../support/durability.mjs';
import { assertSettled, named } from '../support/edits.mjs';

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
