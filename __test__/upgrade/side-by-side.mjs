// Two versions on one folder or server at once: nothing that either acknowledged is lost, and both read the same. `npm run test:upgrade`
// builds the older one and runs this.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Storage } from '../../index.js';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { runCli } from '../support/cli.mjs';
import {
  atEnd,
  closeStorage,
  openStorage,
  packageUrl,
  runScript,
  startScript,
  temporaryFolder,
  waitUntil,
} from '../support/temp.mjs';

const OLD = process.env.UPGRADE_FROM;
const NEW = packageUrl;
const SHARD = fileURLToPath(new URL('shard.mjs', import.meta.url));
const RUN_MS = Number(process.env.UPGRADE_SECONDS ?? 20) * 1000;
const LANES = 4;
/** What the older version has too. */
const { Storage: OldStorage } = await import(OLD);
const hasTransactions = 'transaction' in OldStorage.prototype;
const hasServer = 'snapshot' in OldStorage.prototype;
process.env.UPGRADE_TRANSACTIONS = hasTransactions ? '1' : '0';
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const nameOf = (version) => (version === OLD ? 'old' : 'new');

/** What the shards of a folder had acknowledged. */
class Shards {
  all = [];

  /** `options` choose the place: a folder, or a server. */
  constructor(t, options) {
    Object.assign(this, { t, options });
  }

  async start(version) {
    const id = `${nameOf(version)}${this.all.length}`;
    const shard = await startScript(this.t, {
      file: SHARD,
      args: [version, JSON.stringify(this.options), id],
    });
    this.all.push(shard);
    await waitUntil(() => shard.output.stdout.includes('ready') || shard.child.exitCode !== null, {
      what: id,
    });
    return Object.assign(shard, { id });
  }

  async stop(shard) {
    shard.child.stdin.end();
    const { code, stdout, stderr } = await shard.ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /closed\n$/);
  }

  async kill(shard) {
    shard.wasKilled = true;
    shard.child.kill('SIGKILL');
    await shard.ended;
  }

  /** Counts of what was acknowledged, and how many calls may have been under way when their process was killed. */
  acked() {
    const counts = { '+': {}, '=': {}, '*': {} };
    for (const { output } of this.all)
      for (const [, kind, name] of output.stdout.matchAll(/^([+=*]) (.+)\n/gm))
        counts[kind][name] = (counts[kind][name] ?? 0) + 1;
    const killed = this.all.filter(({ wasKilled }) => wasKilled).length;
    return { increments: counts['+'], own: counts['='], games: counts['*'], inFlight: killed * LANES };
  }
}

/** Both versions, by themselves, and the commands find all of it. */
async function assertNothingLost(t, shards) {
  const { increments, own, games, inFlight } = shards.acked();
  const counted = {};
  for (const version of [NEW, OLD]) counted[nameOf(version)] = await contentBy(t, version, shards.options);
  assert.deepEqual(counted.old, counted.new, 'both versions read the same');
  const { counters, owned, players, coins } = counted.new;
  assert.equal(coins, 0, 'a transaction is whole or not there');
  const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);
  for (const [name, n] of Object.entries(increments))
    assert.ok(counters[name] >= n, `${name}: ${counters[name]} of ${n}`);
  for (const [name, n] of Object.entries(games))
    assert.ok(players[name] >= n, `${name}: ${players[name]} of ${n}`);
  assert.deepEqual(
    Object.keys(own).filter((key) => !(key in owned)),
    [],
  );
  const surplus = total(counters) + total(players) + Object.keys(owned).length;
  const ackedCalls = total(increments) + total(games) + total(own);
  assert.ok(surplus - ackedCalls <= inFlight, `${surplus - ackedCalls} more than was called, of ${inFlight}`);
  await assertVerified(t, shards.options);
  return ackedCalls;
}

/** The command finds nothing that is damaged, and nothing was set aside. */
async function assertVerified(t, { dataDir, url }) {
  const options = url ? { env: { PROGRESSIVE_STORAGE_URL: url } } : {};
  const { code, stdout, stderr } = await runCli(
    t,
    ['verify', ...(url ? [] : [dataDir, '--backups'])],
    options,
  );
  assert.equal(code, 0, stdout + stderr);
  if (url) return;
  const names = await readdir(path.join(dataDir, 'logs'));
  assert.deepEqual(
    names.filter((name) => name.includes('.corrupt.')),
    [],
  );
}

async function contentBy(t, version, options) {
  const { code, stdout, stderr } = await runScript(t, {
    source: `
      import { Storage } from ${JSON.stringify(version)};
      const storage = new Storage({ ...${JSON.stringify(options)}, logger: null });
      const stateOf = async (name) => Object.fromEntries(await storage.collection(name).entries());
      const players = Object.entries(await storage.loadPlayers());
      console.log(JSON.stringify({
        counters: await stateOf('counters'),
        owned: await stateOf('owned'),
        coins: Object.values({ ...await stateOf('purses'), ...await stateOf('chests') }).reduce((sum, n) => sum + n, 0),
        players: Object.fromEntries(players.map(([id, { totalGames }]) => [id, totalGames])),
      }));
      await storage.close();
    `,
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const folder = async (t) => ({ dataDir: path.join(await temporaryFolder(t), 'data') });

async function server(t) {
  const started = await startServer();
  atEnd(t, () => started.remove());
  return { url: started.url };
}

const PLACES = [
  ['a folder', folder, false],
  ['a server', server, hasServer ? whyNoServer() : 'the older version has no server'],
];

for (const [name, place, skip] of PLACES) {
  test(`on ${name}: four shards, two of each version, with compactions of both`, { skip }, async (t) => {
    const shards = new Shards(t, await place(t));
    const running = [];
    for (const version of [OLD, NEW, OLD, NEW]) running.push(await shards.start(version));
    await pause(RUN_MS);
    await Promise.all(running.map((shard) => shards.stop(shard)));
    t.diagnostic(`${await assertNothingLost(t, shards)} acknowledged calls`);
  });

  test(`on ${name}: a rolling restart, shard by shard, to the new version and back`, { skip }, async (t) => {
    const shards = new Shards(t, await place(t));
    const running = [];
    for (let i = 0; i < 4; i++) running.push(await shards.start(OLD));
    const step = RUN_MS / 10;
    for (const version of [NEW, OLD]) {
      for (const index of running.keys()) {
        await pause(step);
        await shards.stop(running[index]);
        running[index] = await shards.start(version);
      }
    }
    await pause(step);
    await Promise.all(running.map((shard) => shards.stop(shard)));
    t.diagnostic(`${await assertNothingLost(t, shards)} acknowledged calls`);
  });

  test(`on ${name}: kills of either version, and the other one takes its place`, { skip }, async (t) => {
    const shards = new Shards(t, await place(t));
    const running = [];
    for (const version of [OLD, NEW, OLD, NEW]) running.push([version, await shards.start(version)]);
    const end = Date.now() + RUN_MS;
    let kills = 0;
    for (; Date.now() < end; kills++) {
      await pause(200 + Math.random() * 400);
      const index = kills % running.length;
      const [version, shard] = running[index];
      await shards.kill(shard);
      const next = version === OLD ? NEW : OLD;
      running[index] = [next, await shards.start(next)];
    }
    await Promise.all(running.map(([, shard]) => shards.stop(shard)));
    t.diagnostic(`${kills} kills, ${await assertNothingLost(t, shards)} acknowledged calls`);
  });
}

test('what only the new version knows: an older one beside it reads past it, and a compaction of its own drops it', {
  skip: hasTransactions && 'the older version knows it too',
}, async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const coins = storage.collection('coins');
  const expiresAt = Date.now() + 3_600_000;
  await coins.set('ends', 1, { expiresAt });
  assert.deepEqual(
    await storage.transaction(
      [
        ['coins', 'a'],
        ['items', 'b'],
      ],
      () => [1, 2],
    ),
    [1, 2],
  );
  await storage.close();
  const source = `
    import { Storage } from ${JSON.stringify(OLD)};
    const storage = new Storage({ dataDir: ${JSON.stringify(dataDir)} });
    console.log(JSON.stringify(await storage.collection('coins').entries()));
    console.log(JSON.stringify(await storage.collection('items').entries()));
    await storage.compactLog('coins');
    await storage.close();
  `;
  const { stdout, stderr } = await runScript(t, { source });
  assert.equal(stdout, '[["ends",1],["a",1]]\n[["b",2]]\n', stderr);
  const again = new Storage({ dataDir });
  atEnd(t, () => closeStorage(again));
  assert.deepEqual(await again.collection('coins').entries(), [
    ['ends', 1],
    ['a', 1],
  ]);
  assert.equal(await again.collection('coins').expiresAt('ends'), null, 'docs/going-back.md says so');
});
