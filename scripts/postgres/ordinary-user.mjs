// The user that servers run as. PostgreSQL and pgbouncer refuse to run as root, so root runs them as an ordinary user that
// every system has.

import { execFileSync } from 'node:child_process';

const CANDIDATES = ['postgres', 'nobody'];

let found;

/** `{ name, uid, gid }` of the user, for `spawn`; empty when this process is an ordinary user itself. */
export function ordinaryUser() {
  if (process.getuid?.() !== 0) return {};
  found ??= CANDIDATES.map(look).find(Boolean);
  if (!found) throw new Error(`Root cannot run PostgreSQL, and there is no user ${CANDIDATES.join(' or ')}`);
  return found;
}

function look(name) {
  const id = (flag) =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { name, uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}
