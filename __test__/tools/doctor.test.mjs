// `doctor`: a healthy folder is well, and each fault is found, with its meaning and advice. Other machines are given as
// text: mount tables and environments.

import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  chown,
  mkdtemp,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { clockFindings } from '../../bin/doctor/clock.mjs';
import { fileSystemFindings, mountOf } from '../../bin/doctor/file-system.mjs';
import { hostingOf } from '../../bin/doctor/platform.mjs';
import { EXIT } from '../../bin/support/errors.mjs';
import { Storage } from '../../index.js';
import { busyBot, contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { closeStorage, logPath, mirrorPath, openStorage, runScript } from '../support/temp.mjs';

async function healthyFolder(t) {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < 5; i++) await storage.updatePlayerStats(`user${i}`, 'Name', i);
  await storage.saveGameState('channel', { round: 1 });
  await closeStorage(storage);
  return dataDir;
}

const found = (json, id) => json.findings.filter((finding) => finding.id === id);

// The temporary folder may be in memory, so its disk is not checked.
test('a healthy folder: every area is checked, and nothing is left behind', async (t) => {
  const dataDir = await healthyFolder(t);
  const before = await contentsOf(dataDir);
  const { json } = await runCliJson(t, ['doctor', dataDir]);
  assert.deepEqual(
    [...new Set(json.findings.map(({ area }) => area))],
    ['platform', 'folder', 'disk', 'clock', 'logs'],
  );
  assert.deepEqual(
    json.findings.filter(({ id, level }) => level === 'fail' && id !== 'file-system'),
    [],
  );
  for (const id of [
    'version',
    'runtime',
    'binary',
    'permissions',
    'file-system',
    'space',
    'sync',
    'clock',
    'log',
  ]) {
    assert.ok(found(json, id).length > 0, id);
  }
  assert.match(found(json, 'binary')[0].what, /\.node$/);
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('every warning and failure says what it means and what to do', async (t) => {
  const dataDir = await healthyFolder(t);
  await appendFile(
    logPath(dataDir, 'players'),
    '{"op":"SET","key":"user1","value":}\n{"op":"DELETE","key":"user2"}\n',
  );
  await writeFile(mirrorPath(dataDir, 'game_state'), '[]');
  const { code, json } = await runCliJson(t, ['doctor', dataDir, '--read-only']);
  assert.equal(code, 1);
  assert.equal(json.ok, false);
  for (const finding of json.findings.filter(({ level }) => level === 'warn' || level === 'fail')) {
    assert.ok(finding.meaning && finding.advice, finding.what);
  }
  assert.equal(found(json, 'damage')[0].level, 'fail');
  assert.match(
    found(json, 'damage')[0].what,
    /players: 1 damaged line of 7; the first is line 6, byte \d+, .*"user1"/,
  );
  assert.equal(found(json, 'mirror')[0].level, 'warn');
});

test('a torn end is no fault', async (t) => {
  const dataDir = await healthyFolder(t);
  await appendFile(logPath(dataDir, 'players'), '{"timest');
  const { json } = await runCliJson(t, ['doctor', dataDir, '--read-only']);
  assert.equal(found(json, 'torn')[0].level, 'info');
});

test('a file that cannot be checked is named, and is not well', async (t) => {
  const dataDir = await healthyFolder(t);
  // A FIFO at the path of a log, and a link to a disk that is not mounted.
  await rm(mirrorPath(dataDir, 'game_state'));
  await symlink('/nowhere/game_state.json', mirrorPath(dataDir, 'game_state'));
  const odd = await runCliJson(t, ['doctor', dataDir, '--read-only']);
  assert.equal(odd.code, EXIT.found);
  assert.match(found(odd.json, 'not-a-file')[0].what, /game_state\.json' is not a file/);
});

test('an area that fails is named, the others are checked, and the exit code says so', {
  skip: process.platform !== 'linux' && 'needs /proc',
}, async (t) => {
  const dataDir = await healthyFolder(t);
  // `statfs` of this child fails.
  const source = `
    import fs from 'node:fs';
    fs.statfsSync = () => { throw Object.assign(new Error('EIO: i/o error, statfs'), { code: 'EIO', syscall: 'statfs', path: '/x' }); };
    const { main } = await import(${JSON.stringify(new URL('../../bin/program.mjs', import.meta.url).href)});
    await main(['doctor', ${JSON.stringify(dataDir)}, '--read-only', ...process.argv.slice(2)]);`;
  const { code, stdout } = await runScript(t, { source, args: ['--json'] });
  const json = JSON.parse(stdout);
  const [area] = found(json, 'area');
  assert.equal(area.level, 'unchecked');
  assert.match(area.what, /^Disk: .*the disk failed \(EIO, statfs\)/);
  assert.ok(found(json, 'log').length > 0, 'the logs were looked at');
  assert.equal(code, EXIT.unchecked);
  assert.deepEqual([json.ok, json.unchecked], [false, [area.what]]);
  const text = await runScript(t, { source });
  assert.doesNotMatch(text.stdout, /all (that was checked )?is well/i);
  assert.match(text.stdout, /1 thing could not be checked\.\n {2}not checked: Disk/);
});

test('skipped checks are named, and are no "all is well"', async (t) => {
  const dataDir = await healthyFolder(t);
  const { stdout } = await runCli(t, ['doctor', dataDir, '--read-only']);
  assert.doesNotMatch(stdout, /All is well/);
  assert.match(stdout, /left out: writing and syncing \(--read-only\)/);
});

test('a log that somebody emptied or removed, beside its backups', async (t) => {
  const dataDir = await healthyFolder(t);
  const { storage } = await openStorage(t, Storage, { dataDir });
  await storage.compactLog('players');
  await closeStorage(storage);
  const log = logPath(dataDir, 'players');
  for (const [change, said] of [
    [() => truncate(log), /players: the log is empty, and there are backups/],
    [() => rm(log), /players: there is no log, and there are backups/],
  ]) {
    await change();
    const doctor = await runCliJson(t, ['doctor', dataDir, '--read-only']);
    const failed = found(doctor.json, 'log').filter(({ level }) => level === 'fail');
    assert.deepEqual([doctor.code, failed.length], [EXIT.found, 1]);
    assert.match(failed[0].what, said);
    const verify = await runCli(t, ['verify', dataDir]);
    assert.equal(verify.code, EXIT.found);
    assert.match(verify.stdout, said);
  }
});

test('a log that is gone with its JSON file', async (t) => {
  const dataDir = await healthyFolder(t);
  for (const name of ['players', 'game_state']) {
    await rm(logPath(dataDir, name));
    await rm(mirrorPath(dataDir, name));
    const { code, json } = await runCliJson(t, ['doctor', dataDir, '--read-only']);
    assert.equal(code, EXIT.found);
    assert.match(found(json, 'gone').at(-1).what, /^players: its log and its JSON file are gone/);
    const verify = await runCli(t, ['verify', dataDir]);
    assert.equal(verify.code, EXIT.found);
    assert.match(verify.stdout, /players: its log and its JSON file are gone/);
  }
});

test('a folder without rights', { skip: process.getuid?.() === 0 && 'root may do everything' }, async (t) => {
  const dataDir = await healthyFolder(t);
  await chmod(logPath(dataDir, 'players'), 0o444);
  const { code, json } = await runCliJson(t, ['doctor', dataDir]);
  assert.equal(code, 1);
  assert.match(found(json, 'writable')[0].what, /players\.log/);
});

test('root sees whose files lock the bot out', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const dataDir = await healthyFolder(t);
  const store = path.join(dataDir, '.progressive-storage');
  for (const name of [dataDir, path.join(dataDir, 'logs'), store, mirrorPath(dataDir, 'players')]) {
    await chown(name, 65534, 65534);
  }
  for (const name of ['players', 'game_state']) await chown(logPath(dataDir, name), 65534, 65534);
  const { json } = await runCliJson(t, ['doctor', dataDir]);
  const [owner, ...more] = found(json, 'owner');
  assert.equal(more.length, 0);
  assert.ok(owner.what.endsWith(`: ${mirrorPath(dataDir, 'game_state')}`), owner.what);
  assert.match(owner.advice, /chown -R 65534/);
  await chown(mirrorPath(dataDir, 'game_state'), 65534, 65534);
  assert.deepEqual(found((await runCliJson(t, ['doctor', dataDir])).json, 'owner'), []);
});

test('a world-writable folder', {
  skip: process.platform === 'win32' && 'no modes',
}, async (t) => {
  const dataDir = await healthyFolder(t);
  await chmod(dataDir, 0o777);
  const { json } = await runCliJson(t, ['doctor', dataDir]);
  assert.equal(found(json, 'world-writable')[0].level, 'warn');
});

test('the processes that use the folder', {
  skip: process.platform !== 'linux' && 'needs /proc',
}, async (t) => {
  const dataDir = await healthyFolder(t);
  const bot = await busyBot(t, dataDir);
  const { json } = await runCliJson(t, ['doctor', dataDir]);
  assert.match(found(json, 'users')[0].what, new RegExp(`process ${bot.pid}\\b.*busy-bot`));
  assert.deepEqual(found(json, 'damage'), [], 'a log that is being written is not taken for damaged');
  const { stored, games } = await bot.stop();
  assert.equal(games, stored + 5);
});

test('a folder in memory', async (t) => {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  if (!/ \/dev\/shm .* - tmpfs /.test(table)) return t.skip('there is no /dev/shm');
  const folder = await mkdtemp('/dev/shm/progressive-storage-');
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, 'players.json'), '{}');
  const { code, json } = await runCliJson(t, ['doctor', folder]);
  assert.equal(code, 1);
  assert.match(found(json, 'file-system')[0].what, /tmpfs.*in memory/);
});

const mountLine = (at, type, options = 'rw', superOptions = 'rw') =>
  `36 35 98:0 / ${at} ${options} master:1 - ${type} /dev/x ${superOptions}`;

test('file systems by the mount table', () => {
  const table = (...lines) => `${lines.join('\n')}\n`;
  const levels = (text, isInContainer = false) =>
    fileSystemFindings(mountOf('/', text), isInContainer).map(({ id, level }) => `${id} ${level}`);
  for (const [type, expected] of [
    ['ext4', 'file-system ok'],
    ['xfs', 'file-system ok'],
    ['btrfs', 'file-system ok'],
    ['nfs4', 'file-system fail'],
    ['cifs', 'file-system fail'],
    ['fuse.sshfs', 'file-system fail'],
    ['9p', 'file-system fail'],
    ['tmpfs', 'file-system fail'],
    ['overlay', 'file-system warn'],
    ['something', 'file-system unchecked'],
  ]) {
    assert.deepEqual(levels(table(mountLine('/', type))), [expected], type);
  }
  assert.deepEqual(levels(table(mountLine('/', 'ext4', 'rw', 'rw,barrier=0'))), [
    'file-system ok',
    'barriers fail',
  ]);
  assert.deepEqual(levels(table(mountLine('/', 'ext4', 'ro'))), ['file-system ok', 'read-only fail']);
  assert.deepEqual(levels(table(mountLine('/', 'ext4')), true), ['file-system ok', 'container info']);
  assert.deepEqual(levels(''), ['file-system unchecked'], 'where the system does not tell');
});

test('the nearest mount counts, and the last of two at one place', async (t) => {
  const dataDir = await healthyFolder(t);
  const escaped = dataDir.replaceAll(' ', '\\040');
  const type = (...lines) => mountOf(dataDir, lines.join('\n')).type;
  assert.equal(type(mountLine('/', 'overlay'), mountLine(escaped, 'ext4')), 'ext4');
  assert.equal(type(mountLine(escaped, 'ext4'), mountLine(escaped, 'tmpfs')), 'tmpfs');
  assert.equal(type(mountLine('/', 'overlay'), mountLine(`${escaped}-other`, 'nfs')), 'overlay');
});

test('hosts whose disk is wiped', () => {
  for (const env of [
    { DYNO: 'web.1' },
    { K_SERVICE: 'bot' },
    { RENDER: 'true' },
    { FLY_APP_NAME: 'bot' },
    { RAILWAY_ENVIRONMENT: 'production' },
    { VERCEL: '1' },
    { REPLIT_DEPLOYMENT: '1' },
  ]) {
    const { what, meaning, advice } = hostingOf(env);
    assert.ok(what && meaning && advice, JSON.stringify(env));
  }
  assert.equal(
    hostingOf({ RAILWAY_ENVIRONMENT: 'production', RAILWAY_VOLUME_MOUNT_PATH: '/data' }),
    undefined,
  );
  assert.equal(hostingOf({ PATH: '/bin' }), undefined);
});

test('a clock behind the data, and one that was never set', async (t) => {
  const dataDir = await healthyFolder(t);
  const ids = async (now) => (await clockFindings({ dataDir, isReadOnly: true, now })).map(({ id }) => id);
  assert.deepEqual(await ids(Date.now()), ['clock']);
  assert.deepEqual(await ids(Date.now() - 3_600_000), ['future']);
  assert.deepEqual(await ids(0), ['clock', 'future']);
});

test('a preloaded library that switches off sync', async (t) => {
  const dataDir = await healthyFolder(t);
  const { json } = await runCliJson(t, ['doctor', dataDir, '--read-only'], {
    env: { LD_PRELOAD: 'libeatmydata.so' },
  });
  assert.equal(found(json, 'preload')[0].level, 'fail');
});
