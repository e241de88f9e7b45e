// The rules for every command, on a real folder: its exit code, one JSON value with --json, progress with --progress and
// none with --json, and a whole folder after Ctrl-C in the middle.

import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { commandNames } from '../../bin/support/command-names.mjs';
import { Storage } from '../../index.js';
import { exampleBot, notOnDeno, runCli, runCliJson, startCli } from '../support/cli.mjs';
import { closeStorage, openStorage, temporaryFolder, waitUntil } from '../support/temp.mjs';
import { noTerminal, runOnTerminal } from '../support/terminal.mjs';

const PLAYERS = 1000;
const ESCAPE = '\u001b';
const BAR = /^.* (?:\[[#·]{24}\] \d+ % )?[\d.,]+(?: [KMG]?i?B)? · .*\/s|^.* … \d+ m?s$/m;

// For each command: its arguments in a bot's folder, and the exit code. `bar` is false for a command that reads no whole
// file, `services` says whose service files the bot has, where that matters, and only Ctrl-C ends one with `isForever`.
const COMMANDS = {
  adopt: { args: ['.', '--yes'], services: 'old' },
  build: { args: [], bar: false },
  compact: { args: [] },
  completion: { args: ['bash'], bar: false },
  dashboard: { args: ['--port', '0'], isForever: true, bar: false },
  delete: { args: ['key', '--yes'], code: 1 },
  diff: { args: ['data', '--backup', 'newest'], code: 1 },
  doctor: { args: ['.'], code: undefined },
  export: { args: ['--output', 'out/players.csv'] },
  find: { args: ['username=Name 8'] },
  get: { args: ['user7'] },
  history: { args: ['user7'] },
  import: { args: ['import.jsonl', '--yes'] },
  inspect: { args: [] },
  keys: { args: ['--match', 'user*'] },
  repair: { args: ['--yes'] },
  restore: { args: ['--at', '2100-01-01', '--into', 'out/restored', '--yes'] },
  revert: { args: ['.', '--yes'], services: 'adopted' },
  set: { args: ['key', '{"a":1}', '--yes'] },
  snapshot: { args: ['out/copy'] },
  stats: { args: [] },
  tail: { args: ['-f'], isForever: true, bar: false },
  undo: { args: ['user7', '--yes'] },
  verify: { args: ['--backups'] },
};

let template;
const endings = [];
before(async () => {
  const owner = { after: (work) => endings.push(work) };
  template = await exampleBot(owner, { services: 'new' });
  const { storage } = await openStorage(owner, Storage, { dataDir: path.join(template, 'data') });
  const results = (score) =>
    Array.from({ length: PLAYERS }, (_, i) => ({ userId: `user${i}`, username: `Name ${i}`, score }));
  await storage.updatePlayersStats(results(1));
  await storage.compactLog('players');
  await storage.updatePlayersStats(results(2));
  await storage.saveGameState('channel', { round: 1 });
  await storage.updatePlayerStats('user7', 'Seven', 3);
  await closeStorage(storage);
  const lines = Array.from({ length: PLAYERS }, (_, i) => JSON.stringify({ key: `new${i}`, value: { i } }));
  await writeFile(path.join(template, 'import.jsonl'), lines.join('\n'));
});
after(async () => {
  for (const end of endings) await end();
});

// A copy of the folder, and a folder for the command's temporary files.
async function folderFor(t, { services }) {
  const folder = path.join(await temporaryFolder(t), 'bot');
  await cp(template, folder, { recursive: true, verbatimSymlinks: true });
  if (services === 'old' || services === 'adopted') {
    const old = await exampleBot(t, { services: 'old' });
    await cp(path.join(old, 'services'), path.join(folder, 'services'), { recursive: true });
  }
  const tmp = path.join(folder, 'temporary');
  for (const name of [tmp, path.join(folder, 'out')]) await mkdir(name);
  if (services === 'adopted') assert.equal((await runCli(t, ['adopt', '--yes'], { cwd: folder })).code, 0);
  return { cwd: folder, env: { TMPDIR: tmp, TMP: tmp, TEMP: tmp } };
}

async function damage(place) {
  const file = path.join(place.cwd, 'data', 'logs', 'players.log');
  await appendFile(file, '{"op":"SET","key":"user9","value":}\n{"op":"NOTE"}\n');
}

async function assertWhole(t, place, name) {
  const { code, json } = await runCliJson(t, ['verify', '--backups'], place);
  if (name !== 'repair') assert.equal(code, 0, JSON.stringify(json.files?.filter(({ ok }) => !ok)));
  assert.ok(json.files.every(({ file, ok }) => ok || !file.endsWith('.json')));
  const { storage } = await openStorage(t, Storage, { dataDir: path.join(place.cwd, 'data'), logger: null });
  const players = await storage.loadPlayers();
  await closeStorage(storage);
  for (let i = 0; i < PLAYERS; i++) assert.ok(players[`user${i}`].totalGames >= 1, `user${i}`);
  const left = [];
  for (const folder of ['.', 'data', 'data/logs', 'out', 'temporary', 'services']) {
    const names = await readdir(path.join(place.cwd, folder));
    left.push(...names.filter((file) => file.endsWith('.tmp') || file.startsWith('progressive-storage-')));
  }
  assert.deepEqual(left, [], 'nothing is left over');
}

// Those that need a server: `__test__/postgres` has their tests.
const ON_SERVERS = ['migrate', 'postgres'];

test('every command has its row here', () => {
  assert.deepEqual([...Object.keys(COMMANDS), ...ON_SERVERS].sort(), commandNames());
});

for (const [name, command] of Object.entries(COMMANDS)) {
  const {
    args,
    code: codeWanted = 'code' in command ? undefined : 0,
    isForever = false,
    bar = true,
  } = command;

  // `adopt.test.mjs` tests the JSON of commands that change a bot's files.
  if (!isForever && !command.services) {
    test(`${name} --json: one JSON value, and nothing else`, { skip: notOnDeno }, async (t) => {
      const place = await folderFor(t, command);
      const { code, json, stdout, stderr } = await runCliJson(t, [name, ...args, '--progress'], place);
      if (codeWanted !== undefined) assert.equal(code, codeWanted, stdout + stderr);
      assert.equal(typeof json, 'object');
      assert.equal(json.error, undefined);
      assert.doesNotMatch(stderr, BAR);
      assert.ok(!(stdout + stderr).includes(ESCAPE));
    });
  }

  if (!isForever) {
    test(`${name} --progress: amount, rate or time, without a terminal`, { skip: notOnDeno }, async (t) => {
      const place = await folderFor(t, command);
      const { code, stdout, stderr } = await runCli(t, [name, ...args, '--progress'], place);
      if (codeWanted !== undefined) assert.equal(code, codeWanted, stderr);
      if (bar) assert.match(stderr, BAR);
      assert.doesNotMatch(stdout, BAR);
      await assertWhole(t, place, name);
    });
  }

  test(`${name}: Ctrl-C in the middle leaves everything whole`, {
    skip: notOnDeno || (process.platform === 'win32' && 'there are no signals'),
  }, async (t) => {
    const place = await folderFor(t, command);
    if (name === 'repair') await damage(place);
    const { child, output, ended } = await startCli(t, [name, ...args, '--progress'], place);
    // Its first output shows that it works; it may also be finished by then.
    await Promise.race([
      ended,
      waitUntil(() => output.stdout + output.stderr !== '', { what: 'the command to begin' }),
    ]);
    child.kill('SIGINT');
    const { code, signal, stderr } = await ended;
    if (isForever) assert.equal(code, 130, stderr);
    // A runtime that is ending no longer handles signals, so the signal ends it. For a shell that is 130 too.
    else assert.ok([130, 0, 1].includes(code) || signal === 'SIGINT', `exit code ${code}: ${stderr}`);
    await assertWhole(t, place, name);
  });
}

test('the two commands that do not end take --json', { skip: notOnDeno }, async (t) => {
  const place = await folderFor(t, {});
  const tail = await runCli(t, ['tail', '-n', '3', '--json'], place);
  assert.deepEqual(
    tail.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).op),
    ['CHECKPOINT', 'SET', 'SET'],
  );
  const { child, output, ended } = await startCli(t, ['dashboard', '--port', '0', '--json'], place);
  await waitUntil(() => output.stdout.includes('}'), { what: 'the address' });
  assert.match(JSON.parse(output.stdout).url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  child.kill('SIGINT');
  await ended;
});

test('a reader that closes the pipe is no error, and leaves nothing behind', {
  skip: notOnDeno || (process.platform === 'win32' && 'a pipe is closed in another way'),
}, async (t) => {
  const place = await folderFor(t, {});
  // Its first line comes when the backup is in a temporary folder.
  const { child, ended } = await startCli(t, ['diff', 'data', '--backup', 'newest'], place);
  child.stdout.destroy();
  const { code, stderr } = await ended;
  assert.deepEqual([code, stderr], [0, '']);
  await assertWhole(t, place, 'diff');
});

test('a terminal shows a progress bar in place, which is erased at the end', {
  skip: noTerminal,
}, async (t) => {
  const place = await folderFor(t, {});
  const run = (options) => runOnTerminal(['verify', '--backups', ...options], place);
  const shown = await run(['--progress']);
  // Carriage return and "erase line" before each text, and once after the last.
  const texts = shown.split(`\r${ESCAPE}[2K`);
  assert.ok(texts.some((text) => /^Reading players\.log \[#+·*\] \d+ % .*\/s/.test(text)));
  assert.ok(texts.filter((text) => text.includes('100 % ')).every((text) => !text.includes('\n')));
  const json = await run(['--progress', '--json']);
  assert.ok(!json.includes(ESCAPE) && !json.includes('%'));
  assert.equal(JSON.parse(json).ok, true);
});
