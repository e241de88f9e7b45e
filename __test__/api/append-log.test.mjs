// The log calls, on logs of the caller's own: append, read, replay, compact, measure. `files/append-log` tests their bytes
// on disk.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpType, Storage } from '../../index.js';
import { openStorage } from '../support/temp.mjs';

const ISO_FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

test('an entry: time, then the own properties in their order', async (t) => {
  const { storage } = await openStorage(t, Storage, { fsync: 'always' });
  const before = Date.now();
  const result = await storage.appendLogEntry('notes', { op: OpType.SET, key: 'k', value: { b: 1, a: [2] } });
  assert.equal(result, undefined);

  const [entry, ...rest] = await storage.readLogEntries('notes');
  assert.equal(rest.length, 0);
  const { timestamp } = entry;
  assert.match(timestamp, ISO_FORM);
  assert.ok(Date.parse(timestamp) >= before - 1 && Date.parse(timestamp) <= Date.now() + 1);
  assert.equal(
    JSON.stringify(entry),
    JSON.stringify({ timestamp, op: 'SET', key: 'k', value: { b: 1, a: [2] } }),
  );
});

test('a timestamp in the entry replaces the default and stays first', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const timestamp = '2020-02-02T02:02:02.020Z';
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value: 1, timestamp });
  assert.equal(
    JSON.stringify(await storage.readLogEntries('notes')),
    JSON.stringify([{ timestamp, op: 'SET', key: 'k', value: 1 }]),
  );
});

test('values are written as JSON.stringify writes them', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const value = {
    date: new Date(0),
    custom: { toJSON: () => ({ kind: 'custom' }) },
    nothing: undefined,
    call() {},
    notANumber: Number.NaN,
    array: [undefined, Number.POSITIVE_INFINITY, null],
    nested: { deep: { deeper: [[], {}] } },
    text: 'line\nbreak "quoted" \u2028 é 😀 \0',
  };
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value, extra: true });
  const [entry] = await storage.readLogEntries('notes');
  assert.deepEqual(entry.value, JSON.parse(JSON.stringify(value)));
  assert.equal(entry.extra, true);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { k: JSON.parse(JSON.stringify(value)) });
});

test('entries are read in order, and a missing log has none', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual(await storage.readLogEntries('notes'), []);
  const promises = [];
  for (let i = 0; i < 200; i++) promises.push(storage.appendLogEntry('notes', { op: 'NOTE', i }));
  await Promise.all(promises);
  const entries = await storage.readLogEntries('notes');
  assert.deepEqual(
    entries.map((entry) => entry.i),
    Array.from({ length: 200 }, (_, i) => i),
  );
  for (const entry of entries) assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'i']);
});

test('a log that nobody wrote is empty', async (t) => {
  const { storage } = await openStorage(t, Storage);
  assert.deepEqual(await storage.readLogEntries('notes'), []);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
  assert.equal(await storage.getLogSize('notes'), 0);
  assert.equal(await storage.needsCompaction('notes'), false);
});

test('SET sets a key, or all keys of its data', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: OpType.SET, key: 'a', value: 1 });
  await storage.appendLogEntry('notes', { op: OpType.SET, data: { b: 2, a: 3, c: null } });
  await storage.appendLogEntry('notes', { op: OpType.SET, key: 'd', value: false });
  const state = await storage.rebuildStateFromLog('notes');
  assert.equal(JSON.stringify(state), '{"a":3,"b":2,"c":null,"d":false}');
});

test('SET without a value removes the key, and with an empty key it merges its data', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: OpType.SET, data: { a: 1, b: 2 } });
  await storage.appendLogEntry('notes', { op: OpType.SET, key: 'a' });
  await storage.appendLogEntry('notes', { op: OpType.SET, key: '', value: 9, data: { c: 3 } });
  await storage.appendLogEntry('notes', { op: OpType.SET });
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"b":2,"c":3}');
});

test('DELETE removes a key, which comes last when it is set again', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: OpType.SET, data: { a: 1, b: 2 } });
  await storage.appendLogEntry('notes', { op: OpType.DELETE, key: 'a' });
  await storage.appendLogEntry('notes', { op: OpType.DELETE, key: 'never there' });
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"b":2}');
  await storage.appendLogEntry('notes', { op: OpType.SET, key: 'a', value: 3 });
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"b":2,"a":3}');
});

test('CHECKPOINT merges and does not clear; other operations, or none, change nothing', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: OpType.SET, data: { a: 1, b: 2 } });
  await storage.appendLogEntry('notes', { op: OpType.CHECKPOINT, state: { b: 3, c: 4 } });
  await storage.appendLogEntry('notes', { op: 'NOTE', key: 'a', value: 5, data: { a: 6 }, state: { a: 7 } });
  await storage.appendLogEntry('notes', { op: 'set', key: 'a', value: 8 });
  await storage.appendLogEntry('notes', { key: 'a', value: 9 });
  await storage.appendLogEntry('notes', {});
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"a":1,"b":3,"c":4}');
  assert.equal((await storage.readLogEntries('notes')).length, 6);
});

test('the caller may change a rebuilt state', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'a', value: { list: [1] } });
  const state = await storage.rebuildStateFromLog('notes');
  state.a.list.push(2);
  state.b = 1;
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { a: { list: [1] } });
});

test('compaction leaves one checkpoint', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (let i = 0; i < 30; i++)
    await storage.appendLogEntry('notes', { op: 'SET', key: `k${i % 3}`, value: i });
  await storage.appendLogEntry('notes', { op: 'DELETE', key: 'k1' });
  await storage.compactLog('notes');

  const [checkpoint, ...rest] = await storage.readLogEntries('notes');
  assert.equal(rest.length, 0);
  const { compactedAt } = checkpoint;
  assert.equal(
    JSON.stringify(checkpoint),
    JSON.stringify({ op: 'CHECKPOINT', state: { k0: 27, k2: 29 }, compactedAt }),
  );
  assert.match(compactedAt, ISO_FORM);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { k0: 27, k2: 29 });

  await storage.appendLogEntry('notes', { op: 'SET', key: 'k1', value: 'after' });
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"k0":27,"k2":29,"k1":"after"}');
});

test('compaction without a log leaves a log with an empty checkpoint', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.compactLog('notes');
  const [checkpoint, ...rest] = await storage.readLogEntries('notes');
  assert.equal(rest.length, 0);
  assert.equal(checkpoint.op, 'CHECKPOINT');
  assert.deepEqual(checkpoint.state, {});
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
});

test('a large state is compacted into several checkpoints of about a megabyte', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const value = 'x'.repeat(1000);
  const data = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`key${i}`, value]));
  await storage.appendLogEntry('notes', { op: 'SET', data });
  await storage.compactLog('notes');
  const entries = await storage.readLogEntries('notes');
  assert.ok(entries.length > 1, 'more than one entry');
  for (const entry of entries) {
    const { length } = JSON.stringify(entry);
    assert.ok(length < 1.1 * 1024 * 1024, `an entry of ${length} bytes`);
    assert.equal(entry.op, 'CHECKPOINT');
  }
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), JSON.stringify(data));
});

test('entries appended while a compaction runs are in the new log', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const value = 'x'.repeat(200);
  const data = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, value]));
  await storage.appendLogEntry('notes', { op: 'SET', data });
  let compacting = true;
  const compaction = storage.compactLog('notes').then(() => {
    compacting = false;
  });
  let appended = 0;
  while (compacting || appended < 20) {
    await storage.appendLogEntry('notes', { op: 'SET', key: `late${appended}`, value: appended });
    appended++;
  }
  await compaction;
  const state = await storage.rebuildStateFromLog('notes');
  assert.equal(Object.keys(state).length, 5000 + appended);
  assert.equal((await storage.readLogEntries('notes'))[0].op, 'CHECKPOINT');
});

test('size and threshold', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value: 'é' });
  const size = await storage.getLogSize('notes');
  assert.ok(size > 0);
  assert.equal(await storage.needsCompaction('notes'), false);
  assert.equal(await storage.needsCompaction('notes', size), false);
  assert.equal(await storage.needsCompaction('notes', size - 1), true);
  assert.equal(await storage.needsCompaction('notes', 0), true);

  // The default threshold is 1 MiB, and a log of exactly that size does not exceed it.
  for (const [name, surplus] of [
    ['exact', 0],
    ['over', 1],
  ]) {
    await storage.appendLogEntry(`empty ${name}`, { op: 'NOTE', text: '' });
    const missing = 1024 * 1024 - (await storage.getLogSize(`empty ${name}`)) + surplus;
    await storage.appendLogEntry(name, { op: 'NOTE', text: 'x'.repeat(missing) });
    assert.equal(await storage.getLogSize(name), 1024 * 1024 + surplus);
    assert.equal(await storage.needsCompaction(name), surplus > 0, name);
  }
});

test('log names may be in any language', async (t) => {
  const { storage } = await openStorage(t, Storage);
  for (const name of ['with space', 'журнал', 'a.b', 'UPPER', 'é'.repeat(100), '日本', '-dash', 'players2']) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'name', value: name });
    assert.deepEqual(await storage.rebuildStateFromLog(name), { name });
  }
});

test('the three logs of the bot take entries too, and their state follows', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 10);
  await storage.appendLogEntry('players', { op: 'SET', key: 'u2', value: { userId: 'u2', totalScore: 50 } });
  await storage.appendLogEntry('players', { op: 'DELETE', key: 'u1' });
  assert.deepEqual(await storage.loadPlayers(), { u2: { userId: 'u2', totalScore: 50 } });
  await storage.appendLogEntry('game_state', { op: 'SET', data: { c1: { round: 1 }, c2: { round: 2 } } });
  assert.deepEqual(await storage.loadGameState('c2'), { round: 2 });
});

test('the next process has everything', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'always' });
  await storage.appendLogEntry('notes', { op: 'SET', key: 'a', value: 1 });
  await storage.compactLog('notes');
  await storage.appendLogEntry('notes', { op: 'SET', key: 'b', value: 2 });
  await storage.close();
  const again = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await again.storage.rebuildStateFromLog('notes'), { a: 1, b: 2 });
  assert.equal((await again.storage.readLogEntries('notes')).length, 2);
});
