/**
 * One run of night.mjs as a child process, and the journal of what it said.
 *
 * The child writes a line before each call and one after its promise has resolved, synchronously into a pipe.
 * What is in the pipe when the child is killed is still read to its end, so after the kill every call is known
 * to be one of two: acknowledged, or in flight (made, and no answer seen).
 */

import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const NIGHT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'night.mjs');
const PATIENCE_MS = 180_000;

export class BotProcess {
  /** Calls without an answer: id → what was called. */
  inFlight = new Map();
  /** Calls with an answer, in the order of the answers, each with its `ms`. */
  acked = [];
  warnings = [];
  /** The messages `ready` and `closed`, once they have come. */
  ready = null;
  closed = null;

  #child;
  #begun = performance.now();

  constructor({ dataFolder, planFile, onMessage = () => {} }) {
    this.#child = spawn(process.execPath, ['--no-warnings', NIGHT, planFile], {
      env: { ...process.env, PROGRESSIVE_STORAGE_DIR: dataFolder },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const stderr = [];
    this.#child.stderr.on('data', (chunk) => stderr.push(chunk));
    const lines = createInterface({ input: this.#child.stdio[3], crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => {
      const message = JSON.parse(line);
      this.#accept(message);
      onMessage(message, this);
    });

    const linesRead = new Promise((resolve) => lines.once('close', resolve));
    const patience = setTimeout(() => this.kill(), PATIENCE_MS);
    /** Resolves to `{ code, signal, stderr, ms }` when the child is gone and all it said has been read. */
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', async (code, signal) => {
        clearTimeout(patience);
        await linesRead;
        resolve({ code, signal, stderr: Buffer.concat(stderr).toString(), ms: this.elapsedMs() });
      });
    });
  }

  elapsedMs() {
    return performance.now() - this.#begun;
  }

  /** kill -9: no handler runs, nothing is flushed. */
  kill() {
    this.#child.kill('SIGKILL');
  }

  /** The acknowledged calls of one kind. */
  ackedCalls(op) {
    return this.acked.filter((call) => call.op === op);
  }

  /** The calls of one kind that are in flight. */
  openCalls(op) {
    return [...this.inFlight.values()].filter((call) => call.op === op);
  }

  /** How many results were acknowledged: a player's game is one, however many a call records. */
  ackedResults() {
    return this.ackedCalls('result').reduce((sum, call) => sum + call.users.length, 0);
  }

  openResults() {
    return this.openCalls('result').reduce((sum, call) => sum + call.users.length, 0);
  }

  #accept(message) {
    if (message.say === 'call') {
      const { say: _say, id, ...about } = message;
      this.inFlight.set(id, about);
    } else if (message.say === 'acked') {
      this.acked.push({ ...this.inFlight.get(message.id), ms: message.ms });
      this.inFlight.delete(message.id);
    } else if (message.say === 'warning') {
      this.warnings.push(message);
    } else if (message.say === 'ready') {
      this.ready = { ...message, sinceSpawnMs: this.elapsedMs() };
    } else if (message.say === 'closed') {
      this.closed = message;
    }
  }
}
