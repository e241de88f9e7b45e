// `history`, `undo` and `restore`: the past of a key and of a folder, and how to get it back. A change is a new entry or a
// new folder; the old data is kept.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import * as restore from '../../bin/commands/restore.mjs';
import { Endings } from '../../bin/support/endings.mjs';
import { Terminal } from '../../bin/support/terminal.mjs';
import { columnsOf } from '../../bin/support/visible.mjs';
import { Storage } from '../../index.js';
import { busyBot, contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { folderWithHistory, playersOf, scoreOf } from '../support/player-history.mjs';
import {
  closeStorage,
  logPath,
  mirrorPath,
  openStorage,
  readLogLines,
  temporaryFolder,
} from '../support/temp.mjs';

test('history: every value with time and file, across a compaction', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const before = await contentsOf(dataDir);
  const { code, json } = await runCliJson(t, ['history', 'ann', dataDir]);
  assert.equal(code, 0);
  assert.deepEqual(
    json.history.map(({ value }) => value.totalScore),
    [10, 30, 70],
  );
  assert.equal(json.now.totalScore, 70);
  const text = await runCli(t, ['history', 'ann', dataDir]);
  const [title, ...lines] = text.stdout.trimEnd().split('\n');
  assert.equal(title, '"ann" in players');
  // Line by line: when, what, where, and below it what changed.
  const heads = [...lines.keys()].filter((at) => /^ {2}\d{4}-\S+Z {2}/.test(lines[at]));
  assert.deepEqual(
    heads.map((at) => lines[at].replace(/^ {2}(\S+) {2}(\S+) +(\S+)$/, '$2 $3').replace(/\d{5,}/, 'N')),
    ['SET players.log.backup.N', 'SET players.log.backup.N', 'SET players.log'],
  );
  const second = lines.slice(heads[1] + 1, heads[2]);
  assert.ok(second.includes('      ~ totalScore: 10 → 30'));
  assert.match(second.at(-1), /^ {6}\+ gamesHistory\[\]: \{"date":"\S+","score":20,.*\}$/);
  assert.ok(second.every((line) => line.startsWith('      ~ ') || line === second.at(-1)));
  assert.ok(lines.includes('      + userId: "ann"'), 'of the first value, all came');
  // The newest values, and no line wider than the terminal.
  const newest = await runCliJson(t, ['history', 'ann', dataDir, '-n', '2']);
  assert.deepEqual(newest.json.history, json.history.slice(-2));
  for (const columns of [120, 80, 60, 40]) {
    const narrow = await runCli(t, ['history', 'ann', dataDir], { env: { COLUMNS: String(columns) } });
    const fitted = narrow.stdout.trimEnd().split('\n');
    assert.equal(fitted.length, lines.length + 1);
    for (const line of fitted) assert.ok(columnsOf(line) <= columns, `${columns}: ${line}`);
    assert.ok(fitted.includes('      ~ totalScore: 10 → 30'));
  }
  const whole = await runCli(t, ['history', 'ann', dataDir, '--values'], { env: { COLUMNS: '40' } });
  assert.ok(whole.stdout.includes(JSON.stringify(json.history[2].value)), 'whole values are whole');
  const since = await runCliJson(t, ['history', 'ann', dataDir, '--since', between]);
  assert.deepEqual(
    since.json.history.map(({ value }) => value.totalScore),
    [70],
  );
  const unknown = await runCli(t, ['history', 'nobody', dataDir]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stdout, /never seen/);
  assert.equal((await runCli(t, ['history', 'ann', dataDir, '--since', 'yesterday'])).code, 2);
  assert.equal((await runCli(t, ['history', 'ann', dataDir, '--log', 'none'])).code, 5);
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('history shows an edit that is not logged yet', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const players = JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
  players.ann.totalScore = 1000;
  await writeFile(mirrorPath(dataDir, 'players'), JSON.stringify(players));
  const { stdout, code } = await runCli(t, ['history', 'ann', dataDir]);
  assert.equal(code, 0);
  assert.match(stdout, /Now it is edited in the JSON file.*:\n {6}~ totalScore: 70 → 1000\n$/);
});

test('undo: the value before, as a new entry; and an undo of the undo', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const lines = await readLogLines(dataDir, 'players');
  const asked = await runCli(t, ['undo', 'ann', dataDir]);
  assert.equal(asked.code, 4);
  assert.match(asked.stdout, /totalScore: 70 → 30/);
  assert.deepEqual(await readLogLines(dataDir, 'players'), lines);
  assert.equal((await runCli(t, ['undo', 'ann', dataDir, '--dry-run'])).code, 0);
  assert.deepEqual(await readLogLines(dataDir, 'players'), lines);

  const { code, json } = await runCliJson(t, ['undo', 'ann', dataDir, '--yes']);
  assert.equal(code, 0);
  assert.equal(json.done, true);
  assert.deepEqual(
    (await readLogLines(dataDir, 'players')).slice(0, -1),
    lines,
    'nothing is taken out of the log',
  );
  assert.equal(await scoreOf(t, dataDir, 'ann'), 30);
  assert.equal((await runCli(t, ['undo', 'ann', dataDir, '--yes'])).code, 0);
  assert.equal(await scoreOf(t, dataDir, 'ann'), 70);
});

test('undo --to a time, also from before the key existed', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  assert.equal((await runCli(t, ['undo', 'ann', dataDir, '--to', between, '--yes'])).code, 0);
  assert.equal(await scoreOf(t, dataDir, 'ann'), 30);
  assert.equal((await runCli(t, ['undo', 'cat', dataDir, '--to', between, '--yes'])).code, 0);
  assert.ok(!('cat' in (await playersOf(t, dataDir))));
  assert.match((await readLogLines(dataDir, 'players')).at(-1), /"op":"DELETE","key":"cat"/);
  // The removal can be undone too.
  assert.equal((await runCli(t, ['undo', 'cat', dataDir, '--yes'])).code, 0);
  assert.equal(await scoreOf(t, dataDir, 'cat'), 1);
  const same = await runCli(t, ['undo', 'ben', dataDir, '--to', between, '--yes']);
  assert.equal(same.code, 0);
  assert.match(same.stdout, /nothing to do/);
});

test('undo without a recorded value', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const unknown = await runCli(t, ['undo', 'nobody', dataDir, '--yes']);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /never seen/);
  for (const name of await readdir(path.join(dataDir, 'logs'))) {
    if (name.includes('.backup.')) await rm(path.join(dataDir, 'logs', name));
  }
  const gone = await runCli(t, ['undo', 'ben', dataDir, '--yes']);
  assert.equal(gone.code, 3);
  assert.match(gone.stderr, /No other value/);
  const early = await runCli(t, ['undo', 'ben', dataDir, '--to', '2020-01-01T00:00:00Z', '--yes']);
  assert.equal(early.code, 3);
});

test('restore: all logs of a time, in a new folder', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const before = await contentsOf(dataDir);
  const target = path.join(await temporaryFolder(t), 'then');
  const { code, json } = await runCliJson(t, [
    'restore',
    dataDir,
    '--at',
    between,
    '--into',
    target,
    '--yes',
  ]);
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual(json.logs, [{ name: 'players', keys: 2 }]);
  assert.deepEqual(await contentsOf(dataDir), before);
  const players = await playersOf(t, target);
  assert.deepEqual(Object.keys(players), ['ann', 'ben']);
  assert.equal(players.ann.totalScore, 30);
  assert.deepEqual(JSON.parse(await readFile(mirrorPath(target, 'players'), 'utf8')), players);
  assert.equal((await runCli(t, ['verify', target])).code, 0);
  assert.deepEqual(await readdir(path.dirname(target)), ['then'], 'nothing else is left');
});

test('restore: Ctrl-C while it closes the new folder', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const place = await temporaryFolder(t);
  const endings = new Endings();
  const terminal = new Terminal({ json: true, stdout: new Writable({ write: (_, __, done) => done() }) });
  const { waiting } = terminal;
  let interrupted;
  terminal.waiting = async (label, ...rest) => {
    const result = await waiting.call(terminal, label, ...rest);
    // The close begins at once and ends with a message from the writer thread, which comes later than this.
    if (label === 'Syncing')
      interrupted = new Promise((resolve, reject) => {
        setImmediate(() => endings.run().then(resolve, reject));
      });
    return result;
  };
  await restore.run({
    terminal,
    options: { at: between, into: 'then', yes: true },
    positionals: [dataDir],
    cwd: place,
    atEnd: (work) => endings.add(work),
  });
  await interrupted;
  assert.deepEqual(await readdir(place), ['then'], 'it was written by then, and nothing else is left');
  assert.equal((await playersOf(t, path.join(place, 'then'))).ann.totalScore, 30);
});

test('restore refuses what it cannot do, and leaves no files', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const place = await temporaryFolder(t);
  const target = path.join(place, 'then');
  const restore = (...args) => runCli(t, ['restore', dataDir, '--yes', ...args]);
  assert.equal((await restore('--at', between)).code, 2);
  assert.equal((await restore('--into', target)).code, 2);
  assert.equal((await restore('--at', 'soon', '--into', target)).code, 2);
  const full = await restore('--at', between, '--into', dataDir);
  assert.equal(full.code, 3);
  assert.match(full.stderr, /not empty/);
  assert.equal((await runCli(t, ['restore', dataDir, '--at', between, '--into', target])).code, 4);
  assert.deepEqual(await readdir(place), []);
});

test('restore to a time before a log begins is refused, also with --yes', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const place = await temporaryFolder(t);
  const target = path.join(place, 'then');
  const restore = (...args) => runCliJson(t, ['restore', dataDir, '--into', target, '--yes', ...args]);
  const early = await restore('--at', '1d');
  assert.deepEqual([early.code, early.json.error?.code], [3, 'ERR_NO_HISTORY']);
  assert.match(early.json.error.message, /'players' .* it begins at 20/);
  // One log begins later, and another one only has its JSON file.
  const { storage } = await openStorage(t, Storage, { dataDir });
  await storage.saveGameState('channel', { round: 1 });
  await closeStorage(storage);
  await writeFile(
    mirrorPath(dataDir, 'tokens'),
    '{"lastUpdated":"2020-01-01T00:00:00.000Z","count":0,"tokens":[]}',
  );
  const mixed = await restore('--at', between);
  assert.deepEqual([mixed.code, mixed.json.error?.code], [3, 'ERR_NO_HISTORY']);
  const tokens = await restore('--at', between, '--log', 'tokens');
  assert.match(tokens.json.error?.message ?? '', /'tokens' .* only its JSON file/);
  assert.deepEqual(await readdir(place), [], 'nothing was written');
  assert.equal((await restore('--at', between, '--log', 'players')).code, 0);
  assert.equal(await scoreOf(t, target, 'ann'), 30);
});

test('restore names keys that came later from the JSON file, and refuses also with --yes', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const edit = async (key) => {
    const players = JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
    players[key] = { userId: key, totalScore: 1 };
    await writeFile(mirrorPath(dataDir, 'players'), JSON.stringify(players));
  };
  await edit('logged');
  const { storage } = await openStorage(t, Storage, { dataDir, logger: null });
  await storage.updatePlayerStats('ben', 'Ben', 1);
  await closeStorage(storage);
  await edit('waiting');
  const target = path.join(await temporaryFolder(t), 'then');
  const args = ['restore', dataDir, '--at', between, '--into', target];
  const { code, json } = await runCliJson(t, [...args, '--yes']);
  assert.deepEqual([code, json.error?.code], [3, 'ERR_NO_HISTORY']);
  const shown = await runCli(t, [...args, '--dry-run']);
  for (const key of ['"logged"', '"waiting"']) assert.ok(shown.stdout.includes(key), shown.stdout);
  assert.ok(!shown.stdout.includes('"cat"'), 'that one came as an entry');
  assert.equal((await runCli(t, args)).code, 3, 'nobody is there to answer');
  assert.deepEqual(await readdir(path.dirname(target)), []);
});

test('undo --to a time before a key came from the JSON file is refused', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const players = JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
  players.edited = { userId: 'edited', totalScore: 1 };
  await writeFile(mirrorPath(dataDir, 'players'), JSON.stringify(players));
  const { storage } = await openStorage(t, Storage, { dataDir, logger: null });
  await storage.updatePlayerStats('ben', 'Ben', 1);
  await closeStorage(storage);
  for (const to of [['--to', between], []]) {
    const { code, json } = await runCliJson(t, ['undo', 'edited', dataDir, '--yes', ...to]);
    assert.deepEqual([code, json.error?.code], [3, 'ERR_NO_HISTORY']);
  }
  assert.equal(await scoreOf(t, dataDir, 'edited'), 1);
  // A key that came as an entry did not exist before it.
  assert.equal((await runCli(t, ['undo', 'cat', dataDir, '--yes', '--to', between])).code, 0);
  assert.equal(await scoreOf(t, dataDir, 'cat'), undefined);
});

test('undo --to and restore --at with a clock that was ahead for a while', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const line = (hoursAgo, totalScore) =>
    `${JSON.stringify({ timestamp: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(), op: 'SET', key: 'ann', value: { userId: 'ann', totalScore } })}\n`;
  await writeFile(logPath(dataDir, 'players'), line(5, 1) + line(-100, 2) + line(3, 3) + line(1, 4));
  const target = path.join(path.dirname(dataDir), 'then');
  assert.equal((await runCli(t, ['restore', dataDir, '--at', '0s', '--into', target, '--yes'])).code, 0);
  assert.equal(await scoreOf(t, target, 'ann'), 4);
  assert.equal((await runCli(t, ['undo', 'ann', dataDir, '--to', '2h', '--yes'])).code, 0);
  assert.equal(await scoreOf(t, dataDir, 'ann'), 3);
});

test('an empty key is restored, and repaired, like any other', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('coins', { op: 'SET', data: { '': 1, a: 2 } });
  await storage.collection('coins').set('b', 3);
  await storage.compactLog('coins');
  await closeStorage(storage);
  const target = path.join(await temporaryFolder(t), 'then');
  const { code, json } = await runCliJson(t, ['restore', dataDir, '--at', '0s', '--into', target, '--yes']);
  assert.equal(code, 0, JSON.stringify(json));
  const expected = { '': 1, a: 2, b: 3 };
  assert.deepEqual(JSON.parse(await readFile(mirrorPath(target, 'coins'), 'utf8')), expected);
  await rm(mirrorPath(dataDir, 'coins'));
  await writeFile(logPath(dataDir, 'coins'), '');
  assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
  assert.deepEqual(JSON.parse(await readFile(mirrorPath(dataDir, 'coins'), 'utf8')), expected);
});

test('beside a bot that writes and compacts, no update is lost', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const bot = await busyBot(t, dataDir);
  const { storage } = await openStorage(t, Storage, { dataDir });
  await storage.collection('guilds').set('g', 1);
  await storage.collection('guilds').set('g', 2);
  assert.equal((await runCli(t, ['history', 'user3', dataDir])).code, 0);
  assert.equal((await runCli(t, ['undo', 'g', dataDir, '--log', 'guilds', '--yes'])).code, 0);
  assert.equal(await storage.collection('guilds').get('g'), 1, 'the running process sees it');
  assert.equal((await runCli(t, ['compact', dataDir])).code, 0);
  assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
  const target = path.join(path.dirname(dataDir), 'then');
  assert.equal((await runCli(t, ['restore', dataDir, '--at', '0s', '--into', target, '--yes'])).code, 0);
  assert.equal(Object.keys(await playersOf(t, target)).length, 20);
  const { stored, games, stderr } = await bot.stop();
  assert.equal(games, stored);
  assert.equal(stderr, '');
});
