// Whether strace can trace here, and make calls fail.

import { spawnSync } from 'node:child_process';

/** Why a test that needs strace with these expressions is skipped; false where it works. */
export function whyNoStrace(...expressions) {
  if (process.platform !== 'linux') return 'strace is for Linux';
  const args = ['-f', ...expressions.flatMap((expression) => ['-e', expression]), 'true'];
  const { error, status, stderr } = spawnSync('strace', args, { encoding: 'utf8' });
  if (error) return 'strace is not installed';
  return status !== 0 && `strace does not work here: ${stderr.split('\n')[0]}`;
}
