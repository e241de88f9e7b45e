// Text and numbers in files, to the last byte. Computed numbers print as JavaScript prints them, and other text stays as it
// was written. `api/numbers-and-order` tests what the same calls answer.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import * as oldStorage from '../old-module/storage.mjs';
import { AWKWARD, MEANS, randomResults, TOTALS } from '../support/numbers.mjs';
import { put, Random } from '../support/random-calls.mjs';
import { logPath, mirrorPath, openStorage, readLogLines, reopened } from '../support/temp.mjs';

// The text of a computed field in the last line of the log.
function fieldText(line, field) {
  return line.match(new RegExp(`"${field}":(-?[^,}\\]]*)`))?.[1];
}

async function writeMirror(dataDir, text) {
  await mkdir(dataDir, { recursive: true });
  await writeFile(mirrorPath(dataDir, 'players'), text);
}

test('a total prints as JavaScript prints it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [index, [scores, text]] of TOTALS.entries()) {
    for (const score of scores) await storage.updatePlayerStats(`u${index}`, 'Ann', score);
    const line = (await readLogLines(dataDir, 'players')).at(-1);
    assert.equal(fieldText(line, 'totalScore'), text);
    assert.equal(fieldText(line, 'totalGames'), String(scores.length));
  }
});

test('a mean prints as Math.round gives it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [index, [scores, text]] of MEANS.entries()) {
    for (const score of scores) await storage.updatePlayerStats(`u${index}`, 'Ann', score);
    const line = (await readLogLines(dataDir, 'players')).at(-1);
    assert.equal(fieldText(line, 'averageScore'), text, `the mean of ${scores}`);
  }
});

test('random scores: the line holds every computed number as JavaScript prints it', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const random = new Random(77);
  for (let game = 0; game < 10; game++) {
    const records = await storage.updatePlayersStats(randomResults(random));
    const [line] = (await readLogLines(dataDir, 'players')).slice(-1);
    for (const record of records) {
      const known = JSON.stringify(record).slice(0, JSON.stringify(record).indexOf('"gamesHistory"'));
      assert.ok(line.includes(known), `the line does not hold ${known}`);
    }
  }
});

test('a sum beyond the largest number leaves whole files', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u', 'Ann', 1.7976931348623157e308);
  // A refusal is fine too.
  await storage.updatePlayerStats('u', 'Ann', 1.7976931348623157e308).catch(() => {});
  for (const line of await readLogLines(dataDir, 'players')) JSON.parse(line);
  JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
  await (await reopened(t, Storage, storage, dataDir)).loadPlayers();
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
  const again = await reopened(t, Storage, storage, dataDir);
  assert.deepEqual(Object.keys(await again.loadPlayers()), ['', 'a']);
  assert.deepEqual(JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'))[''], { totalScore: 3 });
});

test('user ids may be any string, in the lines and in the JSON file', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const likeJavaScript = {};
  for (const [index, id] of AWKWARD.entries()) {
    await storage.updatePlayerStats(id, `name ${index}`, index);
    put(likeJavaScript, id, index);
  }
  const lines = await readLogLines(dataDir, 'players');
  assert.equal(lines.length, AWKWARD.length);
  for (const [index, line] of lines.entries()) assert.equal(JSON.parse(line).key, AWKWARD[index]);
  await storage.close();
  const mirror = JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'));
  assert.deepEqual(Object.keys(mirror), Object.keys(likeJavaScript), 'players.json, after close');
});

test('names of players may be any string for the old module too', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (const [index, name] of ['', ...AWKWARD].entries()) {
    await storage.updatePlayerStats(`u${index}`, name, 1);
  }
  const players = await (await reopened(t, Storage, storage, dataDir)).loadPlayers();
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
