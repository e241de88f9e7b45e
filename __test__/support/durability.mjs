/**
 * Helpers of most tests outside `api`: a place for each test, log lines written without the addon, the old module's way of
 * reading, child processes, and the warnings.
 *
 * Everything here is plain JavaScript written from the contract: the addon never checks itself.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CHOOSING, optionsAt } from './place.mjs';
import { crc32Hex, waitUntil } from './temp.mjs';

const require = createRequire(import.meta.url);
const CHILDREN = new URL('../children/', import.meta.url);

export const ps = require('../../index.js');
export const isRoot = process.getuid?.() === 0;
export const isWindows = process.platform === 'win32';
/** Why a test that needs the lock of another program is skipped; false where it runs. */
export const noFlock =
  (process.platform !== 'linux' && 'who holds a lock is known on Linux only') ||
  (spawnSync('flock', ['--version']).status !== 0 && 'flock(1) is not installed');

// ---------------------------------------------------------------------------------------------------- waiting

/** Polls until `condition` returns something truthy, and returns that. */
export const waitFor = (condition, what) => waitUntil(condition, { what });

/** A few turns of the event loop: earlier messages have arrived after them. */
export async function turns(count = 5) {
  for (let i = 0; i < count; i++) await sleep(2);
}

// --------------------------------------------------------------------------------------------------- warnings

const warnings = [];
const printWarning = process.listeners('warning');
process.removeAllListeners('warning');
function collectWarning(warning) {
  if (warning.name === 'ProgressiveStorageWarning') warnings.push(warning);
  else for (const print of printWarning) print.call(process, warning);
}
process.on('warning', collectWarning);

/** Returns a function that lists the package's warnings with this code from now on. */
export function listenForWarnings(code) {
  // Bun runs all files in one process, where another test may have removed the listener.
  if (!process.listeners('warning').includes(collectWarning)) process.on('warning', collectWarning);
  const from = warnings.length;
  return async () => {
    await turns();
    return warnings.slice(from).filter((warning) => warning.code === code);
  };
}

// ------------------------------------------------------------------------------------------------------ scene

/**
 * The place of one test: a directory of its own with the data directory in it, and everything that the test opens or
 * starts. At the end of the test all of it is closed, killed and removed.
 */
export function scene(t) {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'progressive-storage-')));
  // Tests that give up root must be able to read this folder.
  fs.chmodSync(root, 0o755);
  const place = new Scene(root);
  t.after(() => place.end());
  return place;
}

class Scene {
  #storages = [];
  #processes = [];
  #first = [];
  #last = [];

  constructor(root) {
    this.root = root;
    this.data = path.join(root, 'data');
  }

  open(options = {}) {
    const { dataDir = this.data, ...others } = options;
    const storage = new ps.Storage(optionsAt(dataDir, others));
    this.#storages.push(storage);
    return storage;
  }

  file(...parts) {
    return path.join(this.data, ...parts);
  }
  log(name = 'players') {
    return this.file('logs', `${name}.log`);
  }
  mirror(name = 'players') {
    return this.file(`${name}.json`);
  }

  logText(name = 'players') {
    return fs.readFileSync(this.log(name), 'utf8');
  }
  mirrorText(name = 'players') {
    return fs.readFileSync(this.mirror(name), 'utf8');
  }
  mirrorState(name = 'players') {
    return JSON.parse(this.mirrorText(name));
  }
  /** The log's entries as any reader sees them, with `_crc` and other marks. */
  logLines(name = 'players') {
    return parseLines(this.logText(name));
  }
  /** The state that the old module would build from the log. */
  replayed(name = 'players') {
    return replay(this.logLines(name));
  }

  /** Calls the old module on this directory: `old('loadPlayers')`. */
  async old(method, ...args) {
    const oldModule = await import('../old-module/storage.mjs');
    process.env.OLD_DATA_DIR = this.data;
    try {
      return await oldModule[method](...args);
    } finally {
      delete process.env.OLD_DATA_DIR;
    }
  }

  writeLog(content, name = 'players') {
    fs.mkdirSync(this.file('logs'), { recursive: true });
    fs.writeFileSync(
      this.log(name),
      Array.isArray(content) ? content.map((line) => `${line}\n`).join('') : content,
    );
  }
  writeMirror(content, name = 'players') {
    fs.mkdirSync(this.data, { recursive: true });
    const isText = typeof content === 'string' || Buffer.isBuffer(content);
    fs.writeFileSync(this.mirror(name), isText ? content : pretty(content));
  }
  /** An edit like that of most editors: a new file, renamed over the old one. */
  replaceMirror(content, name = 'players') {
    const fresh = path.join(this.root, 'edited.json');
    fs.writeFileSync(fresh, typeof content === 'string' ? content : pretty(content));
    fs.renameSync(fresh, this.mirror(name));
  }

  /** Files set aside or kept for a log or mirror, oldest first: `aside('players.log.torn')`. */
  aside(prefix) {
    const folder = prefix.includes('.log.') ? this.file('logs') : this.data;
    if (!fs.existsSync(folder)) return [];
    return fs
      .readdirSync(folder)
      .filter((name) => name.startsWith(`${prefix}.`) && /^\d+$/.test(name.slice(prefix.length + 1)))
      .sort((a, b) => numberAtEnd(a) - numberAtEnd(b))
      .map((name) => path.join(folder, name));
  }
  backups(name = 'players') {
    return this.aside(`${name}.log.backup`);
  }

  start(script, args = [], options = {}) {
    const child = new Child(script, args, options);
    this.#processes.push(child);
    return child;
  }
  /** Runs a child to its end, which must be a success. */
  async run(script, args = [], options = {}) {
    const child = this.start(script, args, options);
    const result = await child.ended;
    if (child.isOver) return result;
    assert.equal(result.signal, null, `${script} was killed: ${result.stderr}`);
    assert.equal(
      result.code,
      options.expectCode ?? 0,
      `${script} ended with ${result.code}: ${result.stderr}`,
    );
    return result;
  }
  /** Another process with a Storage on the same directory, see `children/remote.mjs`. */
  async remote(options = {}) {
    const child = this.start('remote.mjs', [JSON.stringify({ dataDir: this.data, ...options })]);
    const remote = new Remote(child);
    await remote.ready();
    return remote;
  }
  /** Starts a child that prints a line for each acked entry, kills it after some, and returns the acked ones. */
  async killAfter(script, args, acks, signal = 'SIGKILL') {
    const child = this.start(script, args);
    await child.linesSeen(acks);
    child.process.kill(signal);
    const result = await child.ended;
    assert.equal(result.signal, signal, `${script} ended before it was killed: ${result.stderr}`);
    return result.lines;
  }

  /**
   * Another program that holds the lock on a file, by flock(1). Returns its process once it holds the lock. It ends
   * with its input, and at the end of the test.
   */
  async lockHolder(file, options = {}) {
    const holder = spawn('flock', ['-o', file, 'sh', '-c', 'echo held; cat'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options,
    });
    this.beforeEnd(() => holder.stdin.destroy());
    await new Promise((resolve, reject) => {
      holder.on('error', reject);
      holder.stdout.once('data', resolve);
      holder.once('exit', (code) => reject(new Error(`flock ended with ${code}`)));
    });
    return holder;
  }

  /** Work for the end of the test, before the storages of this place are closed. */
  beforeEnd(action) {
    this.#first.push(action);
  }
  /** Work for the end of the test, after all is closed and before the directory is removed. */
  atEnd(action) {
    this.#last.push(action);
  }
  async end() {
    for (const action of this.#first) await action();
    for (const child of this.#processes) child.end();
    await Promise.all(this.#processes.map((child) => child.ended));
    for (const storage of this.#storages) await storage.close().catch(() => {});
    for (const action of this.#last) action();
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

// ---------------------------------------------------------------------------------------------------- children

class Child {
  #waiting = [];
  /** The scene has ended it, so its end is no failure: where a test fails before, only its own error is reported. */
  isOver = false;

  constructor(script, args, { env = {}, cwd, command, nodeArgs = [] } = {}) {
    const inherited = { ...process.env };
    // The runner's own variables, and a place in the environment, are not for children.
    for (const name of ['NODE_TEST_CONTEXT', 'NODE_OPTIONS', ...CHOOSING]) delete inherited[name];
    const file = fileURLToPath(new URL(script, CHILDREN));
    const line = [process.execPath, ...nodeArgs, file, ...args.map(String)];
    const [program, ...rest] = command ? command(line) : line;
    this.process = spawn(program, rest, {
      cwd,
      env: { ...inherited, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.stdout = '';
    this.stderr = '';
    this.lines = [];
    this.process.stdin.on('error', () => {});
    this.process.stdout.setEncoding('utf8').on('data', (text) => this.#take(text));
    this.process.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.process.on('error', (error) => {
        this.stderr += String(error);
      });
      this.process.on('close', (code, signal) => {
        this.hasEnded = true;
        this.#wake();
        resolve({ code, signal, lines: this.lines, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  #take(text) {
    this.stdout += text;
    const whole = this.stdout.split('\n');
    whole.pop();
    this.lines = whole;
    this.#wake();
  }
  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when the child has printed that many lines. */
  async linesSeen(count) {
    while (this.lines.length < count) {
      if (this.hasEnded && !this.isOver)
        assert.fail(`child ended after ${this.lines.length} of ${count} lines: ${this.stderr}`);
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
  }

  end() {
    this.isOver = true;
    this.process.kill('SIGKILL');
  }
}

/** Calls made in another process, in the order in which they are sent. */
class Remote {
  #answered = 1;

  constructor(child) {
    this.child = child;
  }
  async ready() {
    await this.child.linesSeen(1);
  }
  /** `call('loadPlayers')`, `call('collection:coins', 'set', key, value)`. */
  async call(method, ...args) {
    this.child.process.stdin.write(`${JSON.stringify({ method, args })}\n`);
    const at = this.#answered++;
    await this.child.linesSeen(at + 1);
    const answer = JSON.parse(this.child.lines[at]);
    if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return answer.value;
  }
  /** Ends the process cleanly: it closes its storage when its input ends. */
  async end() {
    this.child.process.stdin.end();
    const { code, stderr } = await this.child.ended;
    assert.equal(code, 0, stderr);
  }
  async kill() {
    this.child.process.kill('SIGKILL');
    await this.child.ended;
  }
}

// --------------------------------------------------------------------------------------------------- log lines

/** The line of an entry as the addon writes it, without its newline. */
export function sealed(entry, { more = false } = {}) {
  const text = JSON.stringify(entry).slice(0, -1) + (more ? ',"_more":1' : '');
  return `${text},"_crc":"${crc32Hex(text)}"}`;
}

/** The line of an entry as the old module writes it, without its newline. */
export const plain = (entry) => JSON.stringify(entry);

let clock = Date.UTC(2024, 0, 1);
const now = () => {
  clock += 1000;
  return new Date(clock).toISOString();
};

export const set = (key, value) => ({ timestamp: now(), op: 'SET', key, value });
export const del = (key) => ({ timestamp: now(), op: 'DELETE', key });
export const checkpoint = (state) => ({ op: 'CHECKPOINT', state, compactedAt: now() });

export const parseLines = (text) =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line));

/** Replay as in the contract, without checksums, like the old module. */
export function replay(entries) {
  const state = {};
  for (const entry of entries) {
    if (entry.op === 'SET' && entry.key) {
      if (entry.value === undefined) delete state[entry.key];
      else state[entry.key] = entry.value;
    } else if (entry.op === 'SET') Object.assign(state, entry.data);
    else if (entry.op === 'DELETE') delete state[entry.key];
    else if (entry.op === 'CHECKPOINT') Object.assign(state, entry.state);
  }
  return state;
}

/** Every line ends with a checksum of the bytes before it. */
export function assertSealed(text) {
  assert.ok(text === '' || text.endsWith('\n'), 'the log ends with a newline');
  for (const line of text.split('\n').slice(0, -1)) {
    const found = /^(.*),"_crc":"([0-9a-f]{8})"}$/s.exec(line);
    assert.ok(found, `no checksum at the end of ${line.slice(0, 200)}`);
    assert.equal(found[2], crc32Hex(found[1]), `checksum of ${line.slice(0, 200)}`);
  }
}

// ------------------------------------------------------------------------------------------------------ players

export const pretty = (value) => JSON.stringify(value, null, 2);

/** A full player record of the old module. */
export function player(userId, fields = {}) {
  return {
    userId,
    username: `name of ${userId}`,
    totalGames: 1,
    totalWins: 0,
    totalScore: 10,
    averageScore: 10,
    bestScore: 10,
    totalCorrectAnswers: 1,
    totalIncorrectAnswers: 1,
    totalAnswers: 2,
    accuracyRate: 50,
    gamesHistory: [],
    ...fields,
  };
}

/** Players by id, with a note that makes each about `bytes` longer. */
export function manyPlayers(count, bytes = 0) {
  const players = {};
  for (let i = 0; i < count; i++) {
    const id = `user-${String(i).padStart(5, '0')}`;
    players[id] = player(id, { note: 'x'.repeat(bytes) });
  }
  return players;
}

// ----------------------------------------------------------------------------------------------- small matters

/** Everything under a folder: names, kinds, bytes, and with `times` the times of change. */
export function snapshot(folder, { times = false } = {}) {
  const seen = {};
  const visit = (full, name) => {
    const stat = fs.lstatSync(full, { bigint: true });
    const about = times ? ` changed ${stat.mtimeNs} inode ${stat.ino}` : '';
    if (stat.isDirectory()) {
      seen[`${name}/`] = `folder${about}`;
      for (const entry of fs.readdirSync(full).sort()) visit(path.join(full, entry), `${name}/${entry}`);
    } else {
      seen[name] = fs.readFileSync(full, 'latin1') + about;
    }
  };
  if (fs.existsSync(folder)) visit(folder, '.');
  return seen;
}

/** Records unhandled promise rejections while a test runs, and returns a function that lists them. */
export function watchUnhandled(t) {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  return async () => {
    await turns();
    return unhandled;
  };
}

/** Random numbers, the same in each run. */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export const range = (count) => Array.from({ length: count }, (_, i) => i);

const numberAtEnd = (name) => Number(name.slice(name.lastIndexOf('.') + 1));
