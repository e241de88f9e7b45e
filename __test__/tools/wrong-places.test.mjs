// Every command at every place without data: a missing folder, an unreadable one, a file, an empty folder, a folder with
// other files. Each is one clear error with its own exit code, never "all is well", and creates no file.

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandNames } from '../../bin/support/command-names.mjs';
import { EXIT } from '../../bin/support/errors.mjs';
import { Storage } from '../../index.js';
import { exampleBot, notOnDeno, runCli, runCliJson } from '../support/cli.mjs';
import {
  closeStorage,
  logPath,
  mirrorPath,
  openStorage,
  runScript,
  temporaryFolder,
} from '../support/temp.mjs';

// The arguments of each command for a place.
const COMMANDS = {
  adopt: (place) => [place, '--yes'],
  compact: (place) => [place],
  delete: (place) => ['key', place, '--yes'],
  dashboard: (place) => [place, '--port', '0'],
  diff: (place) => [place],
  doctor: (place) => [place],
  export: (place) => [place],
  find: (place) => ['username=Name', place],
  get: (place) => ['key', place],
  history: (place) => ['key', place],
  import: (place, { file }) => [file, place, '--yes'],
  inspect: (place) => [place],
  // The folder is looked at before the server.
  migrate: (place) => [place, 'postgres://nobody@127.0.0.1:1/none', '--yes'],
  keys: (place) => [place],
  repair: (place) => [place, '--yes'],
  restore: (place, { into }) => [place, '--at', '2100-01-01', '--into', into, '--yes'],
  revert: (place) => [place, '--yes'],
  set: (place) => ['key', '1', place, '--yes'],
  snapshot: (place, { into }) => [into, place],
  stats: (place) => [place],
  tail: (place) => [place],
  undo: (place) => ['key', place, '--yes'],
  verify: (place) => [place],
};
// The other folder of a comparison is a place too.
const OTHERS = { 'diff to it': (place, { good }) => ['diff', good, place] };

const CODES = {
  missing: 'ERR_NO_PLACE',
  unreadable: 'ERR_PLACE_UNREADABLE',
  'a file': 'ERR_NOT_A_FOLDER',
  empty: 'ERR_NO_DATA',
  foreign: 'ERR_NO_DATA',
};
// `import` begins a store, so a missing or empty folder is no mistake for it. `adopt` and `revert` need a bot, not data.
const MAY_BEGIN = { import: ['missing', 'empty'] };
const codeOf = (name, place) =>
  ['adopt', 'revert'].includes(name) && CODES[place] === 'ERR_NO_DATA' ? 'ERR_NO_BOT' : CODES[place];

let places;
let others;
const endings = [];
before(async () => {
  const owner = { after: (work) => endings.push(work) };
  const root = await temporaryFolder(owner);
  await chmod(root, 0o755);
  const at = (name) => path.join(root, name);
  places = {
    missing: at('missing'),
    unreadable: at('unreadable'),
    'a file': at('file'),
    empty: at('empty'),
    foreign: at('foreign'),
  };
  await writeFile(at('file'), '{"op":"SET","key":"a","value":1}\n');
  await mkdir(at('empty'));
  for (const folder of ['foreign', 'foreign/logs', 'unreadable']) await mkdir(at(folder));
  await writeFile(at('foreign/notes.json'), '{"a":1}');
  await writeFile(at('foreign/logs/access.log'), '127.0.0.1 GET /\n');
  await writeFile(at('foreign/logs/readme.txt'), 'none of yours');
  await writeFile(at('unreadable/players.json'), '{}');
  await chmod(at('unreadable'), 0o000);
  endings.push(() => chmod(at('unreadable'), 0o700));
  const { storage, dataDir } = await openStorage(owner, Storage, { dataDir: at('good') });
  await storage.updatePlayerStats('key', 'Name', 1);
  await closeStorage(storage);
  await writeFile(at('import.json'), '{"key":{"userId":"key"}}');
  others = { file: at('import.json'), into: at('restored'), good: dataDir };
  await chmod(dataDir, 0o755);
  await chmod(path.join(dataDir, 'logs'), 0o755);
});
after(async () => {
  for (const end of endings.reverse()) await end();
});

test('every command has its row here', () => {
  // `postgres` takes no place but a server, `build` and `completion` none.
  assert.deepEqual([...Object.keys(COMMANDS), 'build', 'completion', 'postgres'].sort(), commandNames());
});

const rows = [
  ...Object.entries(COMMANDS).map(([name, args]) => [name, (place, other) => [name, ...args(place, other)]]),
  ...Object.entries(OTHERS),
];
for (const [name, args] of rows) {
  for (const place of Object.keys(CODES)) {
    if (MAY_BEGIN[name]?.includes(place)) continue;
    test(`${name}, ${place}: one error, its own exit code, and no new file`, {
      skip: notOnDeno || (place === 'unreadable' && process.platform === 'win32' && 'no modes'),
    }, async (t) => {
      const line = args(places[place], others);
      const before = await readdir(path.dirname(places.empty));
      const { code, stdout, stderr } = await runAt(t, place, line);
      assert.equal(code, EXIT.place, `${stdout}${stderr}`);
      assert.equal(stdout, '', 'no half of a report');
      assert.match(stderr, /^progressive-storage: .*'\/?[^']*'.*\.\n.+\n$/, 'what is wrong, and what to do');
      assert.doesNotMatch(stderr, /all is well|^ {4}at |node:internal/im);
      const { stdout: told } = await runAt(t, place, [...line, '--json']);
      assert.equal(JSON.parse(told).error.code, codeOf(name, place));
      assert.deepEqual(new Set(await readdir(path.dirname(places.empty))), new Set(before));
      assert.deepEqual(await readdir(places.empty), []);
      assert.deepEqual((await readdir(places.foreign)).sort(), ['logs', 'notes.json']);
    });
  }
}

// A user without rights tries the folder that may not be read.
function runAt(t, place, args) {
  if (place !== 'unreadable') return runCli(t, args);
  const file = fileURLToPath(new URL('../children/cli-without-rights.mjs', import.meta.url));
  return runScript(t, { file, args, cwd: '/' });
}

test('the folder of the environment is a place like any other', { skip: notOnDeno }, async (t) => {
  for (const place of ['missing', 'a file', 'empty', 'foreign']) {
    const env = { PROGRESSIVE_STORAGE_DIR: places[place] };
    const { code, json } = await runCliJson(t, ['verify'], { env, cwd: path.dirname(places.empty) });
    assert.deepEqual([code, json.error.code], [EXIT.place, CODES[place]], place);
  }
});

test('adopt takes a bot without data; a named data path must be a folder', {
  skip: notOnDeno,
}, async (t) => {
  const bot = await exampleBot(t, { services: 'old' });
  const strange = await runCliJson(t, ['adopt', bot, '--data', places['a file'], '--yes']);
  assert.deepEqual([strange.code, strange.json.error.code], [EXIT.place, 'ERR_NOT_A_FOLDER']);
  const { code, stdout, stderr } = await runCli(t, ['adopt', bot, '--yes']);
  assert.equal(code, EXIT.ok, stdout + stderr);
});

test('a bot with logs of its own beside its data: `data` is taken', { skip: notOnDeno }, async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.collection('coins').set('ann', 1);
  await closeStorage(storage);
  const bot = path.dirname(dataDir);
  await mkdir(path.join(bot, 'logs'));
  await writeFile(path.join(bot, 'logs', 'bot.log'), 'started\n');
  assert.equal((await runCliJson(t, ['verify', bot])).json.dataDir, dataDir);
});

test('an unreadable log or JSON file is named, and so is one that is no file', {
  skip: notOnDeno || (process.platform === 'win32' && 'no modes'),
}, async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.updatePlayerStats('key', 'Name', 1);
  await closeStorage(storage);
  for (const folder of [path.dirname(dataDir), dataDir, path.join(dataDir, 'logs')])
    await chmod(folder, 0o755);
  // `migrate` asks its server first, which these tests have not.
  const reading = Object.keys(COMMANDS).filter(
    (name) => !['adopt', 'revert', 'doctor', 'import', 'migrate'].includes(name),
  );
  const into = { ...others, into: path.join(dataDir, '..', 'restored') };
  const each = async (codeWanted, run) => {
    for (const name of reading) {
      const { code, stdout, stderr } = await run([name, ...COMMANDS[name](dataDir, into), '--json']);
      assert.equal(code, EXIT.place, `${name}: ${stdout}${stderr}`);
      assert.equal(JSON.parse(stdout).error.code, codeWanted, name);
    }
  };
  await chmod(logPath(dataDir, 'players'), 0o000);
  await each('ERR_PLACE_UNREADABLE', (args) => runAt(t, 'unreadable', args));
  await rm(logPath(dataDir, 'players'));
  await symlink('/nowhere/players.log', logPath(dataDir, 'players'));
  await each('ERR_NOT_A_FILE', (args) => runCli(t, args));
  await rm(logPath(dataDir, 'players'));
  await rm(mirrorPath(dataDir, 'players'));
  await mkdir(mirrorPath(dataDir, 'players'));
  await each('ERR_NOT_A_FILE', (args) => runCli(t, args));
});

test('a missing log, backup or key', { skip: notOnDeno }, async (t) => {
  for (const [args, code, said] of [
    [['verify', others.good, '--log', 'playres'], 'ERR_NO_LOG', /Did you mean 'players'\?/],
    [['diff', others.good, others.good, '--log', 'coins'], 'ERR_NO_LOG', /Neither place has a log 'coins'/],
    [['diff', others.good, '--backup', '5'], 'ERR_NO_BACKUP', /no backup '5'/],
    [['export', others.good, '--log', 'coins'], 'ERR_NO_LOG', /no log 'coins'/],
  ]) {
    const result = await runCliJson(t, args);
    assert.equal(result.code, EXIT.place, args.join(' '));
    assert.equal(result.json.error.code, code);
    assert.match(result.json.error.message, said);
  }
});
