/**
 * Installs what is compared with, from bench/package.json, when it is not there yet. Each is an optional dependency:
 * one that cannot be had here (no prebuilt binary, no compiler) is left out, and is then named in the report.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BENCH } from './package.mjs';

export function installPeers() {
  const lock = path.join(BENCH, 'package-lock.json');
  const installed = path.join(BENCH, 'node_modules', '.package-lock.json');
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs) return;
  process.stdout.write('Installing the stores to compare with; one may be compiled, which takes a minute.\n');
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
