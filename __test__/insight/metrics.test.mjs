/**
 * Metrics: the counts are exact, object and text say the same, Prometheus accepts the text, and reading metrics touches no
 * file.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import test from 'node:test';
import { manyPlayers, plain, range, scene, set, waitFor } from '../support/durability.mjs';
import { parsePrometheus } from '../support/prometheus.mjs';

test('an unused storage has metrics without logs, and reading them creates no file', (t) => {
  const place = scene(t);
  const storage = place.open();
  const metrics = storage.metrics();
  assert.deepEqual(metrics.logs, {});
  assert.equal(metrics.queueCalls, 0);
  assert.ok(metrics.residentBytes > 1e6);
  parsePrometheus(storage.metricsText());
  assert.equal(fs.existsSync(place.data), false);
});

test('entries, bytes, syncs, acknowledgements and batches are counted exactly', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const n of range(5)) await storage.updatePlayerStats('ann', 'Ann', n);
  await Promise.all(range(40).map((n) => storage.updatePlayerStats(`p${n}`, 'Ben', n)));
  const { logs, batches, queueCalls, lockWait } = storage.metrics();
  const { players } = logs;
  const size = fs.statSync(place.log()).size;
  assert.equal(players.entries, 45);
  assert.equal(players.bytes, size);
  assert.equal(players.sizeBytes, size);
  assert.equal(players.keys, 41);
  assert.equal(players.mirrorAgeMs, 0);
  assert.ok(players.liveBytes > 0 && players.liveBytes < size);
  assert.equal(players.deadShare, 1 - players.liveBytes / size);
  assert.ok(players.fsync.count >= 6 && players.fsync.count <= 45);
  assert.ok(players.fsync.sumMs > 0);
  // Each call that finds an empty queue is timed.
  assert.ok(players.ack.count >= 6, `${players.ack.count} calls were timed`);
  assert.ok(players.ack.sumMs >= players.fsync.sumMs / 45);
  assert.equal(batches.calls, 45);
  assert.ok(batches.count >= 6);
  assert.equal(lockWait.count >= batches.count, true);
  assert.equal(queueCalls, 0);
});

test('compactions are counted by result', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  assert.equal(storage.metrics().logs.players.compactions.lastAt, null);
  await storage.compactLog('players');
  const done = storage.metrics().logs.players.compactions;
  assert.deepEqual([done.ok, done.failed, done.lastResult, done.duration.count], [1, 0, 'ok', 1]);
  assert.equal(new Date(done.lastAt).toISOString(), done.lastAt);
  fs.renameSync(place.log(), place.file('logs', 'aside'));
  fs.mkdirSync(place.log());
  await assert.rejects(storage.compactLog('players'), { code: 'EISDIR' });
  const failed = storage.metrics().logs.players.compactions;
  assert.deepEqual([failed.ok, failed.failed, failed.lastResult, failed.duration.count], [1, 1, 'failed', 1]);
  fs.rmdirSync(place.log());
  fs.renameSync(place.file('logs', 'aside'), place.log());
});

test('each finding in the files is counted once', async (t) => {
  const place = scene(t);
  place.writeLog(`${plain(set('a', 1))}\nnonsense\nmore of it\n${plain(set('b', 2))}\n{"torn`, 'coins');
  place.writeMirror({ a: 1, b: 2, c: 3 }, 'coins');
  const storage = place.open({ logger: null });
  const coins = storage.collection('coins');
  assert.equal(await coins.size(), 3);
  await coins.set('d', 1);
  await storage.compactLog('coins');
  const { corruptLines, tornTails, externalEdits } = storage.metrics().logs.coins;
  assert.deepEqual(
    { corruptLines, tornTails, externalEdits },
    { corruptLines: 2, tornTails: 1, externalEdits: 1 },
  );
});

test('a large mirror gets older until it is written', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.savePlayers(manyPlayers(100, 2000));
  await waitFor(async () => {
    await storage.updatePlayerStats('ann', 'Ann', 1);
    return storage.metrics().logs.players.mirrorAgeMs > 0;
  }, 'a mirror that is behind');
  await storage.flush();
  assert.equal(storage.metrics().logs.players.mirrorAgeMs, 0);
});

test('the text has help, type and unit for each metric, and says the same as the object', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.collection('äöü').set('k', 1);
  await storage.compactLog('players');
  const text = storage.metricsText();
  const families = parsePrometheus(text);
  const { logs } = storage.metrics();
  const sample = (family, name, labels) => {
    const all = families.get(`progressive_storage_${family}`).samples;
    const wanted = JSON.stringify(labels);
    return all.find((it) => it.name === `progressive_storage_${name}` && JSON.stringify(it.labels) === wanted)
      ?.value;
  };
  const players = { log: 'players' };
  assert.equal(sample('entries_total', 'entries_total', players), logs.players.entries);
  assert.equal(sample('log_size_bytes', 'log_size_bytes', players), logs.players.sizeBytes);
  assert.equal(sample('dead_ratio', 'dead_ratio', players), logs.players.deadShare);
  assert.equal(sample('compactions_total', 'compactions_total', { ...players, result: 'ok' }), 1);
  const fsync = 'fsync_duration_seconds';
  assert.equal(sample(fsync, `${fsync}_count`, players), logs.players.fsync.count);
  assert.ok(Math.abs(sample(fsync, `${fsync}_sum`, players) - logs.players.fsync.sumMs / 1000) < 1e-9);
  for (const [bound, count] of logs.players.fsync.buckets) {
    assert.equal(sample(fsync, `${fsync}_bucket`, { ...players, le: String(bound / 1000) }), count);
  }
  assert.ok(text.includes('progressive_storage_keys{log="äöü"} 1\n'));
  assert.equal(families.get('progressive_storage_mirror_age_seconds').type, 'gauge');
});

test('promtool accepts the text', async (t) => {
  if (spawnSync('promtool', ['--version']).error) return t.skip('there is no promtool here');
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  const checked = spawnSync('promtool', ['check', 'metrics'], {
    input: storage.metricsText(),
    encoding: 'utf8',
  });
  assert.equal(checked.stdout + checked.stderr, '');
  assert.equal(checked.status, 0);
});

test('a closed storage has no metrics', async (t) => {
  const storage = scene(t).open();
  await storage.close();
  assert.throws(() => storage.metrics(), { code: 'ERR_STORAGE_CLOSED' });
  assert.throws(() => storage.metricsText(), { code: 'ERR_STORAGE_CLOSED' });
});
