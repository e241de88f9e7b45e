// The program `progressive-storage` itself: help for every command, wrong usage, exit codes, `--json`, and colours and
// questions only on a terminal.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { commandNames } from '../../bin/support/command-names.mjs';
import { Endings } from '../../bin/support/endings.mjs';
import { EXIT } from '../../bin/support/errors.mjs';
import { bytes, duration } from '../../bin/support/format.mjs';
import { nearest } from '../../bin/support/nearest.mjs';
import { progressText } from '../../bin/support/progress.mjs';
import { notOnDeno, runCli, runCliJson } from '../support/cli.mjs';
import { repositoryRoot, temporaryFolder } from '../support/temp.mjs';

const manifest = JSON.parse(await readFile(path.join(repositoryRoot, 'package.json'), 'utf8'));

test('the package names the program', () => {
  assert.equal(manifest.bin['progressive-storage'], 'bin/progressive-storage.mjs');
});

test('without a command: the list of commands, and exit code 2', async (t) => {
  const result = await runCli(t, []);
  assert.equal(result.code, 2);
  for (const name of commandNames()) assert.match(result.stdout, new RegExp(`^  ${name} +\\S`, 'm'));
});

test('--help, help and --version', async (t) => {
  const help = await runCli(t, ['--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Usage: progressive-storage COMMAND/);
  assert.equal((await runCli(t, ['help'])).stdout, help.stdout);
  assert.equal((await runCli(t, ['--version'])).stdout.trim(), manifest.version);
});

test('every command has help that names its options, and a place in the documentation', async (t) => {
  const docs = await readFile(path.join(repositoryRoot, 'docs', 'cli.md'), 'utf8');
  for (const name of commandNames()) {
    const result = await runCli(t, [name, '--help']);
    assert.equal(result.code, 0, name);
    assert.match(result.stdout, new RegExp(`^Usage: progressive-storage ${name} `), name);
    const command = await import(`../../bin/commands/${name}.mjs`);
    for (const [option, { description }] of Object.entries(command.options)) {
      assert.ok(result.stdout.includes(`--${option}`), `${name} --${option}`);
      assert.ok(description, `${name} --${option} has a description`);
    }
    assert.equal((await runCli(t, ['help', name])).stdout, result.stdout);
    assert.ok(docs.includes(`\`${name}`), `docs/cli.md has ${name}`);
  }
});

test('wrong usage: exit code 2, and a sentence that says what to do', async (t) => {
  for (const [args, said] of [
    [['dance'], /There is no command 'dance'\.\n/],
    [['dcotor'], /There is no command 'dcotor'\. Did you mean 'doctor'\?/],
    [['insp'], /Did you mean 'inspect'\?/],
    [['adopt', '--colour'], /There is no option '--colour' of 'adopt'\.\n/],
    [['verify', '--bakcups'], /There is no option '--bakcups' of 'verify'\. Did you mean '--backups'\?/],
    [['history', '-100123'], /Before an argument that begins with a minus, put --\./],
    [['history', 'key', '-n', '0'], /--newest is '0'/],
    [['adopt', 'a', 'b'], /an argument too many: 'b'/],
  ]) {
    const result = await runCli(t, args);
    assert.equal(result.code, 2, args.join(' '));
    assert.match(result.stderr, said);
    assert.equal(result.stdout, '', 'nothing on stdout');
  }
});

test('an error with --json is JSON', async (t) => {
  const { code, json } = await runCliJson(t, ['adopt', 'not/there']);
  assert.equal(code, EXIT.place);
  assert.equal(json.error.code, 'ERR_NO_PLACE');
  assert.match(json.error.message, /There is no folder/);
});

test('the exit codes are those of the documentation and of the help, each once', async (t) => {
  const docs = await readFile(path.join(repositoryRoot, 'docs', 'cli.md'), 'utf8');
  const table = docs.match(/## Exit codes\n([\s\S]*?)\n## /)[1];
  const codes = Object.values(EXIT);
  assert.deepEqual(
    [...table.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code)),
    codes,
  );
  assert.equal(new Set(codes).size, codes.length);
  const help = (await runCli(t, ['--help'])).stdout.match(/^Exit codes: (.*)\.$/m)[1];
  assert.deepEqual(
    help.split(', ').map((text) => Number(text.split(' ')[0])),
    codes,
  );
});

test('suggestions for mistyped names', () => {
  const names = ['doctor', 'diff', 'dashboard', 'export', 'history'];
  for (const [typed, meant] of [
    ['docter', 'doctor'],
    ['DOCTOR', 'doctor'],
    ['dif', 'diff'],
    ['dfif', 'diff'],
    ['expotr', 'export'],
    ['hist', 'history'],
    ['xyz', undefined],
    ['x'.repeat(10_000), undefined],
  ]) {
    assert.equal(nearest(typed, names), meant, typed);
  }
});

// Deno does not take a module from its command line.
test('a failure names no file of the package, and shows the place only on request', {
  skip: notOnDeno,
}, async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'players.json'), '{}');
  const run = (env) =>
    spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        // A bug: a command reads a property of undefined.
        `import { Terminal } from ${JSON.stringify(new URL('../../bin/support/terminal.mjs', import.meta.url).href)};
         Terminal.prototype.title = () => undefined.nothing;
         process.stderr.write = (text) => process.stdout.write(text);
         process.chdir(process.env.FOLDER);
         const { main } = await import(${JSON.stringify(new URL('../../bin/program.mjs', import.meta.url).href)});
         await main(['verify']);`,
      ],
      { encoding: 'utf8', env: { ...process.env, FOLDER: folder, ...env } },
    );
  const plain = run({});
  assert.match(
    plain.stdout,
    /(Cannot read properties of undefined|undefined is not an object)[\s\S]*This is a mistake of progressive-storage itself/,
  );
  assert.ok(!plain.stdout.includes(repositoryRoot) && !plain.stdout.includes('    at '), plain.stdout);
  assert.equal(plain.status, EXIT.failed);
  assert.match(run({ PROGRESSIVE_STORAGE_DEBUG: '1' }).stdout, /^ +at .*verify\.mjs/m);
});

test('in a pipe there are no colours', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'data'));
  for (const name of await readdir(new URL('../../bin/commands/', import.meta.url))) {
    const result = await runCli(t, [path.basename(name, '.mjs'), '--help'], { cwd: folder });
    assert.ok(!result.stdout.includes('\u001b') && !result.stderr.includes('\u001b'), name);
  }
});

test('progress shows share, amount, rate and time left', () => {
  assert.equal(
    progressText('Reading', 50, 200, 2000),
    'Reading [######··················] 25 % 50 · 25/s · 6 s left',
  );
  assert.equal(progressText('Reading', 5, 0, 1000), 'Reading 5 · 5/s');
  // A total is an estimate: beyond it there is no share, and the time left is never 0 ms.
  assert.equal(progressText('Reading', 412, 322, 2000), 'Reading 412 · 206/s');
  assert.equal(
    progressText('Reading', 200, 200, 2000),
    'Reading [########################] 100 % 200 · 100/s',
  );
  assert.doesNotMatch(progressText('Reading', 199, 200, 20_000), / 0 ms/);
  assert.equal(bytes(1536), '1.5 KiB');
  assert.equal(duration(90_000), '90 s');
});

test('the endings of a command run once, last first, also when one of them fails', async () => {
  const endings = new Endings();
  const done = [];
  const after = (name) => () => new Promise((resolve) => setImmediate(() => resolve(done.push(name))));
  endings.add(after('first'));
  endings.add(async () => {
    await after('fails')();
    throw new Error('of the second');
  });
  endings.add(() => {
    done.push('at once');
    throw new Error('of the third');
  });
  endings.add(after('last'));
  // Ctrl-C during the endings waits for the same run.
  const both = await Promise.allSettled([endings.run(), endings.run()]);
  assert.deepEqual(done, ['last', 'at once', 'fails', 'first']);
  for (const { reason } of both) assert.match(reason.message, /of the third/);
});
