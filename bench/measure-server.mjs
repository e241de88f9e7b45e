/**
 * Measures this package on a PostgreSQL server, beside clients that do the same work on the same server.
 *
 * The server is private to the run and syncs each commit. Each scenario runs in a process of its own, with all its stores
 * in turn. Returns `{ server, rows, failures }`; a scenario that fails is a line in `failures`. Whether it fails or not, its
 * processes and servers have ended when the next one begins.
 */

import { startServer, startStandby } from '../scripts/postgres/index.mjs';
import { SERVER_BUDGETS, serverRows } from './server/budgets.mjs';
import { inChild } from './support/child.mjs';
import { median } from './support/stats.mjs';

/** As the server's own defaults are. */
const SYNCED = { fsync: 'on', full_page_writes: 'on', shared_buffers: '128MB' };
const PROCESSES = 4;
const SHARED_KEYS = 10;
const OWN_KEYS = 50;
const IN_PROCESSES = ['this-package', 'row-lock', 'keyv'];
const IN_MEMORY = ['this-package', 'pool', 'keyv'];

export async function measureServer({ quick, million, without, say }) {
  const server = await startServer({ settings: SYNCED });
  const measured = { failures: [], results: {} };
  const step = async (name, work) => {
    say(name);
    try {
      measured.results[name] = await work();
    } catch (error) {
      measured.failures.push(`${name}: ${error.message}`);
    }
  };
  const url = server.url;
  try {
    for (const kind of ['large', 'small']) {
      const options = { url, kind, samples: quick ? 100 : 400, bursts: quick ? 5 : 15, count: 1000, without };
      await step(`updates ${kind}`, () => inChild('server-updates', options, { secondsMax: 900 }));
    }
    for (const keys of ['shared', 'own']) {
      await step(`processes ${keys}`, () => inProcesses({ url, keys, calls: quick ? 500 : 1000 }));
    }
    await step('reads', () => inChild('server-reads', { url, players: 10_000, samples: quick ? 10 : 30 }));
    await step('memory', () => inMemory({ url, bursts: quick ? 3 : 10 }));
  } finally {
    await server.remove();
  }
  if (million) await step('million', () => ofAMillion());
  await step('failover', () => failOver(quick ? 1 : 5));
  const rows = serverRows(measured.results);
  return { server: server.version, rows, ...measured, budgets: SERVER_BUDGETS };
}

/** The results of all that `start` starts. Where one fails, the signal stops the others. */
async function untilOneFails(start) {
  const stop = new AbortController();
  try {
    return await Promise.all(start(stop.signal));
  } finally {
    stop.abort();
  }
}

/** Four processes at once, for each store in turn. */
async function inProcesses({ url, keys, calls }) {
  const found = {};
  const prefixes = Array.from({ length: PROCESSES }, (_, at) => (keys === 'shared' ? 's' : `p${at}-`));
  const count = keys === 'shared' ? SHARED_KEYS : OWN_KEYS;
  const names = [...new Set(prefixes)].flatMap((prefix) =>
    Array.from({ length: count }, (_, at) => `${prefix}${at}`),
  );
  for (const store of IN_PROCESSES) {
    const own = `processes_${keys}_${store.replace('-', '_')}`;
    const at = { url, store, own };
    await inChild('server-sum', { ...at, names, fill: true });
    const runs = await untilOneFails((signal) =>
      prefixes.map((prefix) => inChild('server-process', { ...at, prefix, keys: count, calls }, { signal })),
    );
    const { sum } = await inChild('server-sum', { ...at, names, fill: false });
    const called = calls * PROCESSES;
    const slowest = Math.max(...runs.map(({ ms }) => ms));
    found[store] = { perSecond: (called * 1000) / slowest, called, counted: sum };
  }
  return found;
}

async function inMemory({ url, bursts }) {
  const found = {};
  for (const store of IN_MEMORY) {
    const own = `memory_${store.replace('-', '_')}`;
    const { memoryBytes } = await inChild('server-memory', { url, store, own, count: 1000, bursts });
    found[store] = memoryBytes;
  }
  return found;
}

async function ofAMillion() {
  const server = await startServer({ settings: { shared_buffers: '1GB' } });
  try {
    const options = { url: server.url, players: 1_000_000, samples: 10, isSmall: true };
    return await inChild('server-reads', options, { secondsMax: 900 });
  } finally {
    await server.remove();
  }
}

/** The primary is killed under awaited updates, and the standby promoted at once. */
async function failOver(rounds) {
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    const servers = [];
    try {
      servers.unshift(await startServer({ settings: SYNCED }));
      servers.unshift(await startStandby(servers[0], { synchronous: true }));
      runs.push(await failOverOnce(...servers));
    } finally {
      for (const server of servers) await server.remove();
    }
  }
  return {
    longestMs: median(runs.map(({ longestMs }) => longestMs)),
    promotionMs: median(runs.map(({ promotionMs }) => promotionMs)),
    beyondMs: median(runs.map(({ longestMs, promotionMs }) => longestMs - promotionMs)),
    acked: runs.reduce((sum, { acked }) => sum + acked, 0),
    there: runs.reduce((sum, { there }) => sum + there, 0),
    rounds,
  };
}

async function failOverOnce(standby, primary) {
  const both = `${primary.host}:${primary.port},${standby.host}:${standby.port}`;
  const url = primary.url.replace(`${primary.host}:${primary.port}`, both);
  const crash = async () => {
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const begun = performance.now();
    await primary.stop('immediate');
    await standby.promote();
    return performance.now() - begun;
  };
  const [run, promotionMs] = await untilOneFails((signal) => [
    inChild('server-failover', { url, schema: 'failover', untilMs: 6000 }, { signal }),
    crash(),
  ]);
  return { ...run, promotionMs };
}
