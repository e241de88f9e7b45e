// Which processes use a folder. On Linux this shows in their open files, their locks, their script and their working
// directory. On other systems it is unknown: `isKnown` is false.

import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

const RUNTIMES = /^(node|nodejs|bun|deno)(-|$|\d)/;

// `{ isKnown, open, running, inside }`. The lists hold `{ pid, command }`; `pid` is null for a lock whose process the
// kernel does not name.
//   open      has files of `dataDir` open, or holds one of its locks
//   running   runs a script of `root`, or runs in `root` with an unknown script
//   inside    runs in `root`, but with a script from elsewhere: an editor, npm
// A process is in one list at most. This process and its ancestors are left out. Only the superuser sees the open
// files of another user's processes.
export function processesUsing(place) {
  const search = searchFor(place);
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
  }
}

const SLICE_MS = 3;

// The same, with turns of the event loop in between: a bot goes on while its dashboard looks.
export async function processesUsingSlowly(place) {
  const search = searchFor(place);
  for (let begun = Date.now(); ; ) {
    const { done, value } = search.next();
    if (done) return value;
    if (Date.now() - begun < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    begun = Date.now();
  }
}

// Yields after each process.
function* searchFor({ dataDir, root }) {
  const found = { isKnown: process.platform === 'linux', open: [], running: [], inside: [] };
  if (!found.isKnown) return found;
  const [data, home] = [real(dataDir), real(root)];
  const own = ancestors();
  const holders = data === undefined ? new Set() : lockHolders(data);
  for (const entry of readdirSync('/proc')) {
    yield;
    const pid = Number(entry);
    if (!Number.isInteger(pid) || own.has(pid)) continue;
    const one = describe(pid);
    if (!one) continue;
    const shown = { pid, command: one.args.join(' ').trim() };
    const isOpen = data !== undefined && openFiles(pid).some((file) => isInside(data, file));
    if (isOpen || holders.delete(pid)) found.open.push(shown);
    else if (home !== undefined) {
      const use = useOf(one, home);
      if (use) found[use].push(shown);
    }
  }
  for (const pid of holders) {
    if (!own.has(pid)) found.open.push({ pid: pid > 0 ? pid : null, command: 'holds a lock of the folder' });
  }
  return found;
}

const real = (folder) => {
  try {
    return folder && realpathSync(folder);
  } catch {
    return undefined;
  }
};

const isInside = (folder, file) => file === folder || file.startsWith(`${folder}${path.sep}`);

// `{ runtime, args, cwd }`, as far as this user may read it. Undefined where the process is gone.
function describe(pid) {
  const attempt = (read) => {
    try {
      return read();
    } catch {
      return undefined;
    }
  };
  const text = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  if (!text) return undefined;
  const args = text.replace(/\0+$/, '').split('\0');
  const exe = attempt(() => readlinkSync(`/proc/${pid}/exe`));
  return {
    runtime: path.basename(exe ?? args[0]),
    args,
    cwd: attempt(() => readlinkSync(`/proc/${pid}/cwd`)),
  };
}

// `running`, `inside`, or undefined where the process has nothing to do with the folder.
function useOf({ runtime, args, cwd }, home) {
  if (!RUNTIMES.test(runtime)) return undefined;
  const script = scriptOf(args, cwd);
  const isHere = cwd !== undefined && isInside(home, cwd);
  if (script === undefined) return isHere ? 'running' : undefined;
  const isOfBot = isInside(home, script) && !script.split(path.sep).includes('node_modules');
  if (isOfBot) return 'running';
  return isHere ? 'inside' : undefined;
}

// The script that a runtime runs.
function scriptOf(args, cwd) {
  for (const arg of args.slice(1)) {
    if (arg.startsWith('-') || (cwd === undefined && !path.isAbsolute(arg))) continue;
    const file = real(path.resolve(cwd ?? '/', arg));
    if (file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  }
  return undefined;
}

function openFiles(pid) {
  const files = [];
  let numbers = [];
  try {
    numbers = readdirSync(`/proc/${pid}/fd`);
  } catch {
    // It has ended, or belongs to another user.
  }
  for (const number of numbers) {
    try {
      files.push(readlinkSync(`/proc/${pid}/fd/${number}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return files;
}

// Ids of all processes that hold a lock of the store, other users' too; -1 where the kernel does not name one.
function lockHolders(dataDir) {
  const held = new Set();
  try {
    const folder = path.join(dataDir, '.progressive-storage');
    const inodes = new Set(readdirSync(folder).map((name) => String(statSync(path.join(folder, name)).ino)));
    // `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`. A line with `->` waits for a lock.
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, pid, inode] = line.match(/^\d+: [A-Z].* (-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /) ?? [];
      if (inodes.has(inode)) held.add(Number(pid) || -1);
    }
  } catch {
    // There are none, or this user may not read them.
  }
  return held;
}

function ancestors() {
  const pids = new Set([process.pid]);
  for (let pid = process.ppid; pid > 1 && !pids.has(pid); ) {
    pids.add(pid);
    try {
      // The fields after the command's name in parentheses: state, parent.
      pid = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')[1]);
    } catch {
      break;
    }
  }
  return pids;
}
