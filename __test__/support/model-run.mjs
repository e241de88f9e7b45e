// One run of the comparison with the reference model: random calls on the addon and on the model, alone and in groups that
// nobody awaits, close and reopen. Each result and each state is compared, the order of keys included (as JSON text; dates
// are masked). It knows no file; `api/model` and `files/model` run it.

import path from 'node:path';
import { Storage } from '../../index.js';
import { Model } from './model.mjs';
import { optionsAt } from './place.mjs';
import { CallGenerator, Random } from './random-calls.mjs';
import { atEnd, closeStorage, maskedJson, temporaryFolder } from './temp.mjs';

const CALLS = Number(process.env.MODEL_CALLS ?? 700);
/** The logs with a state of their own, as a bot keeps them. */
export const STATES = ['players', 'tokens', 'game_state', 'coins'];
// The contract says what these calls resolve to, so the results are compared.
const RESULT_NOT_SAID = new Set([
  'savePlayers',
  'saveTokens',
  'compactLog',
  'compact',
  'compactAllLogs',
  'saveGameState',
  'clearGameState',
]);

export function isCompaction({ method }) {
  return method === 'compactLog' || method === 'compact';
}

export function describeCall({ on, method, args }) {
  const shown = args.map((arg) =>
    typeof arg === 'function' ? String(arg) : (JSON.stringify(arg) ?? 'undefined'),
  );
  return `${on}.${method}(${shown.join(', ')})`;
}

/** What a call on the model gives, or the code of its refusal. */
function answerOf(call) {
  try {
    return { value: call() };
  } catch (error) {
    if (error.code === undefined) throw error;
    return { code: error.code };
  }
}

/** The calls whose function may run again, when a value turns out to be another one. */
const UPDATES = new Set(['update', 'updateMany', 'transaction', 'ensure', 'increment', 'push']);

/** The addon (one or two Storage objects on one place), the model, and the calls so far. */
export class Run {
  constructor(seed, dataDir, { handles = 1, fsync = 'never', cacheBytes, updatesInGroups = false } = {}) {
    this.seed = seed;
    this.dataDir = dataDir;
    this.handles = handles;
    this.fsync = fsync;
    this.cacheBytes = cacheBytes;
    this.updatesInGroups = updatesInGroups;
    this.random = new Random(seed);
    this.model = new Model();
    this.calls = new CallGenerator(this.random, this.model);
    this.done = [];
    this.open();
  }

  open() {
    this.storages = Array.from(
      { length: this.handles },
      () => new Storage(optionsAt(this.dataDir, { fsync: this.fsync, cacheBytes: this.cacheBytes })),
    );
    this.coins = this.storages.map((storage) => storage.collection('coins'));
  }

  async close() {
    for (const storage of this.storages) await closeStorage(storage);
  }

  note(text) {
    this.done.push(text);
  }

  fail(message, detail = '') {
    const recent = this.done.slice(-12).join('\n    ');
    throw new Error(
      `seed ${this.seed}, step ${this.done.length}: ${message}\n${detail}\n  the last steps:\n    ${recent}`,
    );
  }

  compare(what, got, expected) {
    // A Map is no JSON: its entries are compared, in their order.
    const shown = (value) => maskedJson(value instanceof Map ? [...value] : value);
    const [gotText, expectedText] = [shown(got), shown(expected)];
    if (gotText !== expectedText) {
      this.fail(`${what} differs from the model`, `  expected ${expectedText}\n  got      ${gotText}`);
    }
  }

  // Makes the call on the addon. Returns a function that awaits and compares the result.
  start(call, handle, { compared = true } = {}) {
    const target = call.on === 'storage' ? this.storages[handle] : this.coins[handle];
    const onModel = call.on === 'storage' ? this.model : this.model.collection('coins');
    const what = describeCall(call);
    this.note(what);
    const promise = target[call.method](...call.args);
    const before = call.writes && JSON.stringify(this.model.state(call.writes));
    const expected = answerOf(() => onModel[call.method](...call.args));
    this.wrote(call, { changed: call.writes && JSON.stringify(this.model.state(call.writes)) !== before });
    return async () => {
      const got = await promise.then(
        (value) => ({ value }),
        (error) => ({ code: error.code, error }),
      );
      if (got.code !== expected.code || (got.error && !got.code)) {
        this.fail(`${what} was not answered with ${expected.code ?? 'a value'}`, got.error?.stack);
      }
      if (compared && !RESULT_NOT_SAID.has(call.method)) this.compare(what, got.value, expected.value);
    };
  }

  // The call was made on the model.
  wrote() {}

  async checkState(name) {
    const storage = this.random.pick(this.storages);
    switch (name) {
      case 'players':
        this.compare('loadPlayers()', await storage.loadPlayers(), this.model.loadPlayers());
        break;
      case 'tokens':
        this.compare('loadTokens()', await storage.loadTokens(), this.model.loadTokens());
        break;
      case 'game_state':
        this.compare('getAllGameStates()', await storage.getAllGameStates(), this.model.getAllGameStates());
        break;
      case 'coins': {
        const entries = await this.random.pick(this.coins).entries();
        this.compare('coins.entries()', entries, this.model.collection('coins').entries());
        break;
      }
      default:
        this.compare(
          `rebuild of ${name}`,
          await storage.rebuildStateFromLog(name),
          this.model.rebuildStateFromLog(name),
        );
    }
  }

  // The kinds of steps and how often they come.
  weights() {
    return { one: 40, group: 6, reopen: 0.6 };
  }

  async step() {
    await this[this.random.weighted(this.weights())]();
  }

  async one() {
    const call = this.calls.call();
    await this.start(call, this.random.below(this.handles))();
    if (call.writes) await this.checkState(call.writes);
  }

  async group() {
    const handle = this.random.below(this.handles);
    this.note('a group, not awaited:');
    const calls = [];
    const only = ({ method }) => this.updatesInGroups || !UPDATES.has(method);
    const checks = Array.from({ length: 2 + this.random.below(14) }, () => {
      const call = this.calls.call({ only });
      // A compaction runs beside other calls. The state is compared, but until the compaction is awaited, the
      // contract does not say how many entries a reader finds.
      const beside =
        call.method === 'readLogEntries' &&
        calls.some((other) => other.writes === 'notes' && isCompaction(other));
      calls.push(call);
      return this.start(call, handle, { compared: !beside });
    });
    // Await all of them first: a failed comparison must leave no call running.
    const outcomes = await Promise.allSettled(checks.map((check) => check()));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    // The contract does not say either which entries of the group are in the checkpoint.
    if (calls.some((call) => call.writes === 'notes' && isCompaction(call))) {
      await this.start({ on: 'storage', method: 'compactLog', args: ['notes'], writes: 'notes' }, handle)();
    }
    for (const name of [...STATES, 'notes']) await this.checkState(name);
  }

  async reopen() {
    this.note('close');
    await this.close();
    await this.whileClosed();
    this.note('open');
    this.open();
    for (const name of [...STATES, 'notes']) await this.checkState(name);
  }

  async whileClosed() {}

  async finish() {
    for (const name of [...STATES, 'notes']) await this.checkState(name);
    await this.reopen();
  }
}

/** Runs a seed on a new place, with a class of runs. */
export async function runSeed(t, seed, options = {}, Kind = Run) {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const run = new Kind(seed, dataDir, options);
  atEnd(t, () => run.close());
  while (run.done.length < CALLS) await run.step();
  await run.finish();
}

/** The seed and its options from the environment, as a failed test names them; null without one. */
export function wantedRun() {
  const { MODEL_SEED, MODEL_HANDLES, MODEL_FSYNC, MODEL_CACHE, MODEL_FOREIGN, MODEL_UPDATES } = process.env;
  if (!MODEL_SEED) return null;
  return {
    seed: Number(MODEL_SEED),
    handles: Number(MODEL_HANDLES ?? 1),
    fsync: MODEL_FSYNC ?? 'never',
    cacheBytes: MODEL_CACHE === undefined ? undefined : Number(MODEL_CACHE),
    foreign: MODEL_FOREIGN !== '0',
    updatesInGroups: MODEL_UPDATES === '1',
  };
}
