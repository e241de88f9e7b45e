// `export` and `import`: the data in forms that other programs read, and back without a difference.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { sqlValue } from '../../bin/formats/sqlite.mjs';
import { csvLine, parseCsv } from '../../bin/support/csv.mjs';
import { Storage } from '../../index.js';
import { busyBot, contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { closeStorage, openStorage, readLogLines, temporaryFolder } from '../support/temp.mjs';

const sqlite = await import('node:sqlite').catch(() => undefined);

async function folderWithPlayers(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('101', 'Ann, "the \n best" ', 7.5, true, 1, 2);
  await storage.updatePlayerStats('102', '=1+1', -3);
  await storage.updatePlayerStats('ben', 'Bén 😀', 1e21);
  await storage.saveGameState('channel', { round: 1, open: true });
  await closeStorage(storage);
  const { storage: again } = await openStorage(t, Storage, { dataDir });
  const players = await again.loadPlayers();
  await closeStorage(again);
  return { dataDir, players };
}

async function stateOf(t, dataDir, name) {
  const { storage } = await openStorage(t, Storage, { dataDir });
  const entries = await storage.collection(name).entries();
  await closeStorage(storage);
  return Object.fromEntries(entries);
}

test('json to stdout, one log and several', async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  const before = await contentsOf(dataDir);
  const one = await runCli(t, ['export', dataDir]);
  assert.equal(one.code, 0);
  assert.equal(one.stdout, `${JSON.stringify(players, null, 2)}\n`);
  const both = JSON.parse(
    (await runCli(t, ['export', dataDir, '--log', 'players', '--log', 'game_state'])).stdout,
  );
  assert.deepEqual(both.players, players);
  assert.equal(both.game_state.channel.round, 1);
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('jsonl: keys and values, or the entries of the log', async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  const lines = (text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const state = lines((await runCli(t, ['export', dataDir, '-f', 'jsonl'])).stdout);
  assert.deepEqual(Object.fromEntries(state.map(({ key, value }) => [key, value])), players);
  const entries = lines((await runCli(t, ['export', dataDir, '--entries'])).stdout);
  assert.deepEqual(
    entries.map(({ op, key }) => [op, key]),
    [
      ['SET', '101'],
      ['SET', '102'],
      ['SET', 'ben'],
    ],
  );
});

test('csv: quoting, and a column for each property', async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  const { stdout } = await runCli(t, ['export', dataDir, '--format', 'csv']);
  const [head, ...rows] = parseCsv(stdout);
  assert.deepEqual(head, ['key', ...Object.keys(players[101])]);
  assert.deepEqual(
    rows.map((row) => row[0]),
    ['101', '102', 'ben'],
  );
  assert.equal(rows[0][head.indexOf('username')], players[101].username);
  assert.deepEqual(JSON.parse(rows[0][head.indexOf('gamesHistory')]), players[101].gamesHistory);
  assert.deepEqual(parseCsv('a,"b ""c""\n",\r\n\r\n,x'), [
    ['a', 'b "c"\n', ''],
    ['', 'x'],
  ]);
});

test('a file: the form follows from its ending, it is whole or missing, and only --force replaces it', async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  const place = await temporaryFolder(t);
  const output = path.join(place, 'players.json');
  const { code, json } = await runCliJson(t, ['export', dataDir, '-o', output]);
  assert.equal(code, 0);
  assert.deepEqual(json.counts, { players: 3 });
  assert.deepEqual(JSON.parse(await readFile(output, 'utf8')), players);
  const again = await runCli(t, ['export', dataDir, '-o', output]);
  assert.equal(again.code, 3);
  assert.match(again.stderr, /--force/);
  assert.equal((await runCli(t, ['export', dataDir, '-o', output, '--force'])).code, 0);
  assert.equal((await runCli(t, ['export', dataDir, '-o', path.join(place, 'none', 'x.json')])).code, 3);
  assert.deepEqual(await readdir(place), ['players.json']);
  for (const args of [
    ['-f', 'xml'],
    ['-f', 'sqlite'],
    ['-f', 'csv', '--entries'],
    ['-f', 'csv', '--log', 'players', '--log', 'game_state'],
  ]) {
    assert.equal((await runCli(t, ['export', dataDir, ...args])).code, 2, args.join(' '));
  }
  assert.equal((await runCli(t, ['export', dataDir, '--log', 'none'])).code, 5);
  if (process.platform !== 'win32')
    assert.equal((await stat(output)).mode & 0o777, 0o666 & ~process.umask(), 'as any other new file');
});

test('csv: a formula is text for a spreadsheet, and comes back unchanged', () => {
  const guarded = (text) => csvLine([text]).replace(/\r\n$/, '');
  for (const text of ['=HYPERLINK("http://x")', '+1 2', '-x', '@SUM(A1)', '＝1', "'=1", "''@x", '=', '-']) {
    assert.ok(parseCsv(guarded(text))[0][0] === text, text);
    assert.match(guarded(text), /^"?'/, text);
  }
  for (const text of ['\t=1', '\r=1', '\n=1']) {
    assert.match(guarded(text), /^"?'/, JSON.stringify(text));
    assert.equal(parseCsv(guarded(text))[0][0], text);
  }
  // Numbers are no formulas, and neither is a text with such a character inside.
  for (const text of ['-3', '-1.5e-7', '-100123', "'x", 'a=1', 'x@y', '']) assert.equal(guarded(text), text);
  assert.equal(guarded(-3), '-3');
});

test('sqlite: whole numbers of up to 64 bits are INTEGER, others REAL', () => {
  for (const [value, type, given] of [
    [3, 'bigint', 3n],
    [-7, 'bigint', -7n],
    [2 ** 53, 'bigint', 9007199254740992n],
    [-(2 ** 63), 'bigint', -9223372036854775808n],
    [2 ** 63, 'number', 2 ** 63],
    [1e21, 'number', 1e21],
    [1.5, 'number', 1.5],
    [true, 'bigint', 1n],
    ['3', 'string', '3'],
  ]) {
    assert.equal(typeof sqlValue(value), type, String(value));
    assert.equal(sqlValue(value), given);
  }
  assert.equal(sqlValue(undefined), null);
});

test('sqlite: without node:sqlite the error says what to do', {
  skip: sqlite && 'this runtime has it',
}, async (t) => {
  const { dataDir } = await folderWithPlayers(t);
  const output = path.join(await temporaryFolder(t), 'bot.sqlite');
  const { code, stderr } = await runCli(t, ['export', dataDir, '-o', output]);
  assert.equal(code, 3);
  assert.match(stderr, /Node 22\.5/);
});

test('sqlite: a table for each log', { skip: !sqlite && 'this runtime has no node:sqlite' }, async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  const output = path.join(await temporaryFolder(t), 'bot.sqlite');
  const { code, json } = await runCliJson(t, ['export', dataDir, '-o', output]);
  assert.equal(code, 0);
  assert.deepEqual(json.counts, { players: 3, game_state: 1 });
  const database = new sqlite.DatabaseSync(output);
  const rows = database
    .prepare('SELECT key, value, username, totalScore FROM players ORDER BY totalScore DESC')
    .all();
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['ben', '101', '102'],
  );
  assert.deepEqual(JSON.parse(rows[1].value), players[101]);
  assert.equal(rows[2].username, '=1+1');
  const types = database.prepare(
    'SELECT key, typeof(totalGames) AS games, typeof(totalScore) AS score FROM players',
  );
  assert.deepEqual(
    types.all().map(({ key, games, score }) => [key, games, score]),
    [
      ['101', 'integer', 'real'],
      ['102', 'integer', 'integer'],
      ['ben', 'integer', 'real'],
    ],
  );
  assert.equal(database.prepare('SELECT open FROM game_state').get().open, 1);
  database.close();
});

test('sqlite: logs whose names are no table names, or differ only in case', {
  skip:
    (!sqlite && 'this runtime has no node:sqlite') ||
    (['win32', 'darwin'].includes(process.platform) && 'these are the same file'),
}, async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [n, name] of ['sqlite_stat', 'coins', 'Coins'].entries()) {
    await storage.collection(name).set('a', { n });
  }
  await closeStorage(storage);
  const output = path.join(await temporaryFolder(t), 'bot.sqlite');
  const { code, json } = await runCliJson(t, ['export', dataDir, '-o', output]);
  assert.equal(code, 0, JSON.stringify(json));
  const database = new sqlite.DatabaseSync(output);
  const found = ['_sqlite_stat', 'coins', 'Coins_', 'Coins', 'coins_']
    .filter((table) => database.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table))
    .map((table) => database.prepare(`SELECT n FROM "${table}"`).get().n);
  assert.deepEqual(found.sort(), [0, 1, 2]);
  database.close();
});

test('every form comes back unchanged', async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  for (const format of ['json', 'jsonl', 'csv']) {
    const place = await temporaryFolder(t);
    const file = path.join(place, `players.${format}`);
    assert.equal((await runCli(t, ['export', dataDir, '-o', file])).code, 0);
    const { storage, dataDir: other } = await openStorage(t, Storage);
    await storage.saveGameState('c', {});
    await closeStorage(storage);
    const { code, json } = await runCliJson(t, ['import', file, other, '--yes']);
    assert.equal(code, 0, JSON.stringify(json));
    assert.deepEqual([json.added, json.changed, json.done], [3, 0, true]);
    assert.deepEqual(await stateOf(t, other, 'players'), players, format);
    const again = await runCliJson(t, ['import', file, other, '--yes']);
    assert.equal(again.json.same, 3);
    assert.equal((await readLogLines(other, 'players')).length, 3, 'what is the same is not written');
  }
});

test('import: new and changed keys are shown first; --replace removes the others', async (t) => {
  const { dataDir, players } = await folderWithPlayers(t);
  const file = path.join(await temporaryFolder(t), 'new.json');
  await writeFile(
    file,
    JSON.stringify({ 101: { ...players[101], totalScore: 99 }, 102: players[102], new: { a: 1 } }),
  );
  const before = await contentsOf(dataDir);
  const asked = await runCli(t, ['import', file, dataDir, '--replace']);
  assert.equal(asked.code, 4);
  assert.match(asked.stdout, /new +1\n +changed +1\n +the same +1\n +removed +1/);
  assert.deepEqual(await contentsOf(dataDir), before);
  assert.equal((await runCli(t, ['import', file, dataDir, '--yes'])).code, 0);
  assert.deepEqual(Object.keys(await stateOf(t, dataDir, 'players')), ['101', '102', 'ben', 'new']);
  assert.equal((await runCli(t, ['import', file, dataDir, '--yes', '--replace'])).code, 0);
  assert.deepEqual(Object.keys(await stateOf(t, dataDir, 'players')), ['101', '102', 'new']);
});

test('import: unusable files are refused before anything is written', async (t) => {
  const { dataDir } = await folderWithPlayers(t);
  const place = await temporaryFolder(t);
  const before = await contentsOf(dataDir);
  for (const [name, text, said, ...more] of [
    ['a.json', '[1]', /does not hold a JSON object/],
    ['b.json', '{"a":', /is not JSON/],
    ['c.jsonl', '{"key":"a","value":1}\n{"key":"a","value":2}\n', /twice/],
    ['d.jsonl', '{"key":"a"}\n', /Line 1 .* no value/],
    ['e.jsonl', '{"value":1}\n', /without a key/],
    ['f.csv', 'id,score\n1,2\n', /no column 'key'/],
    ['g.txt', 'x', /format .* not known/],
    ['h.csv', 'key,name\r\n"ann","An', /ends within quotes/],
    ['i.json', '{"a":{"n":1}}', /no value and time of the key "a"/, '--expires'],
    [
      'j.json',
      '{"a":{"value":1,"expiresAt":"soon"}}',
      /expiresAt of the key "a" that is no time/,
      '--expires',
    ],
    ['k.jsonl', '{"key":"a","value":1,"expiresAt":null}\n', /expiresAt of the key "a" that is no time/],
    ['l.csv', 'key,n\na,1\n', /no column 'expiresAt'/, '--expires'],
    ['m.csv', 'key,expiresAt,n\na,soon,1\n', /expiresAt of the key "a" that is no time/, '--expires'],
  ]) {
    const file = path.join(place, name);
    await writeFile(file, text);
    const { code, stderr } = await runCli(t, ['import', file, dataDir, '--yes', ...more]);
    assert.equal(code, 2, name);
    assert.match(stderr, said);
  }
  assert.equal((await runCli(t, ['import', path.join(place, 'none.json'), dataDir, '--yes'])).code, 2);
  assert.deepEqual(await contentsOf(dataDir), before);
  // A byte order mark is no content.
  for (const [name, text] of [
    ['a.json', '{"ann":{"n":1}}'],
    ['b.jsonl', '{"key":"ann","value":{"n":1}}\n'],
    ['c.csv', 'key,n\r\nann,1\r\n'],
  ]) {
    await writeFile(path.join(place, name), `\ufeff${text}`);
    const args = ['import', path.join(place, name), dataDir, '--log', 'things', '--dry-run'];
    assert.equal((await runCliJson(t, args)).json.added, 1, name);
  }
});

test('import begins a store in a missing folder, an empty one, or the default one', async (t) => {
  const place = await temporaryFolder(t);
  const file = path.join(place, 'exported.json');
  await writeFile(file, '{"ann":{"userId":"ann","totalScore":7}}');
  await mkdir(path.join(place, 'empty'));
  for (const [given, cwd, dataDir] of [
    [['new/data'], place, 'new/data'],
    [['empty'], place, 'empty'],
    [[], path.join(place, 'bot'), 'bot/data'],
  ]) {
    await mkdir(cwd, { recursive: true });
    const refused = await runCli(t, ['import', file, ...given, '--dry-run'], { cwd });
    assert.equal(refused.code, 0, refused.stderr);
    const { code, stderr } = await runCli(t, ['import', file, ...given, '--yes'], { cwd });
    assert.equal(code, 0, stderr);
    const { ann } = await stateOf(t, path.join(place, dataDir), 'players');
    assert.equal(ann.totalScore, 7, dataDir);
    assert.equal((await runCli(t, ['verify', path.join(place, dataDir)])).code, 0);
  }
  // A folder with other files is a mistake.
  const wrong = await runCli(t, ['import', file, place, '--yes'], { cwd: place });
  assert.equal(wrong.code, 5);
});

test('an empty key is exported and imported', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.appendLogEntry('coins', { op: 'SET', data: { '': { n: 1 }, a: { n: 2 } } });
  await storage.collection('coins').set('b', { n: 3 });
  await closeStorage(storage);
  const expected = { '': { n: 1 }, a: { n: 2 }, b: { n: 3 } };
  const place = await temporaryFolder(t);
  for (const format of ['json', 'jsonl', 'csv']) {
    const file = path.join(place, `coins.${format}`);
    assert.equal((await runCli(t, ['export', dataDir, '--log', 'coins', '--output', file])).code, 0);
    const target = path.join(place, format);
    const args = ['import', file, target, '--log', 'coins', '--yes'];
    const { code, stderr } = await runCli(t, args);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await stateOf(t, target, 'coins'), expected, format);
    await writeFile(
      file,
      format === 'json'
        ? '{"a":{"n":2}}'
        : format === 'csv'
          ? 'key,n\na,2\n'
          : '{"key":"a","value":{"n":2}}\n',
    );
    assert.equal((await runCli(t, [...args, '--replace'])).code, 0);
    assert.deepEqual(await stateOf(t, target, 'coins'), { a: { n: 2 } }, format);
  }
});

test('beside a bot that writes', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const bot = await busyBot(t, dataDir);
  const file = path.join(path.dirname(dataDir), 'guilds.json');
  await writeFile(file, JSON.stringify({ g: { a: 1 } }));
  assert.equal((await runCli(t, ['import', file, dataDir, '--log', 'guilds', '--yes'])).code, 0);
  const exported = JSON.parse((await runCli(t, ['export', dataDir])).stdout);
  assert.equal(Object.keys(exported).length, 20);
  const { stored, games, stderr } = await bot.stop();
  assert.equal(games, stored);
  assert.equal(stderr, '');
  assert.deepEqual(await stateOf(t, dataDir, 'guilds'), { g: { a: 1 } });
});

test('a file of export --expires that is read without the option is pointed out', async (t) => {
  const { dataDir } = await folderWithPlayers(t);
  const file = path.join(await temporaryFolder(t), 'ends.json');
  await writeFile(file, JSON.stringify({ a: { value: 1 }, b: { value: 2, expiresAt: 4e12 } }));
  const args = ['import', file, dataDir, '--log', 'things', '--dry-run'];
  assert.match((await runCli(t, args)).stderr, /without --expires they stay so/);
  assert.doesNotMatch((await runCli(t, [...args, '--expires'])).stderr, /stay so/);
});

test('sqlite: with --expires a column says when keys end', {
  skip: !sqlite && 'this runtime has no node:sqlite',
}, async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const expiresAt = Date.now() + 86_400_000;
  await storage.collection('coins').set('a', { n: 1, expiresat: 2 }, { expiresAt });
  await storage.collection('coins').set('b', { n: 2 });
  await closeStorage(storage);
  const output = path.join(await temporaryFolder(t), 'bot.sqlite');
  assert.equal((await runCli(t, ['export', dataDir, '-o', output, '--expires'])).code, 0);
  const database = new sqlite.DatabaseSync(output);
  const rows = database.prepare('SELECT key, expiresAt, n FROM coins ORDER BY key').all();
  database.close();
  assert.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      { key: 'a', expiresAt, n: 1 },
      { key: 'b', expiresAt: null, n: 2 },
    ],
  );
});
