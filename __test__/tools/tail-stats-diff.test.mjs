// `tail`, `stats` and `diff`: what is written and what differs, on whole folders, on edited ones, and beside a bot that
// writes and compacts. They never change anything.

import assert from 'node:assert/strict';
import { appendFile, cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Storage } from '../../index.js';
import {
  busyBot,
  contentsOf,
  folderWithPlayers,
  notOnDeno,
  runCli,
  runCliJson,
  startCli,
} from '../support/cli.mjs';
import {
  atEnd,
  closeStorage,
  logPath,
  mirrorPath,
  openStorage,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

const jsonLines = (text) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('tail: the newest entries, oldest first', async (t) => {
  const dataDir = await folderWithPlayers(t, 15);
  const before = await contentsOf(dataDir);
  const ten = await runCli(t, ['tail', dataDir]);
  assert.equal(ten.code, 0);
  const lines = ten.stdout.trimEnd().split('\n');
  assert.equal(lines.length, 10);
  assert.match(lines[0], /^\d{4}-\S+Z {2}SET {2}user5 {2}\{"userId":"user5"/);
  const three = await runCli(t, ['tail', dataDir, '-n', '3', '--json']);
  assert.deepEqual(
    jsonLines(three.stdout).map(({ key }) => key),
    ['user12', 'user13', 'user14'],
  );
  assert.equal((await runCli(t, ['tail', dataDir, '-n', '0'])).stdout, '');
  assert.equal((await runCli(t, ['tail', dataDir, '-n', 'x'])).code, 2);
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('tail -f: every entry once and in order, over compactions, until Ctrl-C', {
  skip: notOnDeno,
}, async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('events', { op: 'NOTE', i: -1 });
  const { child, output, ended } = await startCli(t, ['tail', dataDir, '--log', 'events', '-f', '--json']);
  await waitUntil(() => output.stdout.includes('"i":-1'), { what: 'the first entry' });
  const total = 60;
  for (let i = 0; i < total; i++) {
    await storage.appendLogEntry('events', { op: 'NOTE', i });
    // A log of plain entries has an empty checkpoint, so the entries before it are read from the backup.
    if (i % 20 === 19) await storage.compactLog('events');
    if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
  }
  await waitUntil(() => output.stdout.includes(`"i":${total - 1}`), { what: 'the last entry' });
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  assert.equal(code, 130);
  const seen = jsonLines(stdout)
    .filter(({ op }) => op === 'NOTE')
    .map(({ i }) => i);
  assert.deepEqual(seen, [-1, ...Array.from({ length: total }, (_, i) => i)]);
});

test('tail -f waits for a line that is not whole yet', { skip: notOnDeno }, async (t) => {
  const dataDir = await folderWithPlayers(t, 1);
  const { child, output, ended } = await startCli(t, ['tail', dataDir, '-f', '-n', '0', '--json']);
  atEnd(t, () => child.kill('SIGKILL'));
  const file = logPath(dataDir, 'players');
  await waitUntil(
    async () => {
      // It may miss entries from before its first read, so these have another op.
      await appendFile(file, '{"op":"READY"}\n');
      return output.stdout.includes('READY');
    },
    { what: 'it to follow', everyMs: 100 },
  );
  await appendFile(file, '{"op":"SET","key":"half","va');
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.ok(!output.stdout.includes('half'));
  await appendFile(file, 'lue":1}\n');
  await waitUntil(() => output.stdout.includes('{"op":"SET","key":"half","value":1}'), { what: 'the line' });
  child.kill('SIGINT');
  assert.equal((await ended).code, 130);
});

test('stats: operations, days, sizes, the keys that change most', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await storage.updatePlayerStats(key, 'Name', 1);
  await storage.savePlayers({ a: { bio: 'x'.repeat(3000) }, b: {} });
  await closeStorage(storage);
  const { code, json } = await runCliJson(t, ['stats', dataDir, '--top', '2']);
  assert.equal(code, 0);
  const [players] = json.logs;
  assert.equal(players.keys, 2);
  assert.deepEqual(
    players.busiest.map(({ key }) => key),
    ['a', 'b'],
  );
  assert.equal(players.busiest[0].changes, 4);
  assert.equal(players.largest[0].key, 'a');
  assert.ok(players.largest[0].bytes > 3000);
  assert.equal(
    Object.values(players.operations).reduce((sum, number) => sum + number),
    players.entries,
  );
  assert.equal(
    Object.values(players.days).reduce((sum, number) => sum + number),
    players.entries,
  );
  assert.ok(
    players.entryBytes.median <= players.entryBytes.p99 && players.entryBytes.p99 <= players.entryBytes.max,
  );
  assert.match((await runCli(t, ['stats', dataDir])).stdout, /change most +a \(4\), b \(\d\), c \(\d\)/);
});

test('diff: log and JSON file', async (t) => {
  const dataDir = await folderWithPlayers(t, 3);
  const same = await runCliJson(t, ['diff', dataDir]);
  assert.equal(same.code, 0);
  assert.deepEqual(
    same.json.comparisons.map(({ log, same: isSame }) => [log, isSame]),
    [['players', true]],
  );
  const file = mirrorPath(dataDir, 'players');
  const players = JSON.parse(await readFile(file, 'utf8'));
  players.user0.totalScore = 99;
  delete players.user1;
  players.user9 = { userId: 'user9' };
  await writeFile(file, JSON.stringify(players));
  const before = await contentsOf(dataDir);
  const { code, json } = await runCliJson(t, ['diff', dataDir]);
  assert.equal(code, 1);
  assert.deepEqual(
    json.comparisons[0].changes.map(({ key, from, to }) => [key, from?.totalScore, to?.totalScore]).sort(),
    [
      ['user0', 99, 0],
      ['user1', undefined, 1],
      ['user9', undefined, undefined],
    ],
  );
  const text = (await runCli(t, ['diff', dataDir])).stdout;
  assert.match(text, /players\.json → players\.log: 3 keys differ, 1 the same/);
  assert.match(text, /^ {6}~ "user0"\n {10}~ totalScore: 99 → 0\n/m);
  assert.match(text, /^ {6}\+ "user1": \{"userId":"user1",.*\}$/m);
  assert.match(text, /^ {6}- "user9": \{"userId":"user9"\}$/m);
  assert.deepEqual(await contentsOf(dataDir), before);
  await writeFile(file, '[]');
  const broken = await runCli(t, ['diff', dataDir]);
  assert.equal(broken.code, 3);
  assert.match(broken.stderr, /is not a JSON object/);
});

test('diff: log and backup, gzip included', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 1);
  await storage.compactLog('players');
  await storage.updatePlayerStats('a', 'Ann', 2);
  await closeStorage(storage);
  const { code, json } = await runCliJson(t, ['diff', dataDir, '--backup', 'newest']);
  assert.equal(code, 1);
  const [{ changes }] = json.comparisons;
  assert.deepEqual([changes[0].from.totalScore, changes[0].to.totalScore], [1, 3]);
  await writeFile(
    `${logPath(dataDir, 'players')}.backup.1000.gz`,
    gzipSync(await readFile(logPath(dataDir, 'players'))),
  );
  assert.equal((await runCli(t, ['diff', dataDir, '--backup', '1000'])).code, 0);
  assert.equal((await runCli(t, ['diff', dataDir, '--backup', '7', '--log', 'players'])).code, 5);
  const none = await runCliJson(t, ['diff', dataDir, '--backup', '5']);
  assert.deepEqual([none.code, none.json.error.code], [5, 'ERR_NO_BACKUP']);
  assert.match(none.json.error.hint, /1000/, 'those that there are');
});

test('diff: a backup with damage is reported with its own name, compressed or not', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('a', 'Ann', 1);
  await storage.compactLog('players');
  await closeStorage(storage);
  const damaged = Buffer.concat([
    Buffer.from('{"op":"SET","key":"a","value":}\n'),
    await readFile(logPath(dataDir, 'players')),
  ]);
  await writeFile(`${logPath(dataDir, 'players')}.backup.1000`, damaged);
  await writeFile(`${logPath(dataDir, 'players')}.backup.2000.gz`, gzipSync(damaged));
  for (const [number, name] of [
    ['1000', 'players.log.backup.1000'],
    ['2000', 'players.log.backup.2000.gz'],
  ]) {
    const { stderr } = await runCli(t, ['diff', dataDir, '--backup', number]);
    const file = path.join(dataDir, 'logs', name);
    assert.ok(
      stderr.includes(`note: progressive-storage: [PS_LOG_DAMAGED] The log '${file}' is damaged`),
      stderr,
    );
    assert.doesNotMatch(stderr, /state\.log/);
    assert.equal(stderr.split('note:').length, 2, 'once');
  }
});

test('diff: two folders', async (t) => {
  const dataDir = await folderWithPlayers(t, 2);
  const copy = path.join(await temporaryFolder(t), 'copy');
  await cp(dataDir, copy, { recursive: true });
  assert.equal((await runCli(t, ['diff', dataDir, copy])).code, 0);
  const { storage } = await openStorage(t, Storage, { dataDir: copy });
  await storage.collection('guilds').set('g', { a: 1 });
  await closeStorage(storage);
  const { code, json } = await runCliJson(t, ['diff', dataDir, copy]);
  assert.equal(code, 1);
  assert.deepEqual(
    json.comparisons.map(({ log, changes }) => [log, changes]),
    [
      ['players', []],
      ['guilds', [{ key: 'g', to: { a: 1 } }]],
    ],
  );
});

test('beside a bot that writes and compacts', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const bot = await busyBot(t, dataDir);
  for (let i = 0; i < 2; i++) {
    assert.equal((await runCliJson(t, ['stats', dataDir])).json.logs[0].keys, 20);
    const { json } = await runCliJson(t, ['diff', dataDir, dataDir]);
    assert.equal(json.comparisons[0].log, 'players');
    const tail = await runCli(t, ['tail', dataDir, '--json']);
    assert.equal(tail.code, 0);
    assert.ok(jsonLines(tail.stdout).length > 0);
  }
  const { stored, games, stderr } = await bot.stop();
  assert.equal(games, stored);
  assert.equal(stderr, '');
});
