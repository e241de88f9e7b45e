/**
 * Worker threads on one directory: all their updates count, and a thread may end in any way with calls under way, without
 * harm to the process. The threads run in a child, so a crash fails one test and does not end the suite.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { range, scene } from '../support/durability.mjs';

async function runThreads(place, way, options) {
  const { stdout } = await place.run('threads.mjs', [place.data, way], options);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** What the child saw is what is on disk for whoever comes next. */
async function gamesOnDisk(place) {
  const players = await place.open().loadPlayers();
  assert.deepEqual(place.replayed(), players);
  return Object.fromEntries(Object.entries(players).map(([id, player]) => [id, player.totalGames]));
}

test('updates of four threads and the main thread all count', async (t) => {
  const place = scene(t);
  const report = await runThreads(place, 'count');
  const expected = { main: 100, everyone: 200, one: 50, two: 50, three: 50, four: 50 };
  assert.deepEqual(sorted(report.players), sorted(expected));
  assert.deepEqual(sorted(await gamesOnDisk(place)), sorted(expected));
  for (const thread of report.threads) assert.equal(thread.acked, 100);
});

for (const [way, what] of [
  ['natural', 'at its natural end'],
  ['exit', 'with process.exit()'],
  ['throw', 'with an uncaught error'],
  ['terminate', 'by terminate()'],
]) {
  test(`a thread that ends ${what} finishes its calls`, async (t) => {
    const place = scene(t);
    const report = await runThreads(place, way);
    assert.equal(report.threads.length, 8);
    const games = await gamesOnDisk(place);
    for (const thread of report.threads) {
      assert.equal(thread.called, 100, `thread ${thread.name}: ${thread.error}`);
      assert.equal(games[thread.name], 50, `calls of thread ${thread.name}`);
    }
    assert.equal(games.everyone, 8 * 50);
    // The main thread worked beside them and after them.
    assert.equal(report.main, 40);
    assert.equal(games.main, 40);
  });
}

test('a thread that is terminated at any moment does no harm, and its acked calls are there', async (t) => {
  const place = scene(t);
  const report = await runThreads(place, 'terminate-at-once');
  const games = await gamesOnDisk(place);
  for (const thread of report.threads) {
    // Calls alternate between the shared player and the thread's own.
    assert.ok(
      (games[thread.name] ?? 0) >= Math.floor(thread.acked / 2),
      `acked calls of thread ${thread.name}`,
    );
  }
  assert.equal(games.main, 40);
  assert.equal(report.main, 40);
});

test('process.exit() in the main thread while threads are at work', async (t) => {
  const place = scene(t);
  const report = await runThreads(place, 'main-exit', { expectCode: 3 });
  const games = await gamesOnDisk(place);
  assert.equal(games.main, report.acked);
  assert.deepEqual(report.called, [100, 100]);
  assert.equal(games.everyone, 100);
  for (const name of ['one', 'two']) assert.equal(games[name], 50);
});

test('threads can start and end again and again', async (t) => {
  const place = scene(t);
  for (const _ of range(2)) await runThreads(place, 'natural');
  assert.equal((await gamesOnDisk(place)).everyone, 2 * 8 * 50);
});

const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
