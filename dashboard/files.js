// Which logs, backups and archives a data folder holds, by the names of its files. Nothing here opens a log.

const fs = require('node:fs');
const path = require('node:path');

const BOT_LOGS = ['players', 'tokens', 'game_state'];
const OLD_LOGS_MAX = 50;

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

/** Whether a log has a JSON file: the bot's three always do, any other one once the store keeps a record of it. */
function isCollection(dataDir, log) {
  return BOT_LOGS.includes(log) || isFile(path.join(dataDir, '.progressive-storage', `${log}.mirror`));
}

/** The logs of a storage, by name: those that are open, and those that have files. */
function knownLogs({ dataDir, logs }) {
  const known = new Set(Object.keys(logs));
  for (const name of namesIn(path.join(dataDir, 'logs'))) {
    if (name.endsWith('.log') && isFile(path.join(dataDir, 'logs', name))) known.add(name.slice(0, -4));
  }
  for (const name of BOT_LOGS) if (isFile(path.join(dataDir, `${name}.json`))) known.add(name);
  return [...known].sort();
}

/** The newest backups and archives of a data folder, newest first. */
function oldLogs(dataDir) {
  const folder = path.join(dataDir, 'logs');
  const found = [];
  for (const name of namesIn(folder)) {
    const parts = /^(.+)\.log\.(backup|archive)\.(\d+)(\.gz)?$/.exec(name);
    if (!parts) continue;
    const [, log, kind, number] = parts;
    const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (stat) found.push({ name, log, kind, at: Number(number), sizeBytes: stat.size });
  }
  return found.sort((one, other) => other.at - one.at).slice(0, OLD_LOGS_MAX);
}

module.exports = { isCollection, isFile, knownLogs, namesIn, oldLogs };
