// The index of a log: when there is one, and that the data is the same with it, without it and in a copy. What is believed of it
// is tested in Rust (`src/files/tests/index.rs`).

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { atEnd, temporaryFolder, waitUntil } from '../support/temp.mjs';

const indexOf = (dataDir, log) => path.join(dataDir, '.progressive-storage', `${log}.index`);

function opened(t, dataDir) {
  const storage = new Storage({ dataDir });
  atEnd(t, () => storage.close());
  return storage;
}

async function entriesIn(t, dataDir) {
  const storage = opened(t, dataDir);
  const entries = await storage.collection('guilds').entries();
  await storage.close();
  return entries;
}

const fill = (collection, count, bytes) =>
  Promise.all(
    Array.from({ length: count }, (_, index) =>
      collection.set(`g${index % 100}`, { index, text: 'é'.repeat(bytes / 2) }),
    ),
  );

test('a log of a MiB or more has one after a clean end, and the data is the same with it and without', async (t) => {
  const dataDir = await temporaryFolder(t);
  const storage = opened(t, dataDir);
  await fill(storage.collection('guilds'), 400, 4000);
  await storage.collection('small').set('a', 1);
  const entries = await storage.collection('guilds').entries();
  assert.ok(!existsSync(indexOf(dataDir, 'guilds')), 'while it is small');
  await storage.close();
  assert.ok(existsSync(indexOf(dataDir, 'guilds')));
  assert.ok(!existsSync(indexOf(dataDir, 'small')));
  assert.deepEqual(await entriesIn(t, dataDir), entries);

  const index = await readFile(indexOf(dataDir, 'guilds'));
  assert.ok(!index.includes('é'), 'it has no values');
  index[index.length >> 1] ^= 1;
  await writeFile(indexOf(dataDir, 'guilds'), index);
  assert.deepEqual(await entriesIn(t, dataDir), entries);
  await rm(indexOf(dataDir, 'guilds'));
  assert.deepEqual(await entriesIn(t, dataDir), entries);
});

test('it is written while the log grows, and a copy of the folder does not believe it', async (t) => {
  const dataDir = await temporaryFolder(t);
  const storage = opened(t, dataDir);
  const guilds = storage.collection('guilds');
  await fill(guilds, 2500, 4000);
  await guilds.set('last', 1);
  await waitUntil(() => existsSync(indexOf(dataDir, 'guilds')), { what: 'the index' });
  await guilds.set('g1', 'behind it');
  const entries = await guilds.entries();
  const copy = await temporaryFolder(t);
  await cp(dataDir, copy, { recursive: true });
  assert.deepEqual(await entriesIn(t, copy), entries);
  await storage.compactLog('guilds');
  await guilds.set('g2', 'after a compaction');
  const compacted = await guilds.entries();
  await storage.close();
  assert.deepEqual(await entriesIn(t, dataDir), compacted);
});
