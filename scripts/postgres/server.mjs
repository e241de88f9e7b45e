// A private server of PostgreSQL: a cluster of its own in a temporary folder, on a free port of 127.0.0.1 and on a socket.
// It ends with this process at the latest (`folders.mjs`).

import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { certificatesFor } from './certificates.mjs';
import { connect } from './client.mjs';
import { copyCluster, DATABASE, makeCluster, ROLES } from './cluster.mjs';
import { giveAway, newFolder, writeFor } from './folders.mjs';
import { NETWORK_HBA } from './network.mjs';
import { Program } from './program.mjs';
import { findPrograms, whyNoServer } from './programs.mjs';

// These end a test that hangs; they measure nothing.
const DEADLINE_MS = 60_000;
const POLL_MS = 10;

/** What ends a server: `smart` waits for its clients, `fast` ends them, `immediate` is a crash. */
const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' };

// A test's server outlives no crash of the machine, so syncing would only cost time. Tests of durability turn it on.
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: 200,
  shared_buffers: '32MB',
  // A standby that was away finds what it missed.
  wal_keep_size: '512MB',
};
const HBA = `
local all all trust
local replication all trust
host replication all 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
`;

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until SQL on a server gives this text; fails after the deadline, and says what was waited for. */
async function untilAnswer(server, sql, wanted, { what, deadlineMs }) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const found = await server.psql(sql);
    if (found === wanted) return;
    if (Date.now() > end)
      throw new Error(`waited ${deadlineMs / 1000} s in vain for: ${what} (now '${found}')`);
    await sleep(POLL_MS);
  }
}

export class PostgresServer {
  #program;
  #machine;

  constructor(programs, folder, port, machine) {
    this.#machine = machine;
    this.bin = programs.bin;
    this.version = programs.version;
    this.major = programs.major;
    this.folder = folder;
    this.dataFolder = path.join(folder, 'data');
    this.socketFolder = folder;
    this.logFile = path.join(folder, 'log');
    this.host = machine?.address ?? '127.0.0.1';
    this.port = port;
  }

  /** The URL for a role: `bot`, `owner` or `superuser`. */
  urlOf(role, database = DATABASE) {
    const { user, password } = ROLES[role];
    return `postgres://${user}:${password}@${this.host}:${this.port}/${database}`;
  }

  get url() {
    return this.urlOf('bot');
  }

  get ownerUrl() {
    return this.urlOf('owner');
  }

  get pid() {
    return this.#program?.pid;
  }

  get isRunning() {
    return this.#program?.isRunning ?? false;
  }

  get log() {
    return fs.readFileSync(this.logFile, 'utf8');
  }

  /** Adds lines to `postgresql.conf`. They count from the next start on, and most from the next reload on. */
  addSettings(settings) {
    const lines = Object.entries(settings).map(
      ([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`,
    );
    fs.appendFileSync(path.join(this.dataFolder, 'postgresql.conf'), lines.join(''));
  }

  /** Writes `pg_hba.conf`; lines given here come before the usual ones, so they win. */
  writeHba(lines = '') {
    writeFor(this.dataFolder, 'pg_hba.conf', `${lines}\n${HBA}`);
  }

  /** Reads `postgresql.conf` and `pg_hba.conf` again. */
  reload() {
    return this.psql('SELECT pg_reload_conf()');
  }

  /** Starts the server and waits until it answers. */
  async start() {
    this.addSettings({ listen_addresses: this.host, port: this.port, unix_socket_directories: this.folder });
    const file = path.join(this.bin, 'postgres');
    this.#program = new Program(file, ['-D', this.dataFolder], this.folder, this.#machine);
    const end = Date.now() + DEADLINE_MS;
    while (!this.#isReady()) {
      if (!this.isRunning || Date.now() > end) throw this.#startError();
      await sleep(POLL_MS);
    }
    return this;
  }

  /** As the server itself says in its eighth line of `postmaster.pid`; the first is its process id. */
  #isReady() {
    try {
      const lines = fs.readFileSync(path.join(this.dataFolder, 'postmaster.pid'), 'utf8').split('\n');
      return Number(lines[0]) === this.pid && lines[7]?.trim() === 'ready';
    } catch (error) {
      if (error.code === 'ENOENT') return false;
      throw error;
    }
  }

  #startError() {
    const tail = this.log.split('\n').slice(-15).join('\n');
    const error = new Error(`PostgreSQL ${this.version} did not start; the end of its log:\n${tail}`);
    if (tail.includes('could not bind')) error.code = 'EADDRINUSE';
    return error;
  }

  /** Ends the server: `smart`, `fast` or `immediate`, the last being a crash. */
  async stop(mode = 'fast') {
    if (!STOP_SIGNALS[mode]) throw new Error(`stop('${mode}'): give ${Object.keys(STOP_SIGNALS).join(', ')}`);
    await this.#program?.end(STOP_SIGNALS[mode]);
  }

  async restart(mode = 'fast') {
    await this.stop(mode);
    return this.start();
  }

  /** Ends the server and removes its folder. */
  async remove() {
    await this.stop('immediate');
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A connection by the socket, of the superuser unless another role is named; see `client.mjs`. */
  connect({ role = 'superuser', database = DATABASE } = {}) {
    const { user } = ROLES[role];
    return connect({ socketFolder: this.socketFolder, port: this.port, user, database });
  }

  /** Runs SQL as `psql -At` prints it: a line for each row, with | between the columns. */
  async psql(sql, options) {
    const client = await this.connect(options);
    try {
      const rows = await client.query(sql);
      return rows.map((row) => row.map((column) => column ?? '').join('|')).join('\n');
    } finally {
      await client.end();
    }
  }

  /** Ends every connection of other users but the superuser. Returns how many there were. */
  async endConnections() {
    const sql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND usename <> '${ROLES.superuser.user}'`;
    return Number(await this.psql(sql));
  }
}

/** A server that syncs stands on the disk, where that means something. */
const syncs = ({ fsync = 'off' }) => !['off', false].includes(fsync);

async function startOnFreePort(make) {
  for (let attempt = 1; ; attempt++) {
    const server = await make(await freePort());
    try {
      return await server.start();
    } catch (error) {
      await server.remove();
      if (error.code !== 'EADDRINUSE' || attempt === 5) throw error;
    }
  }
}

/**
 * Starts a server with the roles and the database of `cluster.mjs`.
 *
 * - `major`: the version, such as 18; else what this machine has.
 * - `settings`: for `postgresql.conf`, such as `{ fsync: 'on' }`.
 * - `hba`: lines for `pg_hba.conf` before the usual ones.
 * - `ssl`: `true` for a certificate of an authority of its own, `server.authority`; or an authority, `{ authority }`, that
 *   issues it; or `{ certificate, key, root }`: files.
 * - `machine`: of a network, on which it runs; see `network.mjs`.
 */
export async function startServer({ major, settings = {}, hba, ssl, mayFetch, machine } = {}) {
  const programs = findPrograms({ major, mayFetch });
  if (!programs) throw new Error(whyNoServer({ major }));
  return startOnFreePort((port) => {
    const folder = newFolder('server', { onDisk: syncs(settings) });
    const server = new PostgresServer(programs, folder, port, machine);
    makeCluster(programs, server.dataFolder);
    server.addSettings({ ...SETTINGS, ...settings });
    server.writeHba([hba, machine && NETWORK_HBA].filter(Boolean).join('\n'));
    if (ssl) useCertificates(server, ssl);
    return server;
  });
}

function useCertificates(server, ssl) {
  const { certificate, key, root, authority } = certificatesFor(server.folder, ssl);
  server.authority = authority;
  const put = (source, name, mode) => {
    const target = path.join(server.dataFolder, name);
    fs.copyFileSync(source, target);
    fs.chmodSync(target, mode);
    giveAway(target);
  };
  put(certificate, 'server.crt', 0o644);
  put(key, 'server.key', 0o600);
  server.addSettings({ ssl: 'on' });
  if (!root) return;
  put(root, 'root.crt', 0o644);
  server.addSettings({ ssl_ca_file: 'root.crt' });
}

/** A standby of a server: it follows the primary until it is promoted. */
export class PostgresStandby extends PostgresServer {
  /** Makes it a primary, and waits until it takes writes. */
  async promote() {
    const sql = `SELECT pg_promote(wait_seconds => ${DEADLINE_MS / 1000})`;
    if ((await this.psql(sql)) !== 't')
      throw new Error(`${this.name} was not promoted; its log:\n${this.log}`);
  }

  /** Waits until everything is here that the primary has committed so far. */
  async catchUp(primary, { deadlineMs = DEADLINE_MS } = {}) {
    const wanted = await primary.psql('SELECT pg_current_wal_flush_lsn()');
    const isHere = `SELECT pg_last_wal_replay_lsn() >= '${wanted}'`;
    await untilAnswer(this, isHere, 't', { what: `${this.name} at ${wanted}`, deadlineMs });
  }

  /** From now on the primary's commits wait for it. */
  async makeSynchronous(primary, { deadlineMs = DEADLINE_MS } = {}) {
    primary.addSettings({ synchronous_standby_names: this.name });
    await primary.reload();
    const state = `SELECT sync_state FROM pg_stat_replication WHERE application_name = '${this.name}'`;
    const what = `${this.name} as the synchronous standby`;
    await untilAnswer(primary, state, 'sync', { what, deadlineMs });
  }
}

let standbys = 0;

/**
 * Starts a standby of a running server.
 *
 * - `synchronous`: the primary's commits wait for it from now on.
 * - `through`: a proxy in front of the primary, with which the standby can be made to lag; or the primary itself, to go
 *   by its network and not by its socket.
 * - `machine`: of a network, on which it runs.
 */
export async function startStandby(primary, { synchronous = false, through, settings = {}, machine } = {}) {
  const name = `standby${++standbys}`;
  const programs = findPrograms({ major: primary.major });
  const { host, port } = through ?? { host: primary.socketFolder, port: primary.port };
  const conninfo = `host=${host} port=${port} user=${ROLES.superuser.user} application_name=${name}`;
  const standby = await startOnFreePort(async (ownPort) => {
    const folder = newFolder('standby', { onDisk: syncs(settings) });
    const server = new PostgresStandby(programs, folder, ownPort, machine);
    await copyCluster(primary, server.dataFolder);
    server.addSettings({ ...settings, primary_conninfo: conninfo, synchronous_standby_names: '' });
    writeFor(server.dataFolder, 'standby.signal', '');
    return server;
  });
  standby.name = name;
  try {
    if (synchronous) await standby.makeSynchronous(primary);
    return standby;
  } catch (error) {
    await standby.remove();
    throw error;
  }
}
