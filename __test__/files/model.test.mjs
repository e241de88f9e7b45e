// The comparison with the reference model on files: between the calls come foreign changes of the files (an admin's edits,
// files that vanish or are replaced, lines added by hand, the old module in the same folder), and the JSON file and the log
// of each state are compared too. `api/model` compares the calls alone.
//
// A failure names its seed. MODEL_SEED=n runs only that seed, with MODEL_HANDLES=2, MODEL_FSYNC=always, MODEL_CACHE=0,
// MODEL_FOREIGN=0 or MODEL_UPDATES=1 as in the failed test. MODEL_CALLS=n sets the number of calls.

import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import * as oldLog from '../old-module/append-log.mjs';
import * as oldStorage from '../old-module/storage.mjs';
import { originOfEdit } from '../support/edit-origin.mjs';
import { Model } from '../support/model.mjs';
import { describeCall, isCompaction, Run, runSeed, STATES, wantedRun } from '../support/model-run.mjs';
import { CallGenerator, put, Random } from '../support/random-calls.mjs';
import { logPath, maskedJson, mirrorPath, temporaryFolder } from '../support/temp.mjs';

const oldModule = { ...oldLog, ...oldStorage };

// The changes from one content to another: first the keys to set, then the keys to remove.
function changesTo(origin, content) {
  const isSame = (key) =>
    Object.hasOwn(origin, key) && JSON.stringify(origin[key]) === JSON.stringify(content[key]);
  const set = Object.keys(content).filter((key) => !isSame(key));
  const removed = Object.keys(origin).filter((key) => !Object.hasOwn(content, key));
  return [...set.map((key) => [key, content[key]]), ...removed.map((key) => [key, undefined])];
}

// A run that looks at the files and lets others change them.
class FolderRun extends Run {
  constructor(seed, dataDir, { foreign = true, ...options } = {}) {
    super(seed, dataDir, options);
    this.hasForeignHands = foreign;
    // Names whose JSON file has more than the log, and the other way round. Until both agree again, an edit of the
    // other file would be a contradiction.
    this.editedByHand = new Set();
    this.appendedByHand = new Set();
  }

  weights() {
    return { ...super.weights(), foreign: this.hasForeignHands ? 4 : 0, files: 2 };
  }

  async foreign() {
    const name = await this.foreignHand();
    // Sometimes the next call of the run is the first to read the change.
    if (this.random.chance(0.6)) await this.checkState(name);
  }

  async whileClosed() {
    if (this.hasForeignHands && this.random.chance(0.5)) await this.foreignHand({ closed: true });
  }

  async finish() {
    await super.finish();
    await this.files();
  }

  wrote(call, { changed }) {
    if (call.method === 'compactAllLogs') for (const name of STATES.slice(0, 3)) this.written(name);
    else if (isCompaction(call) || changed) this.written(call.writes);
  }

  // The call changed this state, so log and JSON file agree again.
  written(name) {
    this.editedByHand.delete(name);
    this.appendedByHand.delete(name);
  }

  async files() {
    await this.settleMirrors();
    for (const name of STATES) await this.checkFiles(name);
  }

  // The JSON file of a large state is written a little later.
  async settleMirrors() {
    const large = STATES.some((name) => JSON.stringify(this.model.state(name)).length > 30_000);
    if (large) for (const storage of this.storages) await storage.flush();
  }

  // Checks the files: the log alone gives the state, and the JSON file shows it.
  async checkFiles(name) {
    if (this.editedByHand.has(name) || this.appendedByHand.has(name)) return;
    const mirror = await readJson(mirrorPath(this.dataDir, name));
    if (mirror === undefined) return;
    const expected = this.model.rebuildStateFromLog(name);
    this.compare(`${name}.json`, mirror, expected);
    this.compare(`${name}.log`, await this.storages[0].rebuildStateFromLog(name), expected);
  }

  async foreignHand({ closed = false } = {}) {
    if (!closed) await this.settleMirrors();
    const name = this.random.pick([...STATES, ...STATES, 'notes']);
    const edited = this.editedByHand.has(name);
    const appended = this.appendedByHand.has(name);
    const kind = this.random.pick([
      'edit',
      'edit',
      'old',
      'old',
      'append',
      'append',
      'removeMirror',
      'removeLog',
      'removeBoth',
      'rewriteLog',
    ]);
    if (kind === 'edit' && name !== 'notes' && !appended) await this.editMirror(name);
    else if (kind === 'old' && name !== 'coins' && !edited && !appended) await this.oldModuleCall(name);
    else if (kind === 'append' && name !== 'tokens' && !edited) await this.appendByHand(name);
    else if (kind === 'removeMirror' && name !== 'notes' && !edited) await this.removeMirror(name);
    else if (kind === 'removeLog' && name !== 'notes' && !edited && !appended) await this.removeLog(name);
    else if (kind === 'removeBoth') await this.removeBoth(name);
    else if (kind === 'rewriteLog' && name !== 'tokens') await this.rewriteLog(name);
    return name;
  }

  async editMirror(name) {
    const file = mirrorPath(this.dataDir, name);
    const content = await readJson(file);
    if (content === undefined) return;
    const last = await readJson(file);
    const edits = [];
    for (let i = 1 + this.random.below(3); i > 0; i--) {
      const [key, value] = this.edit(name, content);
      edits.push([key, value]);
      if (value === undefined) delete content[key];
      else put(content, key, value);
    }
    const origin = await originOfEdit(this.dataDir, name, last, content);
    // An edit of the newest content counts exactly as it was made. Otherwise the difference to its origin counts.
    const changes = origin === last ? edits : changesTo(origin, content);
    const state = this.model.state(name);
    for (const [key, value] of changes) {
      if (value === undefined) delete state[key];
      else put(state, key, JSON.parse(JSON.stringify(value)));
    }
    const text =
      JSON.stringify(content, null, this.random.pick([0, 2, 2, '\t'])) + this.random.pick(['', '\n']);
    const shown = edits.map((edit) => edit.map((part) => JSON.stringify(part)).join(' = ')).join('; ');
    this.note(`${name}.json edited: ${shown}`);
    if (this.random.chance(0.5)) {
      await writeFile(file, text);
    } else {
      await writeFile(`${file}.editor`, text);
      await rename(`${file}.editor`, file);
    }
    this.editedByHand.add(name);
  }

  // One edit: [key, new value], where undefined removes the key. An edit never removes a key and adds it again:
  // the file would show it in another place, and a difference of content cannot show that.
  edit(name, content) {
    const { random } = this;
    const keys = Object.keys(content);
    if (name === 'tokens') {
      if (keys.length === 0) return ['extra', random.below(1000)];
      return random.pick([
        ['tokens', [random.below(1e6)]],
        ['lastUpdated', random.pick(['2020-01-01T00:00:00.000Z', new Date().toISOString()])],
        ['extra', this.calls.value()],
      ]);
    }
    if (keys.length > 0 && random.chance(0.3)) return [random.pick(keys), undefined];
    const key =
      keys.length > 0 && random.chance(0.5)
        ? random.pick(keys)
        : `by hand ${this.done.length} ${random.below(1e6)}`;
    return [key, this.calls.valueFor(name, key)];
  }

  // The old module, as if somebody had rolled the bot back. It cannot keep `__proto__`.
  async oldModuleCall(name) {
    const state = this.model.state(name);
    if (Object.hasOwn(state, '__proto__')) return;
    const calls = new CallGenerator(this.random, this.model, { oldModule: true });
    const call = calls.call({ only: (one) => one.writes === name && one.method !== 'savePlayers' });
    this.note(`the old module: ${describeCall(call)}`);
    process.env.OLD_DATA_DIR = this.dataDir;
    const got = await oldModule[call.method](...call.args);
    this.compare('the result of the old module', got, this.model[call.method](...call.args));
    // It does not log the removal of artistInfo; only its JSON file shows that.
    if (name === 'tokens') this.editedByHand.add(name);
  }

  async appendByHand(name) {
    const entry = this.calls.entry(name);
    const line = { timestamp: '2024-06-01T12:00:00.000Z', ...entry };
    this.note(`${name}.log, a line by hand: ${JSON.stringify(line)}`);
    await mkdir(path.join(this.dataDir, 'logs'), { recursive: true });
    await writeFile(logPath(this.dataDir, name), `${JSON.stringify(line)}\n`, { flag: 'a' });
    this.model.appendLogEntry(name, line);
    this.appendedByHand.add(name);
  }

  async removeMirror(name) {
    this.note(`${name}.json removed`);
    await rm(mirrorPath(this.dataDir, name), { force: true });
  }

  async removeLog(name) {
    if ((await readJson(mirrorPath(this.dataDir, name))) === undefined) return;
    this.note(`${name}.log removed`);
    await rm(logPath(this.dataDir, name), { force: true });
    this.editedByHand.add(name);
  }

  async removeBoth(name) {
    this.note(`${name}.json and ${name}.log removed`);
    await rm(mirrorPath(this.dataDir, name), { force: true });
    await rm(logPath(this.dataDir, name), { force: true });
    this.model.forget(name);
    this.written(name);
  }

  // Replaces the log by another one, in the same file or in a new one, shorter or longer.
  async rewriteLog(name) {
    const lines = Array.from({ length: 1 + this.random.below(6) }, () => ({
      timestamp: '2024-06-01T12:00:00.000Z',
      ...this.calls.entry(name),
    }));
    this.note(`${name}.json removed, ${name}.log written by hand: ${JSON.stringify(lines)}`);
    await rm(mirrorPath(this.dataDir, name), { force: true });
    if (this.random.chance(0.5)) await rm(logPath(this.dataDir, name), { force: true });
    await mkdir(path.join(this.dataDir, 'logs'), { recursive: true });
    await writeFile(logPath(this.dataDir, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.model.forget(name);
    for (const line of lines) this.model.appendLogEntry(name, line);
    this.written(name);
    this.appendedByHand.add(name);
  }
}

async function readJson(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

// Foreign changes are reported as warnings, which this file expects.
process.removeAllListeners('warning');

const run = (t, seed, options) => runSeed(t, seed, options, FolderRun);
const wanted = wantedRun();
if (wanted) {
  test(`seed ${wanted.seed}`, (t) => run(t, wanted.seed, wanted));
} else {
  const fresh = Date.now() % 1e9;
  test('calls and groups of calls, without foreign changes', (t) => run(t, 1, { foreign: false }));
  test('the same, every write synced', (t) => run(t, 2, { foreign: false, fsync: 'always' }));
  test('two objects on one folder', (t) => run(t, 3, { foreign: false, handles: 2 }));
  for (const seed of [4, 5, 6, 7]) {
    test(`foreign changes of the files, seed ${seed}`, (t) => run(t, seed, {}));
  }
  test('foreign changes and two objects', (t) => run(t, 8, { handles: 2 }));
  test('foreign changes with no value in memory', (t) => run(t, 12, { cacheBytes: 0 }));
  test('the same with two objects and few values', (t) => run(t, 13, { handles: 2, cacheBytes: 2000 }));
  // update() goes from thread to thread and back, and still keeps its place among the other calls.
  for (const seed of [10, 11]) {
    test(`update() in groups that nobody awaits, seed ${seed}`, (t) =>
      run(t, seed, { foreign: false, updatesInGroups: true }));
  }
  test(`a new seed, ${fresh}`, (t) => run(t, fresh, {}));
}

test('the old module agrees with the model', async (t) => {
  const folder = await temporaryFolder(t);
  process.env.OLD_DATA_DIR = path.join(folder, 'data');
  const random = new Random(9);
  const model = new Model();
  const calls = new CallGenerator(random, model, { oldModule: true });
  for (let i = 0; i < 600; i++) {
    const call = calls.call();
    const what = `call ${i}, ${describeCall(call)}`;
    const got = await oldModule[call.method](...call.args);
    assert.equal(maskedJson(got), maskedJson(model[call.method](...call.args)), what);
    for (const name of ['players', 'game_state', 'tokens']) {
      const state = (await readJson(mirrorPath(process.env.OLD_DATA_DIR, name))) ?? {};
      assert.equal(maskedJson(state), maskedJson(model.rebuildStateFromLog(name)), `${name} after ${what}`);
    }
  }
});
