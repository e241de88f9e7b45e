// Tests of services/append-log.js. Run from the bot's folder: node tests/append-log.test.js
// Works on data/logs/test_log.log and removes it before every case.

import assert from 'node:assert';
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  appendLogEntry,
  CompactionScheduler,
  compactLog,
  getLogSize,
  needsCompaction,
  OpType,
  readLogEntries,
  rebuildStateFromLog,
} from '../services/append-log.js';

const LOG = 'test_log';
const LOGS_DIR = path.join(process.cwd(), 'data', 'logs');
const LOG_FILE = path.join(LOGS_DIR, `${LOG}.log`);

let passed = 0;
let failed = 0;

async function backups() {
  const names = await fs.readdir(LOGS_DIR);
  return names.filter((name) => name.startsWith(`${LOG}.log.backup.`)).sort();
}

async function cleanup() {
  await fs.mkdir(LOGS_DIR, { recursive: true });
  await fs.unlink(LOG_FILE).catch(() => {});
  for (const name of await backups()) await fs.unlink(path.join(LOGS_DIR, name));
}

async function test(title, run) {
  try {
    await cleanup();
    await run();
    passed++;
    console.log(`PASS ${title}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${title}`);
    console.log(error);
  }
}

console.log('=== append-log ===');

await test('append', async () => {
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user1', value: { score: 100 } });
  const content = await fs.readFile(LOG_FILE, 'utf8');
  assert.ok(content.endsWith('\n'), 'a line must end with a newline');
  const lines = content.trim().split('\n');
  assert.strictEqual(lines.length, 1);
  const entry = JSON.parse(lines[0]);
  assert.strictEqual(entry.op, 'SET');
  assert.strictEqual(entry.key, 'user1');
  assert.deepStrictEqual(entry.value, { score: 100 });
  assert.ok(!Number.isNaN(Date.parse(entry.timestamp)), 'an entry must carry its time');

  await appendLogEntry(LOG, { op: OpType.SET, key: 'user2', value: { score: 50 } });
  assert.strictEqual((await fs.readFile(LOG_FILE, 'utf8')).trim().split('\n').length, 2);
});

await test('read', async () => {
  assert.deepStrictEqual(await readLogEntries(LOG), []);
  await appendLogEntry(LOG, { op: OpType.SET, key: 'a', value: 1 });
  await appendLogEntry(LOG, { op: OpType.SET, key: 'b', value: 2 });
  await appendLogEntry(LOG, { op: OpType.DELETE, key: 'a' });
  const entries = await readLogEntries(LOG);
  assert.deepStrictEqual(
    entries.map((entry) => [entry.op, entry.key]),
    [
      ['SET', 'a'],
      ['SET', 'b'],
      ['DELETE', 'a'],
    ],
  );

  // Somebody replaces the file while the bot runs.
  await fs.writeFile(LOG_FILE, `${JSON.stringify({ op: 'SET', key: 'only', value: true })}\n`);
  assert.deepStrictEqual(await readLogEntries(LOG), [{ op: 'SET', key: 'only', value: true }]);

  await fs.unlink(LOG_FILE);
  assert.deepStrictEqual(await readLogEntries(LOG), []);
});

await test('SET', async () => {
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user1', value: { score: 100 } });
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user1', value: { score: 200 } });
  await appendLogEntry(LOG, { op: OpType.SET, data: { user2: { score: 7 }, user3: { score: 8 } } });
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), {
    user1: { score: 200 },
    user2: { score: 7 },
    user3: { score: 8 },
  });
});

await test('DELETE', async () => {
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user1', value: { score: 100 } });
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user2', value: { score: 200 } });
  await appendLogEntry(LOG, { op: OpType.DELETE, key: 'user1' });
  await appendLogEntry(LOG, { op: OpType.DELETE, key: 'nobody' });
  const state = await rebuildStateFromLog(LOG);
  assert.deepStrictEqual(state, { user2: { score: 200 } });
  assert.ok(!('user1' in state));
});

await test('rebuild', async () => {
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), {});
  const lines = [
    { timestamp: '2024-01-01T00:00:00.000Z', op: 'SET', key: 'a', value: 1 },
    { timestamp: '2024-01-01T00:00:01.000Z', op: 'SET', data: { b: 2, c: 3 } },
    { timestamp: '2024-01-01T00:00:02.000Z', op: 'DELETE', key: 'b' },
    { op: 'CHECKPOINT', state: { d: 4 }, compactedAt: '2024-01-01T00:00:03.000Z' },
    { timestamp: '2024-01-01T00:00:04.000Z', op: 'SOMETHING', key: 'a', value: 99 },
    { timestamp: '2024-01-01T00:00:05.000Z', op: 'SET', key: 'e', value: [5] },
  ];
  await fs.writeFile(LOG_FILE, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), { a: 1, c: 3, d: 4, e: [5] });

  // A line added by hand counts too, and so does one after it.
  await fs.appendFile(LOG_FILE, `${JSON.stringify({ op: 'SET', key: 'f', value: 6 })}\n`);
  await appendLogEntry(LOG, { op: OpType.SET, key: 'a', value: 10 });
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), { a: 10, c: 3, d: 4, e: [5], f: 6 });
});

await test('compaction', async () => {
  for (let i = 0; i < 50; i++) {
    await appendLogEntry(LOG, { op: OpType.SET, key: `user${i % 5}`, value: { score: i } });
  }
  const before = await rebuildStateFromLog(LOG);
  const sizeBefore = await getLogSize(LOG);
  const contentBefore = await fs.readFile(LOG_FILE, 'utf8');
  await compactLog(LOG);

  assert.deepStrictEqual(await rebuildStateFromLog(LOG), before);
  assert.ok((await getLogSize(LOG)) < sizeBefore, 'the log must be smaller');
  const names = await backups();
  assert.strictEqual(names.length, 1);
  assert.strictEqual(await fs.readFile(path.join(LOGS_DIR, names[0]), 'utf8'), contentBefore);

  for (let i = 0; i < 5; i++) {
    await appendLogEntry(LOG, { op: OpType.SET, key: 'round', value: i });
    await compactLog(LOG);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.strictEqual((await backups()).length, 3, 'the newest three backups are kept');
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), { ...before, round: 4 });
});

await test('checkpoint', async () => {
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user1', value: { score: 100 } });
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user2', value: { score: 200 } });
  await compactLog(LOG);
  const [checkpoint, ...rest] = await readLogEntries(LOG);
  assert.strictEqual(rest.length, 0);
  assert.strictEqual(checkpoint.op, OpType.CHECKPOINT);
  assert.deepStrictEqual(checkpoint.state, { user1: { score: 100 }, user2: { score: 200 } });
  assert.ok(!Number.isNaN(Date.parse(checkpoint.compactedAt)));

  await appendLogEntry(LOG, { op: OpType.DELETE, key: 'user1' });
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user3', value: { score: 300 } });
  assert.strictEqual((await readLogEntries(LOG)).length, 3);
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), { user2: { score: 200 }, user3: { score: 300 } });
});

await test('size', async () => {
  assert.strictEqual(await getLogSize(LOG), 0);
  assert.strictEqual(await needsCompaction(LOG), false);
  await appendLogEntry(LOG, { op: OpType.SET, key: 'user1', value: { score: 100 } });
  const size = await getLogSize(LOG);
  assert.strictEqual(size, (await fs.stat(LOG_FILE)).size);
  assert.strictEqual(await needsCompaction(LOG), false);
  assert.strictEqual(await needsCompaction(LOG, size), false);
  assert.strictEqual(await needsCompaction(LOG, size - 1), true);

  const scheduler = new CompactionScheduler(60000);
  assert.strictEqual(scheduler.isRunning, false);
  scheduler.start([LOG]);
  scheduler.start([LOG]);
  assert.strictEqual(scheduler.isRunning, true);
  scheduler.stop();
  scheduler.stop();
  assert.strictEqual(scheduler.isRunning, false);
});

await test('crash recovery', async () => {
  // What a bot that died leaves: a log, and nothing else.
  const lines = [];
  for (let i = 1; i <= 20; i++) {
    lines.push(
      JSON.stringify({ timestamp: new Date().toISOString(), op: 'SET', key: `p${i % 4}`, value: { i } }),
    );
  }
  await fs.writeFile(LOG_FILE, `${lines.join('\n')}\n`);
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), {
    p1: { i: 17 },
    p2: { i: 18 },
    p3: { i: 19 },
    p0: { i: 20 },
  });
  await appendLogEntry(LOG, { op: OpType.SET, key: 'p0', value: { i: 21 } });
  assert.strictEqual((await readLogEntries(LOG)).length, 21);
  assert.deepStrictEqual((await rebuildStateFromLog(LOG)).p0, { i: 21 });

  // The folder of the logs is gone altogether, as on a fresh machine.
  await fs.rm(LOGS_DIR, { recursive: true });
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), {});
  await appendLogEntry(LOG, { op: OpType.SET, key: 'fresh', value: 1 });
  assert.deepStrictEqual(await rebuildStateFromLog(LOG), { fresh: 1 });
});

await cleanup();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
