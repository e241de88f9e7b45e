/**
 * `snapshot(folder)`: a copy as of one moment, while processes write. It opens like any data folder, has the history, and
 * appears whole or not at all.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ServerCopy } from '../../lib/server-copy.mjs';
import { isRoot, isWindows, ps, range, scene } from '../support/durability.mjs';

const filesIn = (folder) => fs.readdirSync(folder).sort();
const isInvalid = (code) => (error) => error instanceof TypeError && error.code === code;

test('a copy has the data, the JSON files and the history, and lives on its own', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  await storage.updatePlayerStats('ann', 'Ann', 2);
  await storage.saveTokens(['a']);
  await storage.collection('coins').set('ann', { coins: 5 });
  await storage.appendLogEntry('events', { op: 'NOTE', text: 'hello' });
  const folder = path.join(place.root, 'copies', 'first');
  const copied = await storage.snapshot(folder);

  assert.equal(copied.folder, folder);
  assert.deepEqual(
    copied.logs.map(({ name, entries, damagedLines, oldLogs }) => [name, entries, damagedLines, oldLogs]),
    [
      ['coins', 1, 0, 0],
      ['events', 1, 0, 0],
      ['players', 2, 0, 1],
      ['tokens', 1, 0, 0],
    ],
  );
  assert.equal(
    copied.sizeBytes,
    ['coins', 'events', 'players', 'tokens'].reduce(
      (sum, name) => sum + fs.statSync(place.log(name)).size,
      0,
    ),
  );
  assert.deepEqual(filesIn(path.join(place.root, 'copies')), ['first'], 'nothing else is left beside it');
  for (const name of ['players', 'tokens', 'coins'])
    assert.equal(fs.readFileSync(path.join(folder, `${name}.json`), 'utf8'), place.mirrorText(name));

  await storage.updatePlayerStats('ann', 'Ann', 3);
  const copy = place.open({ dataDir: folder });
  assert.equal((await copy.getPlayerStats('ann')).totalGames, 2);
  assert.equal((await copy.history('players', 'ann')).length, 2);
  assert.deepEqual(await copy.collection('coins').get('ann'), { coins: 5 });
  await copy.updatePlayerStats('ann', 'Ann', 10);
  await copy.compactLog('players');
  assert.equal((await storage.getPlayerStats('ann')).totalScore, 6);
  assert.equal((await storage.history('players', 'ann')).length, 3);
});

test('calls that nobody awaited are in the copy', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const calls = range(200).map((i) => storage.collection('coins').set(`user-${i}`, i));
  await storage.snapshot(path.join(place.root, 'copy'));
  await Promise.all(calls);
  const copy = place.open({ dataDir: path.join(place.root, 'copy') });
  assert.equal(await copy.collection('coins').size(), 200);
});

test('all logs are copied as of one moment, while another process writes and compacts', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const other = place.start('one-then-the-other.mjs', [place.data]);
  await other.linesSeen(5);
  for (const round of range(15)) {
    const folder = path.join(place.root, `copy-${round}`);
    const { logs } = await storage.snapshot(folder);
    for (const { name, damagedLines } of logs) assert.equal(damagedLines, 0, name);
    const copy = place.open({ dataDir: folder });
    const [first, second] = await Promise.all(
      ['first', 'second'].map((name) => copy.collection(name).get('count')),
    );
    assert.ok(first === second || first === second + 1, `first ${first}, second ${second}`);
    await copy.close();
  }
  await other.linesSeen(other.lines.length + 1);
});

test('large states are copied, with archives', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const coins = storage.collection('coins');
  const text = 'x'.repeat(5000);
  await Promise.all(range(1500).map((i) => coins.set(`user-${i}`, { i, text })));
  const folder = path.join(place.root, 'copy');
  const { sizeBytes } = await storage.snapshot(folder);
  assert.ok(sizeBytes > 7_000_000);
  const original = fs.readFileSync(place.log('coins'));
  assert.ok(fs.readFileSync(path.join(folder, 'logs', 'coins.log')).equals(original));
  assert.equal(fs.readFileSync(path.join(folder, 'coins.json'), 'utf8'), place.mirrorText('coins'));
});

test('damaged lines are copied and counted', async (t) => {
  const place = scene(t);
  place.writeLog([
    '{"op":"SET","key":"a","value":1}',
    '{"op":"SET","key":"b","value":1,"_crc":"00000000"}',
    '{}',
  ]);
  const { logs } = await place.open().snapshot(path.join(place.root, 'copy'));
  assert.deepEqual(
    logs.map(({ name, entries, damagedLines }) => [name, entries, damagedLines]),
    [['players', 2, 1]],
  );
  assert.equal(
    fs.readFileSync(path.join(place.root, 'copy', 'logs', 'players.log'), 'utf8'),
    place.logText(),
  );
});

test('an edit that no write has logged yet is in the copy', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  place.replaceMirror({ ...place.mirrorState(), bob: { userId: 'bob', totalScore: 7 } });
  await storage.snapshot(path.join(place.root, 'copy'));
  const copy = place.open({ dataDir: path.join(place.root, 'copy') });
  assert.equal((await copy.getPlayerStats('bob')).totalScore, 7);
  assert.equal((await copy.getPlayerStats('ann')).totalScore, 1);
});

test('a folder without data gives one without data', async (t) => {
  const place = scene(t);
  const { logs, sizeBytes } = await place.open().snapshot(path.join(place.root, 'copy'));
  assert.deepEqual([logs, sizeBytes], [[], 0]);
  assert.deepEqual(fs.readdirSync(path.join(place.root, 'copy')), []);
  assert.equal(fs.existsSync(place.data), false, 'reading writes nothing');
});

test('what is there is not replaced, and bad input touches nothing', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  const full = path.join(place.root, 'full');
  fs.mkdirSync(full);
  fs.writeFileSync(path.join(full, 'mine.txt'), 'mine');
  await assert.rejects(storage.snapshot(full), { code: 'EEXIST', path: full });
  assert.deepEqual(filesIn(full), ['mine.txt']);
  const before = filesIn(place.root);
  for (const folder of [undefined, null, 7, {}])
    await assert.rejects(storage.snapshot(folder), isInvalid('ERR_INVALID_ARG_TYPE'));
  for (const folder of ['', 'a\0b', place.data, path.join(place.data, 'copy')])
    await assert.rejects(storage.snapshot(folder), isInvalid('ERR_INVALID_ARG_VALUE'));
  assert.deepEqual(filesIn(place.root), before);

  const empty = path.join(place.root, 'empty');
  fs.mkdirSync(empty);
  await storage.snapshot(empty);
  assert.ok(fs.existsSync(path.join(empty, 'players.json')));
  await storage.close();
  await assert.rejects(storage.snapshot(path.join(place.root, 'late')), { code: 'ERR_STORAGE_CLOSED' });
  assert.equal(fs.existsSync(path.join(place.root, 'late')), false);
});

test('where the copy cannot be written, nothing is left of it', { skip: isRoot || isWindows }, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  const closed = path.join(place.root, 'closed');
  fs.mkdirSync(closed, { mode: 0o500 });
  await assert.rejects(storage.snapshot(path.join(closed, 'copy')), { code: 'EACCES' });
  assert.deepEqual(filesIn(closed), []);
});

for (const [what, method, code] of [
  ['cannot get its name', 'rename', 'EIO'],
  ['cannot be made durable', 'open', 'EIO'],
]) {
  test(`a copy that ${what} is an error, and nothing is left of it`, { skip: isWindows }, async (t) => {
    const place = scene(t);
    const storage = place.open();
    await storage.updatePlayerStats('ann', 'Ann', 1);
    const before = filesIn(place.root);
    const failing = t.mock.method(fs.promises, method, async () => {
      throw Object.assign(new Error('on purpose'), { code });
    });
    await assert.rejects(storage.snapshot(path.join(place.root, 'copy')), { code });
    assert.equal(failing.mock.callCount(), 1);
    failing.mock.restore();
    assert.deepEqual(filesIn(place.root), before);
    await storage.snapshot(path.join(place.root, 'copy'));
  });
}

test('a disk that cannot sync a folder is no failure', { skip: isWindows }, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  let closed = 0;
  const handle = {
    sync: async () => {
      throw Object.assign(new Error('on purpose'), { code: 'EINVAL' });
    },
    close: async () => {
      closed += 1;
    },
  };
  t.mock.method(fs.promises, 'open', async () => handle);
  const { folder } = await storage.snapshot(path.join(place.root, 'copy'));
  assert.equal(closed, 1);
  assert.ok(fs.existsSync(path.join(folder, 'players.json')));
});

/** A server with these entries of one log, one page each; `generation` says where its first one begins. */
const serverWith = (entries, cut, generation) => async (question, _log, from) => {
  if (question === 'names') return ['coins'];
  if (question === 'cut') return [String(cut)];
  if (question === 'generations') return [{ seq: generation() }];
  const at = Number(from);
  return {
    entries: [entries[at]],
    seqs: [String(at + 1)],
    seq: String(at + 1),
    part: 0,
    isEnd: at + 1 === entries.length,
  };
};
const coin = (key, value) => ({ timestamp: '2026-01-01T00:00:00.000Z', op: 'SET', key, value });
const ENTRIES = [coin('a', 1), coin('b', 2), coin('a', 3)];

test('of a server, what is behind the moment of the copy is not in it', async (t) => {
  const folder = scene(t).root;
  const [log] = await new ServerCopy(
    serverWith(ENTRIES, 2, () => 0),
    folder,
    ps.Storage,
  ).make();
  assert.deepEqual([log.name, log.entries], ['coins', 2]);
  const text = fs.readFileSync(path.join(folder, 'logs', 'coins.log'), 'utf8');
  assert.deepEqual(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).value),
    [1, 2],
  );
});

test('a server that removes entries meanwhile is copied anew, three times at most', async (t) => {
  const folder = scene(t).root;
  let asked = 0;
  // It changes under the first copy alone.
  const once = serverWith(ENTRIES, 9, () => (asked++ === 0 ? 0 : 1));
  const [log] = await new ServerCopy(once, folder, ps.Storage).make();
  assert.deepEqual([log.entries, asked], [3, 4]);

  const other = scene(t).root;
  const always = serverWith(ENTRIES, 9, () => asked++);
  await assert.rejects(new ServerCopy(always, other, ps.Storage).make(), { code: 'ERR_LOG_REPLACED' });
  assert.deepEqual([filesIn(other), asked], [[], 10]);
});

test("the module's snapshot is that of its storage", async (t) => {
  const place = scene(t);
  const { lines } = await place.run('module-snapshot.mjs', [path.join(place.root, 'copy')], {
    env: { PROGRESSIVE_STORAGE_DIR: place.data },
  });
  assert.deepEqual(lines, ['players']);
  assert.equal(typeof ps.snapshot, 'function');
});
