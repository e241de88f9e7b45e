// Runs other programs for the project's scripts, and says clearly what is missing.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { whyNoLinker, whyNoRust } from '../lib/rust.mjs';

/** The project's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const isWindows = process.platform === 'win32';

/** Prints what is wrong and ends the process. */
export function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

/** Runs a program in the project's folder; ends the process when it fails. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit', shell: isWindows, ...options });
  if (result.error?.code === 'ENOENT') fail(`The program '${program}' is not installed, or not on the PATH.`);
  if (result.error) fail(`'${program}' could not be run: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** True when a program answers to `--version`. */
export function has(program, args = ['--version']) {
  const result = spawnSync(program, args, { stdio: 'ignore', shell: isWindows });
  return !result.error && result.status === 0;
}

/** Runs a program that npm installed. */
export function runTool(name, args, options) {
  run(join(root, 'node_modules', '.bin', isWindows ? `${name}.cmd` : name), args, options);
}

/** Checks Node and Rust, and installs the development tools where they are missing. */
export function prepare() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    fail(`Building needs Node 20 or newer; this is ${process.version}. (Using the package needs Node 18.)`);
  const whyNot = whyNoRust();
  if (whyNot) fail(whyNot);
  const noLinker = whyNoLinker();
  // Another linker may be configured, so this is only shown after a failure, below the output of cargo and npm.
  if (noLinker) process.once('exit', (code) => code !== 0 && console.error(`\n${noLinker}`));
  if (!existsSync(join(root, 'node_modules', '@napi-rs', 'cli'))) {
    console.log('Installing the development tools (npm ci) …');
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
}
