// Reads one key and its history.
//
// A log that is open in the storage answers itself. Any other one is read in a temporary folder with links to its
// files, so that the storage does not open it.
//
// Invariant: reading a key opens no log of the storage, makes no log a collection, and writes nothing in the data
// folder.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { isCollection, isFile, knownLogs, namesIn } = require('./files.js');

/**
 * The name of the log in the temporary folder. It is none of the bot's three, so the storage keeps it as a plain log.
 */
const ALIAS = 'log';

/** `{ history, value }` of a key; undefined where there is no such log. `Storage` is the package's class. */
async function readKey({ storage, Storage }, { log, key }) {
  const metrics = storage.metrics();
  if (!knownLogs(metrics).includes(log)) return undefined;
  const { dataDir, logs } = metrics;
  if (!Object.hasOwn(logs, log)) return readFromFiles(Storage, { dataDir, log, key });
  const history = await storage.history(log, key);
  // `collection` would make a plain log a collection.
  if (!isCollection(dataDir, log)) return { history, value: history.at(-1)?.value };
  return { history, value: await storage.collection(log).get(key) };
}

async function readFromFiles(Storage, { dataDir, log, key }) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'progressive-storage-'));
  const storage = new Storage({ dataDir: scratch, logger: null });
  try {
    linkFiles({ dataDir, log, target: path.join(scratch, 'logs') });
    const found = await storage.history(ALIAS, key);
    const history = found.map((record) => ({ ...record, source: log + record.source.slice(ALIAS.length) }));
    return { history, value: await currentValue({ dataDir, log, key, logged: history.at(-1)?.value }) };
  } finally {
    await storage.close();
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function linkFiles({ dataDir, log, target }) {
  fs.mkdirSync(target);
  const folder = path.join(dataDir, 'logs');
  for (const name of namesIn(folder)) {
    const rest = name.startsWith(`${log}.log`) ? name.slice(log.length) : '';
    if (!/^\.log(\.(backup|archive)\.\d+(\.gz)?)?$/.test(rest)) continue;
    const [from, to] = [path.join(folder, name), path.join(target, ALIAS + rest)];
    try {
      fs.symlinkSync(from, to);
    } catch {
      // Windows lets only some users make links.
      fs.copyFileSync(from, to);
    }
  }
}

/** The value in the JSON file where that is newer than the log, or alone: somebody edited it. Else the logged value. */
async function currentValue({ dataDir, log, key, logged }) {
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

module.exports = { readKey };
