// The log calls in bytes: the line of an entry, logs that others wrote, checkpoints, backups, sizes. `api/append-log` tests
// what the same calls answer.

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

test('a timestamp in the entry stays first in the line', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const timestamp = '2020-02-02T02:02:02.020Z';
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value: 1, timestamp });
  const [line] = await readLogLines(dataDir, 'notes');
  assert.ok(line.startsWith('{"timestamp":"2020-02-02T02:02:02.020Z","op":"SET","key":"k","value":1'));
});

test('reading makes no file and no folder', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  assert.deepEqual(await storage.readLogEntries('notes'), []);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
  assert.equal(await storage.getLogSize('notes'), 0);
  assert.equal(await storage.needsCompaction('notes'), false);
  await assert.rejects(stat(dataDir), { code: 'ENOENT' });
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

test('the size is that of the file, and a log of exactly 1 MiB is not over the threshold', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('notes', { op: 'SET', key: 'k', value: 'é' });
  assert.equal(await storage.getLogSize('notes'), (await stat(logPath(dataDir, 'notes'))).size);

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

test('each log name is the name of its file', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const name of ['with space', 'журнал', 'a.b', 'UPPER', 'é'.repeat(100), '日本', '-dash', 'players2']) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'name', value: name });
    assert.ok((await stat(logPath(dataDir, name))).isFile());
  }
});

test('entries in a log of the bot reach its JSON file', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 10);
  await storage.appendLogEntry('players', { op: 'SET', key: 'u2', value: { userId: 'u2', totalScore: 50 } });
  await storage.appendLogEntry('players', { op: 'DELETE', key: 'u1' });
  assert.deepEqual(JSON.parse(await readFile(path.join(dataDir, 'players.json'), 'utf8')), {
    u2: { userId: 'u2', totalScore: 50 },
  });
});
