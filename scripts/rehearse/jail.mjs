// Runs a program as on a machine of its own: with the environment of a fresh user, the checkout out of reach, and where it
// is given in the root of another system, which an emulator runs where its processor is another one.
//
// As root on Linux each program gets mounts of its own: an empty folder over the checkout, the fetched tools at another
// place, and what a case asks for (`ro`, `noexec`, no network). They end with it. Without these rights the checkout is only not on any
// path, and a case that needs mounts is not run.
//
// Invariant: the program is the process that was started, whatever stands before it: killing that kills the program.

import { spawn, spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tools.mjs';

/** Arguments: tools, their new place, checkout, place of the rehearsal, folder, other root or '', mounts or ''. */
const ENTER = `set -e
mount --make-rprivate /
mkdir -p "$2"
mount --bind "$1" "$2"
mount -t tmpfs -o ro,size=4k none "$3"
for mounted in $7; do
  mount --bind "\${mounted#*:}" "\${mounted#*:}"
  mount -o "remount,bind,\${mounted%%:*}" "\${mounted#*:}"
done
folder=$5
if [ -z "$6" ]; then shift 7; cd "$folder"; exec "$@"; fi
mkdir -p "$6$4"
mount --rbind "$4" "$6$4"
mount -t proc none "$6/proc"
mount --rbind /dev "$6/dev"
other=$6
shift 7
# The helper is a static program of this processor: the other root may have none that runs without the emulator.
PATH=$PATH:/usr/sbin:/sbin exec chroot "$other" "$RUNNER" sh -c 'cd "$1"; shift; exec "$@"' sh "$folder" "$@"`;

export const canMount =
  process.platform === 'linux' &&
  process.getuid() === 0 &&
  spawnSync('unshare', ['--mount', 'true']).status === 0;

export class Jail {
  /** @param place the folder of this rehearsal  @param tools the folder target, which holds what was fetched */
  constructor(place, tools) {
    this.place = place;
    this.source = tools;
    /** Where programs find the tools. */
    this.tools = join(place, 'tools');
    if (!canMount) symlinkSync(tools, this.tools);
  }

  /** `{ program, args, options }` for `spawn`. `system` is `{ rootfs, emulator, runner }`. */
  command(line, { folder, env, system = {}, mounts = [], isOffline = false }) {
    const [program, ...args] = system.emulator ? [system.emulator, ...line] : line;
    if (!canMount) return { program, args, options: { cwd: folder, env } };
    const { rootfs = '', runner = '' } = system;
    // It is among the tools, and their first place is covered.
    const other = rootfs.replace(this.source, this.tools);
    const enter = [this.source, this.tools, root, this.place, folder, other, mounts.join(' ')];
    return {
      program: 'unshare',
      args: ['--mount', ...(isOffline ? ['--net'] : []), 'sh', '-c', ENTER, 'sh', ...enter, program, ...args],
      options: { cwd: '/', env: { ...env, RUNNER: runner } },
    };
  }

  start(line, where) {
    const { program, args, options } = this.command(line, where);
    return spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Runs a program to its end: `{ code, output, seconds }`. It is killed at the time limit, and `code` is null. */
  run(line, { limitMs, ...where }) {
    const startedMs = Date.now();
    const child = this.start(line, where);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(timer);
        resolve({ code, output, seconds: (Date.now() - startedMs) / 1000 });
      });
    });
  }
}
