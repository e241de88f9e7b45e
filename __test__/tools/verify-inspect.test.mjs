// `verify` and `inspect`, and `readLogLines` under them: every line with its place, on whole, damaged, torn, foreign and
// read-only folders, and beside a bot that writes and compacts. They never change anything.

import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { examine } from '../../bin/support/examine.mjs';
import { readLogLines, Storage } from '../../index.js';
import { busyBot, contentsOf, folderWithPlayers, runCli, runCliJson } from '../support/cli.mjs';
import {
  atEnd,
  closeStorage,
  logPath,
  mirrorPath,
  openStorage,
  temporaryFolder,
  withCrc,
} from '../support/temp.mjs';

const lineOf = (text, number) => text.split('\n')[number - 1];

test('readLogLines returns each line with its place, state and entry', async (t) => {
  const dataDir = await folderWithPlayers(t, 2);
  const file = logPath(dataDir, 'players');
  const whole = await readFile(file, 'utf8');
  await appendFile(file, '{"op":"NOTE"}\n\n{"op":"SET","key":"a","value":}\n{"op":');
  const { lines, isEnd, sizeBytes, next } = readLogLines(file);
  assert.deepEqual(
    lines.map(({ line, state }) => [line, state]),
    [
      [1, 'checked'],
      [2, 'checked'],
      [3, 'plain'],
      [4, 'empty'],
      [5, 'damaged'],
      [6, 'torn'],
    ],
  );
  assert.equal(lines[1].offset, Buffer.byteLength(lineOf(whole, 1)) + 1);
  assert.equal(lines[1].entry.key, 'user1');
  assert.ok(!('_crc' in lines[1].entry));
  assert.equal(lines[4].key, 'a');
  assert.deepEqual([isEnd, next.offset, sizeBytes], [true, sizeBytes, (await readFile(file)).length]);
  assert.deepEqual(readLogLines(file, { offset: lines[2].offset, line: 3 }).lines, lines.slice(2));
  assert.equal(readLogLines(`${file}.none`), null);
});

test('readLogLines reads a large file in pieces that fit together', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'large.log');
  const texts = Array.from({ length: 3000 }, (_, i) =>
    withCrc(JSON.stringify({ op: 'NOTE', i, text: 'é'.repeat(i % 700) })),
  );
  await writeFile(file, `${texts.join('\n')}\n`);
  let from;
  let pieces = 0;
  const seen = [];
  for (let isEnd = false; !isEnd; pieces++) {
    const piece = readLogLines(file, from);
    seen.push(...piece.lines);
    ({ next: from, isEnd } = piece);
  }
  assert.ok(pieces > 1);
  assert.deepEqual(
    seen.map(({ entry }) => entry.i),
    texts.map((_, i) => i),
  );
  assert.deepEqual(seen.at(-1).line, 3000);
  assert.ok(seen.every(({ state }) => state === 'checked'));
});

test('readLogLines refuses wrong arguments', () => {
  for (const [args, code] of [
    [[], 'ERR_INVALID_ARG_TYPE'],
    [[7], 'ERR_INVALID_ARG_TYPE'],
    [[''], 'ERR_INVALID_ARG_VALUE'],
    [['a\0b'], 'ERR_INVALID_ARG_VALUE'],
    [['a', 7], 'ERR_INVALID_ARG_TYPE'],
    [['a', { offset: -1, line: 1 }], 'ERR_INVALID_ARG_VALUE'],
    [['a', { offset: 0, line: 0 }], 'ERR_INVALID_ARG_VALUE'],
    [['a', { offset: 0.5, line: 1 }], 'ERR_INVALID_ARG_VALUE'],
    [['a', { offset: '1', line: 1 }], 'ERR_INVALID_ARG_TYPE'],
  ]) {
    assert.throws(() => readLogLines(...args), { name: 'TypeError', code }, JSON.stringify(args));
  }
});

test('verify: all is well', async (t) => {
  const dataDir = await folderWithPlayers(t);
  const before = await contentsOf(dataDir);
  // The bot's folder works like its data folder.
  for (const folder of [dataDir, path.dirname(dataDir)]) {
    const { code, json } = await runCliJson(t, ['verify', folder]);
    assert.equal(code, 0);
    assert.equal(json.ok, true);
    assert.deepEqual(
      json.files.map(({ file }) => path.basename(file)),
      ['players.log', 'players.json'],
    );
    assert.deepEqual([json.files[0].entries, json.files[0].checked], [5, 5]);
  }
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('verify names line, offset and key of every damaged line', async (t) => {
  const dataDir = await folderWithPlayers(t);
  const file = logPath(dataDir, 'players');
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const offset = Buffer.byteLength(`${lines[0]}\n`);
  lines[1] = lines[1].replace('"totalGames":1', '"totalGames":9');
  lines[3] = 'garbage';
  await writeFile(file, `${lines.join('\n')}\n`);
  const before = await contentsOf(dataDir);
  const result = await runCli(t, ['verify', dataDir]);
  assert.equal(result.code, 1);
  assert.match(result.stdout, new RegExp(`line 2, byte ${offset}, \\d+ bytes, key "user1": its checksum`));
  assert.match(result.stdout, /line 4, byte \d+, 7 bytes: it is not a JSON object/);
  const { json } = await runCliJson(t, ['verify', dataDir]);
  assert.deepEqual(
    json.files[0].damaged.map(({ line, key }) => [line, key]),
    [
      [2, 'user1'],
      [4, null],
    ],
  );
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('verify reports a torn end, and an unfinished operation', async (t) => {
  const dataDir = await folderWithPlayers(t);
  const file = logPath(dataDir, 'players');
  const whole = await readFile(file, 'utf8');
  await writeFile(file, whole.slice(0, -20));
  const torn = await runCliJson(t, ['verify', dataDir]);
  assert.equal(torn.code, 1);
  assert.deepEqual([torn.json.files[0].torn.line, torn.json.files[0].entries], [5, 4]);

  const part = '{"timestamp":"2026-01-01T00:00:00.000Z","op":"SET","data":{"a":1},"_more":1}';
  await writeFile(file, `${whole}${withCrc(part)}\n`);
  const unfinished = await runCliJson(t, ['verify', dataDir]);
  assert.equal(unfinished.code, 1);
  assert.equal(unfinished.json.files[0].torn.offset, Buffer.byteLength(whole));
  await writeFile(file, `${whole}${withCrc(part)}\n${withCrc('{"op":"END","_end":true}')}\n`);
  assert.deepEqual(
    readLogLines(file)
      .lines.slice(-2)
      .map(({ entry, more, endsOperation }) => [entry?.op, more, endsOperation]),
    [
      ['SET', 1, undefined],
      [undefined, undefined, true],
    ],
  );
  assert.equal((await runCliJson(t, ['verify', dataDir])).code, 0);
});

test('an operation of several lines that the bot is writing is waited for', async (t) => {
  const dataDir = await folderWithPlayers(t);
  const file = logPath(dataDir, 'players');
  const part = '{"timestamp":"2026-01-01T00:00:00.000Z","op":"SET","data":{"a":1},"_more":1}';
  await appendFile(file, `${withCrc(part)}\n`);
  const examined = examine(file);
  setTimeout(() => appendFileSync(file, `${withCrc('{"op":"END","_end":true}')}\n`), 60);
  const found = await examined;
  assert.deepEqual([found.torn, found.damaged, found.entries], [null, [], 6]);
});

test('verify reads backups and archives on request, gzip included', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('user', 'Name', 1);
  await storage.compactLog('players');
  await closeStorage(storage);
  const bad = `${withCrc('{"op":"NOTE"}')}\nbad\n`;
  await writeFile(`${logPath(dataDir, 'players')}.backup.1000.gz`, gzipSync(bad));
  await writeFile(`${logPath(dataDir, 'players')}.archive.2000`, withCrc('{"op":"NOTE"}'));
  assert.equal((await runCliJson(t, ['verify', dataDir])).json.files.length, 2);
  const { code, json } = await runCliJson(t, ['verify', dataDir, '--backups']);
  assert.equal(code, 1);
  assert.equal(json.files.length, 5);
  const broken = json.files.filter(({ ok }) => !ok);
  assert.deepEqual(
    broken.map(({ file }) => path.basename(file)),
    ['players.log.backup.1000.gz'],
  );
  assert.equal(broken[0].damaged[0].line, 2);
});

test('verify: a file that is no JSON', async (t) => {
  const dataDir = await folderWithPlayers(t);
  await writeFile(mirrorPath(dataDir, 'players'), '{"user0":');
  const result = await runCli(t, ['verify', dataDir]);
  assert.equal(result.code, 1);
  assert.match(result.stdout, /✘ players\.json/);
});

test('missing paths and logs', async (t) => {
  const dataDir = await folderWithPlayers(t);
  const folder = await temporaryFolder(t);
  for (const command of ['verify', 'inspect']) {
    const nothing = await runCli(t, [command, folder]);
    assert.equal(nothing.code, 5);
    assert.match(nothing.stderr, /There is no data in/);
    const noLog = await runCli(t, [command, dataDir, '--log', 'guilds']);
    assert.equal(noLog.code, 5);
    assert.match(noLog.stderr, /no log 'guilds'.*\n.*players/);
  }
  // Without a path: the folder that the package would take.
  const { json } = await runCliJson(t, ['verify'], { cwd: path.dirname(dataDir) });
  assert.equal(json.dataDir, dataDir);
  const other = await runCliJson(t, ['verify'], { cwd: folder, env: { PROGRESSIVE_STORAGE_DIR: dataDir } });
  assert.equal(other.json.dataDir, dataDir);
});

test('inspect: entries, keys, live share, ages, checkpoints, backups', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 20; i++) await storage.updatePlayerStats(`user${i % 2}`, 'Name', i);
  await storage.compactLog('players');
  await storage.updatePlayerStats('user2', 'Name', 1);
  await storage.saveGameState('c', { round: 1 });
  await storage.clearGameState('c');
  await storage.appendLogEntry('events', { op: 'NOTE', text: 'hello' });
  await closeStorage(storage);
  await writeFile(`${logPath(dataDir, 'players')}.corrupt.1000`, 'bad\n');
  const before = await contentsOf(dataDir);
  const { code, json } = await runCliJson(t, ['inspect', dataDir]);
  assert.equal(code, 0);
  assert.deepEqual(
    json.logs.map(({ name }) => name),
    ['players', 'game_state', 'events'],
  );
  const [players, games, events] = json.logs;
  assert.deepEqual([players.log.entries, players.log.checkpoints, players.keys], [2, 1, 3]);
  assert.ok(players.liveShare > 0.8 && players.liveShare <= 1, `live ${players.liveShare}`);
  assert.deepEqual([players.backups.number, players.corrupt.number], [1, 1]);
  assert.ok(players.log.oldest <= players.log.newest);
  assert.deepEqual([games.keys, games.liveShare], [0, 0]);
  assert.deepEqual([events.keys, events.mirror], [0, null]);
  const one = await runCli(t, ['inspect', dataDir, '--log', 'players']);
  assert.match(one.stdout, /log +[\d.]+ KiB, 2 entries, 3 keys/);
  assert.match(one.stdout, /players\.log\.backup\.\d+/);
  assert.ok(!one.stdout.includes('game_state'));
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('a read-only folder', async (t) => {
  const dataDir = await folderWithPlayers(t);
  await chmod(path.join(dataDir, 'logs'), 0o555);
  await chmod(dataDir, 0o555);
  atEnd(t, () => chmod(dataDir, 0o755).then(() => chmod(path.join(dataDir, 'logs'), 0o755)));
  for (const command of ['verify', 'inspect'])
    assert.equal((await runCli(t, [command, dataDir])).code, 0, command);
});

test('beside a bot that writes and compacts: no damage is reported, and no update is lost', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  await mkdir(dataDir);
  const bot = await busyBot(t, dataDir);
  for (let i = 0; i < 4; i++) {
    const verified = await runCliJson(t, ['verify', dataDir, '--log', 'players']);
    assert.equal(verified.code, 0, verified.stdout);
    const inspected = await runCliJson(t, ['inspect', dataDir]);
    assert.equal(inspected.json.logs[0].keys, 20);
  }
  const { stored, games, stderr } = await bot.stop();
  assert.equal(games, stored);
  assert.equal(stderr, '');
});
