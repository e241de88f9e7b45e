// Opens the logs of a folder for reading, for the browser of keys.
//
// A collection that is open in the storage answers itself. Any other log is read in a temporary folder with links to its
// files, so that the storage does not open it. That folder is kept while somebody reads on, as each opening reads the log.
//
// Invariant: reading opens no log of the storage, makes no log a collection, and writes nothing in the data folder.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { isCollection, isFile, knownLogs, namesIn } = require('./files.js');

/**
 * The name of the log in the temporary folder. It is none of the bot's three, so the storage keeps it as a plain log.
 */
const ALIAS = 'log';
/** A temporary folder is removed so long after its last use. */
const KEPT_MS = 30_000;
const KEPT_MAX = 4;

class FolderLogs {
  #storage;
  #Storage;
  /** The temporary folders by log, the one that was used last at the end: `{ place, storage, users, timer }`. */
  #kept = new Map();

  /** `Storage` is the package's class. */
  constructor({ storage, Storage }) {
    this.#storage = storage;
    this.#Storage = Storage;
  }

  /**
   * `{ members, history, get, expiresAt, count, release }` of a log; undefined where there is none of that name.
   * `release` is to be called at the end.
   */
  open(log) {
    const metrics = this.#storage.metrics();
    if (!knownLogs(metrics).includes(log)) return undefined;
    const { dataDir, logs } = metrics;
    // `collection` would make a plain log a collection.
    if (!Object.hasOwn(logs, log) || !isCollection(dataDir, log)) return this.#openFiles(dataDir, log);
    return { ...readerOf(this.#storage, log), release() {} };
  }

  async stop() {
    for (const log of [...this.#kept.keys()]) await this.#drop(log);
  }

  #openFiles(dataDir, log) {
    const copy = this.#copyOf(dataDir, log);
    const reader = readerOf(copy.storage, ALIAS);
    const history = async (key) =>
      (await reader.history(key)).map((record) => ({
        ...record,
        source: log + record.source.slice(ALIAS.length),
      }));
    const get = async (key) => editedValue({ dataDir, log, key, logged: await reader.get(key) });
    return { ...reader, history, get, release: () => this.#release(log, copy) };
  }

  #copyOf(dataDir, log) {
    let copy = this.#kept.get(log);
    if (!copy) {
      const place = fs.mkdtempSync(path.join(os.tmpdir(), 'progressive-storage-'));
      const areLinks = linkFiles({ dataDir, log, target: path.join(place, 'logs') });
      // The JSON file is the temporary folder's own, and nobody reads it.
      const storage = new this.#Storage({ dataDir: place, logger: null, mirror: 'close' });
      copy = { place, storage, areLinks, users: 0 };
    }
    this.#kept.delete(log);
    this.#kept.set(log, copy);
    clearTimeout(copy.timer);
    copy.users++;
    return copy;
  }

  #release(log, copy) {
    copy.users--;
    if (copy.users > 0) return;
    // A copy does not follow the log, and a new backup has no link yet.
    copy.timer = setTimeout(() => this.#drop(log).catch(() => {}), copy.areLinks ? KEPT_MS : 0);
    copy.timer.unref();
    const idle = [...this.#kept].filter(([, { users }]) => users === 0);
    for (const [name] of idle.slice(0, Math.max(0, this.#kept.size - KEPT_MAX)))
      this.#drop(name).catch(() => {});
  }

  async #drop(log) {
    const copy = this.#kept.get(log);
    this.#kept.delete(log);
    if (!copy) return;
    clearTimeout(copy.timer);
    await copy.storage.close();
    fs.rmSync(copy.place, { recursive: true, force: true });
  }
}

/** What the browser asks of a collection, and of its history. */
function readerOf(storage, name) {
  const collection = storage.collection(name);
  return {
    members: (options) => collection.iterate(options),
    count: () => collection.size(),
    get: (key) => collection.get(key),
    expiresAt: (key) => collection.expiresAt(key),
    history: (key) => storage.history(name, key),
  };
}

/** Links the log and its old files into `target`; false where they had to be copied. */
function linkFiles({ dataDir, log, target }) {
  fs.mkdirSync(target);
  const folder = path.join(dataDir, 'logs');
  let areLinks = true;
  const link = (from, to) => {
    try {
      fs.symlinkSync(from, to);
    } catch {
      // Windows lets only some users make links.
      areLinks = false;
      if (isFile(from)) fs.copyFileSync(from, to);
    }
  };
  for (const name of namesIn(folder)) {
    const rest = name.startsWith(`${log}.log`) ? name.slice(log.length) : '';
    if (!/^\.log(\.(backup|archive)\.\d+(\.gz)?)?$/.test(rest)) continue;
    link(path.join(folder, name), path.join(target, ALIAS + rest));
  }
  return areLinks;
}

/** The value in the JSON file where that is newer than the log, or alone: somebody edited it. Else the logged value. */
async function editedValue({ dataDir, log, key, logged }) {
  const mirror = path.join(dataDir, `${log}.json`);
  if (!isCollection(dataDir, log) || !isFile(mirror)) return logged;
  const timeOf = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (timeOf(mirror) < timeOf(path.join(dataDir, 'logs', `${log}.log`))) return logged;
  const { eachMember } = await import('../lib/members.mjs');
  let edited;
  try {
    await eachMember(mirror, {
      onMember: (name, value) => {
        if (name === key) edited = value;
      },
    });
  } catch (error) {
    // The file is no JSON object, so the log counts.
    if (error instanceof SyntaxError) return logged;
    throw error;
  }
  return edited;
}

module.exports = { FolderLogs, readerOf };
