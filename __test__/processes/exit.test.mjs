/**
 * A process ends with work under way. If it can still run code (natural end, process.exit(), an uncaught error, a signal
 * handler that exits, a listener of 'exit'), all its calls are on disk and the mirror shows them. If it cannot (SIGTERM
 * without a handler, SIGKILL), the acked calls are there, and each other one is there whole or not at all.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { manyPlayers, noFlock, pretty, range, scene, seededRandom } from '../support/durability.mjs';

for (const [way, code, count] of [
  ['natural', 0, 1000],
  ['exit', 7, 1000],
  ['throw', 1, 1000],
  ['rejection', 1, 1000],
  ['sigint', 130, 1000],
  ['listener', 0, 100],
]) {
  for (const api of ['module', 'object']) {
    const skip = way === 'sigint' && process.platform === 'win32' && 'Windows has no SIGINT for a child';
    test(`${count} appends that nobody awaits, then ${way} (${api})`, { skip }, async (t) => {
      const place = scene(t);
      const { stderr } = await place.run('exit-with-work.mjs', [count, way, api], {
        env: { PROGRESSIVE_STORAGE_DIR: place.data },
        expectCode: code,
      });
      if (way === 'throw' || way === 'rejection') assert.match(stderr, /on purpose/);
      assert.deepEqual(
        Object.keys(place.replayed()),
        range(count).map((i) => `key-${i}`),
      );
      assert.equal(place.mirrorText(), pretty(place.replayed()));
      assert.deepEqual(await place.open().loadPlayers(), place.replayed());
    });
  }
}

/** After a kill: what was acked is there, what was not is there whole or not at all, and writing goes on. */
async function assertSurvived(place, acked, logName) {
  const mirror = fs.existsSync(place.mirror(logName)) ? place.mirrorState(logName) : {};
  const storage = place.open();
  const read = () => (logName === 'players' ? storage.loadPlayers() : storage.rebuildStateFromLog(logName));
  const state = await read();
  for (const id of acked) assert.ok(id in state, `${id} was acked`);
  for (const id of Object.keys(mirror)) assert.ok(id in state, `${id} was in the mirror`);
  for (const [id, value] of Object.entries(state)) {
    const isWhole = value.note === `note of ${id}` || value.username === `name of ${id}`;
    assert.ok(isWhole, `${id} is whole: ${JSON.stringify(value)}`);
  }
  const after = `after-${Date.now()}-0`;
  const value = { note: `note of ${after}` };
  if (logName === 'players') await storage.appendLogEntry('players', { op: 'SET', key: after, value });
  else await storage.collection(logName).set(after, value);
  await storage.close();
  assert.deepEqual(place.replayed(logName), { ...state, [after]: value });
  assert.deepEqual(place.mirrorState(logName), { ...state, [after]: value });
}

test('SIGTERM without a handler: what was acked is there', async (t) => {
  const place = scene(t);
  for (const kind of ['append', 'update']) {
    const args = [place.data, kind, 20, `term-${kind}`];
    const acked = await place.killAfter('acked-until-killed.mjs', args, 100, 'SIGTERM');
    assert.ok(acked.length >= 100);
    await assertSurvived(place, acked, 'players');
  }
});

test('SIGKILL at random moments, round after round on one directory', async (t) => {
  const place = scene(t);
  const random = seededRandom(22);
  const kinds = { append: 'players', update: 'players', set: 'coins' };
  for (const round of range(12)) {
    const kind = Object.keys(kinds)[round % 3];
    const args = [place.data, kind, [1, 5, 100][random(3)], `${kind}-${round}`];
    const acked = await place.killAfter('acked-until-killed.mjs', args, 1 + random(120));
    await assertSurvived(place, acked, kinds[kind]);
  }
});

test('SIGKILL with a large mirror, which is written in the background', async (t) => {
  const place = scene(t);
  const before = place.open();
  await before.savePlayers(manyPlayers(400, 300));
  await before.close();
  const random = seededRandom(23);
  for (const round of range(5)) {
    const args = [place.data, round % 2 ? 'update' : 'append', 20, `large-${round}`];
    const acked = await place.killAfter('acked-until-killed.mjs', args, 1 + random(400));
    await assertSurvived(place, acked, 'players');
  }
});

test('process.exit() finishes an update that meets a new value again and again', async (t) => {
  const place = scene(t);
  const { stdout } = await place.run('exit-with-conflicts.mjs', [5], {
    env: { PROGRESSIVE_STORAGE_DIR: place.data },
    expectCode: 0,
  });
  assert.equal(stdout, '6');
  assert.deepEqual(place.replayed('coins'), { a: 'the last: 4' });
});

test('process.exit() while another process keeps the lock: it ends, and says what it leaves undone', {
  skip: noFlock,
}, async (t) => {
  const place = scene(t);
  const folders = ['one', 'two'].map((name) => path.join(place.root, name));
  const child = place.start('exit-while-locked.mjs', folders);
  await child.linesSeen(1);
  // One of them waits in front, like any process that waits.
  const files = [
    path.join(folders[0], '.progressive-storage/lock'),
    path.join(folders[1], '.progressive-storage/queue'),
  ];
  const holders = [];
  for (const file of files) holders.push(await place.lockHolder(file));
  child.process.stdin.write('go\n');
  const { code, stderr } = await child.ended;
  assert.equal(code, 3, stderr);
  const lines = stderr.split('\n').filter((line) => line.startsWith('progressive-storage: '));
  assert.equal(lines.length, 2, stderr);
  for (const [i, line] of lines.entries()) {
    assert.ok(line.includes(`process ${holders[i].pid} holds '${files[i]}'`), line);
    assert.match(line, /not written: 1 call on 'coins', 2 calls on 'players'$/);
  }
  for (const holder of holders) holder.stdin.end();
  for (const dataDir of folders) {
    const storage = place.open({ dataDir });
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
    assert.equal(await storage.collection('coins').get('user'), undefined);
  }
});
