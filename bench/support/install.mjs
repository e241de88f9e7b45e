/**
 * Installs the stores of the comparison from bench/package.json, where they are missing. Each is an optional
 * dependency: one that cannot be installed here (no prebuilt binary, no compiler) is left out, and the report names
 * it.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BENCH } from './package.mjs';

export function installPeers() {
  const lock = path.join(BENCH, 'package-lock.json');
  const installed = path.join(BENCH, 'node_modules', '.package-lock.json');
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs) return;
  process.stdout.write('Installing the stores of the comparison; compiling one may take a minute.\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  try {
    execFileSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: BENCH,
      stdio: 'inherit',
      shell: process.platform === 'win32',
    });
  } catch (error) {
    process.stderr.write(`They could not be installed (${error.message}); the others are measured.\n`);
  }
}
