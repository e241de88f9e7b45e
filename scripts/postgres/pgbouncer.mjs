// pgbouncer in front of a server. Its settings are Debian's, except for those that a test gives: what it refuses by default,
// a bot's pooler refuses too.

import fs from 'node:fs';
import path from 'node:path';
import { connect } from './client.mjs';
import { DATABASE, ROLES } from './cluster.mjs';
import { newFolder, writeFor } from './folders.mjs';
import { Program } from './program.mjs';
import { freePort } from './server.mjs';

const START_DEADLINE_MS = 20_000;

function findPgbouncer() {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => path.join(folder, 'pgbouncer')).find((file) => fs.existsSync(file));
}

/** Why pgbouncer cannot be started here, in one line; false where it can. */
export const whyNoPgbouncer = () => !findPgbouncer() && 'pgbouncer is not installed';

export class Pgbouncer {
  #program;

  constructor(file, folder, port) {
    this.#program = new Program(file, [path.join(folder, 'pgbouncer.ini')], folder);
    this.folder = folder;
    this.host = '127.0.0.1';
    this.port = port;
  }

  get isRunning() {
    return this.#program.isRunning;
  }

  get log() {
    return fs.readFileSync(path.join(this.folder, 'log'), 'utf8');
  }

  urlOf(role, database = DATABASE) {
    const { user, password } = ROLES[role];
    return `postgres://${user}:${password}@${this.host}:${this.port}/${database}`;
  }

  get url() {
    return this.urlOf('bot');
  }

  async stop() {
    await this.#program.end('SIGQUIT');
  }

  async remove() {
    await this.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

function settingsText(server, port, mode, settings) {
  const lines = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: 'users',
    pool_mode: mode,
    default_pool_size: 20,
    max_client_conn: 500,
    ...settings,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`);
  return `[databases]\n* = host=${server.host} port=${server.port}\n[pgbouncer]\n${text.join('')}`;
}

/** Starts pgbouncer in front of a server or a proxy. `settings` are lines of its part `[pgbouncer]`. */
export async function startPgbouncer(server, { mode = 'transaction', settings = {} } = {}) {
  const file = findPgbouncer();
  if (!file) throw new Error(whyNoPgbouncer());
  const folder = newFolder('pgbouncer');
  const port = await freePort();
  writeFor(folder, 'pgbouncer.ini', settingsText(server, port, mode, settings));
  writeFor(
    folder,
    'users',
    Object.values(ROLES)
      .map(({ user, password }) => `"${user}" "${password}"\n`)
      .join(''),
  );
  const pgbouncer = new Pgbouncer(file, folder, port);
  const end = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      const client = await connect({ port, database: DATABASE, ...ROLES.bot });
      await client.end();
      return pgbouncer;
    } catch (error) {
      if (!pgbouncer.isRunning || Date.now() > end) {
        throw new Error(`pgbouncer did not start: ${error.message}\n${pgbouncer.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
