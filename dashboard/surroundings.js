// What is around a folder: the room on its disk, and the other processes that have it open.
//
// The disk is asked every 10 seconds, the processes only while a page is open, and more rarely where that takes long
// (`paced.js`).
//
// Invariant: of another process only its id, the names of its program and script, its memory and its shard are shown: its
// other arguments and its environment may hold secrets.

const fs = require('node:fs/promises');
const path = require('node:path');
const { Paced } = require('./paced.js');

const EVERY_MS = 10_000;
const PROCESSES_MAX = 50;

class Surroundings {
  #dataDir;
  #askDisk = new Paced(() => this.#readDisk(), EVERY_MS);
  #search = new Paced(() => this.#readProcesses(), EVERY_MS);
  isWatched = false;
  /** `{ freeBytes, totalBytes }`, or null where it is not known. */
  disk = null;
  /** `{ isKnown, count, listed }`; null until they were looked for. */
  processes = null;

  /** Asks what is due. */
  look(dataDir) {
    this.#dataDir = dataDir;
    if (!dataDir) return;
    this.#askDisk.run();
    if (this.isWatched) this.#search.run();
  }

  async #readDisk() {
    try {
      const { bavail, blocks, bsize } = await fs.statfs(this.#dataDir);
      this.disk = { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch {
      // The folder is not there yet, or this Node.js cannot ask (before 18.15).
      this.disk = null;
    }
  }

  async #readProcesses() {
    try {
      const { processesUsingSlowly } = await import('../lib/processes.mjs');
      const { isKnown, open } = await processesUsingSlowly({ dataDir: this.#dataDir });
      const listed = await Promise.all(open.slice(0, PROCESSES_MAX).map(describe));
      this.processes = { isKnown, count: open.length, listed };
    } catch {
      this.processes = { isKnown: false, count: 0, listed: [] };
    }
  }
}

async function describe({ pid, command }) {
  if (pid === null) return { pid, command };
  const read = (name) => fs.readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const [status, environment] = await Promise.all([read('status'), read('environ')]);
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
  return {
    pid,
    command: namesIn(command),
    memoryBytes: kilobytes === undefined ? null : Number(kilobytes) * 1024,
    shard: shardIn(environment),
  };
}

/** The program, and the script that it runs: `node bot.js`. */
function namesIn(command) {
  const [program, ...words] = command.split(' ');
  const script = words.find((word) => /\.[cm]?[jt]s$/.test(word));
  return [program, script]
    .filter(Boolean)
    .map((name) => path.basename(name))
    .join(' ');
}

/** `3 of 16`, as the ShardingManager of discord.js tells its processes; null for others. */
function shardIn(environment) {
  const numbersOf = (name) =>
    new RegExp(`(?:^|\\0)${name}=([\\d,[\\] ]{1,60})(?:\\0|$)`).exec(environment)?.[1];
  const [shards, count] = [numbersOf('SHARDS'), numbersOf('SHARD_COUNT')];
  return shards === undefined ? null : `${shards.replace(/[[\]]/g, '')}${count ? ` of ${count}` : ''}`;
}

module.exports = { Surroundings };
