/**
 * Retention: how many backups are kept, compression of those over a day old, rotation by size and by the calendar, and one
 * limit for all. The state stays whole throughout, and the old module can still read it.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import zlib from 'node:zlib';
import { checkpoint, ps, range, scene, sealed, set, waitFor } from '../support/durability.mjs';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const oldLogs = (place, name = 'players') =>
  fs
    .readdirSync(place.file('logs'))
    .filter((file) => /\.log\.(backup|archive)\./.test(file) && file.startsWith(`${name}.log`))
    .sort();

/** Backups as of days ago, each a log of one key; the oldest first. */
function writeBackups(place, daysAgo, kind = 'backup') {
  fs.mkdirSync(place.file('logs'), { recursive: true });
  return daysAgo.map((days, index) => {
    const name = `players.log.${kind}.${Date.now() - days * DAY_MS}`;
    const text = `${sealed(set('ann', { n: index, pad: 'x'.repeat(2000) }))}\n`;
    fs.writeFileSync(place.file('logs', name), text);
    return { name, text };
  });
}

/** Lets a scheduler look once, and waits for its effect. */
async function lookUntil(storage, condition) {
  const scheduler = storage.startCompactionScheduler(20, ['players']);
  try {
    await waitFor(condition, 'what the scheduler does');
  } finally {
    scheduler.stop();
  }
  await storage.flush();
}

test('as many backups are kept as the option says', async (t) => {
  const place = scene(t);
  const storage = place.open({ backups: 5, fsync: 'never' });
  const removed = [];
  storage.on('backup', ({ action, path }) => action === 'removed' && removed.push(path));
  for (const n of range(8)) {
    await storage.updatePlayerStats('ann', 'Ann', n);
    await storage.compactLog('players');
  }
  assert.equal(place.backups().length, 5);
  await waitFor(() => removed.length === 3, 'three events');
  for (const path of removed) assert.equal(fs.existsSync(path), false);
});

test('old logs over a day old are compressed, except the newest, and keep their content', async (t) => {
  const place = scene(t);
  const backups = writeBackups(place, [9, 2, 0.5]);
  const archives = writeBackups(place, [30, 8], 'archive');
  const storage = place.open();
  const events = [];
  storage.on('backup', (event) => events.push(event));
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await lookUntil(storage, () => oldLogs(place).filter((name) => name.endsWith('.gz')).length === 4);
  const [recent] = oldLogs(place).filter((name) => !name.endsWith('.gz'));
  assert.equal(recent, backups[2].name);
  for (const { name, text } of [...backups.slice(0, 2), ...archives]) {
    const file = place.file('logs', `${name}.gz`);
    assert.equal(zlib.gunzipSync(fs.readFileSync(file)).toString(), text);
    assert.equal(fs.existsSync(place.file('logs', name)), false);
  }
  await waitFor(() => events.length === 4, 'four events');
  for (const { action, path, sizeBytes } of events) {
    assert.equal(action, 'compressed');
    assert.equal(sizeBytes, fs.statSync(path).size);
  }
  assert.deepEqual(
    fs.readdirSync(place.file('logs')).filter((name) => name.endsWith('.tmp')),
    [],
  );
  assert.equal((await storage.history('players', 'ann')).length, 6);
});

test('if a crash left both forms, the plain one goes once the compressed one is whole', async (t) => {
  const place = scene(t);
  const [old] = writeBackups(place, [3, 0.1]);
  fs.writeFileSync(place.file('logs', `${old.name}.gz`), 'cut short');
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await lookUntil(storage, () => !fs.existsSync(place.file('logs', old.name)));
  assert.equal(zlib.gunzipSync(fs.readFileSync(place.file('logs', `${old.name}.gz`))).toString(), old.text);
});

test('compressBackups: false leaves all as they are', async (t) => {
  const place = scene(t);
  writeBackups(place, [9, 8, 7, 6, 0.5]);
  const storage = place.open({ compressBackups: false });
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await lookUntil(storage, () => oldLogs(place).length === 3);
  assert.equal(
    oldLogs(place).some((name) => name.endsWith('.gz')),
    false,
  );
});

test('the limit takes the oldest first and leaves the newest', async (t) => {
  const place = scene(t);
  const backups = writeBackups(place, [3, 2, 1]);
  const storage = place.open({ oldLogsLimitBytes: 5000, compressBackups: false });
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await lookUntil(storage, () => oldLogs(place).length === 2);
  assert.deepEqual(
    oldLogs(place),
    backups
      .slice(1)
      .map(({ name }) => name)
      .sort(),
  );
  await storage.close();
  const strict = place.open({ oldLogsLimitBytes: 0, compressBackups: false });
  await strict.updatePlayerStats('ann', 'Ann', 1);
  await lookUntil(strict, () => oldLogs(place).length === 1);
  assert.deepEqual(oldLogs(place), [backups[2].name]);
});

test('a log from before the hour is rotated once, and its state stays whole', async (t) => {
  const place = scene(t);
  const long = new Date(Date.now() - 3 * DAY_MS).toISOString();
  place.writeLog([sealed({ ...checkpoint({ ann: { totalGames: 7 } }), compactedAt: long })]);
  for (const every of ['day', 'week']) {
    // On each day of the week, the current hour has begun.
    const now = new Date();
    const rotation = { every, hour: now.getUTCHours(), timeZone: 'UTC' };
    if (every === 'week') rotation.weekday = now.getUTCDay();
    const storage = place.open({ rotation, logger: null });
    const archived = [];
    storage.on('backup', ({ action, path }) => action === 'archived' && archived.push(path));
    await storage.updatePlayerStats('ben', 'Ben', 1);
    if (every === 'day') {
      await lookUntil(storage, () => oldLogs(place).length === 1);
      await waitFor(() => archived.length === 1, 'the event');
      assert.match(archived[0], /players\.log\.archive\.\d+$/);
    }
    // Another write, in the same hour.
    await storage.updatePlayerStats('ben', 'Ben', 1);
    const scheduler = storage.startCompactionScheduler(5, ['players']);
    await storage.updatePlayerStats('ben', 'Ben', 1);
    await storage.flush();
    scheduler.stop();
    assert.equal(oldLogs(place).length, 1);
    await storage.close();
  }
  const players = await place.open().loadPlayers();
  assert.deepEqual([players.ann.totalGames, players.ben.totalGames], [7, 6]);
  assert.deepEqual(await place.old('loadPlayers'), players);
  assert.deepEqual(place.replayed(), players);
});

test('a log is rotated by its size, and as many archives are kept as the option says', async (t) => {
  const place = scene(t);
  const storage = place.open({ rotation: { sizeBytes: 3000 }, archives: 2, fsync: 'never' });
  const archived = [];
  storage.on('backup', ({ action, path }) => action === 'archived' && archived.push(path));
  const scheduler = storage.startCompactionScheduler(5, ['players']);
  let games = 0;
  await waitFor(async () => {
    await storage.collection('players').set('ann', { totalGames: ++games, pad: 'x'.repeat(500) });
    return archived.length >= 4;
  }, 'four rotations');
  scheduler.stop();
  await storage.flush();
  assert.equal(oldLogs(place).length, 2);
  assert.ok(oldLogs(place).every((name) => name.includes('.archive.')));
  assert.equal((await storage.collection('players').get('ann')).totalGames, games);
  assert.equal(place.replayed().ann.totalGames, games);
});

test('wrong options are refused by name', (t) => {
  const place = scene(t);
  for (const [options, code] of [
    [{ backups: 0 }, 'ERR_INVALID_ARG_VALUE'],
    [{ backups: 1.5 }, 'ERR_INVALID_ARG_VALUE'],
    [{ backups: Number.NaN }, 'ERR_INVALID_ARG_VALUE'],
    [{ backups: '3' }, 'ERR_INVALID_ARG_TYPE'],
    [{ archives: -1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ compressBackups: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ oldLogsLimitBytes: -5 }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: 'daily' }, 'ERR_INVALID_ARG_TYPE'],
    [{ rotation: {} }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { every: 'month' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { every: 'day', hour: 24 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { every: 'day', weekday: 1 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { hour: 3 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { every: 'day', timeZone: 'Mars/Olympus' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { every: 'day', minute: 1 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ rotation: { sizeBytes: 0 } }, 'ERR_INVALID_ARG_VALUE'],
  ]) {
    const name = Object.keys(options)[0];
    assert.throws(() => place.open(options), { name: 'TypeError', code, message: new RegExp(name) });
  }
  assert.equal(fs.existsSync(place.data), false);
  assert.ok(ps.Storage);
});

test('a rotation needs no scheduler: the next write does it, and goes to the new log', async (t) => {
  const place = scene(t);
  const before = new Date(Date.now() - 3 * DAY_MS).toISOString();
  fs.mkdirSync(place.file('logs'), { recursive: true });
  const old = `${JSON.stringify({ timestamp: before, op: 'SET', key: 'ann', value: { n: 1 } })}\n`;
  fs.writeFileSync(place.file('logs', 'notes.log'), old);
  const aged = new Date(Date.now() - 2 * DAY_MS);
  fs.utimesSync(place.file('logs', 'notes.log'), aged, aged);
  const storage = place.open({ rotation: { every: 'day' } });
  const notes = storage.collection('notes');
  // Reading does not rotate.
  assert.deepEqual(await notes.get('ann'), { n: 1 });
  await storage.flush();
  assert.deepEqual(oldLogs(place, 'notes'), []);
  await notes.set('bob', { n: 2 });
  await waitFor(() => oldLogs(place, 'notes').length === 1, 'the archive');
  await storage.flush();
  const [archive] = oldLogs(place, 'notes');
  assert.match(archive, /^notes\.log\.archive\.\d+$/);
  assert.ok(fs.readFileSync(place.file('logs', archive), 'utf8').startsWith(old));
  assert.deepEqual(await notes.entries(), [
    ['ann', { n: 1 }],
    ['bob', { n: 2 }],
  ]);
  const { backups, archives } = storage.metrics().logs.notes;
  assert.deepEqual(backups, { count: 0, bytes: 0 });
  assert.deepEqual(archives, { count: 1, bytes: fs.statSync(place.file('logs', archive)).size });
});

test('backups and archives are counted when a log is opened, and after each compaction', async (t) => {
  const place = scene(t);
  writeBackups(place, [3, 2]);
  const [archive] = writeBackups(place, [5], 'archive');
  const storage = place.open({ compressBackups: false });
  await storage.updatePlayerStats('ann', 'Ann', 1);
  const metrics = () => storage.metrics().logs.players;
  assert.equal(metrics().backups.count, 2);
  assert.deepEqual(metrics().archives, { count: 1, bytes: Buffer.byteLength(archive.text) });
  await storage.compactLog('players');
  await storage.updatePlayerStats('ann', 'Ann', 2);
  await storage.compactLog('players');
  await storage.flush();
  assert.equal(metrics().backups.count, 3, 'one was removed');
  const sizes = place.backups().map((name) => fs.statSync(name).size);
  assert.equal(
    metrics().backups.bytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  const text = storage.metricsText();
  assert.match(text, /^progressive_storage_old_logs\{log="players",kind="backup"\} 3$/m);
  assert.match(text, /^progressive_storage_old_logs_size_bytes\{log="players",kind="archive"\} \d+$/m);
});
