// Folders of the servers: the cache that stays, and private folders of this process that go with it.
//
// Invariant: whatever ends this process, SIGKILL included, its servers end and its private folders are removed. A shell of
// its own session watches for that: its input is a pipe from this process, and so it ends with this process.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ordinaryUser } from './ordinary-user.mjs';

const TARGET = fileURLToPath(new URL('../../target/postgres', import.meta.url));
const PREFIX = 'progressive-storage-postgres';

/** Others may go through this folder and all above it; where it is not there yet, through those that are. */
function isOpenToOthers(folder) {
  const above = path.dirname(folder);
  const isOpen = !fs.existsSync(folder) || (fs.statSync(folder).mode & 0o001) !== 0;
  return isOpen && (above === folder || isOpenToOthers(above));
}

/** Where fetched programs and new clusters are kept from run to run. */
export function cacheFolder() {
  // An ordinary user has to run programs from there, also when root's clone stands in a closed folder.
  const isReachable = !ordinaryUser().name || isOpenToOthers(TARGET);
  const folder = isReachable ? TARGET : path.join(os.tmpdir(), PREFIX);
  fs.mkdirSync(folder, { recursive: true });
  if (fs.statSync(folder).uid !== process.getuid())
    throw new Error(`${folder} belongs to somebody else; remove it`);
  return folder;
}

// Each server writes its process id to `pid` in its own folder. SIGQUIT ends PostgreSQL at once, its children included.
const WATCHDOG = `
trap '' INT TERM HUP
cat > /dev/null
pids=$(cat "$1"/*/pid 2> /dev/null)
for pid in $pids; do kill -QUIT "$pid" 2> /dev/null; kill -CONT "$pid" 2> /dev/null; done
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  left=
  for pid in $pids; do kill -0 "$pid" 2> /dev/null && left="$left $pid"; done
  [ -z "$left" ] && break
  sleep 0.1
done
for pid in $left; do kill -KILL "$pid" 2> /dev/null; done
rm -rf "$1"
`;

/** Memory as a file system. A cluster has a thousand small files, which take ten times as long on a disk. */
const MEMORY = '/dev/shm';
const MEMORY_BYTES_MIN = 2 * 2 ** 30;

function isInMemory() {
  try {
    fs.accessSync(MEMORY, fs.constants.W_OK);
    const { bavail, bsize } = fs.statfsSync(MEMORY);
    return bavail * bsize >= MEMORY_BYTES_MIN;
  } catch {
    return false;
  }
}

const roots = new Map();
let count = 0;

function rootIn(place) {
  const known = roots.get(place);
  if (known) return known;
  const root = fs.realpathSync(fs.mkdtempSync(path.join(place, `${PREFIX}-`)));
  roots.set(place, root);
  fs.chmodSync(root, 0o755);
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', root], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  watchdog.stdin.unref();
  watchdog.stdin.on('error', () => {});
  return root;
}

/** A new folder for one server, which belongs to the user that runs it; in memory where there is room, unless `onDisk`. */
export function newFolder(kind, { onDisk = false } = {}) {
  const root = rootIn(!onDisk && isInMemory() ? MEMORY : os.tmpdir());
  const folder = path.join(root, `${kind}-${++count}`);
  fs.mkdirSync(folder);
  giveAway(folder);
  return folder;
}

/** Writes a file of a server. */
export function writeFor(folder, name, text) {
  fs.writeFileSync(path.join(folder, name), text);
  giveAway(path.join(folder, name));
}

/** Gives a file or folder to the user that runs servers. */
export function giveAway(file) {
  const { uid, gid } = ordinaryUser();
  if (uid !== undefined) fs.chownSync(file, uid, gid);
}

/**
 * Copies a folder and gives it away. Files that vanish meanwhile are left out: a running server removes some. `skip` says
 * which paths, from the folder on, are left out too.
 */
export function copyFolder(from, to, skip = () => false, below = '') {
  fs.mkdirSync(to, { mode: 0o700 });
  giveAway(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (skip(name)) continue;
    try {
      if (entry.isDirectory()) copyFolder(source, target, skip, name);
      else if (entry.isFile()) {
        fs.copyFileSync(source, target, fs.constants.COPYFILE_FICLONE);
        giveAway(target);
      }
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
}
