/**
 * Failures of the disk and of the system are ordinary errors: one rejection with the system's code, the system call and the
 * path. Nothing else is lost, memory and disk agree, and writing works again once the cause is gone.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  isRoot,
  isWindows,
  manyPlayers,
  player,
  range,
  scene,
  sealed,
  set,
  snapshot,
  watchUnhandled,
} from '../support/durability.mjs';

const mount = (...args) => spawnSync('mount', args, { encoding: 'utf8' });

/** A data directory on a small file system of its own, or null where that cannot be had. */
function smallDisk(t, place, size) {
  if (process.platform !== 'linux' || !isRoot) {
    t.skip('a small disk needs root on Linux');
    return null;
  }
  fs.mkdirSync(place.data);
  const mounted = mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place.data);
  if (mounted.status !== 0) {
    t.skip(`mount(8) does not work here: ${mounted.stderr || mounted.error}`);
    return null;
  }
  // A forgotten handle must not keep the file system alive, so it is unmounted lazily.
  place.atEnd(() => spawnSync('umount', ['-l', place.data]));
  return place.data;
}

/** Writes until nothing more fits, to the last byte. */
function fillDisk(place) {
  const file = fs.openSync(place.file('filler'), 'a');
  for (let chunk = 65_536; chunk >= 1; ) {
    try {
      fs.writeSync(file, Buffer.alloc(chunk, 0x78));
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
      chunk = Math.floor(chunk / 2);
    }
  }
  fs.closeSync(file);
}

function assertSystemError(error, codes, place) {
  assert.ok(error instanceof Error || typeof error === 'object');
  assert.ok(codes.includes(error.code), `code ${error.code}: ${error.message}`);
  assert.equal(typeof error.syscall, 'string', `syscall of ${error.message}`);
  assert.match(error.syscall, /^[a-z0-9_]+$/);
  assert.ok(error.path?.startsWith(place.root), `path ${error.path} of ${error.message}`);
  assert.match(error.message, new RegExp(error.code));
}

const fails = async (call) => {
  const error = await call.then(
    (value) => assert.fail(`resolved to ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  assert.ok(error instanceof Error, String(error));
  return error;
};

/** Memory, log, and a fresh look by someone else say the same. */
async function assertAgreement(place, storage) {
  const players = await storage.loadPlayers();
  assert.deepEqual(place.replayed(), players, 'memory is what is in the log');
  const other = place.open();
  assert.deepEqual(await other.loadPlayers(), players, 'anyone else sees the same');
  // On a full disk this rejects: the mirror could not be written.
  await other.close().catch((error) => assertSystemError(error, ['ENOSPC'], place));
  return players;
}

test('a full disk: ENOSPC, and an acked write is never lost', async (t) => {
  const place = scene(t);
  if (!smallDisk(t, place, '512k')) return;
  const unhandled = watchUnhandled(t);
  const storage = place.open();
  let acked = 0;
  const update = async () => {
    await storage.updatePlayerStats('user', 'name', 1);
    acked += 1;
  };
  await update();

  for (const round of range(3)) {
    fillDisk(place);
    // First one after the other, then many at once: the log's last page may have room for a few.
    const errors = [];
    for (const _ of range(30)) await update().catch((error) => errors.push(error));
    const results = await Promise.allSettled(range(30).map(update));
    errors.push(...results.filter((each) => each.status === 'rejected').map((each) => each.reason));
    assert.ok(errors.length > 0, 'the disk was full');
    for (const error of errors) assertSystemError(error, ['ENOSPC'], place);
    assert.equal((await storage.getPlayerStats('user')).totalGames, acked, `round ${round}, disk full`);
    await assertAgreement(place, storage);

    fs.rmSync(place.file('filler'));
    await update();
    await update();
    assert.equal((await storage.getPlayerStats('user')).totalGames, acked, `round ${round}, space again`);
    assert.deepEqual(place.mirrorState(), await assertAgreement(place, storage));
  }
  assert.deepEqual(await unhandled(), []);
});

test('a full disk: a large write is there whole or not at all', async (t) => {
  const place = scene(t);
  if (!smallDisk(t, place, '1m')) return;
  const storage = place.open();
  await storage.savePlayers({ first: player('first') });
  const error = await fails(storage.savePlayers(manyPlayers(1000, 3000)));
  assertSystemError(error, ['ENOSPC'], place);
  assert.deepEqual(await assertAgreement(place, storage), { first: player('first') });
  await storage.updatePlayerStats('second', 'name', 1);
  assert.deepEqual(Object.keys(await assertAgreement(place, storage)), ['first', 'second']);
});

test('a full disk: compaction fails, the log is as it was, and later it works', async (t) => {
  const place = scene(t);
  if (!smallDisk(t, place, '2m')) return;
  const storage = place.open();
  await storage.savePlayers(manyPlayers(100, 3000));
  await storage.flush();
  const before = place.logText();
  fillDisk(place);
  assertSystemError(await fails(storage.compactLog('players')), ['ENOSPC'], place);
  assert.equal(place.logText(), before);
  assert.equal(fs.existsSync(`${place.log()}.tmp`), false, 'what was begun does not take up the space');
  assert.equal(Object.keys(await storage.loadPlayers()).length, 100);

  fs.rmSync(place.file('filler'));
  await storage.compactLog('players');
  assert.equal(place.logLines()[0].op, 'CHECKPOINT');
  await storage.updatePlayerStats('user-00000', 'name', 1);
  assert.equal((await assertAgreement(place, storage))['user-00000'].totalGames, 2);
});

test('a full disk from the first call on', async (t) => {
  const place = scene(t);
  if (!smallDisk(t, place, '256k')) return;
  fillDisk(place);
  const storage = place.open();
  assert.deepEqual(await storage.loadPlayers(), {});
  assertSystemError(await fails(storage.updatePlayerStats('user', 'name', 1)), ['ENOSPC'], place);
  assert.deepEqual(await storage.loadPlayers(), {});
  fs.rmSync(place.file('filler'));
  assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 1);
  await assertAgreement(place, storage);
});

test('a read-only file system: EROFS', async (t) => {
  const place = scene(t);
  if (!smallDisk(t, place, '1m')) return;
  const first = place.open();
  await first.updatePlayerStats('user', 'name', 1);
  await first.close();
  const remounted = mount('-o', 'remount,ro', place.data);
  if (remounted.status !== 0) {
    t.skip(`a file system cannot be made read-only here: ${remounted.stderr}`);
    return;
  }
  const storage = place.open();
  assert.equal((await storage.getPlayerStats('user')).totalGames, 1);
  assertSystemError(await fails(storage.updatePlayerStats('user', 'name', 1)), ['EROFS'], place);
  assertSystemError(await fails(storage.appendLogEntry('events', { op: 'NOTE' })), ['EROFS'], place);
  assertSystemError(await fails(storage.compactLog('players')), ['EROFS'], place);
  assert.equal((await storage.getPlayerStats('user')).totalGames, 1);

  mount('-o', 'remount,rw', place.data);
  assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
  await assertAgreement(place, storage);
});

const skip = isWindows && 'needs the rights and limits of Unix';

test('a folder without the right to write: EACCES', { skip }, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.close();
  const folders = [place.data, place.file('logs'), place.file('.progressive-storage')];
  const files = [place.log(), place.mirror()];
  const before = snapshot(place.data, { times: true });
  if (!isRoot) {
    for (const file of files) fs.chmodSync(file, 0o444);
    for (const folder of folders) fs.chmodSync(folder, 0o555);
  }
  const { stdout } = await place.run('without-rights.mjs', [place.data, 'write']).finally(() => {
    for (const folder of folders) fs.chmodSync(folder, 0o755);
    for (const file of files) fs.chmodSync(file, 0o644);
  });
  const report = JSON.parse(stdout);
  for (const name of ['append', 'update', 'set', 'compact']) {
    assert.ok(report[name].error, `${name} was refused`);
    assertSystemError(report[name].error, ['EACCES'], place);
  }
  assert.equal(report.players.value.user.totalGames, 1);
  assert.equal(report.close.error, undefined);
  assert.equal(report.unhandled, 0);
  assert.deepEqual(snapshot(place.data, { times: true }), before);
  assert.equal((await place.open().updatePlayerStats('user', 'name', 1)).totalGames, 2);
});

// For example an administrator's command beside the bot, or one start of the bot as root by mistake.
test('root in the folder of another user leaves everything to its owner', {
  skip: skip || (!isRoot && 'needs root'),
}, async (t) => {
  const place = scene(t);
  const nobody = 65534;
  fs.mkdirSync(place.data);
  fs.chownSync(place.data, nobody, nobody);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.compactLog('players');
  await storage.collection('coins').set('user', 1);
  await storage.close();
  const { stdout } = await place.run('without-rights.mjs', [place.data, 'write']);
  const { unhandled, ...report } = JSON.parse(stdout);
  for (const [name, { error }] of Object.entries(report)) assert.equal(error, undefined, name);
  assert.equal(report.update.value.totalGames, 2);
  assert.equal(unhandled, 0);
  const again = place.open();
  await again.updatePlayerStats('user', 'name', 1);
  await again.compactLog('players');
  await again.close();
  for (const name of ['', ...fs.readdirSync(place.data, { recursive: true })]) {
    const { uid, gid } = fs.lstatSync(path.join(place.data, name));
    assert.deepEqual([uid, gid], [nobody, nobody], name);
  }
});

test('root changes no owner of a file behind a link', {
  skip: skip || (!isRoot && 'needs root'),
}, async (t) => {
  const place = scene(t);
  const nobody = 65534;
  const target = path.join(path.dirname(place.data), 'of-root');
  fs.mkdirSync(place.file('logs'), { recursive: true });
  for (const folder of [place.data, place.file('logs')]) fs.chownSync(folder, nobody, nobody);
  fs.symlinkSync(target, place.log());
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.close();
  assert.equal(fs.statSync(target).uid, 0);
});

for (const firstUse of ['before', 'after']) {
  test(`no file descriptors left, first used ${firstUse} that: EMFILE`, { skip }, async (t) => {
    const place = scene(t);
    const { stdout } = await place.run('no-descriptors.mjs', [place.data, firstUse], {
      command: (line) => ['sh', '-c', 'ulimit -n 80; exec "$@"', 'sh', ...line],
    });
    const report = JSON.parse(stdout);
    assert.equal(report.limitReached, 'EMFILE');
    for (const { error } of report.during) if (error) assertSystemError(error, ['EMFILE'], place);
    if (firstUse === 'after') assert.equal(report.during.filter((each) => each.error).length, 3);
    assert.equal(report.afterwards.error, undefined);
    assert.equal(report.totalGames, report.acked);
    assert.equal(report.unhandled, 0);
    assert.equal(place.replayed().user.totalGames, report.acked);
    assert.equal(place.mirrorState().user.totalGames, report.acked);
  });
}

test('a folder at the path of a log: EISDIR for that log only', async (t) => {
  const unhandled = watchUnhandled(t);
  const place = scene(t);
  fs.mkdirSync(place.log(), { recursive: true });
  const storage = place.open();
  for (const call of [
    () => storage.updatePlayerStats('user', 'name', 1),
    () => storage.appendLogEntry('players', { op: 'NOTE' }),
    () => storage.loadPlayers(),
    () => storage.readLogEntries('players'),
    () => storage.rebuildStateFromLog('players'),
    () => storage.compactLog('players'),
  ]) {
    const error = await fails(call());
    assertSystemError(error, ['EISDIR'], place);
    assert.equal(error.path, place.log());
  }

  // Calls on other logs at the same time succeed.
  const results = await Promise.allSettled([
    storage.saveGameState('channel', { round: 1 }),
    storage.updatePlayerStats('user', 'name', 1),
    storage.collection('coins').set('user', 5),
    storage.updatePlayerStats('user', 'name', 1),
    storage.saveTokens(['a']),
  ]);
  assert.deepEqual(
    results.map((each) => each.status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal((await storage.loadGameState('channel')).round, 1);
  assert.equal(await storage.collection('coins').get('user'), 5);
  assert.deepEqual((await storage.loadTokens()).tokens, ['a']);

  fs.rmdirSync(place.log());
  assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 1);
  await assertAgreement(place, storage);
  assert.deepEqual(await unhandled(), []);
});

for (const [what, file] of [
  ['a file where the folder of the logs should be', ['data', 'logs']],
  ['a file where the data directory should be', ['data']],
  ['a file where the folder of the lock should be', ['data', '.progressive-storage']],
]) {
  test(`${what}: ENOTDIR, and afterwards all is well`, async (t) => {
    const unhandled = watchUnhandled(t);
    const place = scene(t);
    const inTheWay = path.join(place.root, ...file);
    fs.mkdirSync(path.dirname(inTheWay), { recursive: true });
    fs.writeFileSync(inTheWay, 'in the way');
    const storage = place.open();
    const results = await Promise.allSettled([
      storage.updatePlayerStats('user', 'name', 1),
      storage.appendLogEntry('events', { op: 'NOTE' }),
      storage.collection('coins').set('user', 1),
    ]);
    for (const { reason } of results) assertSystemError(reason, ['ENOTDIR', 'EEXIST'], place);
    assert.equal(fs.readFileSync(inTheWay, 'utf8'), 'in the way');

    fs.rmSync(inTheWay);
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 1);
    await storage.appendLogEntry('events', { op: 'NOTE' });
    assert.equal((await storage.readLogEntries('events')).length, 1);
    await assertAgreement(place, storage);
    assert.deepEqual(await unhandled(), []);
  });
}

test('a folder at the path of a mirror: the log has what was acked, the mirror follows later', async (t) => {
  const unhandled = watchUnhandled(t);
  const place = scene(t);
  place.writeLog([sealed(set('user', player('user')))]);
  fs.mkdirSync(place.mirror());
  const storage = place.open();
  let acked = 0;
  for (const _ of range(5)) {
    await storage.updatePlayerStats('user', 'name', 1).then(
      () => {
        acked += 1;
      },
      (error) => assertSystemError(error, ['EISDIR', 'ENOTEMPTY', 'EEXIST'], place),
    );
  }
  assert.equal(place.replayed().user.totalGames, 1 + acked);
  fs.rmSync(place.mirror(), { recursive: true, force: true });
  assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, acked + 2);
  await storage.flush();
  assert.deepEqual(place.mirrorState(), place.replayed());
  assert.deepEqual(await unhandled(), []);
});

test('a log that fails now and then: every acked entry counts, and no rejected one', async (t) => {
  const place = scene(t);
  const storage = place.open();
  let acked = 0;
  let refused = 0;
  for (const round of range(5)) {
    for (const _ of range(3)) {
      await storage.updatePlayerStats('user', 'name', 1);
      acked += 1;
    }
    // For a while something else is at the path of the logs' folder.
    fs.renameSync(place.file('logs'), place.file('away'));
    fs.writeFileSync(place.file('logs'), '');
    const results = await Promise.allSettled(
      range(4).map(() => storage.updatePlayerStats('user', 'name', 1)),
    );
    refused += results.filter((each) => each.status === 'rejected').length;
    assert.equal(refused, 4 * (round + 1));
    fs.rmSync(place.file('logs'));
    fs.renameSync(place.file('away'), place.file('logs'));
    assert.equal((await storage.getPlayerStats('user')).totalGames, acked);
  }
  await assertAgreement(place, storage);
});

test('a FIFO in place of a file: an error says so, and other logs work', {
  skip: isWindows,
}, async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  for (const [file, call] of [
    [place.log('events'), () => storage.appendLogEntry('events', { op: 'SET', key: 'k', value: 1 })],
    [place.log('read'), () => storage.readLogEntries('read')],
    [place.mirror('coins'), () => storage.collection('coins').set('user', 1)],
    [`${place.log()}.backup.5`, () => storage.history('players', 'user')],
  ]) {
    assert.equal(spawnSync('mkfifo', [file]).status, 0);
    await assert.rejects(call(), (error) => {
      assert.equal(error.code, 'EINVAL');
      assert.equal(error.path, file);
      assert.match(error.message, /is a FIFO .* not a regular file/);
      return true;
    });
    await storage.updatePlayerStats('user', 'name', 1);
    fs.rmSync(file);
    await call();
  }
  assert.equal((await storage.getPlayerStats('user')).totalGames, 5);
});
