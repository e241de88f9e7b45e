// `storage.snapshot(folder)`: a copy of all data as it is at one moment, in a new folder that a Storage or a bot opens.
//
// Invariant: the folder appears whole, by a rename, or not at all. Nothing that was there before is replaced.

const fs = require('node:fs/promises');
const path = require('node:path');
const native = require('./addon.js');
const { quote, wrongType, wrongValue } = require('./check.js');

/** So long a server may take for one question: it counts rows. */
const QUESTION_MS = 3_600_000;
/** What file systems say that cannot sync a folder (network shares, FUSE). */
const CANNOT_SYNC = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'];

let count = 0;

function checkFolder(folder) {
  if (typeof folder !== 'string') throw wrongType("The argument 'folder'", 'a string', folder);
  if (folder === '' || folder.includes('\0'))
    throw wrongValue("The argument 'folder' is empty or holds a NUL character");
}

const isWithin = (folder, outer) => {
  const way = path.relative(outer, folder);
  return way === '' || !(way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way));
};

/** The names in a folder; undefined where there is none. */
async function namesIn(folder) {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function alreadyThere(folder) {
  const message = `The folder ${quote(folder)} is not empty; give a new one. Nothing was copied`;
  return Object.assign(new Error(message), { code: 'EEXIST', syscall: 'mkdir', path: folder });
}

async function syncFolder(folder) {
  // Windows has no handle of a folder that could be synced.
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder);
  try {
    await handle.sync();
  } catch (error) {
    if (!CANNOT_SYNC.includes(error.code)) throw error;
  } finally {
    await handle.close();
  }
}

/** The same as `snapshot` once `copyTo` has filled a folder that is there and empty. */
async function throughPartial(folder, copyTo) {
  const outer = path.dirname(folder);
  const names = await namesIn(folder);
  if (names?.length > 0) throw alreadyThere(folder);
  await fs.mkdir(outer, { recursive: true });
  const partial = `${folder}.partial-${process.pid}-${++count}`;
  await fs.mkdir(partial);
  let made = partial;
  try {
    const copied = await copyTo(partial);
    if (names !== undefined) await fs.rmdir(folder);
    await fs.rename(partial, folder);
    made = folder;
    await syncFolder(outer);
    return copied;
  } catch (error) {
    await fs.rm(made, { recursive: true, force: true });
    throw ['EEXIST', 'ENOTEMPTY'].includes(error?.code) ? alreadyThere(folder) : error;
  }
}

/** The server of a storage. Its url is known to the thread that gave it. */
function serverOf(storage) {
  const { standard, standardServer } = require('./standard.js');
  const server = storage === standard ? standardServer() : require('./options.js').serverOf(storage);
  if (server === undefined)
    throw wrongValue(
      'Another thread chose the server; take the snapshot there, or call configure() here too',
    );
  return server;
}

async function copyServer(server, folder, Storage) {
  const { ServerCopy } = await import('./server-copy.mjs');
  const { askServer } = require('./server-tools.js');
  const asked = { ...server, timeoutMs: QUESTION_MS };
  const ask = async (...question) => (await askServer(asked, ...question)).answer;
  return new ServerCopy(ask, folder, Storage).make();
}

/** `Storage` is the class: it requires this file. */
async function snapshot(storage, folder, Storage) {
  checkFolder(folder);
  const { dataDir } = storage.metrics();
  const target = path.resolve(folder);
  if (dataDir !== null && isWithin(target, path.resolve(dataDir)))
    throw wrongValue(`The folder ${quote(target)} is inside the data folder; give one beside it`);
  const server = dataDir === null ? serverOf(storage) : undefined;
  const logs = await throughPartial(target, async (partial) => {
    // What was called before is in the copy, and its JSON files are not behind its logs.
    await storage.flush();
    if (server) {
      // The copy asks the tables by itself. A call checks their version first.
      await storage.getLogSize('players');
      return copyServer(server, partial, Storage);
    }
    return (await native.copyData(storage, partial)).logs;
  });
  return { folder: target, sizeBytes: logs.reduce((sum, log) => sum + log.sizeBytes, 0), logs };
}

module.exports = { snapshot };
