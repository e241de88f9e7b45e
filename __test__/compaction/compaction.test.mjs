/**
 * Compaction replaces a log by its checkpoint and keeps the old log, without a copy, as the backup. It never blocks or
 * loses an append, and there is a whole log at every moment. The scheduler leaves logs alone where there is little to gain.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import {
  assertSealed,
  checkpoint,
  isWindows,
  manyPlayers,
  parseLines,
  plain,
  player,
  pretty,
  ps,
  range,
  replay,
  scene,
  sealed,
  seededRandom,
  set,
  snapshot,
  turns,
  waitFor,
} from '../support/durability.mjs';

const MIB = 1 << 20;

test('a small log becomes exactly one checkpoint line', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const i of range(30)) await storage.updatePlayerStats(`user-${i % 3}`, 'name', 1);
  await storage.saveGameState('one', { round: 1 });
  await storage.saveGameState('two', { round: 1 });
  await storage.clearGameState('one');
  const players = await storage.loadPlayers();
  const before = Date.now();
  assert.equal(await storage.compactLog('players'), undefined);
  await storage.compactLog('game_state');

  const [line, ...more] = place.logLines();
  assert.deepEqual(more, []);
  const { _crc, ...rest } = line;
  assert.deepEqual(Object.keys(rest), ['op', 'state', 'compactedAt']);
  assert.equal(rest.op, 'CHECKPOINT');
  assert.deepEqual(rest.state, players);
  assert.match(rest.compactedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(rest.compactedAt) >= before - 1000);
  assertSealed(place.logText());
  assert.deepEqual(Object.keys(place.logLines('game_state')[0].state), ['two']);

  assert.deepEqual(await storage.loadPlayers(), players);
  assert.deepEqual(await storage.readLogEntries('players'), [rest]);
  assert.equal((await storage.updatePlayerStats('user-0', 'name', 1)).totalGames, 11);
  assert.deepEqual(await place.open().loadPlayers(), await storage.loadPlayers());
  assert.deepEqual(place.replayed(), await storage.loadPlayers());
});

test('a large state becomes several checkpoint lines of at most about 1 MiB', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const players = manyPlayers(1200, 3000);
  await storage.savePlayers(players);
  await storage.compactLog('players');
  const lines = place.logText().split('\n').slice(0, -1);
  assert.ok(lines.length >= 4, `${lines.length} lines`);
  for (const line of lines)
    assert.ok(Buffer.byteLength(line) < 1.25 * MIB, `${Buffer.byteLength(line)} bytes`);
  for (const entry of place.logLines()) assert.equal(entry.op, 'CHECKPOINT');
  assertSealed(place.logText());
  assert.deepEqual(place.replayed(), players);
  assert.deepEqual(Object.keys(place.replayed()), Object.keys(players));

  const again = place.open();
  assert.deepEqual(await again.loadPlayers(), players);
  await again.updatePlayerStats('user-00000', 'name', 1);
  await storage.compactLog('players');
  assert.equal(place.replayed()['user-00000'].totalGames, 2);
});

test('one value of more than 1 MiB', async (t) => {
  const place = scene(t);
  const values = place.open().collection('values');
  const expected = { small: 1, large: 'x'.repeat(3 * MIB), last: 2 };
  for (const [key, value] of Object.entries(expected)) await values.set(key, value);
  await place.open().compactLog('values');
  assert.deepEqual(place.replayed('values'), expected);
  assert.deepEqual(Object.fromEntries(await values.entries()), expected);
});

test('the old log is the backup, not a copy of it', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const i of range(5)) await storage.updatePlayerStats(`user-${i}`, 'name', 1);
  const before = fs.statSync(place.log());
  const text = place.logText();
  const began = Date.now();
  await storage.compactLog('players');
  const [backup, ...others] = place.backups();
  assert.deepEqual(others, []);
  assert.equal(fs.readFileSync(backup, 'utf8'), text);
  if (!isWindows) {
    assert.equal(fs.statSync(backup).ino, before.ino);
    assert.notEqual(fs.statSync(place.log()).ino, before.ino);
  }
  const time = Number(/\.backup\.(\d+)$/.exec(backup)[1]);
  assert.ok(time >= began - 1000 && time <= Date.now() + 1000, 'N is milliseconds since 1970');
});

test('the newest three backups are kept', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const texts = [];
  for (const i of range(6)) {
    await storage.updatePlayerStats(`user-${i}`, 'name', 1);
    texts.push(place.logText());
    await storage.compactLog('players');
  }
  const kept = place.backups().map((file) => fs.readFileSync(file, 'utf8'));
  assert.deepEqual(kept, texts.slice(-3));
});

test("backups of the old module count among the three, others' files do not", async (t) => {
  const place = scene(t);
  place.writeLog([plain(set('a', player('a')))]);
  for (const time of [1600000000000, 1600000000001, 1600000000002, 1600000000003]) {
    fs.writeFileSync(place.file('logs', `players.log.backup.${time}`), `${time}`);
  }
  const foreign = [
    'players.log.backup.old',
    'players.log.backup.',
    'players.logbook',
    'players.log.backup.1.txt',
  ];
  for (const name of foreign) fs.writeFileSync(place.file('logs', name), 'keep');
  fs.writeFileSync(place.file('logs', 'players2.log.backup.1600000000000'), 'keep');
  await place.open().compactLog('players');
  const names = place.backups().map((file) => fs.readFileSync(file, 'utf8'));
  assert.deepEqual(names.slice(0, 2), ['1600000000002', '1600000000003']);
  assert.equal(names.length, 3);
  for (const name of [...foreign, 'players2.log.backup.1600000000000']) {
    assert.equal(fs.readFileSync(place.file('logs', name), 'utf8'), 'keep');
  }
});

test('no log yet: a log with an empty checkpoint', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.compactLog('players');
  await storage.compact('events');
  for (const name of ['players', 'events']) {
    const [line, ...more] = place.logLines(name);
    assert.deepEqual(more, []);
    assert.equal(line.op, 'CHECKPOINT');
    assert.deepEqual(line.state, {});
    assert.deepEqual(place.backups(name), []);
  }
  await storage.updatePlayerStats('a', 'a', 1);
  assert.deepEqual(Object.keys(place.replayed()), ['a']);
});

test('no log yet but a mirror: its state is in the checkpoint', async (t) => {
  const place = scene(t);
  place.writeMirror({ a: player('a') });
  await place.open().compactLog('players');
  assert.deepEqual(place.replayed(), { a: player('a') });
});

test('a foreign edit not yet logged is in the checkpoint', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers({ a: player('a'), b: player('b') });
  place.writeMirror({ a: player('a', { totalScore: 70 }) });
  await storage.compactLog('players');
  assert.deepEqual(place.replayed(), { a: player('a', { totalScore: 70 }) });
  assert.deepEqual(await storage.loadPlayers(), { a: player('a', { totalScore: 70 }) });
  assert.equal(place.mirrorText(), pretty(await storage.loadPlayers()));
});

test('appends that arrive during a compaction are in the new log', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const players = manyPlayers(1500, 2000);
  await storage.savePlayers(players);
  for (const round of range(3)) {
    let compacting = true;
    const compaction = storage.compactLog('players').then(() => {
      compacting = false;
    });
    const updates = [];
    let ackedMeanwhile = 0;
    while (compacting) {
      const update = storage.updatePlayerStats(`late-${round}-${updates.length}`, 'late', 1);
      updates.push(
        update.then(() => {
          ackedMeanwhile += compacting ? 1 : 0;
        }),
      );
      await Promise.race([update, compaction]);
    }
    await Promise.all([compaction, ...updates]);
    const replayed = place.replayed();
    for (const n of range(updates.length)) assert.equal(replayed[`late-${round}-${n}`]?.totalGames, 1);
    assert.deepEqual(replayed, await storage.loadPlayers());
    assert.equal(place.logLines()[0].op, 'CHECKPOINT');
    assert.ok(updates.length > 0, `${ackedMeanwhile} acked while it ran`);
  }
  assert.deepEqual(await place.open().loadPlayers(), place.replayed());
});

test('several compactions at once, of one log and of many', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const names = ['players', 'tokens', 'game_state'];
  await storage.updatePlayerStats('a', 'a', 1);
  await storage.saveTokens(['t']);
  await storage.saveGameState('c', { round: 1 });
  await Promise.all([
    ...range(5).map(() => storage.compactLog('players')),
    storage.compactAllLogs(),
    storage.compact(),
    ...range(20).map(() => storage.updatePlayerStats('a', 'a', 1)),
  ]);
  assert.equal(place.replayed().a.totalGames, 21);
  for (const name of names) {
    assert.equal(place.logLines(name)[0].op, 'CHECKPOINT', name);
    assert.ok(place.backups(name).length <= 3);
  }
  // Each compaction has a backup name of its own, so no log is lost.
  for (const backup of place.backups()) assert.ok(parseLines(fs.readFileSync(backup, 'utf8')).length > 0);
  assert.deepEqual((await storage.loadTokens()).tokens, ['t']);
  assert.equal((await storage.loadGameState('c')).round, 1);
});

test('a reader finds a whole log at any moment of a compaction', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(300, 1000));
  let running = true;
  const compacting = (async () => {
    for (const _ of range(10)) {
      await storage.updatePlayerStats('user-00000', 'name', 1);
      await storage.compactLog('players');
    }
    running = false;
  })();
  let looks = 0;
  while (running) {
    // A reader may see a part of the line that is being appended.
    const text = place.logText();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    assert.equal(Object.keys(replay(parseLines(whole))).length, 300);
    looks += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await compacting;
  assert.ok(looks > 5);
});

test('a temporary file left by a crash is harmless', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('a', 'a', 1);
  await storage.close();
  for (const content of ['garbage', '', `${sealed(checkpoint({ wrong: player('wrong') }))}\n`]) {
    fs.writeFileSync(`${place.log()}.tmp`, content);
    fs.writeFileSync(`${place.mirror()}.tmp`, content);
    const next = place.open();
    assert.deepEqual(Object.keys(await next.loadPlayers()), ['a']);
    await next.updatePlayerStats('a', 'a', 1);
    await next.compactLog('players');
    await next.close();
    assert.deepEqual(Object.keys(place.replayed()), ['a']);
  }
  assert.equal(place.replayed().a.totalGames, 4);
});

test('leftovers of killed processes do not pile up', async (t) => {
  const place = scene(t);
  const first = place.open();
  await first.savePlayers(manyPlayers(300, 300));
  await first.close();
  for (const round of range(4)) {
    await place.killAfter(
      'acked-until-killed.mjs',
      [place.data, 'compact', 4, `round-${round}`],
      20 + 30 * round,
    );
  }
  const last = place.open();
  await last.updatePlayerStats('after', 'after', 1);
  await last.compactLog('players');
  await last.close();
  const left = (folder) => fs.readdirSync(folder).filter((name) => !/\.(backup|torn)\.\d+$/.test(name));
  assert.deepEqual(left(place.data).sort(), ['.progressive-storage', 'logs', 'players.json']);
  assert.deepEqual(left(place.file('logs')), ['players.log']);
  assert.deepEqual(
    left(place.file('.progressive-storage')).filter((name) => name.includes('tmp')),
    [],
  );
});

test('SIGKILL during compactions loses nothing that was acked', async (t) => {
  const place = scene(t);
  const first = place.open();
  await first.savePlayers(manyPlayers(300, 300));
  await first.close();
  const random = seededRandom(27);
  const all = [];
  for (const round of range(8)) {
    const args = [place.data, 'compact', 4, `round-${round}`];
    all.push(...(await place.killAfter('acked-until-killed.mjs', args, 1 + random(150))));
    const storage = place.open();
    const state = await storage.loadPlayers();
    for (const id of all) assert.deepEqual(state[id], { note: `note of ${id}` }, `${id} was acked`);
    assert.equal(Object.keys(state).filter((id) => id.startsWith('user-')).length, 300);
    await storage.updatePlayerStats('after', 'after', 1);
    await storage.close();
    assert.equal(place.replayed().after.totalGames, round + 1);
  }
  const last = place.open();
  await last.compactLog('players');
  assert.ok(place.backups().length <= 3);
  assert.deepEqual(place.replayed(), await last.loadPlayers());
});

for (const call of ['compactAllLogs', 'compact']) {
  test(`${call}() compacts the other logs when one fails`, async (t) => {
    const place = scene(t);
    const storage = place.open();
    for (const _ of range(3)) {
      await storage.updatePlayerStats('a', 'a', 1);
      await storage.saveGameState('c', { round: 1 });
    }
    // A folder at the path of the tokens' log.
    fs.mkdirSync(place.log('tokens'), { recursive: true });
    await storage[call]().catch((error) => {
      assert.equal(error.code, 'EISDIR');
    });
    assert.equal(place.logLines().length, 1);
    assert.equal(place.logLines('game_state').length, 1);
    assert.ok(fs.statSync(place.log('tokens')).isDirectory());

    fs.rmdirSync(place.log('tokens'));
    await storage.saveTokens(['t']);
    await storage[call]();
    assert.equal(place.logLines('tokens')[0].op, 'CHECKPOINT');
  });
}

// ---------------------------------------------------------------------------------------------------- scheduler

/** Lines for a log of more than 1 MiB: of `keys` keys, each set `times` times. */
const bigLog = (keys, times) =>
  range(keys * times).map((i) =>
    sealed(set(`user-${i % keys}`, player(`user-${i % keys}`, { note: 'x'.repeat(2000) }))),
  );

/** The module's own functions on the directory of this test, and a scheduler that is stopped before they are closed. */
function startScheduler(place, intervalMs, logNames) {
  ps.configure({ dataDir: place.data });
  const scheduler = ps.startCompactionScheduler(intervalMs, logNames);
  place.beforeEnd(async () => {
    scheduler.stop();
    await ps.close();
  });
  return scheduler;
}

test('the scheduler compacts logs that are large and at least half dead, and leaves the rest alone', async (t) => {
  const place = scene(t);
  place.writeLog(bigLog(100, 10));
  place.writeLog(bigLog(1000, 1), 'alive');
  place.writeLog(bigLog(20, 10), 'small');
  assert.ok(fs.statSync(place.log('alive')).size > MIB && fs.statSync(place.log('small')).size < MIB);
  const untouched = ['alive', 'small'].map((name) => place.logText(name));

  const scheduler = startScheduler(place, 20, ['alive', 'small', 'players']);
  assert.equal(scheduler.isRunning, true);
  await waitFor(() => place.backups().length > 0, 'the compaction of the dead log');
  assert.equal(Object.keys(place.replayed()).length, 100);
  assert.ok(fs.statSync(place.log()).size < MIB);

  // After some more rounds it has compacted nothing else.
  fs.rmSync(place.mirror(), { force: true });
  place.writeLog(bigLog(50, 20));
  await waitFor(() => fs.statSync(place.log()).size < MIB, 'the next compaction');
  scheduler.stop();
  assert.deepEqual(
    ['alive', 'small'].map((name) => place.logText(name)),
    untouched,
  );
  assert.deepEqual([...place.backups('alive'), ...place.backups('small')], []);
});

test('the scheduler does not compact a compact log again', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(1000, 2000));
  await storage.compactLog('players');
  assert.equal(
    await storage.needsCompaction('players'),
    true,
    'it is large, but there is nothing dead in it',
  );
  const inode = fs.statSync(place.log()).ino;
  place.writeLog(bigLog(100, 10), 'marker');
  const scheduler = startScheduler(place, 20, ['players', 'marker']);
  await waitFor(() => fs.statSync(place.log('marker')).size < MIB, 'a round of the scheduler');
  const more = bigLog(10, 100);
  fs.appendFileSync(place.log('marker'), more.map((line) => `${line}\n`).join(''));
  await waitFor(() => fs.statSync(place.log('marker')).size < MIB, 'a later round of the scheduler');
  scheduler.stop();
  assert.equal(fs.statSync(place.log()).ino, inode);
  assert.equal(place.backups().length, 1);
});

test('rounds that are shorter than a compaction compact once', async (t) => {
  const place = scene(t);
  place.writeLog(bigLog(100, 20));
  const scheduler = startScheduler(place, 1, ['players']);
  await waitFor(() => place.backups().length > 0, 'the compaction');
  await turns(50);
  scheduler.stop();
  await ps.flush();
  assert.equal(place.backups().length, 1);
});

test('a scheduler with nothing to do changes nothing', async (t) => {
  const place = scene(t);
  const storage = place.open();
  startScheduler(place, 1);
  await turns(50);
  assert.deepEqual(fs.readdirSync(place.root), [], 'no folder is made');

  await storage.updatePlayerStats('a', 'a', 1);
  await storage.close();
  await ps.flush();
  const before = snapshot(place.data, { times: true });
  await turns(50);
  assert.deepEqual(snapshot(place.data, { times: true }), before);
});

test('a failure on one log does not stop the scheduler from compacting the others', async (t) => {
  const place = scene(t);
  place.writeLog(bigLog(100, 10));
  fs.mkdirSync(place.log('broken'));
  const scheduler = startScheduler(place, 20, ['broken', 'players']);
  await waitFor(() => place.backups().length > 0, 'the compaction of the log behind the broken one');
  assert.equal(scheduler.isRunning, true);
});

test('two processes that compact at the same time lose nothing', async (t) => {
  const place = scene(t);
  const mine = place.open();
  const other = await place.remote();
  for (const round of range(5)) {
    await Promise.all([
      mine.updatePlayerStats('a', 'a', 1),
      mine.compactLog('players'),
      other.call('updatePlayerStats', 'a', 'a', 1),
      other.call('compactLog', 'players'),
      mine.updatePlayerStats('a', 'a', 1),
    ]);
    assert.equal((await mine.getPlayerStats('a')).totalGames, 3 * (round + 1));
  }
  assert.equal((await other.call('getPlayerStats', 'a')).totalGames, 15);
  assert.equal(place.replayed().a.totalGames, 15);
  assert.ok(place.backups().length <= 3);
  await other.end();
});
