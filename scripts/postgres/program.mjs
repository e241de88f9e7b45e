// A server's process: it runs as an ordinary user, in a session of its own, and writes what it says to the file `log` of its
// folder. Its process id stands in the file `pid` there while it runs, so that it ends with this process (`folders.mjs`).

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { environment } from './cluster.mjs';
import { ordinaryUser } from './ordinary-user.mjs';

export class Program {
  #child;
  #ended;

  /** Runs it, on a machine of a network where one is given (`network.mjs`). */
  constructor(file, args, folder, machine) {
    const { uid, gid } = ordinaryUser();
    const [program, ...all] = machine ? machine.commandOfUser(file, ...args) : [file, ...args];
    const log = fs.openSync(path.join(folder, 'log'), 'a', 0o644);
    this.#child = spawn(program, all, {
      cwd: folder,
      env: environment(),
      // Root enters a machine, and becomes the user there.
      ...(!machine && { uid, gid }),
      // A Ctrl-C at the terminal is for the tests, which end their servers as they see fit.
      detached: true,
      stdio: ['ignore', log, log],
    });
    fs.closeSync(log);
    const pidFile = path.join(folder, 'pid');
    if (this.#child.pid) fs.writeFileSync(pidFile, `${this.#child.pid}\n`);
    this.#ended = new Promise((resolve) => {
      const end = () => {
        fs.rmSync(pidFile, { force: true });
        resolve();
      };
      this.#child.once('exit', end);
      this.#child.once('error', (error) => {
        fs.appendFileSync(path.join(folder, 'log'), `${error.message}\n`);
        end();
      });
    });
    // A test that forgets its server still ends, and the server with it.
    this.#child.unref();
  }

  get pid() {
    return this.#child.pid;
  }

  get isRunning() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal and waits for the end. */
  async end(signal) {
    if (!this.isRunning) return;
    this.#child.ref();
    this.#child.kill(signal);
    await this.#ended;
  }
}
