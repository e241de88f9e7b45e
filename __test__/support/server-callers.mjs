// Processes that call a server at once (`children/server-caller.mjs`), on this machine or on those of a network, and what
// became of their calls. `server-history.mjs` says whether that is right.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { callsIn, eventsIn, findFaults, readTables } from './server-history.mjs';
import { startScript, temporaryFolder, waitUntil } from './temp.mjs';

const CALLER = fileURLToPath(new URL('../children/server-caller.mjs', import.meta.url));

/** Whatever there is to wait for comes within this. It ends a test that hangs. */
const DEADLINE_MS = 60_000;

const ANSWER_LOST =
  /^The answer to a read did not arrive \(.*\), and later calls of this thread have changed the data since\. Call it again$/s;

/** Whether a call is a read whose answer did not arrive, and that a later write of its caller had passed. */
export function isAnswerLost({ kind, outcome, code, message }) {
  const isRefusedRead = ['entries', 'get'].includes(kind) && outcome === 'refused';
  return isRefusedRead && code === 'ERR_SERVER_UNREACHABLE' && ANSWER_LOST.test(message);
}

export class Callers {
  #t;
  #schema;
  #seed;
  #folder;
  #names = [];
  #running = new Map();

  constructor(t, folder, schema, seed) {
    this.#t = t;
    this.#folder = folder;
    this.#schema = schema;
    this.#seed = seed;
    t.diagnostic(`SERVER_HISTORY_SEED=${seed}`);
  }

  static async of(t, { schema, seed }) {
    return new Callers(t, await temporaryFolder(t), schema, seed);
  }

  /** Starts one. `machine` is where it runs, `env` are variables of its environment. */
  async start(name, { url, lanes = 8, timeoutMs = 30_000, machine, env }) {
    const file = path.join(this.#folder, name);
    fs.writeFileSync(file, '');
    this.#names.push(name);
    const seed = this.#seed + this.#names.length;
    const options = { url, schema: this.#schema, timeoutMs, name, file, seed, lanes };
    const [program, ...nodeArgs] = machine ? machine.command(process.execPath) : [process.execPath];
    const script = { file: CALLER, args: [JSON.stringify(options)], program, nodeArgs, env };
    this.#running.set(name, await startScript(this.#t, script));
  }

  /** How many calls of one ended like this so far: `ack`, `unknown` or `refused`. */
  count(name, outcome) {
    const text = fs.readFileSync(path.join(this.#folder, name), 'utf8');
    return text.split(`"outcome":"${outcome}"`).length - 1;
  }

  /** Waits until these, or all of them, have so many more answers together, and each has at least one. */
  async answers(count, names = [...this.#running.keys()]) {
    const before = names.map((name) => this.count(name, 'ack'));
    const more = () => names.map((name, place) => this.count(name, 'ack') - before[place]);
    const isThere = () => Math.min(...more()) > 0 && more().reduce((sum, one) => sum + one) >= count;
    try {
      await waitUntil(isThere, { what: `${count} more answers`, deadlineMs: DEADLINE_MS, everyMs: 20 });
    } catch (error) {
      error.message += `: ${names.map((name, place) => `${name} has ${more()[place]}`).join(', ')}`;
      throw error;
    }
  }

  /** Waits until one has a call that ended like this since then. */
  async ending(name, outcome) {
    const before = this.count(name, outcome);
    const isThere = () => this.count(name, outcome) > before;
    await waitUntil(isThere, { what: `a call that is ${outcome}`, deadlineMs: DEADLINE_MS, everyMs: 20 });
  }

  signal(name, signal) {
    this.#running.get(name).child.kill(signal);
  }

  /** SIGKILL, in the middle of whatever it does. */
  async kill(name) {
    const { ended } = this.#running.get(name);
    this.signal(name, 'SIGKILL');
    this.#running.delete(name);
    await ended;
  }

  /** Ends them and gives their calls, their events, and the tables of the server. */
  async finish(server) {
    for (const { child } of this.#running.values()) child.stdin.write('end\n');
    for (const [name, { ended }] of this.#running) {
      const { code, stderr } = await ended;
      assert.equal(code, 0, `${name}: ${stderr}`);
    }
    const texts = this.#names.map((name) => fs.readFileSync(path.join(this.#folder, name), 'utf8'));
    const calls = callsIn(texts);
    const count = (outcome, caller) =>
      calls.filter((call) => call.outcome === outcome && (!caller || call.caller === caller)).length;
    const outcomes = ['ack', 'unknown', 'refused', 'unanswered'].map((each) => `${each} ${count(each)}`);
    this.#t.diagnostic(`${calls.length} calls: ${outcomes.join(', ')}`);
    // Nothing but time is a reason to refuse a call, apart from the answer of a read that was lost.
    const refused = calls.filter(({ outcome, code }) => outcome === 'refused' && code !== 'ERR_TIMEOUT');
    assert.deepEqual(
      refused.filter((call) => !isAnswerLost(call)),
      [],
    );
    return { calls, count, events: eventsIn(texts), ...(await readTables(server, this.#schema)) };
  }

  /** Fails where a history has a fault. */
  assertNoFaults(history) {
    const faults = findFaults(history);
    const first = faults.slice(0, 20).join('\n');
    assert.equal(faults.length, 0, `seed ${this.#seed}: ${faults.length} faults\n${first}`);
  }
}
