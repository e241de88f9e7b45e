/**
 * One run of night.mjs or server-night.mjs as a child process, and the journal of its calls.
 *
 * The child writes a line into a pipe before each call, and another one after its promise has resolved. The writes
 * are synchronous, and the pipe is read to its end after a kill. So after the kill every call is known to be either
 * acknowledged or in flight (made, without an answer).
 */

import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const NIGHT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'night.mjs');
const PATIENCE_MS = 180_000;

/** The environment of a bot whose data is at this place, whatever place this process has. */
function placeIn(
  { PROGRESSIVE_STORAGE_DIR: _folder, PROGRESSIVE_STORAGE_URL: _url, ...others },
  { dataFolder, url },
) {
  return url
    ? { ...others, PROGRESSIVE_STORAGE_URL: url }
    : { ...others, PROGRESSIVE_STORAGE_DIR: dataFolder };
}

export class BotProcess {
  /** Calls without an answer, by id. */
  inFlight = new Map();
  /** Calls with an answer, in the order of the answers, each with its `ms`. */
  acked = [];
  /** Calls that were rejected, with `code` and `isOutcomeUnknown`. */
  failed = [];
  /** Events of the storage, each with its `name`. */
  events = [];
  warnings = [];
  /** The messages `ready` and `closed`, once they have come. */
  ready = null;
  closed = null;

  #child;
  #begun = performance.now();

  /** The place is a folder or, with `url`, a server; `args` are the arguments of the script. */
  constructor({ dataFolder, url, script = NIGHT, args, onMessage = () => {} }) {
    this.#child = spawn(process.execPath, ['--no-warnings', script, ...args], {
      env: placeIn(process.env, { dataFolder, url }),
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
    /** Resolves to `{ code, signal, stderr, ms }` when the child has ended and all its output was read. */
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

  /** How many results were acknowledged. Each player of a game is one result, even where one call records several. */
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
    } else if (message.say === 'failed') {
      const { say: _say, id, ...failure } = message;
      this.failed.push({ ...this.inFlight.get(id), ...failure });
      this.inFlight.delete(id);
    } else if (message.say === 'event') {
      this.events.push(message);
    } else if (message.say === 'warning') {
      this.warnings.push(message);
    } else if (message.say === 'ready') {
      this.ready = { ...message, sinceSpawnMs: this.elapsedMs() };
    } else if (message.say === 'closed') {
      this.closed = message;
    }
  }
}
