// The data of a server as it is at one moment, written as a data folder: the entries of all logs up to a number below which no
// batch is half.
//
// Invariant: what is written was read back, and has as many entries as the server had. Where a compaction removed entries
// meanwhile, the folder is begun anew.

import fs from 'node:fs/promises';
import path from 'node:path';
import lines from './lines.js';
import { ServerSource } from './server-source.mjs';

const TRIES_MAX = 3;
const IN_FLIGHT = 1000;
const IN_FLIGHT_BYTES = 4 << 20;

export class ServerCopy {
  #ask;
  #folder;
  #Storage;

  // `ask(question, ...parameters)` asks the server, see server-tools.js. The folder is there and empty.
  constructor(ask, folder, Storage) {
    this.#ask = ask;
    this.#folder = folder;
    this.#Storage = Storage;
  }

  // Fills the folder, and gives its logs.
  async make() {
    for (let tries = 1; ; tries += 1) {
      const logs = await this.#try();
      if (logs) return logs;
      for (const name of await fs.readdir(this.#folder))
        await fs.rm(path.join(this.#folder, name), { recursive: true, force: true });
      if (tries === TRIES_MAX) {
        const message = 'The server removed entries each time it was copied, by compactions; try again';
        throw Object.assign(new Error(message), { code: 'ERR_LOG_REPLACED' });
      }
    }
  }

  // Undefined where a compaction removed entries.
  async #try() {
    const names = await this.#ask('names');
    const oldest = await this.#oldestOf(names);
    const [cut] = await this.#ask('cut');
    const storage = new this.#Storage({ dataDir: this.#folder, fsync: 'interval', logger: null });
    const counts = new Map();
    try {
      const source = new ServerSource({ ask: this.#ask }, storage, BigInt(cut));
      for (const name of names) counts.set(name, await copyLog(source, storage, name));
      // Syncs everything, and writes the JSON files.
      await storage.flush();
    } finally {
      await storage.close();
    }
    const isWhole = (await this.#oldestOf(names)).every((seq, at) => seq === oldest[at]);
    return isWhole ? Promise.all(names.map((name) => this.#checked(name, counts.get(name)))) : undefined;
  }

  // The first generation of each log. One question after the other: each is a connection.
  async #oldestOf(names) {
    const oldest = [];
    for (const name of names) oldest.push((await this.#ask('generations', name))[0]?.seq);
    return oldest;
  }

  async #checked(name, wanted) {
    const file = path.join(this.#folder, 'logs', `${name}.log`);
    const log = { name, entries: 0, damagedLines: 0, sizeBytes: 0, oldLogs: 0 };
    for (let from, isEnd = wanted === 0; !isEnd; ) {
      const read = lines.readLogLines(file, from, { entries: false });
      log.entries += read.lines.filter(({ state }) => state === 'checked').length;
      log.sizeBytes = read.sizeBytes;
      ({ next: from, isEnd } = read);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (log.entries === wanted) return log;
    const message = `The copy '${file}' has ${log.entries} entries of ${wanted}; its disk may fail`;
    throw Object.assign(new Error(message), { code: 'ERR_BACKUP_CORRUPT', path: file });
  }
}

async function copyLog(source, storage, name) {
  let [count, sizeBytes, calls] = [0, 0, []];
  for await (const { entry } of source.entries({ name })) {
    const call = storage.appendLogEntry(name, entry);
    // It is looked at below, and may have failed before that.
    call.catch(() => {});
    calls.push(call);
    count += 1;
    sizeBytes += JSON.stringify(entry).length;
    if (calls.length >= IN_FLIGHT || sizeBytes >= IN_FLIGHT_BYTES) {
      await Promise.all(calls);
      [sizeBytes, calls] = [0, []];
    }
  }
  await Promise.all(calls);
  return count;
}
