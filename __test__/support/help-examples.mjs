// The examples in the help texts of the program: a folder in which they are true, and a shell that runs them as they stand.

import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Storage } from '../../index.js';
import { exampleBot, program, runCli } from './cli.mjs';
import { CHOOSING } from './place.mjs';
import { atEnd, closeStorage, openStorage, temporaryFolder, waitUntil } from './temp.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The data that the examples are about: `data/`, and in `bot/` a bot with the same, which has the old services. */
export async function preparedFolder(t) {
  const folder = await temporaryFolder(t);
  const dataDir = path.join(folder, 'data');
  await writeData(t, dataDir);
  const bot = await exampleBot(t, { services: 'old' });
  await cp(bot, path.join(folder, 'bot'), { recursive: true, verbatimSymlinks: true });
  for (const copy of ['bot/data', 'backups/yesterday'])
    await cp(dataDir, path.join(folder, copy), { recursive: true });
  await writeFile(path.join(folder, 'token.txt'), 'a-token-of-more-than-16-characters\n');
  await writeFile(path.join(folder, 'all-players.json'), '{"42":{"username":"Ann","totalScore":99}}');
  await writeFile(
    path.join(folder, 'schemas.mjs'),
    "export const players = { '~standard': { version: 1, vendor: 'bot', validate: (value) => ({ value }) } };",
  );
  await writeFile(path.join(folder, 'new-guilds.csv'), 'key,prefix,games\n125,?,3\n');
  for (const home of [
    '.local/share/bash-completion/completions',
    '.zsh/completions',
    '.config/fish/completions',
  ])
    await mkdir(path.join(folder, 'home', home), { recursive: true });
  await writeProgram(folder);
  return folder;
}

// Every log begins three days ago.
async function writeData(t, dataDir) {
  const { storage } = await openStorage(t, Storage, { dataDir });
  const timestamp = new Date(Date.now() - 3 * DAY_MS).toISOString();
  const then = (log, key, value) => storage.appendLogEntry(log, { timestamp, op: 'SET', key, value });
  await then('players', '42', { userId: '42', username: 'Ann', totalScore: 1 });
  await then('wallets', '42', { coins: 1 });
  await then('guilds', '123', { prefix: '!', settings: { language: 'en' }, games: 1 });
  await then('settings', 'welcome', 'Hello');
  await then('settings', 'guild-123', { isOpen: true });
  await storage.compactLog('players');
  await storage.updatePlayerStats('42', 'Ann', 10, true, 3, 1);
  await storage.updatePlayerStats('43', 'Ben', 20);
  for (let i = 0; i < 3; i++) await storage.collection('guilds').increment('123', 'games');
  await closeStorage(storage);
}

// A program of the name that the examples have.
async function writeProgram(folder) {
  const words = [process.execPath, ...(process.versions.deno ? ['run', '--allow-all'] : []), program];
  const script = `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`;
  const file = path.join(folder, 'home', 'bin', 'progressive-storage');
  await mkdir(path.dirname(file));
  await writeFile(file, script);
  await chmod(file, 0o755);
}

/** Puts the package into the bot, for what takes it out again. */
export async function adopt(t, folder) {
  const { code, stderr } = await runCli(t, ['adopt', '--yes'], { cwd: path.join(folder, 'bot') });
  if (code !== 0) throw new Error(`the bot could not be prepared: ${stderr}`);
}

/**
 * Runs a line in a shell. With `until`, Ctrl-C comes when the output has that text.
 * Resolves to `{ code, stdout, stderr }`; the code of one that a signal has ended is what a shell says, such as 130.
 */
export async function runLine(t, line, { folder, below = '.', env = {}, until }) {
  const inherited = { ...process.env };
  for (const name of [...CHOOSING, 'OLD_DATA_DIR', 'NODE_TEST_CONTEXT', 'NODE_OPTIONS', 'COLUMNS'])
    delete inherited[name];
  const home = path.join(folder, 'home');
  const child = spawn('sh', ['-c', line], {
    cwd: path.join(folder, below),
    env: {
      ...inherited,
      ...env,
      HOME: home,
      PATH: `${path.join(home, 'bin')}${path.delimiter}${inherited.PATH}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, which gets Ctrl-C as from a terminal.
    detached: true,
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: signal === 'SIGINT' ? 130 : code, ...output }));
  });
  atEnd(t, async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended.catch(() => {});
  });
  if (until !== undefined) {
    const isThere = () => child.exitCode !== null || output.stdout.includes(until);
    await waitUntil(isThere, { what: `'${until}' of ${line}: ${output.stderr}` });
    if (child.exitCode === null) process.kill(-child.pid, 'SIGINT');
  }
  return ended;
}
