// The data folder of a server. It is made once for each version and kept in the cache folder; each server gets a copy,
// which takes a tenth of a second.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder, copyFolder, newFolder, writeFor } from './folders.mjs';
import { ordinaryUser } from './ordinary-user.mjs';

/**
 * The roles of every server. The superuser is for tests, which look at the server and change it. The owner owns the
 * database. The bot may make a schema there, and no more.
 */
export const ROLES = {
  superuser: { user: 'postgres', password: 'superuser-secret' },
  owner: { user: 'owner', password: 'owner-secret' },
  bot: { user: 'bot', password: 'bot-secret' },
};
export const DATABASE = 'store';

const SQL = `
ALTER ROLE postgres PASSWORD '${ROLES.superuser.password}';
CREATE ROLE owner LOGIN PASSWORD '${ROLES.owner.password}';
CREATE ROLE bot LOGIN PASSWORD '${ROLES.bot.password}';
CREATE DATABASE ${DATABASE} OWNER owner;
GRANT CREATE ON DATABASE ${DATABASE} TO bot;
`;
const INITDB = ['-U', ROLES.superuser.user, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
const RECIPE = createHash('sha256')
  .update(JSON.stringify([SQL, INITDB]))
  .digest('hex')
  .slice(0, 8);

/** The environment of a server's programs: messages in English, and no variable of libpq. */
export function environment() {
  const entries = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...Object.fromEntries(entries), LC_ALL: 'C' };
}

function makeTemplate({ bin }, place) {
  const folder = newFolder('initdb');
  const data = path.join(folder, 'data');
  const options = { ...ordinaryUser(), cwd: folder, env: environment() };
  const pipes = ['pipe', 'ignore', 'pipe'];
  execFileSync(path.join(bin, 'initdb'), [...INITDB, '-D', data], { ...options, stdio: pipes });
  const single = ['--single', '-D', data, '-c', 'fsync=off', 'postgres'];
  execFileSync(path.join(bin, 'postgres'), single, { ...options, input: SQL, stdio: pipes });
  // Other processes may be making it too. The first one wins, and nobody sees half of one.
  const half = fs.mkdtempSync(`${place}-`);
  copyFolder(data, path.join(half, 'data'));
  try {
    fs.renameSync(path.join(half, 'data'), place);
  } catch (error) {
    if (!fs.existsSync(place)) throw error;
  }
  fs.rmSync(half, { recursive: true });
  fs.rmSync(folder, { recursive: true });
}

/** Makes a new data folder. */
export function makeCluster(programs, folder) {
  const template = path.join(cacheFolder(), `cluster-${programs.version}-${RECIPE}`);
  if (!fs.existsSync(template)) makeTemplate(programs, template);
  copyFolder(template, folder);
}

// What a copy of a running server leaves out: its process, its log of changes (which a standby fetches), its slots.
const NOT_COPIED = /^(postmaster\.(pid|opts)|standby\.signal|pg_wal\/.+|pg_replslot\/.+)$/;

/** Makes a data folder from that of a running server, as of its backup's end. */
export async function copyCluster(primary, folder) {
  const client = await primary.connect();
  try {
    await client.query("SELECT pg_backup_start('copy', true)");
    copyFolder(primary.dataFolder, folder, (name) => NOT_COPIED.test(name));
    const [[label]] = await client.query('SELECT labelfile FROM pg_backup_stop(false)');
    writeFor(folder, 'backup_label', label);
  } finally {
    await client.end();
  }
}
