// `get`, `set`, `delete`, `keys`, `find` and `completion`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { commandNames } from '../../bin/support/command-names.mjs';
import { Storage } from '../../index.js';
import { contentsOf, program, runCli, runCliJson } from '../support/cli.mjs';
import { closeStorage, openStorage, temporaryFolder } from '../support/temp.mjs';

async function settings(t, values) {
  const { storage, dataDir } = await openStorage(t, Storage);
  const collection = storage.collection('settings');
  for (const [key, value] of Object.entries(values)) await collection.set(key, value);
  await closeStorage(storage);
  const cli = (...args) => runCli(t, [...args, '--log', 'settings']);
  const json = (...args) => runCliJson(t, [...args, '--log', 'settings']);
  return { dataDir, cli, json };
}

test('get: the value as JSON; exit code 1 where there is none', async (t) => {
  const { dataDir, cli, json } = await settings(t, { motd: 'Hello', 7: { a: [1] }, none: null });
  const before = await contentsOf(dataDir);
  assert.deepEqual((await cli('get', 'motd', dataDir)).stdout, '"Hello"\n');
  assert.deepEqual(JSON.parse((await cli('get', '7', dataDir)).stdout), { a: [1] });
  const nothing = await cli('get', 'never', dataDir);
  assert.deepEqual([nothing.code, nothing.stdout], [1, '']);
  assert.match(nothing.stderr, /There is no key "never" in 'settings'/);
  assert.deepEqual((await json('get', 'none', dataDir)).json, {
    dataDir,
    log: 'settings',
    key: 'none',
    isThere: true,
    value: null,
  });
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('set and delete: both values, a question, and a new entry', async (t) => {
  const { dataDir, cli, json } = await settings(t, { motd: 'Hello' });
  const asked = await cli('set', 'motd', '"Bye"', dataDir);
  assert.equal(asked.code, 4);
  assert.match(asked.stdout, /now +"Hello"\n.*then +"Bye"/);
  assert.equal((await cli('set', 'motd', '"Bye"', dataDir, '--dry-run')).code, 0);
  assert.equal((await json('get', 'motd', dataDir)).json.value, 'Hello');

  assert.equal((await cli('set', 'motd', '{"a":[1,2]}', dataDir, '--yes')).code, 0);
  assert.deepEqual((await json('get', 'motd', dataDir)).json.value, { a: [1, 2] });
  assert.match((await cli('set', 'motd', '{"a":[1,2]}', dataDir)).stdout, /nothing to do/);
  assert.equal((await cli('set', 'new', 'null', dataDir, '--yes')).code, 0);

  assert.equal((await cli('delete', 'motd', dataDir)).code, 4);
  assert.equal((await cli('delete', 'motd', dataDir, '--yes')).code, 0);
  assert.equal((await cli('delete', 'motd', dataDir, '--yes')).code, 1);
  assert.equal((await cli('undo', 'motd', dataDir, '--yes')).code, 0);
  assert.deepEqual((await json('get', 'motd', dataDir)).json.value, { a: [1, 2] });
  assert.equal((await json('get', 'new', dataDir)).json.value, null);
});

test('set: a value from stdin', async (t) => {
  const { dataDir, json } = await settings(t, { motd: 'Hello' });
  const run = (...args) =>
    spawnSync(process.execPath, [program, 'set', 'motd', '-', dataDir, '--log', 'settings', ...args], {
      input: '"from stdin"\n',
      encoding: 'utf8',
    });
  assert.equal(run().status, 2);
  assert.equal(run('--yes').status, 0);
  assert.equal((await json('get', 'motd', dataDir)).json.value, 'from stdin');
});

test('keys: in stored order, those that match', async (t) => {
  const signs = 'x-!"#$%&\'()+,./:;<=>@[]^_`{|}~';
  const names = ['b', 'a', '10', 'a*', 'a?b', 'a\nb', 'ünï', '😀', signs];
  const { dataDir, cli, json } = await settings(t, Object.fromEntries(names.map((name) => [name, 1])));
  assert.equal((await cli('keys', dataDir)).stdout, `10\nb\na\na*\na?b\na\\nb\nünï\n😀\n${signs}\n`);
  for (const [pattern, found] of [
    ['a*', ['a', 'a*', 'a?b', 'a\nb']],
    ['a\\*', ['a*']],
    ['a?b', ['a?b', 'a\nb']],
    ['?', ['b', 'a', '😀']],
    ['ü*', ['ünï']],
    ['[ab]', []],
    [signs, [signs]],
    ['A', []],
  ]) {
    const { code, json: report } = await json('keys', dataDir, '--match', pattern);
    assert.deepEqual([report.keys, code], [found, found.length === 0 ? 1 : 0], pattern);
  }
});

test('find: in a field, an inner field, an item of a list', async (t) => {
  const { dataDir, cli, json } = await settings(t, {
    ann: { level: 5, place: { city: 'Bern' }, tags: ['x', 'y'] },
    ben: { level: '5', 'place.city': 'Bern', tags: [] },
    cat: { level: null, place: 'Bern' },
    dan: 7,
  });
  for (const [wanted, found] of [
    ['level=5', ['ann', 'ben']],
    ['level="5"', ['ben']],
    ['level=null', ['cat']],
    ['place.city=Bern', ['ann', 'ben']],
    ['place=Bern', ['cat']],
    ['tags.1=y', ['ann']],
    ['tags=[]', ['ben']],
    ['place={"city":"Bern"}', ['ann']],
    ['constructor.name=Object', []],
    ['length=0', []],
  ]) {
    const { code, json: report } = await json('find', wanted, dataDir);
    assert.deepEqual([report.found.map(({ key }) => key), code], [found, found.length === 0 ? 1 : 0], wanted);
  }
  assert.match(
    (await cli('find', 'level=null', dataDir)).stdout,
    /^"cat" {2}\{"level":null,"place":"Bern"\}\n$/,
  );
});

test('wrong usage changes nothing', async (t) => {
  const { dataDir, cli } = await settings(t, { motd: 'Hello' });
  const before = await contentsOf(dataDir);
  for (const args of [
    ['get', '', dataDir],
    ['set', '', '1', dataDir, '--yes'],
    ['set', 'motd', 'Hello', dataDir, '--yes'],
    ['delete', '', dataDir, '--yes'],
    ['find', 'username', dataDir],
    ['find', '=x', dataDir],
  ])
    assert.equal((await cli(...args)).code, 2, args.join(' '));
  assert.equal((await runCli(t, ['completion', 'cmd.exe'])).code, 2);
  assert.deepEqual(await contentsOf(dataDir), before);
});

const has = (shell) => spawnSync(shell, ['-c', 'exit 0']).status === 0;

test('completion: each script is one of its shell, and names every command', async (t) => {
  const folder = await temporaryFolder(t);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runCli(t, ['completion', shell]);
    assert.equal(code, 0);
    for (const name of commandNames()) assert.match(stdout, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
    const file = path.join(folder, `completion.${shell}`);
    await writeFile(file, stdout);
    if (!has(shell)) continue;
    const checked = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    assert.deepEqual([checked.status, checked.stderr], [0, ''], shell);
  }
});

test('completion: bash completes commands and their options', {
  skip: !has('bash') && 'no bash',
}, async (t) => {
  const file = path.join(await temporaryFolder(t), 'completion.bash');
  await writeFile(file, (await runCli(t, ['completion', 'bash'])).stdout);
  const complete = (...words) => {
    const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _progressive_storage; echo "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync('bash', ['-c', script, file, ...words], { encoding: 'utf8' });
    return stdout.trim();
  };
  assert.equal(complete('progressive-storage', 'hi'), 'history');
  assert.equal(complete('progressive-storage', 'find', 'a=1', '--sc'), '--schema');
  assert.equal(complete('progressive-storage', 'find', 'a=1', 'x'), '', 'the shell completes files');
});
