// `repair` and `compact`: a damaged log, what its backups offer, and a log that becomes its checkpoint. The old files are
// kept.

import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Storage } from '../../index.js';
import { contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { DAY_MS, endsOf } from '../support/ends.mjs';
import { folderWithHistory, pause, playersOf, scoreOf } from '../support/player-history.mjs';
import { closeStorage, logPath, mirrorPath, openStorage, readLogLines } from '../support/temp.mjs';

async function damageLine(dataDir, number, change, name = 'players') {
  const file = logPath(dataDir, name);
  const lines = (await readFile(file, 'utf8')).split('\n');
  lines[number - 1] = change(lines[number - 1]);
  await writeFile(file, lines.join('\n'));
}

test('repair: nothing is damaged', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const before = await contentsOf(dataDir);
  const { code, stdout } = await runCli(t, ['repair', dataDir, '--yes']);
  assert.equal(code, 0);
  assert.match(stdout, /Nothing is damaged/);
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('repair: a value comes back from a backup; the old files are kept', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  // Damages the whole checkpoint: ann was set again after it, ben was not.
  await damageLine(dataDir, 1, (line) => line.replace('CHECKPOINT', 'CHECKPAINT'));
  // The JSON file would still have the value.
  await rm(mirrorPath(dataDir, 'players'));
  await rm(path.join(dataDir, '.progressive-storage'), { recursive: true });
  const damaged = await readFile(logPath(dataDir, 'players'));
  const before = await contentsOf(dataDir);
  const asked = await runCli(t, ['repair', dataDir]);
  assert.equal(asked.code, 4);
  assert.match(asked.stdout, /line 1, byte 0/);
  assert.match(asked.stdout, /"ben" from players\.log\.backup\.\d+/);
  assert.ok(!asked.stdout.includes('"ann" from'));
  assert.deepEqual(await contentsOf(dataDir), before);

  const { code, json } = await runCliJson(t, ['repair', dataDir, '--yes']);
  assert.equal(code, 0);
  assert.deepEqual(json.logs[0].applied, [{ key: 'ben', isApplied: true }]);
  const players = await playersOf(t, dataDir);
  assert.deepEqual(Object.keys(players).sort(), ['ann', 'ben', 'cat']);
  assert.equal(players.ben.totalScore, 5);
  assert.equal((await runCli(t, ['verify', dataDir])).code, 0);
  const kept = (await readdir(path.join(dataDir, 'logs'))).find((name) => name.includes('.before-repair.'));
  assert.deepEqual(await readFile(path.join(dataDir, 'logs', kept)), damaged);
  assert.match((await runCli(t, ['repair', dataDir])).stdout, /nothing that a backup could give back/);
});

test('repair: a damaged line of one key, whose value no backup has', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const file = logPath(dataDir, 'players');
  await damageLine(dataDir, 2, (line) => line.replace('"totalGames":3', '"totalGames":9'));
  await rm(mirrorPath(dataDir, 'players'));
  await rm(path.join(dataDir, '.progressive-storage'), { recursive: true });
  const damaged = await readFile(file);
  const shown = await runCliJson(t, ['repair', dataDir, '--dry-run']);
  assert.equal(shown.code, 1, 'the damage is still there');
  // The checkpoint equals the backup, so there is no better value.
  assert.deepEqual([shown.json.logs[0].damaged[0].key, shown.json.logs[0].offers], ['ann', []]);
  const trusting = await runCliJson(t, ['repair', dataDir, '--dry-run', '--trust-damaged']);
  assert.deepEqual(
    trusting.json.logs[0].offers.map(({ key, now, value, from }) => [
      key,
      now.totalScore,
      value.totalScore,
      from,
    ]),
    [['ann', 30, 70, 'the damaged line']],
  );
  assert.deepEqual(await readFile(file), damaged);
  // The damaged line is set aside also without an offer.
  assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
  assert.equal((await runCli(t, ['verify', dataDir])).code, 0);
  const aside = (await readdir(path.dirname(file))).find((name) => name.includes('.corrupt.'));
  assert.match(await readFile(path.join(path.dirname(file), aside), 'utf8'), /"totalGames":9/);
  // Lines that were set aside earlier are checked again.
  const later = await runCli(t, ['repair', dataDir]);
  assert.match(later.stdout, /set aside earlier: players\.log\.corrupt/);
});

test('repair: an even older value of a backup never replaces a value of the log', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const coins = storage.collection('coins');
  await coins.set('ann', 1);
  await storage.compactLog('coins');
  await coins.set('ann', 2);
  await coins.set('ann', 3);
  await coins.set('ben', 1);
  await closeStorage(storage);
  await damageLine(dataDir, 3, (line) => line.replace('"value":3', '"value":4'), 'coins');
  await rm(mirrorPath(dataDir, 'coins'));
  const { json } = await runCliJson(t, ['repair', dataDir, '--dry-run']);
  assert.deepEqual([json.logs[0].offers, json.logs[0].hopeless], [[], [{ key: 'ann', now: 2 }]]);
  assert.match((await runCli(t, ['repair', dataDir, '--yes'])).stdout, /"ann": stays at its older value, 2/);
  const { storage: after } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await after.collection('coins').entries(), [
    ['ann', 2],
    ['ben', 1],
  ]);
  await closeStorage(after);
});

test('repair: a key comes back with its end, and one that is over by now does not', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const cooldowns = storage.collection('cooldowns');
  await cooldowns.set('stays', 1);
  await storage.compactLog('cooldowns');
  await cooldowns.set('later', 1);
  await closeStorage(storage);
  const [tomorrow, yesterday] = [Date.now() + DAY_MS, Date.now() - DAY_MS];
  const logs = path.join(dataDir, 'logs');
  const backup = (await readdir(logs)).find((name) => name.startsWith('cooldowns.log.backup.'));
  const entries = [
    { op: 'SET', key: 'stays', value: 1 },
    { op: 'SET', key: 'lives', value: 1, _expires: tomorrow },
    { op: 'SET', key: 'over', value: 1, _expires: yesterday },
  ];
  await writeFile(path.join(logs, backup), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  await damageLine(dataDir, 1, (line) => line.replace('CHECKPOINT', 'CHECKPAINT'), 'cooldowns');
  await rm(mirrorPath(dataDir, 'cooldowns'));
  await rm(path.join(dataDir, '.progressive-storage'), { recursive: true });
  const { stdout } = await runCli(t, ['repair', dataDir, '--dry-run']);
  assert.match(stdout, new RegExp(`then 1, until ${new Date(tomorrow).toISOString()}`));
  assert.match(stdout, /1 key ended by itself since and will not be put back/);
  const { code, json } = await runCliJson(t, ['repair', dataDir, '--yes']);
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual(json.logs[0].ended, [{ key: 'over', expiresAt: yesterday }]);
  const { storage: repaired } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await endsOf(repaired), [
    ['later', 1, null],
    ['lives', 1, tomorrow],
    ['stays', 1, null],
  ]);
});

test('repair --trust-damaged: an end in the damaged line counts, and none clears that of the value', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const cooldowns = storage.collection('cooldowns');
  const tomorrow = Date.now() + DAY_MS;
  for (const key of ['a', 'b']) await cooldowns.set(key, 1, key === 'b' ? { expiresAt: tomorrow } : {});
  await cooldowns.set('a', 2, { expiresAt: tomorrow });
  await cooldowns.set('b', 2);
  await closeStorage(storage);
  for (const line of [3, 4])
    await damageLine(dataDir, line, (text) => text.replace('"value":2', '"value":3'), 'cooldowns');
  await rm(mirrorPath(dataDir, 'cooldowns'));
  await rm(path.join(dataDir, '.progressive-storage'), { recursive: true });
  const { code, json } = await runCliJson(t, ['repair', dataDir, '--trust-damaged', '--yes']);
  assert.equal(code, 0, JSON.stringify(json));
  const { storage: repaired } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await endsOf(repaired), [
    ['a', 3, tomorrow],
    ['b', 3, null],
  ]);
});

test('repair --trust-damaged: a whole game in one line, in the log and set aside', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const results = (score) => ['ann', 'ben', 'cat'].map((userId) => ({ userId, username: userId, score }));
  await storage.updatePlayersStats(results(1));
  await pause();
  await storage.updatePlayersStats(results(2));
  await pause();
  await storage.updatePlayerStats('cat', 'cat', 5);
  await closeStorage(storage);
  await damageLine(dataDir, 2, (line) => line.replace('"totalGames":2', '"totalGames":7'));
  await rm(mirrorPath(dataDir, 'players'));
  const offered = async () => {
    const { json } = await runCliJson(t, ['repair', dataDir, '--trust-damaged', '--dry-run']);
    return json.logs[0].offers.map(({ key, now, value }) => [key, now.totalScore, value.totalScore]);
  };
  // Later entries win.
  const lost = [
    ['ann', 1, 3],
    ['ben', 1, 3],
  ];
  assert.deepEqual(await offered(), lost);
  const { storage: bot } = await openStorage(t, Storage, { dataDir, logger: null });
  await bot.updatePlayerStats('dan', 'dan', 1);
  await closeStorage(bot);
  assert.equal((await runCli(t, ['verify', dataDir])).code, 0, 'the write has set the line aside');
  assert.deepEqual(await offered(), lost);
  assert.equal((await runCli(t, ['repair', dataDir, '--trust-damaged', '--yes'])).code, 0);
  assert.deepEqual(
    Object.values(await playersOf(t, dataDir)).map(({ totalScore }) => totalScore),
    [3, 3, 8, 1],
  );
  assert.deepEqual(await offered(), []);
});

test('an unreadable compressed backup is named, and the others are used', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  await damageLine(dataDir, 1, (line) => line.replace('CHECKPOINT', 'CHECKPAINT'));
  await rm(mirrorPath(dataDir, 'players'));
  await rm(path.join(dataDir, '.progressive-storage'), { recursive: true });
  const broken = `${logPath(dataDir, 'players')}.backup.9000000000000.gz`;
  await writeFile(broken, gzipSync('{"op":"SET","key":"ben","value":1}\n').subarray(0, 30));
  const verified = await runCliJson(t, ['verify', dataDir, '--backups']);
  assert.equal(verified.code, 1);
  const { ok, problem } = verified.json.files.find(({ file }) => file === broken);
  assert.deepEqual([ok, problem], [false, `'${broken}' cannot be uncompressed: unexpected end of file.`]);
  assert.equal(verified.json.files.length, 3, 'the others were looked at');
  const repaired = await runCliJson(t, ['repair', dataDir, '--yes']);
  assert.deepEqual(repaired.json.logs[0].unreadable, [{ file: broken, problem }]);
  assert.deepEqual(repaired.json.logs[0].applied, [{ key: 'ben', isApplied: true }]);
  const differed = await runCli(t, ['diff', dataDir, '--backup', 'newest']);
  assert.equal(differed.code, 3);
  assert.ok(differed.stderr.includes(problem));
});

test('repair: a torn end is set aside', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const file = logPath(dataDir, 'players');
  const whole = await readFile(file, 'utf8');
  await writeFile(file, `${whole}{"timestamp":"20`);
  assert.equal((await runCli(t, ['repair', dataDir, '--yes'])).code, 0);
  assert.equal((await runCli(t, ['verify', dataDir])).code, 0);
  assert.equal(await scoreOf(t, dataDir, 'ann'), 70);
});

test('compact: the log becomes its checkpoint, and the old log a backup', async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const old = await readFile(logPath(dataDir, 'players'));
  const players = await playersOf(t, dataDir);
  // More than the package keeps by default: the bot chooses how many to keep.
  for (const number of [1000, 2000, 3000, 4000]) {
    await writeFile(`${logPath(dataDir, 'players')}.backup.${number}`, '');
  }
  const { code, json } = await runCliJson(t, ['compact', dataDir]);
  assert.equal(code, 0);
  assert.equal(json.logs[0].beforeBytes, old.length);
  const lines = await readLogLines(dataDir, 'players');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).op),
    ['CHECKPOINT'],
  );
  assert.deepEqual(await playersOf(t, dataDir), players);
  const backups = (await readdir(path.join(dataDir, 'logs'))).filter((name) => name.includes('.backup.'));
  assert.equal(backups.length, 6);
  const newest = backups
    .sort((one, other) => Number(one.split('.').at(-1)) - Number(other.split('.').at(-1)))
    .at(-1);
  assert.deepEqual(await readFile(path.join(dataDir, 'logs', newest)), old);
});

test('compact: a failure is reported, and leaves the log as it was', {
  skip: process.getuid?.() === 0 && 'root may write everywhere',
}, async (t) => {
  const { dataDir } = await folderWithHistory(t);
  const before = await readFile(logPath(dataDir, 'players'));
  await chmod(path.join(dataDir, 'logs'), 0o555);
  const { code, json } = await runCliJson(t, ['compact', dataDir]);
  await chmod(path.join(dataDir, 'logs'), 0o755);
  assert.equal(code, 3);
  assert.equal(json.logs[0].error.code, 'EACCES');
  assert.deepEqual(await readFile(logPath(dataDir, 'players')), before);
});
