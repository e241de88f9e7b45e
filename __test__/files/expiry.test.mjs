// What the files say of keys that end by themselves: the lines of the log, and the JSON file, which shows what is not over.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { logPath, mirrorPath, openCollection, readLogLines, waitUntil } from '../support/temp.mjs';

const over = () => ({ expiresAt: Date.now() - 1000 });

const shown = async (dataDir) => JSON.parse(await readFile(mirrorPath(dataDir, 'coins'), 'utf8'));

test('a line says when its key ends, and one line removes all that is over', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  const expiresAt = Date.now() + 3_600_000;
  await collection.set('a', 1, { expiresAt });
  for (let number = 0; number < 500; number++) await collection.set(`k${number}`, number, over());
  const before = await readLogLines(dataDir, 'coins');
  assert.match(before[0], new RegExp(`,"value":1,"_expires":${expiresAt},"_crc":"[0-9a-f]{8}"}$`));
  const expired = before.filter((line) => line.includes('"op":"EXPIRE"'));
  assert.equal(expired.length, 499, 'each write removes what the one before it left over');
  await collection.set('b', 1);
  const lines = (await readLogLines(dataDir, 'coins')).slice(before.length);
  assert.equal(lines.length, 2);
  assert.match(lines[0], /^\{"timestamp":"[^"]+","op":"EXPIRE","_until":\d+,"_crc":"[0-9a-f]{8}"\}$/);
  assert.deepEqual(await shown(dataDir), { a: 1, b: 1 });
});

test('a checkpoint says when its keys end', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const expiresAt = Date.now() + 3_600_000;
  await collection.set('a', 1, { expiresAt });
  await collection.set('b', 2);
  await collection.set('c', 3, over());
  await storage.compactLog('coins');
  const [line, ...more] = await readLogLines(dataDir, 'coins');
  assert.equal(more.length, 0);
  const { op, state, _expires } = JSON.parse(line);
  assert.deepEqual([op, state, _expires], ['CHECKPOINT', { a: 1, b: 2 }, { a: expiresAt }]);
});

test('a key that ends while nobody writes stays in the JSON file, which is no edit', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const edits = [];
  storage.on('externalEdit', (event) => edits.push(event));
  await collection.set('a', 1);
  await collection.set('b', 1, { ttlMs: 100 });
  await waitUntil(async () => !(await collection.has('b')), { what: 'the end of b' });
  await storage.close();
  const again = await openCollection(t, Storage, 'coins', { dataDir });
  again.storage.on('externalEdit', (event) => edits.push(event));
  assert.deepEqual(await again.collection.entries(), [['a', 1]]);
  await again.collection.set('c', 1);
  assert.deepEqual(await shown(dataDir), { a: 1, c: 1 });
  assert.deepEqual(edits, []);
});

test('an edit by hand keeps the time of a key', async (t) => {
  const { collection, dataDir } = await openCollection(t, Storage);
  const expiresAt = Date.now() + 3_600_000;
  await collection.set('a', 1, { expiresAt });
  await collection.set('b', 1);
  await writeFile(mirrorPath(dataDir, 'coins'), JSON.stringify({ a: 7, b: 1 }));
  assert.equal(await collection.get('a'), 7);
  assert.equal(await collection.expiresAt('a'), expiresAt);
  await collection.set('c', 1);
  const log = await readFile(logPath(dataDir, 'coins'), 'utf8');
  assert.match(log, new RegExp(`"key":"a","value":7,"_expires":${expiresAt},"_edit":"`));
  assert.equal(await collection.expiresAt('a'), expiresAt);
});

test('a line that somebody formatted anew still says when its keys end', async (t) => {
  const { collection, storage, dataDir } = await openCollection(t, Storage);
  const expiresAt = Date.now() + 3_600_000;
  await collection.set('a', 1, { expiresAt });
  await storage.compactLog('coins');
  await collection.set('b', 1, { expiresAt });
  await collection.set('c', 1, over());
  await collection.set('d', 1);
  await storage.close();
  const lines = (await readLogLines(dataDir, 'coins')).map((line) => {
    const { _crc, ...entry } = JSON.parse(line);
    return `${JSON.stringify(entry, null, 1).replaceAll('\n', ' ')}\n`;
  });
  await writeFile(logPath(dataDir, 'coins'), lines.join(''));
  const again = (await openCollection(t, Storage, 'coins', { dataDir })).collection;
  assert.deepEqual(await again.keys(), ['a', 'b', 'd']);
  assert.equal(await again.expiresAt('a'), expiresAt);
  assert.equal(await again.expiresAt('b'), expiresAt);
});
