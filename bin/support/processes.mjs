// Which processes use a folder, as far as the system tells: on Linux, by the files that they have open and the
// folder that they run in. Elsewhere nothing is known, and `isKnown` says so.

import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';

const RUNTIMES = /^(node|nodejs|bun|deno)(-|$|\d)/;

// `{ isKnown, open: [{ pid, command }], inside: [{ pid, command }] }`: with files of `dataDir` open, and running
// in `root`. Not this process, nor those that it was started by.
export function processesUsing({ dataDir, root }) {
  const found = { isKnown: process.platform === 'linux', open: [], inside: [] };
  if (!found.isKnown) return found;
  const real = (folder) => {
    try {
      return folder && realpathSync(folder);
    } catch {
      return undefined;
    }
  };
  const [data, home] = [real(dataDir), real(root)];
  const own = ancestors();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || own.has(pid)) continue;
    try {
      const runtime = path.basename(readlinkSync(`/proc/${pid}/exe`));
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      if (data && openFiles(pid).some((file) => file.startsWith(`${data}/`)))
        found.open.push({ pid, command });
      else if (home && RUNTIMES.test(runtime) && readlinkSync(`/proc/${pid}/cwd`) === home) {
        found.inside.push({ pid, command });
      }
    } catch {
      // It ended meanwhile, or belongs to somebody else.
    }
  }
  return found;
}

function openFiles(pid) {
  const files = [];
  for (const number of readdirSync(`/proc/${pid}/fd`)) {
    try {
      files.push(readlinkSync(`/proc/${pid}/fd/${number}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return files;
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
