/**
 * The durability modes (`fsync`), and the life of a Storage: flush, close, dispose, several objects on one directory and on
 * several, and the directory of the module's own functions.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { manyPlayers, pretty, ps, range, scene, waitFor } from '../support/durability.mjs';

const isLinux = process.platform === 'linux';

const modes = [
  { fsync: 'always' },
  { fsync: 'interval', fsyncIntervalMs: 20 },
  { fsync: 'interval' },
  { fsync: 'never' },
];
const describe = ({ fsync, fsyncIntervalMs }) => fsync + (fsyncIntervalMs ? ` ${fsyncIntervalMs} ms` : '');

for (const options of modes) {
  const mode = describe(options);

  test(`${mode}: calls, order and results are the same`, async (t) => {
    const place = scene(t);
    const storage = place.open(options);
    const records = await Promise.all(range(50).map(() => storage.updatePlayerStats('user', 'name', 1)));
    assert.deepEqual(
      records.map((record) => record.totalGames),
      range(50).map((n) => n + 1),
    );
    await storage.saveGameState('channel', { round: 1 });
    await storage.compactLog('players');
    await storage.updatePlayerStats('user', 'name', 1);
    assert.equal((await storage.loadGameState('channel')).round, 1);
    await storage.close();
    assert.equal(place.replayed().user.totalGames, 51);
    assert.equal((await place.open().getPlayerStats('user')).totalGames, 51);
    assert.equal(place.mirrorText(), pretty(place.replayed()));
  });

  test(`${mode}: an acked entry is in the file soon, without another call`, async (t) => {
    const place = scene(t);
    const child = place.start('write-and-wait.mjs', [
      JSON.stringify({ dataDir: place.data, ...options }),
      200,
      'leave',
    ]);
    await child.linesSeen(1);
    const isThere = () => fs.existsSync(place.log('events')) && place.logLines('events').length === 200;
    if (options.fsync === 'always') assert.ok(isThere());
    else await waitFor(isThere, 'all entries in the file');
    child.process.kill('SIGKILL');
    await child.ended;
    assert.equal((await place.open().readLogEntries('events')).length, 200);
  });

  test(`${mode}: all is there after close(), after flush() and after the process ended by itself`, async (t) => {
    const place = scene(t);
    for (const [round, atEnd] of ['close', 'leave'].entries()) {
      const args = [JSON.stringify({ dataDir: place.data, ...options }), 200, atEnd];
      const child = place.start('write-and-wait.mjs', args);
      child.process.stdin.end();
      assert.equal((await child.ended).code, 0);
      assert.equal(place.logLines('events').length, 200 * (round + 1));
    }
    const storage = place.open(options);
    for (const _ of range(100)) storage.appendLogEntry('events', { op: 'NOTE' });
    await storage.flush();
    assert.equal(place.logLines('events').length, 500);
  });
}

test('two modes on one directory', async (t) => {
  const place = scene(t);
  const [first, second] = [place.open({ fsync: 'always' }), place.open({ fsync: 'never' })];
  await Promise.all(range(60).map((i) => [first, second][i % 2].updatePlayerStats('user', 'name', 1)));
  assert.equal((await first.getPlayerStats('user')).totalGames, 60);
  assert.equal((await second.getPlayerStats('user')).totalGames, 60);
});

// ------------------------------------------------------------------------------------------- flush and close

test('flush() waits for what was called before it, mirror included', async (t) => {
  const place = scene(t);
  const storage = place.open();
  storage.savePlayers(manyPlayers(300, 300));
  const calls = range(20).map(() => storage.updatePlayerStats('late', 'late', 1));
  assert.equal(await storage.flush(), undefined);
  assert.equal(place.replayed().late.totalGames, 20);
  assert.equal(place.mirrorState().late.totalGames, 20);
  assert.equal((await Promise.all(calls)).length, 20);
  await storage.flush();
  await Promise.all([storage.flush(), storage.flush()]);
});

test('close() finishes earlier calls; it refuses later ones, and nothing is written', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const coins = storage.collection('coins');
  const calls = range(100).map(() => storage.updatePlayerStats('user', 'name', 1));
  const closing = storage.close();
  const late = storage.updatePlayerStats('user', 'name', 1);
  await assert.rejects(late, { code: 'ERR_STORAGE_CLOSED' });
  assert.equal(await closing, undefined);
  assert.equal((await Promise.all(calls)).at(-1).totalGames, 100);
  assert.equal(place.replayed().user.totalGames, 100);
  assert.equal(place.mirrorState().user.totalGames, 100);

  const text = place.logText();
  for (const call of [
    () => storage.updatePlayerStats('user', 'name', 1),
    () => storage.updatePlayersStats([{ userId: 'user', username: 'name', score: 1 }]),
    () => storage.loadPlayers(),
    () => storage.getPlayerStats('user'),
    () => storage.getLeaderboard(),
    () => storage.getPlayerRank('user'),
    () => storage.savePlayers({}),
    () => storage.saveTokens([]),
    () => storage.loadTokens(),
    () => storage.needsTokenRefresh(),
    () => storage.saveGameState('channel', {}),
    () => storage.loadGameState('channel'),
    () => storage.clearGameState('channel'),
    () => storage.getAllGameStates(),
    () => storage.appendLogEntry('events', {}),
    () => storage.readLogEntries('events'),
    () => storage.rebuildStateFromLog('events'),
    () => storage.compactLog('players'),
    () => storage.compactAllLogs(),
    () => storage.compact(),
    () => storage.getLogSize('players'),
    () => storage.needsCompaction('players'),
    () => storage.flush(),
    () => coins.get('user'),
    () => coins.set('user', 1),
    () => coins.update('user', () => 1),
    () => coins.entries(),
  ]) {
    await assert.rejects(call(), { code: 'ERR_STORAGE_CLOSED' }, String(call));
  }
  assert.equal(place.logText(), text);
  assert.equal(await storage.close(), undefined, 'closing twice does nothing');
  await Promise.all([storage.close(), storage.close()]);
});

test('close() releases files and threads', { skip: !isLinux && 'looks into /proc' }, async (t) => {
  const place = scene(t);
  const openFiles = () => {
    const links = fs.readdirSync('/proc/self/fd').map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ''; // the handle of this very listing
      }
    });
    return links.filter((link) => link.startsWith(place.root));
  };
  const threads = () => fs.readdirSync('/proc/self/task').length;
  await place.open({ dataDir: path.join(place.root, 'first') }).close();
  const before = threads();
  for (const n of range(20)) {
    const storage = place.open({ dataDir: path.join(place.root, `${n}`) });
    await storage.updatePlayerStats('user', 'name', 1);
    await storage.close();
  }
  // A thread needs a moment to end.
  await waitFor(() => openFiles().length === 0, 'all files to be closed');
  await waitFor(() => threads() <= before + 1, 'all threads to be gone');
});

test('close() of an unused storage', async (t) => {
  const place = scene(t);
  await place.open().close();
  assert.deepEqual(fs.readdirSync(place.root), []);
});

test('Symbol.asyncDispose closes', async (t) => {
  const place = scene(t);
  const storage = place.open();
  storage.updatePlayerStats('user', 'name', 1);
  assert.equal(typeof storage[Symbol.asyncDispose], 'function');
  await storage[Symbol.asyncDispose]();
  assert.equal(place.replayed().user.totalGames, 1);
  await assert.rejects(storage.loadPlayers(), { code: 'ERR_STORAGE_CLOSED' });
  await storage[Symbol.asyncDispose]();
});

test('a directory can be closed, opened and moved again and again', async (t) => {
  const place = scene(t);
  for (const round of range(10)) {
    const storage = place.open();
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, round + 1);
    await storage.close();
    const moved = `${place.data}-moved`;
    fs.renameSync(place.data, moved);
    fs.renameSync(moved, place.data);
  }
});

test('several Storage objects on one directory: closing one leaves the others alone', async (t) => {
  const place = scene(t);
  const [first, second, third] = range(3).map(() => place.open());
  await first.updatePlayerStats('user', 'name', 1);
  second.updatePlayerStats('user', 'name', 1);
  await second.close();
  assert.equal((await first.updatePlayerStats('user', 'name', 1)).totalGames, 3);
  assert.equal((await third.getPlayerStats('user')).totalGames, 3);
  await first.close();
  assert.equal((await third.updatePlayerStats('user', 'name', 1)).totalGames, 4);
  await assert.rejects(first.loadPlayers(), { code: 'ERR_STORAGE_CLOSED' });
});

test('one directory with several names is one directory', async (t) => {
  const place = scene(t);
  fs.mkdirSync(place.data);
  const link = path.join(place.root, 'link');
  fs.symlinkSync(place.data, link, 'junction');
  const names = [
    place.data,
    `${place.data}/`,
    path.join(place.data, '..', 'data'),
    link,
    path.relative('.', place.data),
  ];
  const storages = names.map((dataDir) => place.open({ dataDir }));
  await Promise.all(range(50).map((i) => storages[i % 5].updatePlayerStats('user', 'name', 1)));
  for (const storage of storages) assert.equal((await storage.getPlayerStats('user')).totalGames, 50);
  assert.equal(place.replayed().user.totalGames, 50);
});

test('several directories are independent', async (t) => {
  const place = scene(t);
  const dirs = ['one', 'two', 'ünïcode and space'].map((name) =>
    path.join(place.root, name, 'nested', 'deep'),
  );
  const storages = dirs.map((dataDir) => place.open({ dataDir }));
  await Promise.all(storages.map((storage, n) => storage.updatePlayerStats(`user-${n}`, 'name', n)));
  for (const [n, storage] of storages.entries()) {
    assert.deepEqual(Object.keys(await storage.loadPlayers()), [`user-${n}`]);
    assert.ok(fs.existsSync(path.join(dirs[n], 'logs', 'players.log')));
  }
});

test('a relative directory stays where it was when the process changes its own', async (t) => {
  const place = scene(t);
  const before = process.cwd();
  process.chdir(place.root);
  try {
    const storage = place.open({ dataDir: 'data' });
    await storage.updatePlayerStats('user', 'name', 1);
    process.chdir(before);
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
    assert.equal(place.replayed().user.totalGames, 2);
  } finally {
    process.chdir(before);
  }
});

// ------------------------------------------------------------------------------------- the module's own functions

const user = (folder) => JSON.parse(fs.readFileSync(path.join(folder, 'players.json'), 'utf8')).user;

test("the module's functions use `data` under the current directory", async (t) => {
  const place = scene(t);
  await place.run('default-directory.mjs', [], { cwd: place.root });
  assert.equal(user(path.join(place.root, 'data')).totalScore, 5);
  assert.deepEqual(fs.readdirSync(place.root), ['data']);
});

test("the module's functions use PROGRESSIVE_STORAGE_DIR", async (t) => {
  const place = scene(t);
  const dir = path.join(place.root, 'by environment');
  await place.run('default-directory.mjs', [], { cwd: place.root, env: { PROGRESSIVE_STORAGE_DIR: dir } });
  assert.equal(user(dir).totalScore, 5);
  assert.deepEqual(fs.readdirSync(place.root), ['by environment']);
});

test('configure() wins over the environment', async (t) => {
  const place = scene(t);
  const dir = path.join(place.root, 'configured');
  const env = { PROGRESSIVE_STORAGE_DIR: path.join(place.root, 'by environment') };
  await place.run('default-directory.mjs', [JSON.stringify({ dataDir: dir, fsync: 'never' })], {
    cwd: place.root,
    env,
  });
  assert.equal(user(dir).totalScore, 5);
  assert.deepEqual(fs.readdirSync(place.root), ['configured']);
});

test('configure() without a directory uses that of the environment', async (t) => {
  const place = scene(t);
  const dir = path.join(place.root, 'by environment');
  const env = { PROGRESSIVE_STORAGE_DIR: dir };
  await place.run('default-directory.mjs', [JSON.stringify({ fsync: 'never' })], { cwd: place.root, env });
  assert.equal(user(dir).totalScore, 5);
});

test('an empty PROGRESSIVE_STORAGE_DIR does not count', async (t) => {
  const place = scene(t);
  await place.run('default-directory.mjs', [], { cwd: place.root, env: { PROGRESSIVE_STORAGE_DIR: '' } });
  assert.equal(user(path.join(place.root, 'data')).totalScore, 5);
});

test('configure() after the first use, close() and configure() again', async (t) => {
  const place = scene(t);
  place.beforeEnd(() => ps.close());
  const [first, second] = ['first', 'second'].map((name) => path.join(place.root, name));
  // Bun runs all files in one process, where another test may have left it open.
  await ps.close();
  ps.configure({ dataDir: first });
  ps.configure({ dataDir: first });
  assert.equal((await ps.updatePlayerStats('user', 'name', 1)).totalGames, 1);
  // The same options again are fine; others are a conflict.
  ps.configure({ dataDir: first });
  assert.throws(() => ps.configure({ dataDir: second }), { code: 'ERR_ALREADY_CONFIGURED' });
  assert.throws(() => ps.configure({ dataDir: first, fsync: 'never' }), { code: 'ERR_ALREADY_CONFIGURED' });
  assert.equal((await ps.updatePlayerStats('user', 'name', 1)).totalGames, 2);

  await ps.flush();
  await ps.close();
  ps.configure({ dataDir: second });
  assert.equal((await ps.updatePlayerStats('user', 'name', 1)).totalGames, 1);
  assert.equal(user(first).totalGames, 2);
  assert.equal(user(second).totalGames, 1);
});

test('a call after close() opens the same directory anew', async (t) => {
  const place = scene(t);
  const dir = path.join(place.root, 'configured');
  const { stdout } = await place.run('default-directory.mjs', [JSON.stringify({ dataDir: dir }), 'again'], {
    cwd: place.root,
  });
  assert.equal(JSON.parse(stdout).user.totalGames, 2);
  assert.deepEqual(fs.readdirSync(place.root), ['configured']);
});

test("a Storage on the module's directory and the module's functions see each other", async (t) => {
  const place = scene(t);
  place.beforeEnd(() => ps.close());
  ps.configure({ dataDir: place.data });
  const storage = place.open();
  await ps.updatePlayerStats('user', 'name', 1);
  assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
  assert.equal((await ps.getPlayerStats('user')).totalGames, 2);
  await ps.collection('coins').set('user', 1);
  assert.equal(await storage.collection('coins').get('user'), 1);
});
