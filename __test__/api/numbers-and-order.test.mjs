// Text and numbers to the last byte. Computed numbers print as JavaScript prints them, and other text stays as it was
// written. Keys and names may be any string that JavaScript has.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import * as oldStorage from '../old-module/storage.mjs';
import { Model } from '../support/model.mjs';
import { put, Random } from '../support/random-calls.mjs';
import { logPath, maskedJson, mirrorPath, openStorage, readLogLines } from '../support/temp.mjs';

// The text of a computed field in the last line of the log.
function fieldText(line, field) {
  return line.match(new RegExp(`"${field}":(-?[^,}\\]]*)`))?.[1];
}

async function writeMirror(dataDir, text) {
  await mkdir(dataDir, { recursive: true });
  await writeFile(mirrorPath(dataDir, 'players'), text);
}

async function reopened(t, storage, dataDir) {
  await storage.close();
  return (await openStorage(t, Storage, { dataDir })).storage;
}

test('a total prints as JavaScript prints it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const cases = [
    [[1], '1'],
    [[0.5], '0.5'],
    [[0.1, 0.2], '0.30000000000000004'],
    [[1e21], '1e+21'],
    [[1e20], '100000000000000000000'],
    [[123456789012345680000], '123456789012345680000'],
    [[1e-6], '0.000001'],
    [[1e-7], '1e-7'],
    [[1.5e-10], '1.5e-10'],
    [[5e-324], '5e-324'],
    [[1.7976931348623157e308], '1.7976931348623157e+308'],
    [[2 ** 53, 1], '9007199254740992'],
    [[0.5, 0.5], '1'],
    [[-0], '0'],
    [[-0, -0], '0'],
    [[1, -1], '0'],
    [[-2.5], '-2.5'],
    [[4.35, 100], '104.35'],
    [[1 / 3], '0.3333333333333333'],
  ];
  for (const [index, [scores, text]] of cases.entries()) {
    let record;
    for (const score of scores) record = await storage.updatePlayerStats(`u${index}`, 'Ann', score);
    const line = (await readLogLines(dataDir, 'players')).at(-1);
    assert.equal(fieldText(line, 'totalScore'), text);
    assert.equal(JSON.stringify(record.totalScore), text);
    assert.equal(fieldText(line, 'totalGames'), String(scores.length));
  }
});

test('Math.round: halves go up, also below zero, and the largest odd numbers stay', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const cases = [
    [[1, 2], '2'],
    [[-1, -2], '-1'],
    [[-3, -2], '-2'],
    [[0.5], '1'],
    [[-0.5], '0'],
    [[-0.4], '0'],
    [[-0.6], '-1'],
    [[-1.5], '-1'],
    [[-2.5], '-2'],
    [[2.5], '3'],
    [[0.49999999999999994], '0'],
    [[-0.49999999999999994], '0'],
    [[0.5000000000000001], '1'],
    [[4503599627370495.5], '4503599627370496'],
    [[-4503599627370495.5], '-4503599627370495'],
    [[4503599627370497], '4503599627370497'],
    [[9007199254740991], '9007199254740991'],
    [[-9007199254740991], '-9007199254740991'],
    [[1e300], '1e+300'],
    [[10, 11, 12.5], '11'],
  ];
  for (const [index, [scores, text]] of cases.entries()) {
    for (const score of scores) await storage.updatePlayerStats(`u${index}`, 'Ann', score);
    const line = (await readLogLines(dataDir, 'players')).at(-1);
    assert.equal(fieldText(line, 'averageScore'), text, `the mean of ${scores}`);
  }
});

test('random scores: JavaScript prints every computed number the same', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const model = new Model();
  const random = new Random(77);
  const bytes = new DataView(new ArrayBuffer(8));
  const anyNumber = () => {
    if (random.chance(0.5)) return (random.below(2e6) - 1e6) / 10 ** random.below(6);
    for (;;) {
      bytes.setUint32(0, random.below(2 ** 32));
      bytes.setUint32(4, random.below(2 ** 32));
      const value = bytes.getFloat64(0);
      // The sums of these stay finite.
      if (Math.abs(value) < 1e300) return value;
    }
  };
  for (let game = 0; game < 10; game++) {
    const results = Array.from({ length: 200 }, (_, i) => ({
      userId: `u${i}`,
      username: 'Ann',
      score: anyNumber(),
      isWinner: random.chance(0.5),
      correctAnswers: random.below(1000),
      incorrectAnswers: random.below(1000),
    }));
    const records = await storage.updatePlayersStats(results);
    const expected = model.updatePlayersStats(results);
    const [line] = (await readLogLines(dataDir, 'players')).slice(-1);
    for (const [index, record] of records.entries()) {
      assert.equal(maskedJson(record), maskedJson(expected[index]));
      const known = JSON.stringify(record).slice(0, JSON.stringify(record).indexOf('"gamesHistory"'));
      assert.ok(line.includes(known), `the line does not hold ${known}`);
    }
  }
});

test('a sum beyond the largest number leaves whole files', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u', 'Ann', 1.7976931348623157e308);
  const before = await storage.getPlayerStats('u');
  try {
    // Infinity, as in JavaScript; JSON writes it as null.
    const record = await storage.updatePlayerStats('u', 'Ann', 1.7976931348623157e308);
    assert.equal(JSON.parse(JSON.stringify(record)).totalScore, null);
  } catch (error) {
    // A refusal changes nothing.
    assert.ok(error instanceof TypeError || error instanceof RangeError);
    assert.deepEqual(await storage.getPlayerStats('u'), before);
  }
  for (const line of await readLogLines(dataDir, 'players')) JSON.parse(line);
  JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
  await (await reopened(t, storage, dataDir)).loadPlayers();
});

test('numbers in old records count, however they are written', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await writeMirror(
    dataDir,
    '{"u":{"totalScore":1e2,"totalGames":3.0,"bestScore":0.5E+1,"totalCorrectAnswers":-0}}',
  );
  const record = await storage.updatePlayerStats('u', 'Ann', 4, false, 1, 1);
  assert.equal(record.totalScore, 104);
  assert.equal(record.totalGames, 4);
  assert.equal(record.averageScore, 26);
  assert.equal(record.bestScore, 5);
  const line = (await readLogLines(dataDir, 'players')).at(-1);
  assert.equal(fieldText(line, 'totalScore'), '104');
  assert.equal(fieldText(line, 'totalGames'), '4');
  assert.equal(fieldText(line, 'totalCorrectAnswers'), '1');
});

test('fields that the store does not know are kept byte for byte', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  // JSON.parse and JSON.stringify would change each of these.
  const unknown = [
    '"balance":12345678901234567890.125',
    '"ratio":1.0',
    '"exponent":1E5',
    '"small":1e-400',
    '"escaped":"\\u0041\\/\\u00e9"',
    '"nested":{"b":1.50,"a":[0.10,{"2":2,"1":1}]}',
  ];
  await writeMirror(dataDir, `{"u":{"userId":"u",${unknown.join(',')}},"other":{${unknown.join(',')}}}`);
  await storage.updatePlayerStats('u', 'Ann', 1);
  await storage.compactLog('players');
  await storage.updatePlayerStats('u', 'Ann', 2);
  await storage.updatePlayersStats([{ userId: 'u', username: 'Ann', score: 3 }]);
  const last = (await readLogLines(dataDir, 'players')).at(-1);
  for (const text of unknown) assert.ok(last.includes(text), `${text} in the log`);
  const checkpoint = (await readLogLines(dataDir, 'players'))[0];
  for (const text of unknown)
    assert.equal(checkpoint.split(text).length, 3, `${text} twice in the checkpoint`);
  const mirror = (await readFile(mirrorPath(dataDir, 'players'), 'utf8')).replace(
    /("(?:[^"\\]|\\.)*")|\s+/g,
    '$1',
  );
  for (const text of unknown) assert.equal(mirror.split(text).length, 3, `${text} twice in players.json`);
});

test('values are kept as JSON.stringify wrote them', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const state = {
    zero: -0,
    big: 1e21,
    list: [0.1, 1 / 3],
    text: '\u2028 \u007f é 😀 \ud800',
    '': { '': '' },
    2: 2,
    1: 1,
  };
  await storage.saveGameState('c', state);
  const text = JSON.stringify(state);
  const [line] = await readLogLines(dataDir, 'game_state');
  assert.ok(line.includes(text.slice(0, -1)), line);
  const mirror = await readFile(mirrorPath(dataDir, 'game_state'), 'utf8');
  assert.equal(mirror, JSON.stringify(await storage.getAllGameStates(), null, 2));
});

test('a key that occurs twice in a file counts once, with its last value, at its first place', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const text = '{"a":{"totalScore":1},"b":{"totalScore":1},"\\u0061":{"totalScore":9,"totalScore":5}}';
  await writeMirror(dataDir, text);
  assert.equal(JSON.stringify(await storage.loadPlayers()), JSON.stringify(JSON.parse(text)));
  const record = await storage.updatePlayerStats('a', 'Ann', 1);
  assert.equal(record.totalScore, 6);
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['a', 'b']);
  assert.deepEqual(Object.keys(await storage.rebuildStateFromLog('players')), ['a', 'b']);
});

test('an empty key in a file stays there', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await writeMirror(dataDir, '{"":{"totalScore":3},"a":{"totalScore":1}}');
  assert.deepEqual(Object.keys(await storage.loadPlayers()), ['', 'a']);
  await storage.updatePlayerStats('a', 'Ann', 1);
  await storage.compactLog('players');
  const again = await reopened(t, storage, dataDir);
  assert.deepEqual(Object.keys(await again.loadPlayers()), ['', 'a']);
  assert.deepEqual(JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'))[''], { totalScore: 3 });
});

const AWKWARD = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '\ud800',
  '\ud801',
  '\udc00',
  'a\udfffb',
  '\ufffd',
  '😀',
  '\ud83d\ude00\ud83d',
  'é',
  'e\u0301',
  '"',
  "'",
  '\\',
  '\\u0041',
  'line\nbreak\r\n',
  '\ttab',
  '\0',
  '\u0001\u001f',
  '\u007f',
  '\u2028\u2029',
  ' ',
  '  leading and trailing  ',
  '../../escape',
  '..\\..\\escape',
  '/etc/passwd',
  'CON',
  'a/b',
  '{"json":true}',
  '","_crc":"00000000"}',
  '_crc',
  '_more',
  '_end',
  'key',
  'value',
  'data',
  'null',
  'undefined',
  'عربي',
  '\u202eright to left',
  '日本語',
  '0',
  '00',
  '-0',
  '1e3',
  'x'.repeat(70_000),
  '😀'.repeat(5_000),
];

test('user ids may be any string, and stay distinct', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const likeJavaScript = {};
  for (const [index, id] of AWKWARD.entries()) {
    const record = await storage.updatePlayerStats(id, `name ${index}`, index);
    assert.equal(record.userId, id);
    put(likeJavaScript, id, index);
  }
  const check = async (s, what) => {
    const players = await s.loadPlayers();
    assert.deepEqual(Object.keys(players), Object.keys(likeJavaScript), what);
    assert.equal(Object.getPrototypeOf(players), Object.prototype);
    for (const [index, id] of AWKWARD.entries()) {
      const stats = await s.getPlayerStats(id);
      assert.equal(stats.userId, id, what);
      assert.equal(stats.username, `name ${index}`, what);
      assert.equal(stats.totalGames, 1, what);
      assert.equal((await s.getPlayerRank(id)).rank, AWKWARD.length - index, what);
    }
    assert.equal({}.username, undefined, 'no prototype was changed');
  };
  await check(storage, 'at once');
  const lines = await readLogLines(dataDir, 'players');
  assert.equal(lines.length, AWKWARD.length);
  for (const [index, line] of lines.entries()) assert.equal(JSON.parse(line).key, AWKWARD[index]);
  let again = await reopened(t, storage, dataDir);
  const mirror = JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
  assert.deepEqual(Object.keys(mirror), Object.keys(likeJavaScript), 'players.json, after close');
  await check(again, 'after a new start');
  await again.compactLog('players');
  again = await reopened(t, again, dataDir);
  await check(again, 'after compaction');
});

test('keys of every call may be any string: channels, collections, entries', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const coins = storage.collection('coins');
  for (const [index, key] of AWKWARD.entries()) {
    await storage.saveGameState(key, { index });
    await coins.set(key, index);
    await coins.update(key, (value) => value + 0.5);
    await storage.appendLogEntry('notes', { op: 'SET', key, value: index });
    await storage.appendLogEntry('more', { op: 'SET', data: put({}, key, index) });
  }
  const notes = await storage.rebuildStateFromLog('notes');
  const more = await storage.rebuildStateFromLog('more');
  for (const [index, key] of AWKWARD.entries()) {
    assert.equal((await storage.loadGameState(key)).index, index);
    assert.equal(await coins.get(key), index + 0.5);
    assert.equal(Object.getOwnPropertyDescriptor(notes, key).value, index);
    assert.equal(Object.getOwnPropertyDescriptor(more, key).value, index);
  }
  assert.equal(await coins.size(), AWKWARD.length);
  for (const key of AWKWARD) {
    await storage.clearGameState(key);
    assert.equal(await storage.loadGameState(key), null);
    assert.equal(await coins.delete(key), true);
    assert.equal(await coins.has(key), false);
    await storage.appendLogEntry('notes', { op: 'DELETE', key });
  }
  assert.deepEqual(await storage.getAllGameStates(), {});
  assert.equal(await coins.size(), 0);
  assert.deepEqual(await storage.rebuildStateFromLog('notes'), {});
});

test('names of players may be any string', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [index, name] of ['', ...AWKWARD].entries()) {
    const record = await storage.updatePlayerStats(`u${index}`, name, 1);
    assert.equal(record.username, name);
    assert.equal((await storage.getPlayerStats(`u${index}`)).username, name);
  }
  const again = await reopened(t, storage, dataDir);
  const players = await again.loadPlayers();
  for (const [index, name] of ['', ...AWKWARD].entries()) assert.equal(players[`u${index}`].username, name);
  process.env.OLD_DATA_DIR = dataDir;
  assert.deepEqual(await oldStorage.loadPlayers(), players, 'the old module reads the same');
});

test('a key is the same, however a file escapes it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const lines = [
    '{"op":"SET","key":"\\u0061","value":1}',
    '{"op":"SET","data":{"\\u00e9\\/":1}}',
    '{"op":"SET","key":"\\ud83d\\ude00","value":1}',
    '{"op":"SET","key":"\\uD800","value":1}',
    '{"op":"SET","key":"\\u005f_proto__","value":1}',
  ];
  await writeFile(logPath(dataDir, 'notes'), `${lines.join('\n')}\n`);
  for (const key of ['a', 'é/', '😀', '\ud800', '__proto__']) {
    await storage.appendLogEntry('notes', { op: 'SET', key, value: 2 });
  }
  const state = await storage.rebuildStateFromLog('notes');
  assert.deepEqual(Object.entries(state), [
    ['a', 2],
    ['é/', 2],
    ['😀', 2],
    ['\ud800', 2],
    ['__proto__', 2],
  ]);
});

test('values may contain __proto__, which changes no prototype', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const hostile = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  await storage.saveGameState('c', hostile);
  await storage.savePlayers(
    JSON.parse('{"__proto__":{"totalScore":5,"polluted":true},"a":{"__proto__":{"x":1}}}'),
  );
  await storage.updatePlayerStats('a', 'Ann', 1);
  await storage.updatePlayerStats('__proto__', 'P', 1);
  const check = async (s) => {
    const players = await s.loadPlayers();
    assert.deepEqual(Object.keys(players), ['__proto__', 'a']);
    assert.equal(Object.getOwnPropertyDescriptor(players, '__proto__').value.totalScore, 6);
    assert.deepEqual(Object.getOwnPropertyDescriptor(players.a, '__proto__').value, { x: 1 });
    assert.ok(Object.hasOwn(await s.loadGameState('c'), '__proto__'));
    assert.equal({}.polluted, undefined);
    assert.equal({}.totalScore, undefined);
  };
  await check(storage);
  await check(await reopened(t, storage, dataDir));
});

test('deep values and long texts', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  let deep = 1;
  for (let i = 0; i < 500; i++) deep = i % 2 ? [deep] : { d: deep };
  await storage.saveGameState('deep', { deep });
  await storage.saveGameState('long', { text: 'é"\n'.repeat(500_000) });
  const check = async (s) => {
    assert.equal(JSON.stringify((await s.loadGameState('deep')).deep), JSON.stringify(deep));
    assert.equal((await s.loadGameState('long')).text.length, 1_500_000);
  };
  await check(storage);
  await check(await reopened(t, storage, dataDir));
});
