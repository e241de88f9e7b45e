// The calls for one player and for the order of players in files: the line and the JSON file of an update, and records that
// players.json holds from an older bot or an admin. `api/statistics` and `api/leaderboard` test what the calls answer.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { LEVELS, LONG_HISTORY, NO_NUMBERS, OLD_FORM, UNKNOWN_FIELDS } from '../support/records.mjs';
import { maskedJson, mirrorPath, openStorage, readLogLines } from '../support/temp.mjs';

test('asking for a player never seen writes nothing', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.getPlayerStats('u1');
  assert.deepEqual(await storage.loadPlayers(), {});
  assert.deepEqual(await readLogLines(dataDir, 'players'), []);
});

test('an update is one SET of the whole record under the user id', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const record = await storage.updatePlayerStats('u1', 'Ann', 10, true, 7, 3);
  const [line, ...rest] = await readLogLines(dataDir, 'players');
  assert.equal(rest.length, 0);
  const entry = JSON.parse(line);
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'key', 'value', '_crc']);
  assert.equal(entry.op, 'SET');
  assert.equal(entry.key, 'u1');
  assert.equal(JSON.stringify(entry.value), JSON.stringify(record));
  const mirror = await readFile(mirrorPath(dataDir, 'players'), 'utf8');
  assert.equal(mirror, JSON.stringify({ u1: record }, null, 2));
});

test('updatePlayersStats: a whole game is one line', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u2', 'Bea', 5);
  const records = await storage.updatePlayersStats([
    { userId: 'u1', username: 'Ann', score: 10, isWinner: true, correctAnswers: 4, incorrectAnswers: 1 },
    { userId: 'u2', username: 'Bea', score: 7 },
  ]);
  const lines = await readLogLines(dataDir, 'players');
  assert.equal(lines.length, 2);
  const entry = JSON.parse(lines[1]);
  assert.deepEqual(Object.keys(entry), ['timestamp', 'op', 'data', '_crc']);
  assert.equal(entry.op, 'SET');
  assert.deepEqual(entry.data, { u1: records[0], u2: records[1] });
});

test('updatePlayersStats: with one bad result the log keeps its bytes', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('u1', 'Ann', 1);
  const before = await readLogLines(dataDir, 'players');
  await assert.rejects(
    storage.updatePlayersStats([
      { userId: 'u1', username: 'Ann', score: 5 },
      { userId: 'u2', username: 'Bea', score: Number.NaN },
    ]),
    TypeError,
  );
  assert.deepEqual(await readLogLines(dataDir, 'players'), before);
});

// The tests of the API assert what these records come to when `savePlayers` stored them.
const FROM_ELSEWHERE = { long: LONG_HISTORY, old: OLD_FORM, odd: UNKNOWN_FIELDS, ...LEVELS };
const IDS = Object.keys(FROM_ELSEWHERE);

const play = (storage, id) => storage.updatePlayerStats(id, 'After', 30, true, 3, 1);
// An empty field name may be refused, like any bad argument.
const boardOf = (storage, field, ...limit) =>
  storage.getLeaderboard(field, ...limit).catch((error) => `refused: ${error.code}`);

// Each is the first call on a folder that nobody has read yet.
const FIRST_CALLS = {
  loadPlayers: (storage) => storage.loadPlayers(),
  getPlayerStats: (storage) => Promise.all(IDS.map((id) => storage.getPlayerStats(id))),
  updatePlayerStats: (storage) => Promise.all(IDS.map((id) => play(storage, id))),
  getLeaderboard: (storage) => boardOf(storage, 'level'),
  getPlayerRank: (storage) => Promise.all(IDS.map((id) => storage.getPlayerRank(id, 'level'))),
};

async function answers(storage, first) {
  const all = [await first(storage), await storage.loadPlayers()];
  for (const field of ['level', ...NO_NUMBERS]) {
    all.push(await boardOf(storage, field), await boardOf(storage, field, Number.POSITIVE_INFINITY));
    if (field === '') continue;
    for (const id of IDS) all.push(await storage.getPlayerRank(id, field));
  }
  for (const id of IDS) all.push(await storage.getPlayerStats(id), await play(storage, id));
  return all;
}

for (const indent of [0, 2]) {
  test(`records in players.json, written with indent ${indent}, count as those of savePlayers`, async (t) => {
    for (const [name, first] of Object.entries(FIRST_CALLS)) {
      const saved = await openStorage(t, Storage);
      await saved.storage.savePlayers(FROM_ELSEWHERE);
      const edited = await openStorage(t, Storage);
      await mkdir(edited.dataDir, { recursive: true });
      await writeFile(mirrorPath(edited.dataDir, 'players'), JSON.stringify(FROM_ELSEWHERE, null, indent));
      const found = await answers(edited.storage, first);
      assert.equal(maskedJson(found), maskedJson(await answers(saved.storage, first)), `first ${name}`);
      if (name !== 'updatePlayerStats') {
        assert.equal(
          JSON.stringify(found[1]),
          JSON.stringify(FROM_ELSEWHERE),
          'what is stored is given as it is',
        );
      }
    }
  });
}
