// The mark of a place whose data has moved. A Storage refuses a place that has it (ERR_MOVED).
//
//   folder   the file `.progressive-storage/moved`
//   server   the row `moved` of the table `meta`, which only the owner may write

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { Stop } from '../support/errors.mjs';

export const markOf = (dataDir) => path.join(dataDir, '.progressive-storage', 'moved');

// Where the data of a place has moved to; null where it is still here.
export async function movedTo(place) {
  if (!place.isServer) {
    const file = markOf(place.dataDir);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
  }
  if (!place.facts.hasTables) return null;
  const [meta] = await place.ask('meta');
  return meta.moved ?? null;
}

const UNFINISHED = 'not certain yet: ';
const textOf = (target) => `${target}, at ${new Date().toISOString()}`;

// Marks a server where its entries are those of the stamp, and ends the sessions of those who use it.
export async function markServer(place, target, stamp) {
  const text = textOf(target);
  const [{ outcome, sessions }] = await place.ask('mark', text, stamp).catch(async (error) => {
    // The answer may be lost, and the mark there all the same.
    if ((await movedTo(place).catch(() => null)) === text) return [{ outcome: 'marked' }];
    throw error;
  });
  if (outcome === 'inUse') throw serverInUse(place, sessions);
  return outcome;
}

export function serverInUse({ title }, sessions) {
  return new Stop(`${title} is in use. Stop the bots first.`, {
    code: 'ERR_IN_USE',
    details: sessions.map(({ process, user, address }) => `session ${process} of ${user} from ${address}`),
  });
}

// Marks a folder. A bot that has it open sees the mark when another one had the lock: so that is taken once. What it wrote
// until then shows in `checkUnchanged`, and the mark is taken away again. A run that is killed in between leaves a mark that
// says so, which the next run takes away.
export async function markFolder(place, target, { checkUnchanged, atEnd }) {
  let isCertain = false;
  const unlessCertain = () => {
    if (!isCertain) unmark(place);
  };
  atEnd(unlessCertain);
  write(place.dataDir, `${UNFINISHED}${textOf(target)}`);
  try {
    await takeLock(place);
    await checkUnchanged();
    write(place.dataDir, textOf(target));
    isCertain = true;
  } finally {
    unlessCertain();
  }
}

// Takes the mark of a run away that was killed before it was certain.
export function removeUnfinished({ isServer, dataDir }) {
  if (isServer || !existsSync(markOf(dataDir))) return;
  if (readFileSync(markOf(dataDir), 'utf8').startsWith(UNFINISHED)) unmark({ dataDir });
}

function write(dataDir, text) {
  const file = markOf(dataDir);
  mkdirSync(path.dirname(file), { recursive: true });
  const handle = openSync(file, 'w');
  writeSync(handle, `${text}\n`);
  fsyncSync(handle);
  closeSync(handle);
  syncFolder(path.dirname(file));
  syncFolder(dataDir);
}

async function takeLock(place) {
  const endings = [];
  const storage = place.open((end) => endings.push(end));
  try {
    await storage.collection('players').delete('moved');
  } catch (error) {
    if (error.code === 'ERR_MOVED') return;
    throw error;
  } finally {
    for (const end of endings) await end().catch(() => {});
  }
  throw new Stop('The mark of the folder has no effect.', { code: 'ERR_CHECK_FAILED' });
}

// Takes the mark of a folder away again.
function unmark({ dataDir }) {
  const file = markOf(dataDir);
  rmSync(file, { force: true });
  syncFolder(path.dirname(file));
}

// The name of a new file is on disk only with its folder. Windows syncs no folders.
function syncFolder(folder) {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
