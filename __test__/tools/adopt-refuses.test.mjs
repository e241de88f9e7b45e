// `adopt` and `revert` refuse a bot where a check fails, and touch nothing: differing results, code that does not run,
// missing files, a bot in use, missing rights, Ctrl-C.

import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { playNight, service } from '../support/adoption.mjs';
import {
  contentsOf,
  exampleBot,
  notOnDeno,
  oldServices,
  runCli,
  runCliJson,
  startCli,
} from '../support/cli.mjs';
import { logPath, startScript, temporaryFolder, waitUntil } from '../support/temp.mjs';

async function trialsLeft() {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('progressive-storage-trial-'));
}

test('old and new code differ: nothing is touched, the players are named; --accept-differences', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  // The old module was killed between its log and its JSON file.
  const dataDir = path.join(folder, 'data');
  const entry = {
    timestamp: new Date().toISOString(),
    op: 'SET',
    key: '104',
    value: { userId: '104', totalGames: 1, totalScore: 7 },
  };
  await appendFile(logPath(dataDir, 'players'), `${JSON.stringify(entry)}\n`);
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /key 104: the old code has nothing, the new code has 1 games, 7 points/);
  assert.deepEqual(await contentsOf(folder), before);
  const accepted = await runCliJson(t, ['adopt', folder, '--yes', '--accept-differences']);
  assert.equal(accepted.code, 0, accepted.stderr);
  assert.equal(accepted.json.done, true);
});

test('a log that the old code cannot read: nothing is touched', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  await appendFile(logPath(path.join(folder, 'data'), 'players'), '{"timestamp":"2026-');
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /log of players: the old code cannot read it/);
  assert.doesNotMatch(
    refused.stdout + refused.stderr,
    /storage-trial|probe\.mjs/,
    'the message does not show the copy',
  );
  assert.deepEqual(await contentsOf(folder), before);
});

test('old code that reads another folder is detected', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  await rename(path.join(folder, 'data'), path.join(folder, 'store'));
  await mkdir(path.join(folder, 'data'));
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['adopt', folder, '--yes', '--data', 'store']);
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /✘ players/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('an export that the bot uses and the package lacks: nothing is touched', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await appendFile(path.join(folder, 'services', 'storage.js'), 'export const season = () => 3;\n');
  // Nobody uses it, so it does not matter.
  assert.equal((await runCli(t, ['adopt', folder, '--dry-run'])).code, 0);
  await appendFile(path.join(folder, 'bot.js'), "export { season } from './services/storage.js';\n");
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /'season' of storage, used in bot\.js/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('old code that does not run: nothing is touched, and its error is shown', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await appendFile(path.join(folder, 'services', 'storage.js'), "throw new Error('no database today');\n");
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /the old code could not be run/);
  assert.match(refused.stderr, /no database today/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('what is missing is named: the files, the package, the old files', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await rm(path.join(folder, 'node_modules'), { recursive: true });
  const noPackage = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(noPackage.code, 3);
  assert.match(noPackage.stderr, /npm install progressive-storage/);

  await rm(path.join(folder, 'services', 'storage.js'));
  const noFile = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(noFile.code, 5);
  assert.match(noFile.stderr, /No folder with append-log\.js and storage\.js/);

  const other = await exampleBot(t);
  const noOrig = await runCli(t, ['revert', other, '--yes']);
  assert.equal(noOrig.code, 3);
  assert.match(noOrig.stderr, /\.orig' is missing/);
});

test('an .orig of something else is not overwritten', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await writeFile(path.join(folder, 'services', 'storage.js.orig'), 'mine');
  const refused = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /is not a copy/);
  assert.equal(await service(folder, 'storage.js.orig'), 'mine');
});

test('revert without its old code running: nothing is touched', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  assert.equal((await runCli(t, ['adopt', folder, '--yes'])).code, 0);
  await writeFile(path.join(folder, 'services', 'storage.js.orig'), 'export const broken = ;');
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['revert', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /the old code could not be run/);
  assert.deepEqual(await contentsOf(folder), before);
});

test('while the bot runs, both refuse', {
  skip: process.platform !== 'linux' && 'needs /proc',
}, async (t) => {
  const folder = await exampleBot(t);
  for (const part of ['append-log', 'storage']) {
    await writeFile(path.join(folder, 'services', `${part}.js.orig`), (await oldServices())[part]);
  }
  const source = `
    import { updatePlayerStats } from './services/storage.js';
    await updatePlayerStats('1', 'Ann', 1);
    console.log('running');
    setInterval(() => {}, 1000);`;
  const { child, output, ended } = await startScript(t, { source, cwd: folder });
  await waitUntil(() => output.stdout.includes('running'), { what: 'the bot' });
  const refused = await runCli(t, ['revert', folder, '--yes']);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, new RegExp(`in use[\\s\\S]*process ${child.pid}`));
  child.kill();
  await ended;
  assert.equal((await runCli(t, ['revert', folder, '--yes'])).code, 0);
});

// The old module has no file open between two calls, so only the command line of its process shows it.
test('an idle bot with the old code is found, and is distinguished from other processes', {
  skip: process.platform !== 'linux' && 'needs /proc',
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  const before = await contentsOf(path.join(folder, 'services'));
  const source = "console.log('running'); setInterval(() => {}, 1000);";
  const start = async (cwd, options) => {
    const started = await startScript(t, { cwd, ...options });
    await waitUntil(() => started.output.stdout.includes('running'), { what: 'the bot' });
    return started;
  };
  const elsewhere = await temporaryFolder(t);
  const file = path.join(folder, 'bot.mjs');
  await writeFile(file, source);
  // Started in its folder, and by its path from another one.
  for (const cwd of [folder, elsewhere]) {
    const { child, ended } = await start(cwd, { file });
    const refused = await runCliJson(t, ['adopt', folder, '--yes']);
    assert.equal(refused.code, 3);
    assert.equal(refused.json.error.code, 'ERR_IN_USE');
    assert.match(refused.json.error.details.join('\n'), new RegExp(`process ${child.pid}: .*bot\\.mjs`));
    assert.match(refused.json.error.hint, new RegExp(`Stop it.*--ignore-process ${child.pid}`));
    assert.deepEqual(await contentsOf(path.join(folder, 'services')), before);
    child.kill();
    await ended;
  }
  // Another program in the folder is only named, and --ignore-process excludes the bot.
  const tool = path.join(elsewhere, 'tool.mjs');
  await writeFile(tool, source);
  const other = await start(folder, { file: tool });
  const { child } = await start(folder, { file });
  const named = await runCli(t, ['adopt', folder, '--yes', '--ignore-process', String(child.pid)]);
  assert.equal(named.code, 0, named.stderr);
  assert.match(named.stderr, new RegExp(`process ${other.child.pid} runs in the bot's folder`));
  assert.equal((await runCli(t, ['revert', folder, '--yes', '--ignore-process', 'x'])).code, 2);
});

test('the data folder changes during the checks: an error says so, and nothing is touched', async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  const before = await contentsOf(path.join(folder, 'services'));
  // A process from another folder, with no file open between its writes.
  const source = `
    import { appendFileSync } from 'node:fs';
    setInterval(() => appendFileSync(process.argv[2], JSON.stringify({ op: 'NOTE' }) + '\\n'), 20);
    console.log('running');`;
  const args = [path.join(folder, 'data', 'logs', 'players.log')];
  const { child, output, ended } = await startScript(t, { source, args });
  await waitUntil(() => output.stdout.includes('running'), { what: 'the writer' });
  const refused = await runCliJson(t, ['adopt', folder, '--yes', '--ignore-process', String(child.pid)]);
  assert.equal(refused.code, 3);
  assert.equal(refused.json.error.code, 'ERR_IN_USE');
  assert.match(refused.json.error.message, /Something writes to the data folder/);
  assert.match(refused.json.error.details.join(), /logs.players\.log/);
  assert.deepEqual(await contentsOf(path.join(folder, 'services')), before);
  child.kill();
  await ended;
  assert.equal((await runCli(t, ['adopt', folder, '--yes'])).code, 0);
});

// Deno prints an error of the old code in another form.
test('an error of the old code names the folder of the bot, and no file of the package', {
  skip: notOnDeno,
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await appendFile(path.join(folder, 'services', 'storage.js'), "\nthrow new Error('out of order');\n");
  const { code, stderr } = await runCli(t, ['adopt', folder, '--yes']);
  assert.equal(code, 3);
  assert.match(stderr, /out of order/);
  assert.ok(stderr.includes(path.join(folder, 'services', 'storage.js')), stderr);
  assert.doesNotMatch(stderr, /probe\.mjs|node:internal|storage-trial/);
});

test('Ctrl-C during the checks leaves the bot as it was, and no copy behind', {
  skip: notOnDeno,
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await playNight(t, folder);
  // The old code waits, so that there is something to interrupt.
  const stalled = path.join(folder, 'stalled');
  await appendFile(
    path.join(folder, 'services', 'storage.js'),
    `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(stalled)}, '');\nawait new Promise((resolve) => setTimeout(resolve, 60_000));\n`,
  );
  const before = await contentsOf(folder);
  const trials = await trialsLeft();
  const { child, ended } = await startCli(t, ['adopt', folder, '--yes']);
  await waitUntil(() => stat(stalled).then(Boolean, () => false), { what: 'the old code to be loaded' });
  child.kill('SIGINT');
  const { code } = await ended;
  assert.equal(code, 130);
  await rm(stalled);
  assert.deepEqual(await contentsOf(folder), before);
  const left = (await trialsLeft()).filter((name) => !trials.includes(name));
  // Other tests may have a copy open at this moment; this test's copy is gone.
  for (const name of left) {
    const services = path.join(tmpdir(), name, 'services', 'storage.js');
    const text = await readFile(services, 'utf8').catch(() => '');
    assert.ok(!text.includes(stalled), `${name} was left behind`);
  }
});

test('a read-only services folder', {
  skip: process.getuid?.() === 0 && 'root may write everywhere',
}, async (t) => {
  const folder = await exampleBot(t, { services: 'old' });
  await chmod(path.join(folder, 'services'), 0o555);
  const before = await contentsOf(folder);
  const refused = await runCli(t, ['adopt', folder, '--yes']);
  await chmod(path.join(folder, 'services'), 0o755);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /EACCES/);
  assert.deepEqual(await contentsOf(folder), before);
});
