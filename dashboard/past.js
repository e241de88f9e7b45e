// A key and its history, for who only looks: which logs there are, and what the files of one say that the storage has
// not opened.
//
// Invariant: nothing is opened in the storage, made a collection, or written in the data folder. A log that is open is
// asked for; one that is not is read in a temporary folder with links to its files, under a name that no bot has.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const BOT_LOGS = ['players', 'tokens', 'game_state'];
const ALIAS = 'log';

const isFile = (file) => {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
};

const namesIn = (folder) => {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
};

/** Whether the engine keeps a log with a JSON file: it leaves a record of it, and the bot's three are always kept so. */
function isCollection(dataDir, log) {
  return BOT_LOGS.includes(log) || isFile(path.join(dataDir, '.progressive-storage', `${log}.mirror`));
}

/** The logs of a storage: those that are open, and those that have files. */
function knownLogs({ dataDir, logs }) {
  const known = new Set(Object.keys(logs));
  for (const name of namesIn(path.join(dataDir, 'logs'))) {
    if (name.endsWith('.log') && isFile(path.join(dataDir, 'logs', name))) known.add(name.slice(0, -4));
  }
  for (const name of BOT_LOGS) if (isFile(path.join(dataDir, `${name}.json`))) known.add(name);
  return [...known].sort();
}

/** `{ history, value }` of a key; undefined where there is no such log. */
async function lookUp(storage, log, key) {
  const metrics = storage.metrics();
  if (!knownLogs(metrics).includes(log)) return undefined;
  const { dataDir, logs } = metrics;
  if (!Object.hasOwn(logs, log)) return ofFiles(dataDir, log, key);
  const history = await storage.history(log, key);
  // A plain log that is asked for as a collection becomes one.
  if (!isCollection(dataDir, log)) return { history, value: history.at(-1)?.value };
  return { history, value: await storage.collection(log).get(key) };
}

async function ofFiles(dataDir, log, key) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'progressive-storage-'));
  const { Storage } = require('../index.js');
  const storage = new Storage({ dataDir: scratch, logger: null });
  try {
    linkFiles(dataDir, log, path.join(scratch, 'logs'));
    const found = await storage.history(ALIAS, key);
    const history = found.map((record) => ({ ...record, source: log + record.source.slice(ALIAS.length) }));
    return { history, value: await currentValue(dataDir, log, key, history.at(-1)?.value) };
  } finally {
    await storage.close();
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function linkFiles(dataDir, log, target) {
  fs.mkdirSync(target);
  const folder = path.join(dataDir, 'logs');
  for (const name of namesIn(folder)) {
    const rest = name.startsWith(`${log}.log`) ? name.slice(log.length) : '';
    if (!/^\.log(\.(backup|archive)\.\d+(\.gz)?)?$/.test(rest)) continue;
    const [from, to] = [path.join(folder, name), path.join(target, ALIAS + rest)];
    try {
      fs.symlinkSync(from, to);
    } catch {
      // Windows has links for some users only.
      fs.copyFileSync(from, to);
    }
  }
}

/** What the JSON file says counts where it is newer than the log, or there is no log: it was edited. */
async function currentValue(dataDir, log, key, logged) {
  const mirror = path.join(dataDir, `${log}.json`);
  if (!isCollection(dataDir, log) || !isFile(mirror)) return logged;
  const timeOf = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (timeOf(mirror) < timeOf(path.join(dataDir, 'logs', `${log}.log`))) return logged;
  const { eachMember } = await import('../bin/support/members.mjs');
  let edited;
  try {
    await eachMember(mirror, {
      onMember: (name, value) => {
        if (name === key) edited = value;
      },
    });
  } catch (error) {
    // It is no JSON object: the log is used.
    if (error instanceof SyntaxError) return logged;
    throw error;
  }
  return edited;
}

module.exports = { knownLogs, lookUp };
