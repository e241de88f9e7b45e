// Where the tests of the API keep their data. Each test has a folder of its own: its place is that folder, or, when
// POSTGRES_TEST_URL is set (`npm run test:postgres`), a schema or a database of that server, named after the folder.

import { createHash } from 'node:crypto';
import { connect } from '../../scripts/postgres/client.mjs';

const { POSTGRES_TEST_URL, POSTGRES_TEST_ADMIN_URL } = process.env;

/** The variables of the environment that choose a place. A child process gets none from the tests that start it. */
export const CHOOSING = ['PROGRESSIVE_STORAGE_DIR', 'PROGRESSIVE_STORAGE_URL'];

/** Whether the tests run on a server. */
export const isOnServer = Boolean(POSTGRES_TEST_URL);

const nameOf = (folder) => `p_${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`;

// Calls on a server have time to spare: these tests are not about it, and a busy machine is slow.
const TIMEOUT_MS = 120_000;

/** The options of a Storage at this folder's place. `fsync` and `cacheBytes` are about files. */
export function optionsAt(folder, { fsync, cacheBytes, ...options } = {}) {
  if (isOnServer) {
    return { timeoutMs: TIMEOUT_MS, ...options, url: POSTGRES_TEST_URL, schema: nameOf(folder) };
  }
  return { ...options, fsync, cacheBytes, dataDir: folder };
}

/**
 * The environment that gives a child process, which runs in this folder, a place of its own. A schema is no variable of the
 * environment, so on a server it is a new database.
 */
export async function environmentAt(folder) {
  if (!isOnServer) return {};
  const name = nameOf(folder);
  const url = new URL(POSTGRES_TEST_URL);
  const admin = new URL(POSTGRES_TEST_ADMIN_URL);
  const client = await connect({
    host: admin.hostname,
    port: Number(admin.port),
    user: admin.username,
    password: admin.password,
    database: admin.pathname.slice(1),
  });
  await client.query(`CREATE DATABASE ${name}`);
  await client.query(`GRANT CREATE ON DATABASE ${name} TO ${url.username}`);
  await client.end();
  url.pathname = `/${name}`;
  return { PROGRESSIVE_STORAGE_URL: url.href };
}
