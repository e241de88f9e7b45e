// Running the program `progressive-storage`, and a bot's folder to run it on: the example bot, with the services
// of the old module or with our own.

import { cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { repositoryRoot, runScript, startScript, temporaryFolder } from './temp.mjs';

export const program = path.join(repositoryRoot, 'bin', 'progressive-storage.mjs');
const OLD_MODULE = fileURLToPath(new URL('../old-module/', import.meta.url));

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

// The text of the old module's two files, as a bot has them.
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

// Renames a service file and its like, for bots that name them in another way.
export async function renameService(folder, from, to) {
  await rename(path.join(folder, 'services', from), path.join(folder, 'services', to));
}
