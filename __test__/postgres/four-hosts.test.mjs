// Four hosts, each with a bot process, and a server, each in a network namespace of its own. A host is cut off: its packets
// vanish, and nobody hears of it. A host is paused, also with rows that it has locked. The clocks of hosts are hours apart, and
// one jumps. The primary is cut off, and its standby takes over. Whatever happens, what was acknowledged is there once,
// what was rejected as not made is not there, and the other hosts go on.
//
// It needs Linux, root and iproute2; NETWORK_TESTS=1 fails where they are missing, instead of leaving it out.
// SERVER_HISTORY_SEED repeats what is drawn by chance.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DATABASE,
  ROLES,
  startNetwork,
  startServer,
  startStandby,
  whyNoNetwork,
  whyNoServer,
} from '../../scripts/postgres/index.mjs';
import { Callers, isAnswerLost } from '../support/server-callers.mjs';
import { findFaults } from '../support/server-history.mjs';
import { started } from '../support/server-scene.mjs';
import { temporaryFolder, waitUntil } from '../support/temp.mjs';

const skip = process.env.NETWORK_TESTS ? false : whyNoServer() || (await whyNoNetwork());
const SEED = Number(process.env.SERVER_HISTORY_SEED ?? Date.now() % 1e9);
const SCHEMA = 'hosts';
const NAMES = ['a', 'b', 'c', 'd'];
const HOUR_MS = 3_600_000;

/** So long a call of an impatient host waits. */
const IMPATIENT_MS = 1500;

/** A patient one waits longer than anything here lasts. */
const PATIENT_MS = 60_000;

/**
 * The server ends a transaction that is idle for 5 seconds. It does not end one whose batch came in part: where a host is cut
 * off between two packets of it, keepalives tell.
 */
const KEEPALIVES = { tcp_keepalives_idle: 1, tcp_keepalives_interval: 1, tcp_keepalives_count: 3 };

/** A server and four hosts on a network, and the bots on them. */
class Scene {
  #network;
  #machines = new Map();

  constructor(network, primary, callers) {
    this.#network = network;
    this.server = primary;
    this.callers = callers;
    for (const name of NAMES) this.#machines.set(name, network.machine());
  }

  static async of(t) {
    const network = await started(t, startNetwork());
    const machine = network.machine();
    const primary = await started(t, startServer({ machine, settings: KEEPALIVES }));
    const scene = new Scene(network, primary, await Callers.of(t, { schema: SCHEMA, seed: SEED }));
    scene.#machines.set('primary', machine);
    return scene;
  }

  /** A synchronous standby, on a machine of its own. */
  async startStandby(t) {
    const options = { synchronous: true, through: this.server, machine: this.#network.machine() };
    this.standby = await started(t, startStandby(this.server, options));
  }

  /** One url of all servers, for a network in which nobody listens. */
  get #url() {
    const { user, password } = ROLES.bot;
    const servers = [this.server, this.standby].filter(Boolean);
    const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',');
    return `postgres://${user}:${password}@${hosts}/${DATABASE}?sslmode=disable`;
  }

  /** Starts the four bots; `optionsOf` gives what one has of its own. They all have answers then. */
  async startBots(optionsOf = () => ({})) {
    for (const name of NAMES) {
      const machine = this.#machines.get(name);
      await this.callers.start(name, {
        url: this.#url,
        machine,
        lanes: 6,
        timeoutMs: PATIENT_MS,
        ...optionsOf(name),
      });
    }
    await this.callers.answers(40);
  }

  cut(name, ...directions) {
    this.#network.cut(this.#machines.get(name), ...directions);
  }

  mend(name, ...directions) {
    this.#network.mend(this.#machines.get(name), ...directions);
  }

  /**
   * What the server says of the sessions of a host: whether any does something or is idle with rows locked, whether others wait
   * for those, and when a session began or ended something last. A read leaves a transaction idle, too, and locks nothing. What
   * was idle for half a second has no message of the host before it any more.
   */
  async sessionsOf(client, name) {
    const sql = `SELECT bool_or(wait_event_type IS DISTINCT FROM 'Client' OR holds)::text,
        bool_or(holds AND is_waited_for AND state_change < clock_timestamp() - interval '0.5 s')::text, max(state_change)::text
      FROM (SELECT *, state = 'idle in transaction' AND backend_xid IS NOT NULL AS holds, EXISTS (
          SELECT FROM pg_stat_activity other WHERE host.pid = ANY (pg_blocking_pids(other.pid))) AS is_waited_for
        FROM pg_stat_activity host WHERE client_addr = '${this.#machines.get(name).address}') sessions`;
    const [[isBusy, isWaitedFor, movedAt]] = await client.query(sql);
    return { isBusy: isBusy === 'true', isWaitedFor: isWaitedFor === 'true', movedAt };
  }

  /** Ends the bots and checks their calls against the tables of a server. Nothing was lost, so nobody was told so. */
  async finish(server = this.server) {
    const history = await this.callers.finish(server);
    this.callers.assertNoFaults(history);
    assert.deepEqual(
      history.events.filter(({ event }) => event === 'lostWrites' || event === 'notReplicated'),
      [],
    );
    return history;
  }
}

const othersThan = (...names) => NAMES.filter((name) => !names.includes(name));

/** Fails unless all calls of these were acknowledged, apart from reads that must be called again. */
function assertAllAcked({ calls }, names) {
  const ofThese = calls.filter(({ caller }) => names.includes(caller));
  const others = ofThese.filter((call) => call.outcome !== 'ack' && !isAnswerLost(call));
  assert.deepEqual(others, []);
}

/** Pauses a host between two messages of a transaction, when another host waits for rows that it has locked there. */
async function pauseWithRows(scene, name) {
  const client = await scene.server.connect();
  const look = () => scene.sessionsOf(client, name);
  const isPaused = async () => {
    scene.callers.signal(name, 'SIGSTOP');
    // What it has sent is still answered.
    const isSettled = async () => {
      const sessions = await look();
      return (sessions.isWaitedFor || !sessions.isBusy) && sessions;
    };
    const what = `others to wait for ${name}, or its end of transactions`;
    const { isWaitedFor, movedAt } = await waitUntil(isSettled, { what, everyMs: 1 });
    if (isWaitedFor) return true;
    scene.callers.signal(name, 'SIGCONT');
    // One answer, so that the others overtake it: it locks rows after three conflicts in a row.
    const hasMoved = async () => (await look()).movedAt !== movedAt;
    await waitUntil(hasMoved, { what: `${name} to go on`, everyMs: 1 });
    return false;
  };
  try {
    await waitUntil(isPaused, { what: `others to wait for rows of ${name}`, everyMs: 0 });
  } finally {
    await client.end();
  }
}

test('two hosts are cut off: their calls end as they should, and the others go on', { skip }, async (t) => {
  const scene = await Scene.of(t);
  const { callers } = scene;
  await scene.startBots((name) => (name === 'a' ? { timeoutMs: IMPATIENT_MS } : {}));
  // What the hosts send vanishes; what is sent to them, so that commits are made of which nobody hears; all is silent.
  const rounds = [['from', 'to'], ['to'], ['from']];
  // A cut while nothing but reads is on its way leaves nothing open.
  while (rounds.length > 0 || callers.count('a', 'unknown') === 0) {
    const directions = rounds.pop() ?? ['to'];
    for (const name of ['a', 'b']) scene.cut(name, ...directions);
    // The time of calls is over that were never sent, so that of what was sent is over, too.
    await callers.ending('a', 'refused');
    await callers.answers(100, ['c', 'd']);
    for (const name of ['a', 'b']) scene.mend(name, ...directions);
    await callers.answers(60);
  }
  const history = await scene.finish();
  assertAllAcked(history, othersThan('a'));
});

test('two hosts are paused, one of them beyond its deadlines: the others go on', { skip }, async (t) => {
  const scene = await Scene.of(t);
  const { callers } = scene;
  await scene.startBots((name) => (name === 'a' ? { timeoutMs: IMPATIENT_MS } : {}));
  for (const name of ['a', 'b']) callers.signal(name, 'SIGSTOP');
  await callers.answers(100, ['c', 'd']);
  // What comes to an end here is a time, and nothing that shows.
  await sleep(2 * IMPATIENT_MS);
  await callers.answers(100, ['c', 'd']);
  for (const name of ['a', 'b']) callers.signal(name, 'SIGCONT');
  await callers.answers(60);
  const history = await scene.finish();
  assertAllAcked(history, othersThan('a'));
});

test('a host is paused with rows that it has locked: others wait for them, get them, and go on', {
  skip,
}, async (t) => {
  const scene = await Scene.of(t);
  const { callers } = scene;
  await scene.startBots();
  await pauseWithRows(scene, 'a');
  // The server ends the session of the paused host, whose rows are free then.
  await callers.answers(100, othersThan('a'));
  callers.signal('a', 'SIGCONT');
  await callers.answers(100);
  const history = await scene.finish();
  assertAllAcked(history, NAMES);
});

test('the primary is cut off, and its synchronous standby takes over: all hosts find it', {
  skip,
}, async (t) => {
  const scene = await Scene.of(t);
  const { callers } = scene;
  await scene.startStandby(t);
  await scene.startBots();
  scene.cut('primary', 'from', 'to');
  await scene.standby.promote();
  await callers.answers(100);
  // Nobody may write there any more.
  await scene.server.stop('immediate');
  scene.mend('primary', 'from', 'to');
  await callers.answers(60);
  const history = await scene.finish(scene.standby);
  assertAllAcked(history, NAMES);
  const { host, port } = scene.standby;
  // A host whose connection was idle while the primary was silent finds the new one at once, which is no event.
  const found = history.events.filter(({ event }) => event === 'reconnect');
  assert.deepEqual([...new Set(found.map((event) => event.host))], [`${host}:${port}`]);
});

// --- Clocks ---

/** Debian's libfaketime for programs with threads. */
function findFakeTime() {
  const folders = fs.existsSync('/usr/lib') ? fs.readdirSync('/usr/lib') : [];
  const files = folders.map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`);
  return files.find((file) => fs.existsSync(file));
}

const fakeTime = findFakeTime();
const noFakeTime = !fakeTime && "libfaketime is not installed: install Debian's faketime";

test('the clocks of the hosts are hours apart, and one of them jumps', {
  skip: skip || noFakeTime,
}, async (t) => {
  const scene = await Scene.of(t);
  const { callers } = scene;
  const folder = await temporaryFolder(t);
  const hours = { a: 0, b: 7, c: -5, d: 30 };
  const clockOf = (name) => path.join(folder, name);
  const setClock = (name) => writeFile(clockOf(name), `${hours[name] < 0 ? '' : '+'}${hours[name]}h\n`);
  await Promise.all(NAMES.map(setClock));
  await scene.startBots((name) => ({
    env: {
      LD_PRELOAD: fakeTime,
      FAKETIME_TIMESTAMP_FILE: clockOf(name),
      FAKETIME_CACHE_DURATION: '1',
      // The other clock never jumps, on no host, and the checker compares its times.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  }));
  await callers.answers(200);
  // With a new connection, a host looks its newest changes up.
  await scene.server.endConnections();
  await callers.answers(100);
  hours.d = -20;
  await setClock('d');
  const since = await scene.server.psql(`SELECT max(seq) FROM ${SCHEMA}.entry`);
  const isBehind = `SELECT count(*) FROM ${SCHEMA}.entry WHERE seq > ${since}
    AND ('x' || left(replace(change::text, '-', ''), 12))::bit(48)::bigint
      < extract(epoch FROM now()) * 1000 - 19 * ${HOUR_MS}::bigint`;
  await waitUntil(async () => (await scene.server.psql(isBehind)) !== '0', { what: 'the jump' });
  await scene.server.endConnections();
  await callers.answers(100);
  const history = await scene.finish();
  assertAllAcked(history, NAMES);
  assert.deepEqual(offsetsIn(history), { a: [0], b: [7], c: [-5], d: [30, -20] });
});

/** By how many hours the clock of each caller was off, in the order of its batches: their names have its time. */
function offsetsIn({ entries, calls }) {
  const offsets = Object.fromEntries(NAMES.map((name) => [name, []]));
  const callers = new Map(calls.map(({ id, caller }) => [id, caller]));
  for (const { change, value } of entries) {
    const own = offsets[callers.get(value.by ?? value.username)];
    const atMs = Number.parseInt(change.replace('-', '').slice(0, 12), 16);
    const offset = Math.round((atMs - Date.now()) / HOUR_MS) + 0;
    if (own.at(-1) !== offset) own.push(offset);
  }
  return offsets;
}

// --- The checker ---

test('the checker finds what a host may lose or repeat', { skip }, async (t) => {
  const scene = await Scene.of(t);
  await scene.startBots();
  const { calls, entries, state } = await scene.finish();
  const place = entries.findIndex(({ log, op }) => log === 'counts' && op === 'SET');
  const appended = entries.findIndex(({ log }) => log === 'notes');
  const spoiled = {
    'an acknowledged count is not there': { calls, state, entries: entries.toSpliced(place, 1) },
    'a count is there twice': { calls, state, entries: entries.toSpliced(place, 0, entries[place]) },
    'an acknowledged note is not there': { calls, state, entries: entries.toSpliced(appended, 1) },
    'a note is there twice': { calls, state, entries: entries.toSpliced(appended, 0, entries[appended]) },
    'a call that was rejected is there': {
      calls: calls.map((call) =>
        call.id === entries[place].value.by ? { ...call, outcome: 'refused' } : call,
      ),
      entries,
      state,
    },
  };
  for (const [what, history] of Object.entries(spoiled)) assert.notDeepEqual(findFaults(history), [], what);
});
