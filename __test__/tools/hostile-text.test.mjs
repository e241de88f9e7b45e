// Keys, names of users and logs, paths and options with text that would control the terminal. No command prints such text
// unchanged: not in its results, its errors or its notes.

import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { commandNames } from '../../bin/support/command-names.mjs';
import { Terminal } from '../../bin/support/terminal.mjs';
import { columnsOf, fit, visible, visibleJson } from '../../bin/support/visible.mjs';
import { Storage } from '../../index.js';
import { exampleBot, notOnDeno, runCli, startCli } from '../support/cli.mjs';
import {
  closeStorage,
  logPath,
  openStorage,
  runScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';
import { noTerminal, runOnTerminal } from '../support/terminal.mjs';

const HOSTILE = [
  'title\u001b]0;owned\u0007',
  'colour\u001b[31m',
  'csi\u009b2J',
  'line\nforged: all is well',
  'return\rforged',
  'tab\tback\b\u0000null',
  'turned\u202egnp.exe',
  'isolate\u2066x\u2069',
  'separator\u2028forged',
  'hidden\u200b\ufeff',
  'delete\u007f',
];
const RAW = /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u200b\ufeff]/u;
const LOG = 'log\u001b[31m\u202e';

function assertTame(what, ...texts) {
  for (const text of texts) {
    const found = RAW.exec(text);
    assert.equal(
      found,
      null,
      `${what}: ${JSON.stringify(text.slice(Math.max(0, found?.index - 60), found?.index + 60))}`,
    );
    assert.doesNotMatch(text, /^forged/m, what);
  }
}

let template;
const endings = [];
before(async () => {
  const owner = { after: (work) => endings.push(work) };
  template = await exampleBot(owner, { services: 'old' });
  const dataDir = path.join(template, 'data');
  const { storage } = await openStorage(owner, Storage, { dataDir });
  for (const round of [1, 2]) {
    for (const text of HOSTILE) await storage.updatePlayerStats(text, text, round);
    if (round === 1) await storage.compactLog('players');
  }
  await closeStorage(storage);
  // The name of a log is the name of a file, which anybody may have created.
  await cp(logPath(dataDir, 'players'), logPath(dataDir, LOG));
  const lines = HOSTILE.map((text) => JSON.stringify({ key: text, value: { username: `${text}!` } }));
  await writeFile(path.join(template, 'import.jsonl'), lines.join('\n'));
});
after(async () => {
  for (const end of endings.reverse()) await end();
});

async function copyOf(t) {
  const folder = path.join(await temporaryFolder(t), 'bot');
  await cp(template, folder, { recursive: true, verbatimSymlinks: true });
  return folder;
}

const KEY = HOSTILE[0];
const COMMANDS = {
  adopt: [['adopt', '--yes', '--accept-differences']],
  build: [['build']],
  compact: [['compact']],
  completion: [['completion', 'bash']],
  dashboard: [],
  delete: HOSTILE.slice(0, 5).map((key) => ['delete', key, '--yes']),
  diff: [
    ['diff'],
    ['diff', '--at', '2100-01-01'],
    ['diff', '--backup', 'newest'],
    ['diff', 'data', '../other'],
  ],
  doctor: [['doctor'], ['doctor', '--read-only']],
  export: [['export'], ['export', '-f', 'jsonl'], ['export', '--entries'], ['export', '--log', LOG]],
  find: HOSTILE.slice(0, 5).map((text) => ['find', `username=${text}`]),
  get: HOSTILE.map((key) => ['get', key]),
  history: HOSTILE.map((key) => ['history', key]).concat([['history', KEY, '--values']]),
  import: [['import', 'import.jsonl', '--yes']],
  inspect: [['inspect']],
  keys: [['keys'], ['keys', '--match', '*\n*']],
  repair: [
    ['repair', '--dry-run'],
    ['repair', '--yes'],
  ],
  restore: [['restore', '--at', '2100-01-01', '--into', `restored${KEY.replace(/\0/g, '')}`, '--yes']],
  revert: [['revert', '--yes']],
  set: HOSTILE.slice(0, 5).map((key) => ['set', key, JSON.stringify(key), '--yes']),
  snapshot: [['snapshot', `copy${KEY.replace(/\0/g, '')}`]],
  stats: [['stats', '--top', '50']],
  tail: [['tail', '-n', '100']],
  undo: HOSTILE.slice(0, 5).map((key) => ['undo', key, '--yes']),
  verify: [['verify', '--backups']],
};

// Those that need a server are tested in `__test__/postgres`.
const ON_SERVERS = ['migrate', 'postgres'];

test('every command has its row here', () => {
  assert.deepEqual([...Object.keys(COMMANDS), ...ON_SERVERS].sort(), commandNames());
});

for (const [name, lines] of Object.entries(COMMANDS)) {
  test(`${name}: prints nothing hostile`, { skip: notOnDeno }, async (t) => {
    const folder = await copyOf(t);
    await mkdir(path.join(folder, '..', 'other', 'data'), { recursive: true });
    await writeFile(
      path.join(folder, '..', 'other', 'data', 'players.json'),
      JSON.stringify({ [KEY]: { [KEY]: KEY } }),
    );
    if (name === 'repair' || name === 'verify' || name === 'doctor') {
      for (const log of ['players', LOG]) await damage(path.join(folder, 'data'), log);
    }
    for (const args of lines.filter((line) => line.every((part) => !part.includes('\0')))) {
      for (const more of [[], ['--json'], ['--progress']]) {
        const { stdout, stderr } = await runCli(t, [...args, ...more], { cwd: folder });
        assertTame([...args, ...more].join(' '), stdout, stderr);
        if (more[0] === '--json' && !['export', 'tail'].includes(name)) JSON.parse(stdout);
      }
    }
  });

  test(`${name}: errors about wrong arguments print nothing hostile`, { skip: notOnDeno }, async (t) => {
    for (const hostile of HOSTILE.filter((text) => !text.includes('\0'))) {
      for (const args of [[`--${hostile}`], [hostile], [hostile, hostile, hostile, hostile]]) {
        const { code, stdout, stderr } = await runCli(t, [name, ...args]);
        assert.notEqual(code, 0);
        assertTame(`${name} ${args}`, stdout, stderr);
      }
      // Three starts of the program are enough for each command.
      break;
    }
  });
}

// Appends lines that are no entries, and name a key.
async function damage(dataDir, log) {
  const lines = HOSTILE.map((key) => `{"op":"SET","key":${JSON.stringify(key)},"value":}\n`);
  // With raw characters where a line may have them.
  lines.push('{"op":"SET","key":"raw\u009b\u202e","value":}\n');
  await appendFile(logPath(dataDir, log), `${lines.join('')}{"op":"NOTE"}\n`);
}

test('a folder with a hostile name', { skip: notOnDeno || process.platform === 'win32' }, async (t) => {
  const folder = path.join(await temporaryFolder(t), KEY);
  await rename(await copyOf(t), folder);
  for (const name of ['verify', 'inspect', 'doctor', 'stats']) {
    const { stdout, stderr } = await runCli(t, [name, folder]);
    assertTame(name, stdout, stderr);
    assert.match(stdout + stderr, /title\\u001b/, name);
  }
  assertTame('dance', (await runCli(t, [KEY])).stderr);
});

test('tail -f shows a new entry without hostile text', {
  skip: notOnDeno || process.platform === 'win32',
}, async (t) => {
  const folder = await copyOf(t);
  const { child, output, ended } = await startCli(t, ['tail', '-f', '-n', '1'], { cwd: folder });
  await waitUntil(() => output.stdout !== '', { what: 'the last entry' });
  await appendFile(
    logPath(path.join(folder, 'data'), 'players'),
    `${JSON.stringify({ op: 'NOTE\u009b', key: KEY, more: KEY })}\n`,
  );
  await waitUntil(() => output.stdout.includes('NOTE'), { what: 'the new one' });
  child.kill('SIGINT');
  const { stdout, stderr } = await ended;
  assertTame('tail -f', stdout, stderr);
});

test('csv keeps the data unchanged in a file and a pipe, but not on a terminal', {
  skip: noTerminal,
}, async (t) => {
  const folder = await copyOf(t);
  const piped = await runCli(t, ['export', '-f', 'csv'], { cwd: folder });
  assert.ok(piped.stdout.includes(KEY));
  const shown = await runOnTerminal(['export', '-f', 'csv'], { cwd: folder });
  // The terminal itself ends lines with CR LF.
  assertTame('csv on a terminal', shown.replaceAll('\r\n', '\n'));
  assert.match(shown, /title\\u001b\]0;owned\\u0007/);
});

test('warnings of the library print nothing hostile, in a process of its own', async (t) => {
  const folder = await copyOf(t);
  const dataDir = path.join(folder, 'data');
  await damage(dataDir, 'players');
  await appendFile(logPath(dataDir, 'players'), '{"torn');
  await writeFile(path.join(dataDir, 'game_state.json'), '[]');
  const source = `
    import { Storage } from ${JSON.stringify(new URL('../../index.js', import.meta.url).href)};
    const logged = [];
    for (const logger of [undefined, { warn: (text) => logged.push(text) }]) {
      const storage = new Storage({ dataDir: process.argv[2], ...(logger && { logger }) });
      storage.on('corruption', ({ message }) => logged.push(message), { observe: true });
      await storage.loadPlayers();
      await storage.getAllGameStates();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await storage.close();
    }
    console.log(logged.join('\\n'));
    const refusing = new Storage({ dataDir: process.argv[2], onCorruption: 'refuse', logger: null });
    await refusing.loadPlayers().catch((error) => console.log(error.message));
    await refusing.close();`;
  const hostileDir = path.join(folder, `data${KEY}`);
  await rename(dataDir, hostileDir);
  const { code, stdout, stderr } = await runScript(t, { source, args: [hostileDir] });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /PS_/);
  for (const text of [stdout, stderr]) assert.match(text, /data title\\u001b|datatitle\\u001b/);
  assertTame('a warning', stdout, stderr);
  assert.ok(
    (await readFile(logPath(hostileDir, 'players'), 'utf8')).includes('{"torn'),
    'reading changed nothing',
  );
});

test('a text is shown with escapes, in the right number of columns', () => {
  for (const text of HOSTILE) assertTame(text, visible(text), visibleJson({ [text]: text }, 2));
  assert.deepEqual(JSON.parse(visibleJson({ HOSTILE })), { HOSTILE });
  assert.equal(visible('a\nb\t\u001b[1m\ud800'), 'a\\nb\\t\\u001b[1m\\ud800');
  assert.equal(visible('Bén 😀 👩‍👩‍👧 日本'), 'Bén 😀 👩‍👩‍👧 日本', 'what is only foreign stays');
  assert.deepEqual(['abc', '日本', 'e\u0301', '😀'].map(columnsOf), [3, 4, 1, 2]);
  assert.deepEqual([fit('abcdef', 4), fit('日本語', 5), fit('abc', 3)], ['abc…', '日本…', 'abc']);
});

test('only the program itself prints colours', () => {
  let said = '';
  const out = { isTTY: true, columns: 80, write: (text) => (said += text) };
  const terminal = new Terminal({ stdout: out, stderr: out, env: {} });
  terminal.line(`${terminal.red('bad')} \u001b[31mworse\u001b[0m`);
  assert.equal(said, '\u001b[31mbad\u001b[0m \\u001b[31mworse\\u001b[0m\n');
  said = '';
  terminal.table([{ name: 'a', left: true }, { name: 'b' }], [['x\u001b[1m', 1]]);
  assertTame('a table', said.split('\u001b[2m').join('').split('\u001b[0m').join(''));
});
