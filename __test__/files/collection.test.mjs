// collection(name) in files: its log and its JSON file, edits and files that vanish, and how often the function of an update
// runs while nobody else writes. `api/collection` tests what the same calls answer.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, unlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Storage } from '../../index.js';
import { logPath, mirrorPath, openCollection, openStorage, readLogLines } from '../support/temp.mjs';

test('the function of an update runs once while nobody else writes', async (t) => {
  const { collection } = await openCollection(t, Storage);
  const seen = [];
  const add = (amount) => (current) => {
    seen.push(current);
    return { coins: (current?.coins ?? 0) + amount };
  };
  assert.deepEqual(await collection.update('a', add(5)), { coins: 5 });
  assert.deepEqual(await collection.update('a', add(-2)), { coins: 3 });
  assert.deepEqual(seen, [undefined, { coins: 5 }]);
  assert.deepEqual(await collection.get('a'), { coins: 3 });
});

test('a function that throws runs once, also where its log is checked for a rotation', async (t) => {
  // The first write to a log checks that.
  const { collection } = await openCollection(t, Storage, 'coins', { rotation: { every: 'day' } });
  assert.equal(await collection.get('a'), undefined);
  let count = 0;
  const failing = collection.update('a', () => {
    count++;
    throw new RangeError('not enough coins');
  });
  await assert.rejects(failing, RangeError);
  assert.equal(count, 1);
});

test('a function that throws leaves the bytes of the log', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  await collection.set('a', 1);
  const lines = await readLogLines(dataDir, 'coins');
  const problem = new RangeError('not enough coins');
  const failing = collection.update('a', () => {
    throw problem;
  });
  await assert.rejects(failing, (error) => error === problem);
  assert.deepEqual(await readLogLines(dataDir, 'coins'), lines);
});

test('a function refuses no value that another process has replaced', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  await collection.set('a', { count: 0 });
  const child = fileURLToPath(new URL('../children/count-up.mjs', import.meta.url));
  const added = spawnSync(process.execPath, [child, dataDir, 'coins', 'a', '1', 'await'], {
    encoding: 'utf8',
  });
  assert.equal(added.status, 0, added.stderr);
  const spent = await collection.update('a', ({ count }) => {
    if (count < 1) throw new RangeError('not enough coins');
    return { count: count - 1 };
  });
  assert.deepEqual(spent, { count: 0 });
});

test('a function refuses no value that an earlier call of its thread replaces', async (t) => {
  const { collection, storage } = await openCollection(t, Storage);
  await collection.set('a', { count: 0 });
  const appended = storage.appendLogEntry('coins', { op: 'SET', key: 'a', value: { count: 1 } });
  const spent = collection.update('a', ({ count }) => {
    if (count < 1) throw new RangeError('not enough coins');
    return { count: count - 1 };
  });
  await appended;
  assert.deepEqual(await spent, { count: 0 });
});

test('its files are like those of the other logs of the bot', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  await collection.set('a', { coins: 1 });
  await collection.set('b', [1]);
  await collection.delete('a');
  assert.equal(await readFile(mirrorPath(dataDir, 'coins'), 'utf8'), JSON.stringify({ b: [1] }, null, 2));
  const entries = (await readLogLines(dataDir, 'coins')).map((line) => JSON.parse(line));
  assert.deepEqual(
    entries.map(({ op, key, value }) => [op, key, value]),
    [
      ['SET', 'a', { coins: 1 }],
      ['SET', 'b', [1]],
      ['DELETE', 'a', undefined],
    ],
  );
});

test('either file may disappear and come back, one at a time', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  await collection.set('a', 1);
  await collection.set('b', 2);
  await unlink(mirrorPath(dataDir, 'coins'));
  assert.deepEqual(await collection.entries(), [
    ['a', 1],
    ['b', 2],
  ]);
  await collection.set('c', 3);
  await writeFile(mirrorPath(dataDir, 'coins'), '{"a":10,"c":3,"d":"by hand"}');
  assert.deepEqual(await collection.entries(), [
    ['a', 10],
    ['c', 3],
    ['d', 'by hand'],
  ]);
  await collection.update('a', (n) => n + 1);
  assert.deepEqual(await storage.rebuildStateFromLog('coins'), { a: 11, c: 3, d: 'by hand' });
  await unlink(logPath(dataDir, 'coins'));
  await unlink(mirrorPath(dataDir, 'coins'));
  assert.equal(await collection.size(), 0);
});

test('creating and reading a collection creates no file', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  assert.equal(await collection.size(), 0);
  await assert.rejects(readFile(mirrorPath(dataDir, 'coins')), { code: 'ENOENT' });
  await assert.rejects(readFile(logPath(dataDir, 'coins')), { code: 'ENOENT' });
});

test('a log with only appended entries gets a JSON file when it is opened as a collection', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', data: { a: 1, b: 2 } });
  const notes = storage.collection('notes');
  await notes.set('c', 3);
  assert.deepEqual(JSON.parse(await readFile(mirrorPath(dataDir, 'notes'), 'utf8')), { a: 1, b: 2, c: 3 });
});

test('flush and close leave the JSON file of an update whose function had not run yet', async (t) => {
  for (const end of ['flush', 'close']) {
    const { storage, dataDir } = await openStorage(t, Storage);
    const calls = [];
    // Nobody has read this folder yet, so the update first reads the value. The next call waits behind it.
    const coins = storage.collection('coins');
    coins.update('a', () => 1).then(() => calls.push('update'));
    coins.set('b', 2).then(() => calls.push('set'));
    await storage[end]();
    assert.deepEqual(calls, ['update', 'set'], end);
    assert.deepEqual(JSON.parse(await readFile(mirrorPath(dataDir, 'coins'), 'utf8')), { a: 1, b: 2 }, end);
  }
});
