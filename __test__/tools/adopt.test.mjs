// `adopt` and `revert` on bots of all kinds: checks on a copy first, then two files are replaced, and back again. The old
// code and the new code play a night before, between and after.

import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { MARK, playNight, service } from '../support/adoption.mjs';
import {
  contentsOf,
  exampleBot,
  notOnDeno,
  oldServices,
  program,
  renameService,
  runCli,
  runCliJson,
} from '../support/cli.mjs';
import { logPath, mirrorPath, readLogLines, runScript, temporaryFolder } from '../support/temp.mjs';

test('adopt after a night of the old code, a night of the new, revert, and a night of the old again', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  const old = await oldServices();
  const first = await playNight(t, folder, 1);
  assert.equal(first.players['101'].totalGames, 1);
  const data = await contentsOf(path.join(folder, 'data'));

  const adopted = await runCliJson(t, ['adopt', folder, '--yes']);
  assert.equal(adopted.code, 0, adopted.stderr);
  assert.equal(adopted.json.done, true);
  assert.ok(adopted.json.checks.length >= 9 && adopted.json.checks.every(({ ok }) => ok));
  assert.equal(adopted.json.dataDir, path.join(folder, 'data'));
  assert.deepEqual(await contentsOf(path.join(folder, 'data')), data, 'the data is as it was');
  for (const part of ['append-log', 'storage']) {
    assert.equal(await service(folder, `${part}.js.orig`), old[part]);
    assert.ok((await service(folder, `${part}.js`)).startsWith(MARK));
    assert.ok(adopted.json.changed.includes(path.join(folder, 'services', `${part}.js`)));
  }

  const second = await playNight(t, folder, 2);
  assert.equal(second.players['101'].totalGames, 2);
  assert.equal(second.players['101'].totalScore, 2 * first.players['101'].totalScore);
  assert.match(
    (await readLogLines(path.join(folder, 'data'), 'players')).at(-1),
    /"_crc"/,
    'written by the new code',
  );

  const reverted = await runCliJson(t, ['revert', folder, '--yes']);
  assert.equal(reverted.code, 0, reverted.stderr);
  for (const part of ['append-log', 'storage']) assert.equal(await service(folder, `${part}.js`), old[part]);
  assert.deepEqual((await readdir(path.join(folder, 'services'))).sort(), ['append-log.js', 'storage.js']);

  const third = await playNight(t, folder, 3);
  assert.equal(third.players['101'].totalGames, 3);
  assert.equal(third.players['101'].totalScore, 3 * first.players['101'].totalScore);
  assert.ok(!(await readLogLines(path.join(folder, 'data'), 'players')).at(-1).includes('"_crc"'));
});

test('the two files are those of the documents and of the example', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  assert.equal((await runCli(t, ['adopt', folder, '--yes'])).code, 0);
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  for (const part of ['append-log', 'storage']) {
    const text = await service(folder, `${part}.js`);
    const example = await readFile(
      new URL(`../../examples/bot/services/${part}.js`, import.meta.url),
      'utf8',
    );
    assert.equal(text, example);
    const lines = text.trimEnd().split('\n');
    // Without the line that says who wrote it.
    assert.ok(readme.includes(lines.slice(1).join('\n')), `README.md has the text of services/${part}.js`);
  }
});

test('a second adopt changes nothing, and neither does revert without an adopt', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  const nothing = await runCli(t, ['revert', folder, '--yes']);
  assert.equal(nothing.code, 0);
  assert.match(nothing.stdout, /Nothing to do/);
  assert.equal((await runCli(t, ['adopt', folder, '--yes'])).code, 0);
  const before = await contentsOf(folder);
  const again = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /already/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('adopt and revert leave re-exports that were written by hand', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  for (const part of ['append-log', 'storage']) {
    const text = `import { configure } from 'progressive-storage';\nconfigure({ dataDir: 'data' });\nexport * from "progressive-storage/${part}";\n`;
    await writeFile(path.join(folder, 'services', `${part}.js`), text);
  }
  const before = await contentsOf(folder);
  const adopted = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(adopted.code, 0);
  assert.match(adopted.stdout, /already/);
  const reverted = await runCli(t, ['revert', folder, '--yes']);
  assert.equal(reverted.code, 3);
  assert.match(reverted.stderr, /was not written by `adopt`/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('the data folder is that of the bot, from any current directory', { skip: notOnDeno }, async (t) => {
  const folder = await exampleBot(t, { services: 'old', name: "a bot's #1 folder 100%" });
  await playNight(t, folder);
  const adopted = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(adopted.code, 0, adopted.stdout + adopted.stderr);
  const source = `
    import { pathToFileURL } from 'node:url';
    const { getPlayerStats } = await import(pathToFileURL(process.argv[2]).href);
    console.log((await getPlayerStats('101')).totalGames);`;
  const elsewhere = await runScript(t, { source, args: [path.join(folder, 'services', 'storage.js')] });
  assert.equal(elsewhere.stdout.trim(), '1', elsewhere.stderr);
});

test('without --yes and without a terminal nothing changes: exit code 4', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  const before = await contentsOf(folder);
  const asked = await runCli(t, ['adopt', folder]);
  assert.equal(asked.code, 4);
  assert.match(asked.stdout, /services\/storage\.js +is kept as storage\.js\.orig and becomes:/);
  assert.match(asked.stdout, /✔ players: 3 the same/);
  const dry = await runCli(t, ['adopt', folder, '--dry-run']);
  assert.equal(dry.code, 0);
  assert.match(dry.stdout, /dry run/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('a stop in the middle of the swap: the next run finishes it, adopt and revert', async (t) => {
  const old = await oldServices();
  for (const [command, finished] of [
    ['adopt', { storage: MARK, 'append-log': MARK }],
    ['revert', { storage: old.storage, 'append-log': old['append-log'] }],
  ]) {
    const folder = await exampleBot(t, { services: 'old' });
    await playNight(t, folder);
    assert.equal((await runCli(t, ['adopt', folder, '--yes'])).code, 0);
    // One file is new, the other is still old, and its .orig is there.
    await writeFile(path.join(folder, 'services', 'storage.js'), old.storage);
    const result = await runCli(t, [command, folder, '--yes']);
    assert.equal(result.code, 0, result.stdout + result.stderr);
    for (const [part, start] of Object.entries(finished)) {
      assert.ok((await service(folder, `${part}.js`)).startsWith(start), `${command}: ${part}`);
    }
  }
});

test('CommonJS services', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  for (const part of ['append-log', 'storage']) {
    const text = (await oldServices())[part]
      .replaceAll(/^import fs from 'node:fs\/promises';$/gm, "const fs = require('node:fs/promises');")
      .replaceAll(/^import path from 'node:path';$/gm, "const path = require('node:path');")
      .replaceAll(
        /^import \{([^}]*)\} from '\.\/append-log\.js';$/gm,
        "const {$1} = require('./append-log.cjs');",
      )
      .replaceAll(/^export (async function|function|class|const) (\w+)/gm, 'module.exports.$2 = $2;\n$1 $2');
    // A const or a class cannot be exported before its definition.
    const hoisted = text
      .replace(/module\.exports\.(OpType|CompactionScheduler) = \w+;\n/g, '')
      .concat(
        part === 'append-log' ? '\nObject.assign(module.exports, { OpType, CompactionScheduler });\n' : '',
      );
    await writeFile(path.join(folder, 'services', `${part}.js`), hoisted);
    await renameService(folder, `${part}.js`, `${part}.cjs`);
  }
  const source = `
    const { updatePlayerStats, loadPlayers } = require('./services/storage.cjs');
    updatePlayerStats('1', 'Ann', 5).then(loadPlayers).then((all) => console.log(JSON.stringify(all['1'].totalScore)));`;
  await writeFile(path.join(folder, 'play.cjs'), source);
  const play = async () => (await runScript(t, { file: 'play.cjs', cwd: folder })).stdout.trim();
  assert.equal(await play(), '5');
  const adopted = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(adopted.code, 0, adopted.stdout + adopted.stderr);
  assert.match(
    await service(folder, 'storage.cjs'),
    /module\.exports = require\('progressive-storage\/storage'\)/,
  );
  assert.equal(await play(), '10');
  assert.equal((await runCli(t, ['revert', folder, '--yes'])).code, 0);
  assert.equal(await play(), '15');
});

test('revert after a kill: the JSON file is behind, a line is torn, and the old code has all data', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  assert.equal((await runCli(t, ['adopt', folder, '--yes'])).code, 0);
  const source = `
    import { savePlayers, loadPlayers, updatePlayerStats } from './services/storage.js';
    const players = await loadPlayers();
    for (let i = 0; i < 500; i++) players['big' + i] = { userId: 'big' + i, totalScore: i, bio: 'x'.repeat(400) };
    await savePlayers(players);
    await updatePlayerStats('late', 'Late', 42);
    console.log('stored');
    process.kill(process.pid, 'SIGKILL');`;
  const killed = await runScript(t, { source, cwd: folder });
  assert.equal(killed.signal, 'SIGKILL');
  assert.match(killed.stdout, /stored/);
  const dataDir = path.join(folder, 'data');
  assert.ok(
    !('late' in JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8'))),
    'the JSON file is behind',
  );
  await appendFile(logPath(dataDir, 'players'), '{"timestamp":"20');
  const reverted = await runCli(t, ['revert', folder, '--yes']);
  assert.equal(reverted.code, 0, reverted.stdout + reverted.stderr);
  assert.equal(JSON.parse(await readFile(mirrorPath(dataDir, 'players'), 'utf8')).late.totalScore, 42);
  const night = await playNight(t, folder, 2);
  assert.equal(night.players.late.totalScore, 42);
  assert.equal(night.players['101'].totalGames, 2);
});

test('planted links are not followed', {
  skip: process.platform === 'win32' && 'links need rights',
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  const victim = path.join(await temporaryFolder(t), 'victim');
  await writeFile(victim, 'of somebody else');
  for (const part of ['append-log', 'storage']) {
    for (const ending of ['.js.tmp', '.js.orig.tmp'])
      await symlink(victim, path.join(folder, 'services', part + ending));
  }
  const { code, stderr } = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(code, 0, stderr);
  assert.equal(await readFile(victim, 'utf8'), 'of somebody else');
  assert.match(await readFile(path.join(folder, 'services', 'storage.js'), 'utf8'), /^\/\/ Written by/);
  const left = (await readdir(path.join(folder, 'services'))).filter((name) => name.endsWith('.tmp'));
  assert.equal(left.length, 4, 'those four, and none of ours');
});

test('read-only data is checked on a writable copy, and the copy is removed', {
  skip: process.platform === 'win32' ? 'no modes' : notOnDeno,
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  const data = path.join(folder, 'data');
  const trials = path.join(folder, 'trials');
  await mkdir(trials);
  const isRoot = process.getuid() === 0;
  for (const name of [data, path.join(data, 'logs')]) await chmod(name, 0o555);
  // Root may write despite the mode, so there the child becomes nobody.
  const nobodys = [path.dirname(folder), folder, path.join(folder, 'services'), trials];
  if (isRoot) for (const name of nobodys) await chown(name, 65534, 65534);
  const source = `
    if (${isRoot}) {
      process.setgid(65534);
      process.setuid(65534);
    }
    process.argv.splice(1, 1, ...${JSON.stringify([program, 'adopt', folder, '--yes'])});
    await import(${JSON.stringify(pathToFileURL(program).href)});`;
  const { code, stdout, stderr } = await runScript(t, { source, cwd: folder, env: { TMPDIR: trials } });
  for (const name of [data, path.join(data, 'logs')]) await chmod(name, 0o755);
  assert.equal(code, 0, stdout + stderr);
  assert.deepEqual(await readdir(trials), []);
});

test('the files keep their mode, and their owner where root adopts and reverts', {
  skip: process.platform === 'win32' && 'no modes',
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  const services = path.join(folder, 'services');
  const modes = { 'append-log.js': 0o640, 'storage.js': 0o600 };
  const owner = process.getuid() === 0 ? 65534 : process.getuid();
  for (const [name, mode] of Object.entries(modes)) {
    await chmod(path.join(services, name), mode);
    if (process.getuid() === 0) await chown(path.join(services, name), owner, owner);
  }
  for (const command of ['adopt', 'revert']) {
    const { code, stdout, stderr } = await runCli(t, [command, folder, '--yes']);
    assert.equal(code, 0, stdout + stderr);
    for (const name of await readdir(services)) {
      const { mode, uid } = await stat(path.join(services, name));
      const found = [(mode & 0o777).toString(8), uid];
      assert.deepEqual(found, [modes[name.replace('.orig', '')].toString(8), owner], `${command}: ${name}`);
    }
  }
});
