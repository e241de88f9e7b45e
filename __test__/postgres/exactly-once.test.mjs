// Several processes count on the same keys through a proxy that cuts their connections: at random, right before a commit
// arrives at the server, right after, and right before or after its answer. The server crashes and starts again, and
// clients are killed. Whatever happens, what was acknowledged is there once, and the rest at most once.
//
// SERVER_HISTORY_SECONDS makes it longer; SERVER_HISTORY_SEED repeats what is drawn by chance.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProxy, startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { Random } from '../support/random-calls.mjs';
import { Callers } from '../support/server-callers.mjs';
import { findFaults } from '../support/server-history.mjs';
import { started } from '../support/server-scene.mjs';

const skip = whyNoServer();
const SECONDS = Number(process.env.SERVER_HISTORY_SECONDS ?? 6);
const SEED = Number(process.env.SERVER_HISTORY_SEED ?? Date.now() % 1e9);

/** A server, a proxy in front of it, and callers that go through it. */
class Scene {
  #callers;

  constructor(server, proxy, callers) {
    this.server = server;
    this.proxy = proxy;
    this.#callers = callers;
    this.random = new Random(SEED);
  }

  static async of(t, settings) {
    const server = await started(t, startServer({ settings }));
    const proxy = await started(t, startProxy(server));
    return new Scene(server, proxy, await Callers.of(t, { schema: 'history', seed: SEED }));
  }

  startCaller = (name, options) => this.#callers.start(name, { url: this.proxy.url, ...options });
  answers = (count, names) => this.#callers.answers(count, names);
  count = (name, outcome) => this.#callers.count(name, outcome);
  killCaller = (name) => this.#callers.kill(name);

  /** Ends the callers and checks their calls against the tables. */
  async finish() {
    const history = await this.#callers.finish(this.server);
    this.#callers.assertNoFaults(history);
    return history;
  }
}

// Where a connection is cut: a commit is a Sync of the client and a ReadyForQuery of the server.
const CUTS = [
  (proxy, nth) => proxy.cutBefore({ from: 'client', type: 'Parse', nth }),
  (proxy, nth) => proxy.cutBefore({ from: 'client', type: 'Sync', nth }),
  (proxy, nth) => proxy.cutAfter({ from: 'client', type: 'Sync', nth }),
  (proxy, nth) => proxy.cutBefore({ from: 'server', type: 'CommandComplete', nth }),
  (proxy, nth) => proxy.cutBefore({ from: 'server', type: 'ReadyForQuery', nth }),
  (proxy, nth) => proxy.cutAfter({ from: 'server', type: 'ReadyForQuery', nth }),
];

/** Cuts connections until the time is over; the number of cuts. */
async function cutUntil(scene, end) {
  let cuts = 0;
  while (Date.now() < end) {
    if (scene.random.chance(0.15)) cuts += scene.proxy.cut();
    else {
      const cut = scene.random.pick(CUTS)(scene.proxy, 1 + scene.random.below(20));
      if (await Promise.race([cut, sleep(1000).then(() => null)])) cuts++;
    }
    await sleep(scene.random.below(60));
  }
  return cuts;
}

test('connections are cut around commits: each call is there once', { skip }, async (t) => {
  const scene = await Scene.of(t);
  for (const name of ['a', 'b', 'c']) await scene.startCaller(name);
  await scene.startCaller('alone', { lanes: 1 });
  await scene.answers(20);
  const cuts = await cutUntil(scene, Date.now() + SECONDS * 1000);
  await scene.answers(20);
  const history = await scene.finish();
  t.diagnostic(`${cuts} cuts`);
  assert.ok(cuts > 0);
  // Nobody's time was over, so nothing is left open.
  assert.equal(history.count('ack'), history.calls.length);
});

test('a commit that arrives late, after its caller has given up', { skip }, async (t) => {
  const scene = await Scene.of(t);
  for (const name of ['a', 'b']) await scene.startCaller(name, { timeoutMs: 1500 });
  await scene.startCaller('patient');
  const unknown = () => scene.count('a', 'unknown') + scene.count('b', 'unknown');
  // What waits may be a read: then nothing is unknown, and it is done again.
  for (let round = 0; round < 2 || (unknown() === 0 && round < 10); round++) {
    const type = ['Sync', 'Parse'][round % 2];
    await scene.answers(20);
    // What was sent waits in the network, while the callers' time goes by and their connections are given up.
    await scene.proxy.stallBefore({ from: 'client', type, nth: 1 + scene.random.below(10) });
    await sleep(2500);
    scene.proxy.resume();
  }
  await scene.answers(20);
  const history = await scene.finish();
  assert.ok(history.count('unknown') > 0, 'the time of some calls was over');
});

test('the server crashes again and again', { skip }, async (t) => {
  const scene = await Scene.of(t);
  for (const name of ['a', 'b', 'c']) await scene.startCaller(name);
  for (let round = 0; round < Math.max(3, SECONDS / 4); round++) {
    await scene.answers(30);
    await scene.server.stop('immediate');
    await scene.server.start();
  }
  await scene.answers(30);
  const history = await scene.finish();
  assert.equal(history.count('ack'), history.calls.length);
});

test('clients are killed in the middle of commits', { skip }, async (t) => {
  const scene = await Scene.of(t);
  await scene.startCaller('survivor');
  for (let round = 0; round < Math.max(5, SECONDS / 2); round++) {
    const names = [`a${round}`, `b${round}`];
    for (const name of names) await scene.startCaller(name, { lanes: 16 });
    await scene.answers(5 + scene.random.below(40), names);
    for (const name of names) await scene.killCaller(name);
  }
  const history = await scene.finish();
  assert.ok(history.count('unanswered') > 0);
});

// --- The checker itself ---

/** A small history without a fault: two callers, a key, a group, a read. */
function cleanHistory() {
  const call = (id, kind, keys, answer, startedAt) => {
    const [caller, number] = id.split('.');
    const log = kind === 'group' ? 'players' : 'counts';
    const times = { startedAt, endedAt: startedAt + 1 };
    return { id, caller, number: Number(number), kind, log, keys, answer, outcome: 'ack', ...times };
  };
  const calls = [
    call('a.1', 'shared', ['k'], [1], 0),
    call('b.1', 'shared', ['k'], [2], 2),
    call('a.2', 'get', ['k'], [2], 4),
    call('a.3', 'shared', ['k'], [3], 6),
    call('b.2', 'group', ['p', 'q'], [1, 1], 8),
  ];
  const count = (n, by) => ({ log: 'counts', key: 'k', op: 'SET', value: { n, by } });
  const player = (key) => ({ log: 'players', key, value: { totalGames: 1, username: 'b.2' } });
  const rows = [
    { ...count(1, 'a.1'), seq: 1 },
    { ...count(2, 'b.1'), seq: 2 },
    { ...count(3, 'a.3'), seq: 3 },
    { ...player('p'), op: 'DATA', seq: 4 },
    { ...player('q'), op: 'MEMBER', seq: 4 },
  ];
  const entries = rows.map((row, place) => {
    return { ...row, place, text: JSON.stringify(row.value), change: `change ${row.seq}` };
  });
  const state = [entries[2], entries[3], entries[4]].map(({ log, key, text, seq, change }) => {
    return { log, key, text, before: key === 'k' ? 2 : 0, version: seq, change };
  });
  return { calls, entries, state };
}

const FAULTS = {
  'an acknowledged call that is not there': ({ entries }) => entries.splice(1, 1),
  'a call that is there twice': ({ entries }) => entries.push({ ...entries[4], place: 5, seq: 5 }),
  'a refused call that is there': ({ calls }) => Object.assign(calls[1], { outcome: 'refused' }),
  'half a group': ({ entries }) => entries.pop(),
  'a group in two batches': ({ entries }) => Object.assign(entries[4], { seq: 5, change: 'another' }),
  'a lost increment': ({ entries }) => Object.assign(entries[1].value, { n: 1 }),
  'an entry of nobody': ({ entries }) => Object.assign(entries[0].value, { by: 'c.1' }),
  'calls of one caller in another order': ({ calls }) => Object.assign(calls[3], { number: 0 }),
  'an old read': ({ calls }) => Object.assign(calls[2], { answer: [1] }),
  'a read of what is not there': ({ calls }) => Object.assign(calls[2], { answer: [4] }),
  'an old update': ({ calls }) => Object.assign(calls[1], { startedAt: 8, endedAt: 9 }),
  'another value in the state': ({ state }) => Object.assign(state[0], { text: '{}' }),
  'another version in the state': ({ state }) => Object.assign(state[1], { version: 3 }),
  'another version before': ({ state }) => Object.assign(state[0], { before: 1 }),
  'a key that the state lacks': ({ state }) => state.pop(),
};

test('the checker finds every kind of fault', () => {
  assert.deepEqual(findFaults(cleanHistory()), []);
  for (const [what, spoil] of Object.entries(FAULTS)) {
    const history = cleanHistory();
    spoil(history);
    assert.notDeepEqual(findFaults(history), [], what);
  }
});
