// The log calls, on logs of the caller's own: append, read, replay, compact, measure. Each test checks the result through
// the call and in the bytes on disk, which the bot's old module must be able to read too.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { OpType, Storage } from '../../index.js';
import {
  crc32ByTable,
  crc32Hex,
  lineCrc,
  logPath,
  openStorage,
  readLogLines,
  withCrc,
} from '../support/temp.mjs';

const ISO_FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function writeLog(dataDir, name, entries) {
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const text = entries
    .map((entry) => `${typeof entry === 'string' ? entry : JSON.stringify(entry)}\n`)
    .join('');
  await writeFile(logPath(dataDir, name), text);
}

async function backupsOf(dataDir, name) {
  const names = await readdir(path.join(dataDir, 'logs'));
  return names.filter((file) => file.startsWith(`${name}.log.backup.`)).sort();
}

test('an entry is one line: time, the own properties in their order, the checksum last', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage, { fsync: 'always' });
  const before = Date.now();
  const result = await storage.appendLogEntry('notes', { op: OpType.SET, key: 'k', value: { b: 1, a: [2] } });
  assert.equal(result, undefined);

  const text = await readFile(logPath(dataDir, 'notes'), 'utf8');
  assert.ok(text.endsWith('\n'));
  const [line, ...rest] = await readLogLines(dataDir, 'notes');
  assert.equal(rest.length, 0);
  const { timestamp } = JSON.parse(line);
  assert.match(timestamp, ISO_FORM);
  assert.ok(Date.parse(timestamp) >= before - 1 && Date.parse(timestamp) <= Date.now() + 1);
  const body = JSON.stringify({ timestamp, op: 'SET', key: 'k', value: { b: 1, a: [2] } }).slice(0, -1);
  assert.equal(line, `${body},"_crc":"${lineCrc(line)}"}`);
});

test('the checksum of these tests is the usual CRC-32', () => {
  assert.equal(crc32Hex('123456789'), 'cbf43926');
  assert.equal(crc32ByTable(Buffer.from('123456789')), 0xcbf43926);
});

test('a timestamp in the entry replaces the default and stays first', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', {
    op: 'SET',
    key: 'k',
    value: 1,
    timestamp: '2020-02-02T02:02:02.020Z',
  });
  const [line] = await readLogLines(dataDir, 'notes');
  assert.ok(line.startsWith('{"timestamp":"2020-02-02T02:02:02.020Z","op":"SET","key":"k","value":1'));
  assert.deepEqual(await storage.readLogEntries('notes'), [
    { timestamp: '2020-02-02T02:02:02.020Z', op: 'SET', key: 'k', value: 1 },
  ]);
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

test('reading makes no file and no folder', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  assert.deepEqual(await storage.readLogEntries('notes'), []);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
  assert.equal(await storage.getLogSize('notes'), 0);
  assert.equal(await storage.needsCompaction('notes'), false);
  await assert.rejects(stat(dataDir), { code: 'ENOENT' });
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

test('a log written by hand or by the old module is replayed', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await writeLog(dataDir, 'notes', [
    { timestamp: '2024-01-01T00:00:00.000Z', op: 'SET', key: 'a', value: 1 },
    '  { "op" : "SET" ,\t"value" : [ 1 , 2 ] , "key" : "\\u0062" }  ',
    '',
    '{"op":"SET","key":"b","key":"c","value":1,"value":2}',
    { op: 'CHECKPOINT', state: { d: 4 }, compactedAt: '2024-01-01T00:00:03.000Z' },
    withCrc('{"timestamp":"2024-01-01T00:00:04.000Z","op":"DELETE","key":"a"}'),
  ]);
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"b":[1,2],"c":2,"d":4}');
  const entries = await storage.readLogEntries('notes');
  assert.equal(entries.length, 5);
  assert.deepEqual(entries[4], { timestamp: '2024-01-01T00:00:04.000Z', op: 'DELETE', key: 'a' });
});

test('lines that end in CR LF, and a last line without its newline, are lines', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const lines = ['{"op":"SET","key":"a","value":1}', '{"op":"SET","key":"b","value":2}'];
  await writeFile(logPath(dataDir, 'notes'), lines.join('\r\n'));
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"a":1,"b":2}');
  await storage.appendLogEntry('notes', { op: 'SET', key: 'c', value: 3 });
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"a":1,"b":2,"c":3}');
  assert.equal((await readLogLines(dataDir, 'notes')).length, 3);
});

test('a running process follows the log when its file is replaced, extended or removed', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'a', value: 1 });
  await writeLog(dataDir, 'notes', [{ op: 'SET', key: 'replaced', value: true }]);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { replaced: true });
  await writeFile(logPath(dataDir, 'notes'), '{"op":"SET","key":"more","value":1}\n', { flag: 'a' });
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { replaced: true, more: 1 });
  await unlink(logPath(dataDir, 'notes'));
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
  await storage.appendLogEntry('notes', { op: 'SET', key: 'new', value: 2 });
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { new: 2 });
  assert.equal((await storage.readLogEntries('notes')).length, 1);
});

test('the caller may change a rebuilt state', async (t) => {
  const { storage } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'a', value: { list: [1] } });
  const state = await storage.rebuildStateFromLog('notes');
  state.a.list.push(2);
  state.b = 1;
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { a: { list: [1] } });
});

test('compaction leaves one checkpoint, and keeps the old log as a backup', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 30; i++)
    await storage.appendLogEntry('notes', { op: 'SET', key: `k${i % 3}`, value: i });
  await storage.appendLogEntry('notes', { op: 'DELETE', key: 'k1' });
  const before = await readFile(logPath(dataDir, 'notes'), 'utf8');
  await storage.compactLog('notes');

  const lines = await readLogLines(dataDir, 'notes');
  assert.equal(lines.length, 1);
  assert.ok(lines[0].startsWith('{"op":"CHECKPOINT","state":{"k0":27,"k2":29},"compactedAt":"'), lines[0]);
  assert.equal(lines[0], withCrc(lines[0]));
  const [checkpoint] = await storage.readLogEntries('notes');
  assert.deepEqual(Object.keys(checkpoint), ['op', 'state', 'compactedAt']);
  assert.match(checkpoint.compactedAt, ISO_FORM);

  const backups = await backupsOf(dataDir, 'notes');
  assert.equal(backups.length, 1);
  assert.match(backups[0], /^notes\.log\.backup\.\d+$/);
  assert.equal(await readFile(path.join(dataDir, 'logs', backups[0]), 'utf8'), before);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), { k0: 27, k2: 29 });

  await storage.appendLogEntry('notes', { op: 'SET', key: 'k1', value: 'after' });
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), '{"k0":27,"k2":29,"k1":"after"}');
  assert.deepEqual(
    await readdir(path.join(dataDir, 'logs')).then((names) => names.filter((n) => n.endsWith('.tmp'))),
    [],
  );
});

test('the newest three backups are kept, also when compactions share a millisecond', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 6; i++) {
    await storage.appendLogEntry('notes', { op: 'SET', key: 'i', value: i });
    await storage.compactLog('notes');
  }
  const backups = await backupsOf(dataDir, 'notes');
  assert.equal(backups.length, 3);
  const values = [];
  for (const name of backups) {
    const last = (await readFile(path.join(dataDir, 'logs', name), 'utf8')).trimEnd().split('\n').at(-1);
    values.push(JSON.parse(last).value);
  }
  assert.deepEqual(values, [3, 4, 5]);
});

test('the new backup is kept, also after the clock was set back', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'a', value: 1 });
  const hourAhead = Date.now() + 3_600_000;
  for (let i = 0; i < 3; i++)
    await writeFile(`${logPath(dataDir, 'notes')}.backup.${hourAhead + i}`, 'old\n');
  const before = await readFile(logPath(dataDir, 'notes'), 'utf8');
  await storage.compactLog('notes');
  const backups = await backupsOf(dataDir, 'notes');
  const contents = await Promise.all(
    backups.map((name) => readFile(path.join(dataDir, 'logs', name), 'utf8')),
  );
  assert.equal(contents.length, 3);
  assert.ok(contents.includes(before), 'the log as it was before this compaction');
});

test('compaction without a log leaves a log with an empty checkpoint', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.compactLog('notes');
  const lines = await readLogLines(dataDir, 'notes');
  assert.equal(lines.length, 1);
  assert.ok(lines[0].startsWith('{"op":"CHECKPOINT","state":{},"compactedAt":"'));
  assert.deepEqual(await backupsOf(dataDir, 'notes'), []);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
});

test('a large state is compacted into several checkpoints of about a megabyte', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const value = 'x'.repeat(1000);
  const data = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`key${i}`, value]));
  await storage.appendLogEntry('notes', { op: 'SET', data });
  await storage.compactLog('notes');
  const lines = await readLogLines(dataDir, 'notes');
  assert.ok(lines.length > 1, 'more than one line');
  for (const line of lines) {
    assert.ok(line.length < 1.1 * 1024 * 1024, `a line of ${line.length} bytes`);
    assert.equal(JSON.parse(line).op, 'CHECKPOINT');
  }
  assert.equal(JSON.stringify(await storage.rebuildStateFromLog('notes')), JSON.stringify(data));
});

test('entries appended while a compaction runs are in the new log', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
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
  assert.equal(JSON.parse((await readLogLines(dataDir, 'notes'))[0]).op, 'CHECKPOINT');
});

test('size and threshold', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value: 'é' });
  const size = await storage.getLogSize('notes');
  assert.equal(size, (await stat(logPath(dataDir, 'notes'))).size);
  assert.equal(await storage.needsCompaction('notes'), false);
  assert.equal(await storage.needsCompaction('notes', size), false);
  assert.equal(await storage.needsCompaction('notes', size - 1), true);
  assert.equal(await storage.needsCompaction('notes', 0), true);

  // The default threshold is 1 MiB, and a log of exactly that size does not exceed it.
  await writeLog(dataDir, 'exact', [{ op: 'NOTE', text: '' }]);
  const missing = 1024 * 1024 - (await stat(logPath(dataDir, 'exact'))).size;
  await writeLog(dataDir, 'exact', [{ op: 'NOTE', text: 'x'.repeat(missing) }]);
  assert.equal(await storage.getLogSize('exact'), 1024 * 1024);
  assert.equal(await storage.needsCompaction('exact'), false);
  await writeFile(logPath(dataDir, 'exact'), '\n', { flag: 'a' });
  assert.equal(await storage.needsCompaction('exact'), true);
});

test('a log that only appendLogEntry uses gets no JSON file', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'a', value: 1 });
  await storage.compactLog('notes');
  await storage.close();
  const files = (await readdir(dataDir)).filter((name) => name.endsWith('.json'));
  assert.deepEqual(files, []);
});

test('log names may be in any language', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const name of ['with space', 'журнал', 'a.b', 'UPPER', 'é'.repeat(100), '日本', '-dash', 'players2']) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'name', value: name });
    assert.deepEqual(await storage.rebuildStateFromLog(name), { name });
    assert.ok((await stat(logPath(dataDir, name))).isFile());
  }
});

test('the three logs of the bot take entries too, and their state follows', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 10);
  await storage.appendLogEntry('players', { op: 'SET', key: 'u2', value: { userId: 'u2', totalScore: 50 } });
  await storage.appendLogEntry('players', { op: 'DELETE', key: 'u1' });
  assert.deepEqual(await storage.loadPlayers(), { u2: { userId: 'u2', totalScore: 50 } });
  assert.deepEqual(JSON.parse(await readFile(path.join(dataDir, 'players.json'), 'utf8')), {
    u2: { userId: 'u2', totalScore: 50 },
  });
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
