/**
 * Reading never writes: after every read call, and after close(), each name, byte, inode and time in the folder is as
 * before. So a read-only folder can be read.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  del,
  isRoot,
  isWindows,
  listenForWarnings,
  noFlock,
  plain,
  player,
  range,
  scene,
  sealed,
  set,
  snapshot,
} from '../support/durability.mjs';
import { collect } from '../support/temp.mjs';

/** Every call that only reads. */
async function readEverything(storage) {
  for (const name of ['players', 'tokens', 'game_state', 'events', 'unknown']) {
    await storage.readLogEntries(name);
    await collect(storage.streamLogEntries(name));
    await storage.rebuildStateFromLog(name);
    await storage.getLogSize(name);
    await storage.needsCompaction(name);
    await storage.needsCompaction(name, 10);
    const collection = storage.collection(name);
    await collection.get('user');
    await collection.has('user');
    await collection.entries();
    await collection.keys();
    await collection.size();
    await collection.top('totalScore');
    await collection.rank('user', 'totalScore');
  }
  await storage.loadTokens();
  await storage.needsTokenRefresh();
  await storage.loadPlayers();
  await storage.getPlayerStats('user');
  await storage.getPlayerStats('nobody');
  await storage.getLeaderboard();
  await storage.getLeaderboard('totalGames', Infinity);
  await storage.getPlayerRank('user');
  await storage.loadGameState('channel');
  await storage.getAllGameStates();
  await storage.flush();
}

async function filled(place) {
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.updatePlayerStats('other', 'name', 2);
  await storage.saveTokens(['a']);
  await storage.saveGameState('channel', { round: 1 });
  await storage.appendLogEntry('events', { op: 'SET', key: 'user', value: 1 });
  await storage.close();
}

const old = (place) => {
  place.writeLog([plain(set('user', player('user'))), plain(set('gone', 1)), plain(del('gone'))]);
  place.writeMirror({ user: player('user'), more: player('more') });
  place.writeMirror({ channel: { round: 1 } }, 'game_state');
};

/** What the folder holds before it is read: [what, how it is made]. */
const folders = [
  ['a folder that does not exist', () => {}],
  ['an empty folder', (place) => fs.mkdirSync(place.data)],
  [
    'empty files',
    (place) => {
      place.writeLog('');
      place.writeLog('', 'events');
    },
  ],
  ['clean data', filled],
  [
    'clean data without the small records',
    async (place) => {
      await filled(place);
      fs.rmSync(place.file('.progressive-storage'), { recursive: true });
    },
  ],
  [
    'a torn tail',
    async (place) => {
      await filled(place);
      for (const name of ['players', 'events']) fs.appendFileSync(place.log(name), '{"op":"SE');
    },
  ],
  [
    'a last line without its newline',
    async (place) => {
      await filled(place);
      fs.truncateSync(place.log(), fs.statSync(place.log()).size - 1);
    },
  ],
  [
    'damage in the middle',
    async (place) => {
      await filled(place);
      fs.writeFileSync(place.log(), `garbage\n${place.logText()}`);
    },
  ],
  [
    'a foreign edit',
    async (place) => {
      await filled(place);
      place.writeMirror({ user: player('user', { totalScore: 99 }), added: player('added') });
    },
  ],
  [
    'a broken mirror',
    async (place) => {
      await filled(place);
      fs.truncateSync(place.mirror(), 30);
    },
  ],
  [
    'a missing mirror',
    async (place) => {
      await filled(place);
      fs.rmSync(place.mirror());
    },
  ],
  [
    'a missing log',
    async (place) => {
      await filled(place);
      fs.rmSync(place.log());
    },
  ],
  ['old data', old],
  [
    'a leftover of a compaction',
    async (place) => {
      await filled(place);
      fs.writeFileSync(`${place.log()}.tmp`, 'half a checkpoi');
      fs.writeFileSync(`${place.mirror()}.tmp`, '{"half');
    },
  ],
  [
    'a log without mirror that nobody wrote with this package',
    (place) => {
      place.writeLog([sealed(set('a', 1))], 'unknown');
    },
  ],
];

for (const [what, make] of folders) {
  test(`reading ${what} changes nothing`, async (t) => {
    const place = scene(t);
    await make(place);
    const before = snapshot(place.root, { times: true });
    const storage = place.open();
    await readEverything(storage);
    await readEverything(storage);
    assert.deepEqual(snapshot(place.root, { times: true }), before);
    await storage.close();
    assert.deepEqual(snapshot(place.root, { times: true }), before, 'close() wrote something');
  });

  test(`reading ${what} in a process that then ends changes nothing`, async (t) => {
    const place = scene(t);
    await make(place);
    const before = snapshot(place.root, { times: true });
    const other = await place.remote();
    await other.call('loadPlayers');
    await other.call('readLogEntries', 'events');
    await other.call('loadTokens');
    await other.end();
    assert.deepEqual(snapshot(place.root, { times: true }), before);
  });
}

test('creating a Storage, a collection or a stream touches nothing', async (t) => {
  const place = scene(t);
  const storage = place.open();
  storage.collection('coins');
  storage.streamLogEntries('coins');
  await storage.close();
  assert.deepEqual(fs.readdirSync(place.root), []);
});

test('a finding is reported once, however many reads meet it', async (t) => {
  const place = scene(t);
  place.writeLog(
    `${sealed(set('user', player('user')))}\ngarbage\n${sealed(set('b', player('b')))}\n{"op":"S`,
  );
  const damaged = listenForWarnings('PS_LOG_DAMAGED');
  const torn = listenForWarnings('PS_TORN_TAIL');
  const storage = place.open();
  for (const _ of range(3)) await readEverything(storage);
  assert.equal((await damaged()).length, 1);
  assert.equal((await torn()).length, 1);
  assert.match((await damaged())[0].message, /players/);
});

// --------------------------------------------------------------------------------- a folder that may only be read

/** Takes away the right to write from a folder and all in it. */
function forbidWriting(folder) {
  for (const name of fs.readdirSync(folder)) {
    const full = path.join(folder, name);
    if (fs.statSync(full).isDirectory()) forbidWriting(full);
    else fs.chmodSync(full, 0o444);
  }
  fs.chmodSync(folder, 0o555);
}
function allowWriting(folder) {
  fs.chmodSync(folder, 0o755);
  for (const name of fs.readdirSync(folder)) {
    const full = path.join(folder, name);
    if (fs.statSync(full).isDirectory()) allowWriting(full);
  }
}

const skip = isWindows && 'Windows has no folders that may only be read in this sense';

for (const [what, make] of folders.filter(([name]) => name !== 'a folder that does not exist')) {
  test(`a read-only folder with ${what} can be read`, { skip }, async (t) => {
    const place = scene(t);
    await make(place);
    const asOwner = place.open();
    const expected = {
      players: await asOwner.loadPlayers(),
      tokens: await asOwner.loadTokens(),
      states: await asOwner.getAllGameStates(),
      leaderboard: await asOwner.getLeaderboard(),
      entries: await asOwner.readLogEntries('players'),
    };
    await asOwner.close();
    const before = snapshot(place.data, { times: true });
    // Root may write despite the mode, so there the child becomes nobody.
    if (!isRoot) forbidWriting(place.data);
    const { stdout } = await place.run('without-rights.mjs', [place.data, 'read']).finally(() => {
      if (!isRoot) allowWriting(place.data);
    });
    const report = JSON.parse(stdout);
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(report[name].value, value, `${name}: ${JSON.stringify(report[name].error)}`);
    }
    assert.equal(report.close.error, undefined);
    assert.equal(report.unhandled, 0);
    assert.deepEqual(snapshot(place.data, { times: true }), before);
  });
}

test('a reader without the right to write sees the acked updates of a writer', {
  skip: skip || (!isRoot && 'needs root'),
}, async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const round of range(3)) {
    await storage.updatePlayerStats('user', 'name', 1);
    const { stdout } = await place.run('without-rights.mjs', [place.data, 'read']);
    assert.equal(JSON.parse(stdout).players.value.user.totalGames, round + 1);
  }
});

test('a reader who may not look into the folder of the store reads the data all the same', {
  skip: skip || (!isRoot && 'needs root'),
}, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.transaction(
    [
      ['coins', 'user'],
      ['items', 'user'],
    ],
    () => [1, 2],
  );
  await storage.close();
  fs.chmodSync(place.file('.progressive-storage'), 0o700);
  const { stdout } = await place.run('without-rights.mjs', [place.data, 'read']);
  const { players, entries, close } = JSON.parse(stdout);
  assert.equal(players.error, undefined, JSON.stringify(players.error));
  assert.equal(players.value.user.totalGames, 1);
  assert.equal(entries.value.length, 1);
  assert.equal(close.error, undefined);
});

const LOCKS = ['lock', 'queue'];

test('nobody without the right to write can open a lock file, also an existing one', {
  skip,
}, async (t) => {
  const place = scene(t);
  const files = LOCKS.map((name) => place.file('.progressive-storage', name));
  const modes = () => files.map((file) => (fs.statSync(file).mode & 0o777).toString(8));
  const write = async () => {
    const other = await place.remote();
    await other.call('updatePlayerStats', 'user', 'name', 1);
    await other.end();
  };
  await write();
  for (const mode of modes()) assert.match(mode, /^6[06][06]$/);
  for (const [before, after] of [
    [0o644, '600'],
    [0o664, '660'],
    [0o666, '666'],
    [0o604, '600'],
  ]) {
    for (const file of files) fs.chmodSync(file, before);
    await write();
    assert.deepEqual(modes(), [after, after]);
  }
});

test('a user who may only read the folder cannot keep the lock from its owner', {
  skip: skip || noFlock || (!isRoot && 'needs root'),
}, async (t) => {
  const place = scene(t);
  await filled(place);
  for (const name of LOCKS) {
    const file = place.file('.progressive-storage', name);
    const tried = spawnSync('flock', [file, 'true'], { uid: 65534, gid: 65534, encoding: 'utf8' });
    assert.notEqual(tried.status, 0);
    assert.match(tried.stderr, /Permission denied/);
  }
  // This user does not wait for the owner either.
  await place.lockHolder(place.file('.progressive-storage', 'lock'));
  const { stdout } = await place.run('without-rights.mjs', [place.data, 'read']);
  assert.equal(JSON.parse(stdout).players.value.user.totalGames, 1);
});

test('a reader without the right to write sees whole states, in order, while they are written', {
  skip: skip || (!isRoot && 'needs root'),
}, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  let isDone = false;
  const reading = place.run('read-on.mjs', [place.data, 400]).finally(() => {
    isDone = true;
  });
  let games = 1;
  while (!isDone) {
    await storage.updatePlayerStats('user', 'name', 1);
    games += 1;
    if (games % 50 === 0) await storage.compactLog('players');
  }
  const report = JSON.parse((await reading).stdout);
  assert.deepEqual([report.falls, report.warnings], [0, []]);
  assert.ok(report.games >= 1 && report.games <= games, `${report.games} of ${games}`);
});
