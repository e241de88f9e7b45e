// Running the program `progressive-storage` on a terminal, which the program script(1) of Linux makes.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { notOnDeno, program } from './cli.mjs';

const hasScript = process.platform === 'linux' && !spawnSync('script', ['--version']).error;

/** Why a test that needs a terminal is skipped, if it is. */
export const noTerminal = notOnDeno || (!hasScript && 'needs the program script of Linux');

/** Runs the program to its end, which must be a success: what the terminal shows. `columns` is how wide it is. */
export async function runOnTerminal(args, { cwd, env = {}, columns = 80, code = 0 }) {
  const words = [process.execPath, program, ...args].map((part) => `'${part.replaceAll("'", "'\\''")}'`);
  const line = `stty cols ${columns} && ${words.join(' ')}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd,
    env: { ...process.env, ...env, TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text;
  });
  assert.equal(await new Promise((resolve) => child.on('close', resolve)), code, shown);
  return shown;
}
