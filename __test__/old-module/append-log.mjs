// The bot's own log module from before this package: plain JavaScript, one JSON object a line.
//
// It is written anew from a description of that module. Tests and benchmarks use it for three things: it makes folders of old
// data, it reads our files after a roll-back, and the package is measured against it. So it keeps the limits of the original:
// concurrent calls are not serialised, a torn last line makes every replay throw, and lines have no checksum.

import fs from 'node:fs/promises';
import path from 'node:path';

export const OpType = {
  SET: 'SET',
  DELETE: 'DELETE',
  CHECKPOINT: 'CHECKPOINT',
};

const COMPACTION_THRESHOLD_BYTES = 1024 * 1024;
const BACKUPS_KEPT = 3;

// Read at every call, so that one process can use several folders one after the other.
export function dataFolder() {
  return process.env.OLD_DATA_DIR || path.join(process.cwd(), 'data');
}

function logFile(logName) {
  return path.join(dataFolder(), 'logs', `${logName}.log`);
}

export async function appendLogEntry(logName, entry) {
  const file = logFile(logName);
  const line = `${JSON.stringify({ timestamp: new Date().toISOString(), ...entry })}\n`;
  await fs.mkdir(path.dirname(file), { recursive: true });
  const handle = await fs.open(file, 'a');
  try {
    await handle.appendFile(line, 'utf8');
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function readLogEntries(logName) {
  let text;
  try {
    text = await fs.readFile(logFile(logName), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line));
}

function applyEntry(state, entry) {
  switch (entry.op) {
    case OpType.SET:
      if (!entry.key) Object.assign(state, entry.data);
      else if (entry.value === undefined) delete state[entry.key];
      else state[entry.key] = entry.value;
      break;
    case OpType.DELETE:
      delete state[entry.key];
      break;
    case OpType.CHECKPOINT:
      Object.assign(state, entry.state);
      break;
    default:
      break;
  }
}

export async function rebuildStateFromLog(logName) {
  const state = {};
  for (const entry of await readLogEntries(logName)) applyEntry(state, entry);
  return state;
}

export async function compactLog(logName) {
  const file = logFile(logName);
  const state = await rebuildStateFromLog(logName);
  await fs.mkdir(path.dirname(file), { recursive: true });
  try {
    await fs.copyFile(file, `${file}.backup.${Date.now()}`);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const checkpoint = { op: OpType.CHECKPOINT, state, compactedAt: new Date().toISOString() };
  await fs.writeFile(`${file}.tmp`, `${JSON.stringify(checkpoint)}\n`, 'utf8');
  await fs.rename(`${file}.tmp`, file);
  await removeOldBackups(file);
}

async function removeOldBackups(file) {
  const prefix = `${path.basename(file)}.backup.`;
  const names = (await fs.readdir(path.dirname(file))).filter((name) => name.startsWith(prefix));
  const newestFirst = names.sort((a, b) => Number(b.slice(prefix.length)) - Number(a.slice(prefix.length)));
  for (const name of newestFirst.slice(BACKUPS_KEPT)) await fs.unlink(path.join(path.dirname(file), name));
}

export async function getLogSize(logName) {
  try {
    return (await fs.stat(logFile(logName))).size;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

export async function needsCompaction(logName, threshold = COMPACTION_THRESHOLD_BYTES) {
  return (await getLogSize(logName)) > threshold;
}

export class CompactionScheduler {
  constructor(intervalMs = 3600000) {
    this.intervalMs = intervalMs;
    this.isRunning = false;
    this.timer = null;
  }

  start(logNames = ['players', 'tokens', 'game_state']) {
    if (this.isRunning) return;
    this.isRunning = true;
    this.timer = setInterval(async () => {
      for (const logName of logNames) {
        try {
          if (await needsCompaction(logName)) await compactLog(logName);
        } catch (error) {
          console.error(`Compaction of ${logName} failed:`, error.message);
        }
      }
    }, this.intervalMs);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.isRunning = false;
  }
}
