// Running the program `progressive-storage`, and bots' folders for it: the example bot, with the services of the old module
// or of the package.

import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Storage } from '../../index.js';
import {
  closeStorage,
  openStorage,
  packageUrl,
  repositoryRoot,
  runScript,
  startScript,
  temporaryFolder,
  waitUntil,
} from './temp.mjs';

export const program = path.join(repositoryRoot, 'bin', 'progressive-storage.mjs');
const OLD_MODULE = fileURLToPath(new URL('../old-module/', import.meta.url));

// Deno ends the process at a signal, and searches packages from its current folder.
export const notOnDeno = process.versions.deno ? 'not on Deno' : false;

// Runs the program to its end: { code, signal, stdout, stderr }.
export async function runCli(t, args, options = {}) {
  return runScript(t, { file: program, args, ...options });
}

// Starts the program: { child, output, ended }.
export async function startCli(t, args, options = {}) {
  return startScript(t, { file: program, args, ...options });
}

// The same with --json, and its output parsed.
export async function runCliJson(t, args, options = {}) {
  const result = await runCli(t, [...args, '--json'], options);
  try {
    return { ...result, json: JSON.parse(result.stdout) };
  } catch {
    throw new Error(
      `the output of ${args.join(' ')} is no JSON (exit code ${result.code}):\n${result.stdout}${result.stderr}`,
    );
  }
}

// The text of the old module's two files in a bot.
export async function oldServices() {
  const text = async (part) =>
    (await readFile(path.join(OLD_MODULE, `${part}.mjs`), 'utf8')).replaceAll(
      './append-log.mjs',
      './append-log.js',
    );
  return { 'append-log': await text('append-log'), storage: await text('storage') };
}

// A copy of the example bot with this package installed.
export async function exampleBot(t, { services = 'new', name = 'bot' } = {}) {
  const folder = path.join(await temporaryFolder(t), name);
  await cp(path.join(repositoryRoot, 'examples', 'bot'), folder, { recursive: true });
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(repositoryRoot, path.join(folder, 'node_modules', 'progressive-storage'), 'junction');
  if (services === 'old') {
    for (const [part, text] of Object.entries(await oldServices())) {
      await writeFile(path.join(folder, 'services', `${part}.js`), text);
    }
  }
  return folder;
}

// Renames a service file, for bots with other names.
export async function renameService(folder, from, to) {
  await rename(path.join(folder, 'services', from), path.join(folder, 'services', to));
}

// A bot that stores results and compacts until stop(). That returns { stored, games }, which are equal when nothing
// was lost.
export async function busyBot(t, dataDir) {
  const { child, output, ended } = await startScript(t, {
    file: fileURLToPath(new URL('../children/busy-bot.mjs', import.meta.url)),
    args: [dataDir, packageUrl],
  });
  await waitUntil(() => output.stdout.includes('busy'), { what: 'the bot to be busy' });
  return {
    pid: child.pid,
    async stop() {
      child.stdin.end();
      const { code, stdout, stderr } = await ended;
      if (code !== 0) throw new Error(`the busy bot failed (${code}): ${stderr}`);
      return { ...JSON.parse(stdout.trim().split('\n').at(-1)), stderr };
    },
  };
}

// A data folder with this many players, user0 first.
export async function folderWithPlayers(t, players = 5) {
  const { storage, dataDir } = await openStorage(t, Storage);
  for (let i = 0; i < players; i++) await storage.updatePlayerStats(`user${i}`, 'Name', i);
  await closeStorage(storage);
  return dataDir;
}

// Every file of a folder with a hash of its content.
export async function contentsOf(folder) {
  const found = {};
  const look = async (below) => {
    for (const entry of await readdir(path.join(folder, below), { withFileTypes: true })) {
      const name = path.join(below, entry.name);
      if (entry.isDirectory()) await look(name);
      else if (entry.isFile()) {
        found[name] = createHash('sha256')
          .update(await readFile(path.join(folder, name)))
          .digest('hex');
      }
    }
  };
  await look('');
  return found;
}
