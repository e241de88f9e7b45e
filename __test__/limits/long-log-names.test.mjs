/**
 * A log name may have 200 bytes. Every file beside the log has the same name with a suffix, and still fits.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { listenForWarnings, range, scene, snapshot, waitFor } from '../support/durability.mjs';
import { refused } from '../support/limits.mjs';

for (const [what, name] of [
  ['ASCII', 'n'.repeat(200)],
  ['two bytes a character', 'ж'.repeat(100)],
  ['three', `${'日'.repeat(66)}ab`],
  ['four', '😀'.repeat(50)],
]) {
  test(`a log name of 200 bytes (${what}): every file beside the log`, async (t) => {
    assert.equal(Buffer.byteLength(name), 200);
    const place = scene(t);
    const first = place.open();
    const coins = first.collection(name);
    await coins.set('key', { n: 0 });
    await first.appendLogEntry(name, { op: 'SET', key: 'appended', value: 1 });
    for (const n of range(5)) {
      await coins.update('key', (value) => ({ n: value.n + 1 }));
      await first.compactLog(name);
      assert.equal(place.backups(name).length, Math.min(n + 1, 3));
    }
    await first.close();
    assert.deepEqual(place.mirrorState(name), { key: { n: 5 }, appended: 1 });

    // A torn tail, damage and a broken mirror at once, and again.
    const fragment = '{"timestamp":"2024-01-01T00:00:00.000Z","op":"SE';
    for (const n of range(5)) {
      fs.appendFileSync(place.log(name), `damaged ${n}\n${fragment}`);
      fs.writeFileSync(place.mirror(name), 'no JSON');
      const storage = place.open();
      assert.deepEqual(await storage.collection(name).get('key'), { n: 5 + n });
      await storage.collection(name).update('key', (value) => ({ n: value.n + 1 }));
      await storage.close();
      assert.equal(place.aside(`${name}.log.corrupt`).length, n + 1);
      assert.equal(place.aside(`${name}.log.torn`).length, Math.min(n + 1, 3));
      assert.equal(place.aside(`${name}.json.corrupt`).length, n + 1);
    }
    assert.deepEqual(place.mirrorState(name), { key: { n: 10 }, appended: 1 });
    assert.deepEqual(place.replayed(name), { key: { n: 10 }, appended: 1 });
    const again = place.open();
    assert.deepEqual(await again.rebuildStateFromLog(name), { key: { n: 10 }, appended: 1 });
    const scheduler = again.startCompactionScheduler(1000, [name]);
    scheduler.stop();
    await again.close();

    const before = snapshot(place.data, { times: true });
    const longer = place.open();
    await refused(() => longer.appendLogEntry(`${name}x`, { op: 'NOTE' }));
    await refused(() => longer.readLogEntries(`${name}x`));
    await refused(() => longer.compactLog(`${name}x`));
    assert.throws(() => longer.collection(`${name}x`), { code: 'ERR_INVALID_ARG_VALUE' });
    await longer.close();
    assert.deepEqual(snapshot(place.data, { times: true }), before);
  });
}

test('a log name of 200 bytes leaves room for all suffixes', async (t) => {
  const place = scene(t);
  const name = 'n'.repeat(200);
  const problems = ['PS_BACKUP_FAILED', 'PS_MIRROR_FAILED', 'PS_COMPACTION_FAILED'].map(listenForWarnings);
  const storage = place.open();
  const collection = storage.collection(name);
  // The numbers in the names of temporary files grow.
  for (const i of range(1200)) await collection.set('count', i);
  await storage.compactLog(name);
  // A backup that is over a day old is compressed.
  const [backup] = place.backups(name);
  fs.renameSync(backup, `${place.log(name)}.backup.1000000000000`);
  await collection.set('count', 1200);
  await storage.compactLog(name);
  const scheduler = storage.startCompactionScheduler(5, [name]);
  await waitFor(() => fs.existsSync(`${place.log(name)}.backup.1000000000000.gz`), 'a compressed backup');
  scheduler.stop();
  fs.appendFileSync(place.log(name), 'damage\n{"torn');
  await collection.set('count', 1201);
  fs.writeFileSync(place.mirror(name), 'no JSON');
  await collection.set('count', 1202);
  await storage.close();
  assert.deepEqual(place.replayed(name), { count: 1202 });
  assert.deepEqual(place.mirrorState(name), { count: 1202 });
  for (const kind of ['torn', 'corrupt']) assert.equal(place.aside(`${name}.log.${kind}`).length, 1, kind);
  assert.equal(place.aside(`${name}.json.corrupt`).length, 1);
  for (const told of problems) assert.deepEqual(await told(), []);
});
