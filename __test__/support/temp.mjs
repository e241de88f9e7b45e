// Helpers of every test file: a folder of its own, child processes, waiting for a condition, and the raw bytes of a log.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';
import zlib from 'node:zlib';
import { CHOOSING, optionsAt } from './place.mjs';

export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url));
export const packageUrl = pathToFileURL(path.join(repositoryRoot, 'index.js')).href;
export const oldModuleUrl = new URL('../old-module/', import.meta.url).href;

// Deadlines end a test that hangs; they measure nothing.
const WAIT_DEADLINE_MS = 60_000;
const CHILD_DEADLINE_MS = 120_000;

// Runs the garbage collector; undefined where it cannot be called.
export const collectGarbage = garbageCollector();

function garbageCollector() {
  if (process.versions.bun || globalThis.Deno) return undefined;
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc');
}

// --- Folders ---

const closersOfTest = new WeakMap();

// A new folder that is removed when the test ends, after everything opened in it was closed.
export async function temporaryFolder(t) {
  const folder = await mkdtemp(path.join(tmpdir(), 'progressive-storage-'));
  closersOf(t).unshift(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

// Registers work for the end of the test. The last one runs first, and folders are removed last.
export function atEnd(t, close) {
  closersOf(t).push(close);
}

function closersOf(t) {
  let closers = closersOfTest.get(t);
  if (!closers) {
    closers = [];
    closersOfTest.set(t, closers);
    t.after(async () => {
      const failures = [];
      for (const close of closers.reverse()) {
        try {
          await close();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    });
  }
  return closers;
}

// Opens a Storage at a folder's place (a new one when none is given) and closes it at the end of the test.
// The default here is `fsync: 'never'`, which spares the disk in tests that do not need durability.
export async function openStorage(t, Storage, options = {}) {
  const { dataDir = path.join(await temporaryFolder(t), 'data'), ...others } = options;
  const storage = new Storage(optionsAt(dataDir, { fsync: 'never', ...others }));
  atEnd(t, () => closeStorage(storage));
  return { storage, dataDir };
}

// The same, with one of its collections.
export async function openCollection(t, Storage, name = 'coins', options = {}) {
  const opened = await openStorage(t, Storage, options);
  return { ...opened, collection: opened.storage.collection(name) };
}

// Closes a Storage that the test may have closed already.
export async function closeStorage(storage) {
  try {
    await storage.close();
  } catch (error) {
    if (error.code !== 'ERR_STORAGE_CLOSED') throw error;
  }
}

// Closes a Storage and opens its folder again.
export async function reopened(t, Storage, storage, dataDir) {
  await storage.close();
  return (await openStorage(t, Storage, { dataDir })).storage;
}

// --- Child processes ---

let scriptCount = 0;

// Starts a script in a process of its own. `source` is the text of an ES module; `file` the path of a script.
// Returns { child, output, ended }: `output` grows while the child runs, `ended` resolves to
// { code, signal, stdout, stderr } and rejects only when the child could not be started.
// `program` is another runtime than this one.
export async function startScript(
  t,
  { source, file, cwd, env = {}, args = [], nodeArgs = [], program = process.execPath },
) {
  const folder = cwd ?? (await temporaryFolder(t));
  let script = file;
  if (source !== undefined) {
    // In the child's own folder, so that it finds packages like a file of a bot there.
    script = path.join(folder, `script-${++scriptCount}.mjs`);
    await writeFile(script, source);
  }
  const childEnv = { ...process.env };
  // A child uses the place of its test, and none from the environment. With the runner's own variables it would report
  // in the runner's private protocol.
  for (const name of [...CHOOSING, 'OLD_DATA_DIR', 'NODE_TEST_CONTEXT', 'NODE_OPTIONS']) {
    delete childEnv[name];
  }
  Object.assign(childEnv, env);

  const child = spawn(program, [...nodeArgs, script, ...args], {
    cwd: folder,
    env: childEnv,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output.stderr += text;
  });
  child.stdin.on('error', () => {});
  const ended = new Promise((resolve, reject) => {
    const deadline = setTimeout(() => child.kill('SIGKILL'), CHILD_DEADLINE_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(deadline);
      resolve({ code, signal, ...output });
    });
  });
  atEnd(t, async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended.catch(() => {});
  });
  return { child, output, ended };
}

// Runs a script to its end. See startScript.
export async function runScript(t, options) {
  const { ended } = await startScript(t, options);
  return ended;
}

// --- Waiting ---

// Polls until the condition returns something truthy, and returns that.
export async function waitUntil(
  condition,
  { what = 'the condition', deadlineMs = WAIT_DEADLINE_MS, everyMs = 10 } = {},
) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

// --- Files of the store ---

/** Whether a process lives. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function logPath(dataDir, logName) {
  return path.join(dataDir, 'logs', `${logName}.log`);
}

export function mirrorPath(dataDir, name) {
  return path.join(dataDir, `${name}.json`);
}

// The lines of a log as text, without their newlines; none when there is no log.
export async function readLogLines(dataDir, logName) {
  let text;
  try {
    text = await readFile(logPath(dataDir, logName), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

const CRC_MARK = ',"_crc":"';

// The right checksum of a line, as 8 hex digits: of its bytes before `,"_crc"`, or of all bytes before the closing
// brace when it has none yet.
export function lineCrc(line) {
  const at = line.lastIndexOf(CRC_MARK);
  return crc32Hex(at >= 0 ? line.slice(0, at) : line.slice(0, line.lastIndexOf('}')));
}

// The line with a right checksum at its end, as the store would have written it.
export function withCrc(line) {
  const at = line.lastIndexOf(CRC_MARK);
  const body = at >= 0 ? line.slice(0, at) : line.slice(0, line.lastIndexOf('}'));
  return `${body}${CRC_MARK}${crc32Hex(body)}"}`;
}

export function crc32Hex(data) {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  return crc32(bytes).toString(16).padStart(8, '0');
}

const crc32 = zlib.crc32 ?? crc32ByTable;
let crcTable;

// For versions of Node whose zlib has no checksum for scripts.
export function crc32ByTable(bytes) {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// --- Comparing ---

export async function collect(iterable) {
  const items = [];
  for await (const item of iterable) items.push(item);
  return items;
}

const ISO_DATE = /"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g;

// JSON text with every date replaced: the rest must be equal, order of the keys included.
export function maskedJson(value) {
  const text = JSON.stringify(value);
  return text === undefined ? 'undefined' : text.replace(ISO_DATE, '"<date>"');
}
