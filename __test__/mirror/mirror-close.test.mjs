/**
 * With `mirror: 'close'` the JSON file of a log is written only by flush(), close(), at exit and by compactions. In between
 * it is old, and stays the admin's: an edit of the old file changes what the person changed, whenever it is made.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import {
  listenForWarnings,
  manyPlayers,
  player,
  pretty,
  ps,
  range,
  scene,
  snapshot,
} from '../support/durability.mjs';
import { assertSettled, named } from '../support/edits.mjs';
import { packageUrl, runScript } from '../support/temp.mjs';

const CLOSE = { mirror: 'close' };

/** What tells one file, and one content of it, from another. */
const stampOf = (file) => {
  const { ino, size, mtimeNs } = fs.statSync(file, { bigint: true });
  return { ino, size, mtimeNs };
};

for (const [what, bytes] of [
  ['small', 0],
  ['large', 3000],
]) {
  test(`changes write no JSON file; flush, compactLog and close do (${what})`, async (t) => {
    const place = scene(t);
    const storage = place.open(CLOSE);
    const update = async () => {
      for (const round of range(30)) await storage.updatePlayerStats(`user-0000${round % 5}`, 'name', 1);
    };
    await storage.savePlayers(manyPlayers(30, bytes));
    await storage.saveTokens(['a']);
    await storage.saveGameState('channel', { round: 1 });
    await storage.collection('coins').set('ann', 1);
    await update();
    for (const name of ['players', 'tokens', 'game_state', 'coins']) {
      assert.equal(fs.existsSync(place.mirror(name)), false, name);
    }

    await storage.flush();
    assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));
    assert.deepEqual(place.mirrorState('tokens'), await storage.loadTokens());
    assert.deepEqual(place.mirrorState('game_state'), await storage.getAllGameStates());
    assert.deepEqual(place.mirrorState('coins'), { ann: 1 });

    const flushed = stampOf(place.mirror());
    await update();
    assert.deepEqual(stampOf(place.mirror()), flushed);
    await storage.compactLog('players');
    assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));

    const compacted = stampOf(place.mirror());
    await update();
    const state = await storage.loadPlayers();
    assert.deepEqual(stampOf(place.mirror()), compacted);
    assert.deepEqual(place.replayed(), state, 'the log has all of it');
    await storage.close();
    assert.equal(place.mirrorText(), pretty(state));
    assert.deepEqual(await place.old('loadPlayers'), state, 'the old module reads it');
  });
}

test('configure takes it, and the end of the process writes the file', async (t) => {
  const place = scene(t);
  const source = `
    import fs from 'node:fs';
    import { configure, updatePlayerStats } from ${JSON.stringify(packageUrl)};
    const [dataDir, file] = process.argv.slice(2);
    configure({ dataDir, mirror: 'close' });
    for (let round = 0; round < 3; round++) await updatePlayerStats('ann', 'Ann', 1);
    console.log(fs.existsSync(file));
    process.exit(0);`;
  const { code, stdout, stderr } = await runScript(t, { source, args: [place.data, place.mirror()] });
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), 'false');
  assert.equal(place.mirrorState().ann.totalGames, 3);
});

test('after a kill the file is old, the log counts, and flush() makes it current', async (t) => {
  const place = scene(t);
  const other = await place.remote(CLOSE);
  await other.call('updatePlayerStats', 'a', 'a', 1);
  await other.call('flush');
  const flushed = place.mirrorText();
  for (const id of ['a', 'b', 'a']) await other.call('updatePlayerStats', id, id, 1);
  await other.kill();
  assert.equal(place.mirrorText(), flushed);
  assert.equal((await place.old('getPlayerStats', 'a')).totalGames, 1, 'the old module reads the old file');

  const warned = listenForWarnings('PS_FOREIGN_EDIT');
  const storage = place.open(CLOSE);
  const files = snapshot(place.data, { times: true });
  const players = await storage.loadPlayers();
  assert.equal(players.a.totalGames, 3);
  assert.equal(players.b.totalGames, 1);
  assert.deepEqual(snapshot(place.data, { times: true }), files, 'reading changed nothing');
  await storage.flush();
  assert.equal(place.mirrorText(), pretty(players));
  assert.deepEqual(await warned(), []);
});

for (const [when, leave] of [
  ['while the process runs', null],
  ['after a close', (other) => other.end()],
  ['after a kill', (other) => other.kill()],
]) {
  test(`an edit changes what the person changed: ${when}`, async (t) => {
    const place = scene(t);
    const other = await place.remote(CLOSE);
    await other.call('savePlayers', named(['a', 'b', 'c', 'd', 'e']));
    await other.call('flush');
    await other.call('updatePlayerStats', 'a', 'a', 1);
    await other.call('updatePlayerStats', 'new', 'new', 1);
    if (leave) await leave(other);

    // The person sees what the file has, changes one player, adds one and removes one.
    const seen = place.mirrorState();
    seen.c.totalScore = 5000;
    seen.f = player('f');
    delete seen.d;
    place.replaceMirror(seen);

    const storage = leave ? place.open(CLOSE) : null;
    const call = (method, ...args) => (storage ? storage[method](...args) : other.call(method, ...args));
    const check = async () => {
      const players = await call('loadPlayers');
      assert.deepEqual(Object.keys(players).sort(), ['a', 'b', 'c', 'e', 'f', 'new']);
      assert.equal(players.a.totalGames, 2, 'the update that the file lacks is there');
      assert.equal(players.c.totalScore, 5000);
    };
    await check();
    const edited = stampOf(place.mirror());
    await call('updatePlayerStats', 'b', 'b', 1);
    assert.deepEqual(stampOf(place.mirror()), edited, 'the update writes no file');
    assert.equal(place.replayed().c.totalScore, 5000, 'the edit is logged');
    await check();
    await (leave ? storage.close() : other.end());
    const last = place.open();
    assert.deepEqual(place.mirrorState(), await last.loadPlayers());
    await assertSettled(place, last, place.mirrorState());
  });
}

test('a copy of the folder with the old file opens with all data, and an edit of it counts there', async (t) => {
  const place = scene(t);
  const storage = place.open(CLOSE);
  await storage.savePlayers(named(['a', 'b', 'c']));
  await storage.flush();
  await storage.updatePlayerStats('a', 'a', 1);
  const folder = `${place.data}-copy`;
  await storage.snapshot(folder);
  const file = place.mirror().replace(place.data, folder);
  assert.equal(fs.readFileSync(file, 'utf8'), place.mirrorText());
  const seen = place.mirrorState();
  seen.b.totalScore = 5000;
  fs.writeFileSync(file, pretty(seen));
  const copied = await place.open({ dataDir: folder, ...CLOSE }).loadPlayers();
  assert.equal(copied.a.totalGames, 2);
  assert.equal(copied.b.totalScore, 5000);
});

test('storages with and without it share a folder', async (t) => {
  const place = scene(t);
  const [closing, following] = [place.open(CLOSE), place.open()];
  await closing.updatePlayerStats('a', 'a', 1);
  assert.equal(fs.existsSync(place.mirror()), false);
  await following.updatePlayerStats('a', 'a', 1);
  assert.equal(place.mirrorState().a.totalGames, 2);
  await closing.updatePlayerStats('a', 'a', 1);
  assert.equal(place.mirrorState().a.totalGames, 2);
  assert.equal((await following.getPlayerStats('a')).totalGames, 3);
  await following.updatePlayerStats('b', 'b', 1);
  await assertSettled(place, closing, await following.loadPlayers());
});

test('a wrong value is a TypeError, and nothing is touched', (t) => {
  const place = scene(t);
  for (const [value, code] of [
    ['never', 'ERR_INVALID_ARG_VALUE'],
    ['', 'ERR_INVALID_ARG_VALUE'],
    ['Close', 'ERR_INVALID_ARG_VALUE'],
    [true, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ]) {
    for (const make of [ps.configure, (options) => new ps.Storage(options)]) {
      assert.throws(
        () => make({ dataDir: place.data, mirror: value }),
        (error) => {
          assert.ok(error instanceof TypeError, String(value));
          assert.equal(error.code, code, String(value));
          assert.match(error.message, /'mirror'/);
          return true;
        },
      );
    }
  }
  assert.equal(fs.existsSync(place.data), false);
});

test('beside a url it is refused: a server has no JSON files', () => {
  for (const make of [ps.configure, (options) => new ps.Storage(options)]) {
    assert.throws(() => make({ url: 'postgres://bot@127.0.0.1/bot', mirror: 'close' }), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      message: /'mirror' is about files/,
    });
  }
});
