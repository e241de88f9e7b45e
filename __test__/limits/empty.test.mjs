/**
 * Nothing at all: empty objects, lists, keys and values, and empty or blank files. Each is a value like any other.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { assertSealed, pretty, scene, snapshot } from '../support/durability.mjs';
import { fast } from '../support/limits.mjs';

test('empty everything', async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  await coins.clear();
  await storage.savePlayers({});
  await storage.saveTokens([]);
  await storage.saveGameState('channel', {});
  assert.deepEqual(await storage.updatePlayersStats([]), []);
  await storage.appendLogEntry('events', {});
  await storage.appendLogEntry('events', { op: '' });
  await storage.appendLogEntry('events', { op: 'SET' });
  await storage.appendLogEntry('events', { op: 'SET', data: {} });
  await storage.appendLogEntry('events', { op: 'SET', key: '', data: { '': '' } });
  await storage.appendLogEntry('events', { op: 'CHECKPOINT', state: {} });
  await storage.appendLogEntry('events', { op: 'DELETE', key: 'never' });
  await storage.compactLog('nothing');
  await storage.clearGameState('never');
  const values = { text: '', object: {}, array: [], nothing: null, zero: 0, no: false };
  for (const [key, value] of Object.entries(values)) await coins.set(key, value);

  const look = async (on) => {
    assert.deepEqual(await on.loadPlayers(), {});
    assert.deepEqual(await on.getLeaderboard(), []);
    assert.equal(await on.getPlayerRank('nobody'), null);
    assert.deepEqual((await on.loadTokens()).tokens, []);
    assert.deepEqual(Object.keys(await on.loadGameState('channel')), ['lastUpdated']);
    assert.deepEqual(Object.fromEntries(await on.collection('coins').entries()), values);
    assert.deepEqual(await on.rebuildStateFromLog('events'), { '': '' });
    assert.equal((await on.readLogEntries('events')).length, 7);
    assert.deepEqual(await on.rebuildStateFromLog('nothing'), {});
    assert.equal((await on.readLogEntries('nothing')).length, 1);
    assert.deepEqual(await on.readLogEntries('not there'), []);
    assert.equal(await on.getLogSize('not there'), 0);
  };
  await look(storage);
  await storage.close();
  await look(place.open(fast));
  assert.deepEqual(await place.old('loadPlayers'), {});
});

test('empty files', async (t) => {
  for (const [log, mirror] of [
    ['', undefined],
    ['', '{}'],
    ['', ''],
    ['\n', '{}\n'],
    ['\n\n \n', undefined],
    ['\r\n', '  {}  '],
    ['\ufeff', '\ufeff{}'],
    [undefined, '{}'],
    [undefined, ''],
  ]) {
    const place = scene(t);
    fs.mkdirSync(place.file('logs'), { recursive: true });
    if (log !== undefined) place.writeLog(log, 'coins');
    if (mirror !== undefined) place.writeMirror(mirror, 'coins');
    const before = snapshot(place.data, { times: true });
    const storage = place.open(fast);
    const what = JSON.stringify([log, mirror]);
    assert.deepEqual(await storage.collection('coins').entries(), [], what);
    assert.deepEqual(await storage.readLogEntries('coins'), [], what);
    assert.deepEqual(await storage.rebuildStateFromLog('coins'), {}, what);
    assert.deepEqual(snapshot(place.data, { times: true }), before, 'reading wrote nothing');
    await storage.collection('coins').set('a', 1);
    await storage.compactLog('coins');
    await storage.collection('coins').set('b', 2);
    await storage.close();
    assert.deepEqual(place.replayed('coins'), { a: 1, b: 2 }, what);
    assert.equal(place.mirrorText('coins'), pretty({ a: 1, b: 2 }), what);
    assertSealed(place.logText('coins').replace(/^\s+/, ''));
  }
});
