/**
 * Installs the stores of the comparison from bench/package.json, where they are missing, and Prisma from
 * bench/prisma/package.json, which has 300 MB. One that cannot be installed here (no prebuilt binary, no compiler) is left
 * out, and the report names it.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BENCH, PRISMA } from './package.mjs';

export function installPeers() {
  if (isInstalled(BENCH)) return;
  process.stdout.write('Installing the stores of the comparison; compiling one may take a minute.\n');
  install(BENCH, []);
}

/** Whether Prisma is there. Its client is made from its schema; that needs none of the programs that its installation fetches. */
export function installPrisma() {
  const isMade = () => fs.existsSync(path.join(PRISMA, 'node_modules', '.prisma', 'client', 'schema.prisma'));
  if (isInstalled(PRISMA) && isMade()) return true;
  process.stdout.write('Installing Prisma.\n');
  return (
    install(PRISMA, ['--ignore-scripts']) &&
    isDone(process.execPath, [path.join('node_modules', 'prisma', 'build', 'index.js'), 'generate'], {
      cwd: PRISMA,
      stdio: 'ignore',
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
    })
  );
}

function isInstalled(folder) {
  const lock = path.join(folder, 'package-lock.json');
  const installed = path.join(folder, 'node_modules', '.package-lock.json');
  return fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs;
}

function install(folder, options) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  return isDone(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...options], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
}

function isDone(command, args, options) {
  try {
    execFileSync(command, args, options);
    return true;
  } catch (error) {
    process.stderr.write(`This could not be installed (${error.message}); the others are measured.\n`);
    return false;
  }
}
