// The event loop gets its turns under any load. A large answer is parsed in parts, one part a turn. Callers that each await
// a call and then make the next one get a few answers a turn: their own work takes time too, and more answers arrive
// meanwhile. The tests count turns, calls and lengths of texts, so they need no clock.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runScript, temporaryFolder } from '../support/temp.mjs';

const PLAYERS = 3000;
const PIECE_BYTES_MAX = 512 << 10;

function player(index) {
  return { userId: `user-${index}`, totalScore: index, note: 'n'.repeat(900), emoji: '\u{1F600}' };
}

async function folderOfPlayers(t) {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const state = Object.fromEntries(Array.from({ length: PLAYERS }, (_, i) => [`user-${i}`, player(i)]));
  // Keys that are special in JavaScript objects.
  Object.defineProperty(state, '__proto__', { value: player(-1), enumerable: true });
  Object.assign(state, { constructor: player(-2), 7: player(7) });
  await mkdir(path.join(dataDir, 'logs'), { recursive: true });
  const log = JSON.stringify({ op: 'CHECKPOINT', state, compactedAt: new Date(0).toISOString() });
  await writeFile(path.join(dataDir, 'logs', 'players.log'), `${log}\n`);
  await writeFile(path.join(dataDir, 'players.json'), JSON.stringify(state, null, 2));
  await writeFile(
    path.join(dataDir, 'logs', 'events.log'),
    Array.from({ length: PLAYERS }, (_, i) => `${JSON.stringify({ op: 'NOTE', ...player(i) })}\n`).join(''),
  );
  return { dataDir, state };
}

// Runs in a process whose JSON.parse records the turn of the event loop and the length of the text.
const watched = (body) => `
  const parse = JSON.parse;
  const calls = [];
  let turn = 0;
  const count = () => { turn += 1; immediate = setImmediate(count); };
  let immediate = setImmediate(count);
  JSON.parse = (text, ...rest) => {
    calls.push({ turn, length: text.length });
    return parse(text, ...rest);
  };
  const ps = await import(${JSON.stringify(new URL('../../index.js', import.meta.url).href)});
  const storage = new ps.Storage({ dataDir: process.env.DATA, fsync: 'never', logger: null });
  ${body}
  clearImmediate(immediate);
  await storage.close();
`;

test('all players, all entries, a replayed state: one part a turn, and the result is right', async (t) => {
  const { dataDir, state } = await folderOfPlayers(t);
  const source = watched(`
    const results = {};
    for (const name of ['loadPlayers', 'readLogEntries', 'rebuildStateFromLog']) {
      calls.length = 0;
      const value = await storage[name](...{ readLogEntries: ['events'], rebuildStateFromLog: ['players'] }[name] ?? []);
      results[name] = { value: JSON.stringify(value), calls: calls.slice(), isPlain: Object.getPrototypeOf(value) === Object.prototype };
    }
    process.stdout.write(JSON.stringify(results));
  `);
  const { stdout, stderr, code } = await runScript(t, { source, env: { DATA: dataDir } });
  assert.equal(code, 0, stderr);
  const results = JSON.parse(stdout);
  const expected = JSON.stringify(state);
  assert.equal(results.loadPlayers.value, expected);
  assert.equal(results.rebuildStateFromLog.value, expected);
  assert.ok(results.loadPlayers.isPlain && results.rebuildStateFromLog.isPlain);
  const entries = JSON.parse(results.readLogEntries.value);
  assert.equal(entries.length, PLAYERS);
  for (const [index, entry] of entries.entries()) assert.deepEqual(entry, { op: 'NOTE', ...player(index) });
  for (const [name, { calls }] of Object.entries(results)) {
    assert.ok(calls.length > 4, `${name}: ${calls.length} parts`);
    for (const { length } of calls) assert.ok(length <= PIECE_BYTES_MAX, `${name}: a part of ${length}`);
    // A part of another answer may follow the first one in the same turn.
    for (const { turn } of calls) {
      const inTurn = calls.filter((call) => call.turn === turn).length;
      assert.ok(inTurn <= 2, `${name}: ${inTurn} parts in a turn`);
    }
  }
});

test('small answers overtake several large ones', async (t) => {
  const { dataDir, state } = await folderOfPlayers(t);
  const source = watched(`
    const order = [];
    const said = (name) => (value) => { order.push(name); return value; };
    const [one, other, single] = await Promise.all([
      storage.loadPlayers().then(said('one')),
      storage.loadPlayers().then(said('other')),
      storage.updatePlayerStats('new', 'New', 5).then(said('single')),
    ]);
    process.stdout.write(JSON.stringify({ one, other, single, order }));
  `);
  const { stdout, stderr, code } = await runScript(t, { source, env: { DATA: dataDir } });
  assert.equal(code, 0, stderr);
  const { one, other, single, order } = JSON.parse(stdout);
  for (const all of [one, other]) assert.equal(JSON.stringify(all), JSON.stringify(state));
  assert.equal(single.totalScore, 5);
  assert.equal(order.length, 3);
});

test('process.exit() in the middle of a large answer ends the process', async (t) => {
  const { dataDir } = await folderOfPlayers(t);
  const source = watched(`
    process.once('exit', () => process.stdout.write('parts ' + (calls.length > 0)));
    storage.loadPlayers();
    storage.updatePlayerStats('new', 'New', 5);
    while (calls.length < 2) await new Promise(setImmediate);
    process.exit(0);
  `);
  const { stdout, stderr, code } = await runScript(t, { source, env: { DATA: dataDir } });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'parts true');
});

test('a worker thread that is terminated in the middle of a large answer ends', async (t) => {
  const { dataDir } = await folderOfPlayers(t);
  const source = `
    import { Worker } from 'node:worker_threads';
    const worker = new Worker(new URL(import.meta.url.replace(/script-.*/, 'worker.mjs')));
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    process.stdout.write('ended');
  `;
  const cwd = await temporaryFolder(t);
  await writeFile(
    path.join(cwd, 'worker.mjs'),
    watched(`
      const { parentPort } = await import('node:worker_threads');
      storage.loadPlayers();
      while (calls.length < 2) await new Promise(setImmediate);
      parentPort.postMessage('at it');
      await new Promise(() => {});
    `),
  );
  const { stdout, stderr, code } = await runScript(t, { source, cwd, env: { DATA: dataDir } });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'ended');
});

// A caller that works for two milliseconds fills a slice alone. The store needs a few calls to measure that.
const CALLERS = 64;
const CALLS = 400;
const CALLS_IN_A_TURN_MAX = 100;

async function sustained(t, kind, callers, workMs, calls) {
  const { stdout, stderr, code } = await runScript(t, {
    file: fileURLToPath(new URL('../children/sustained-callers.mjs', import.meta.url)),
    args: [kind, callers, workMs, calls].map(String),
    env: { PROGRESSIVE_STORAGE_DIR: path.join(await temporaryFolder(t), 'data') },
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const kind of ['append', 'updatePlayerStats', 'update', 'read', 'getPlayerStats', 'stream', 'refused']) {
  test(`${kind}: callers that work on each answer leave the loop its turns`, async (t) => {
    const { settled, most, turns, timers } = await sustained(t, kind, CALLERS, 2, CALLS);
    assert.ok(settled >= CALLS);
    assert.ok(most <= CALLS_IN_A_TURN_MAX, `${most} calls were settled in one turn`);
    assert.ok(turns >= settled / CALLS_IN_A_TURN_MAX, `${turns} turns`);
    assert.ok(timers >= settled / CALLS_IN_A_TURN_MAX, `${timers} timers`);
  });
}

for (const kind of ['append', 'read', 'getPlayerStats', 'stream', 'refused']) {
  test(`${kind}: one busy caller leaves the loop its turns`, async (t) => {
    const { settled, most } = await sustained(t, kind, 1, 2, 100);
    assert.equal(settled, 100);
    assert.ok(most <= 25, `${most} calls were settled in one turn`);
  });
}

for (const kind of ['append', 'read', 'refused']) {
  test(`${kind}: 10,000 callers that do nothing else leave the loop its turns`, async (t) => {
    const { settled, most, turns, timers } = await sustained(t, kind, 10_000, 0, 200_000);
    assert.ok(settled >= 200_000);
    assert.ok(most <= 40_000, `${most} calls were settled in one turn`);
    assert.ok(turns >= 5 && timers >= 5, `${turns} turns, ${timers} timers`);
  });
}

// More reads than one turn answers, and nobody awaits them.
const manyReads = `
  import { Storage } from ${JSON.stringify(new URL('../../index.js', import.meta.url).href)};
  const storage = new Storage({ dataDir: process.env.DATA, fsync: 'never', logger: null });
  const coins = storage.collection('coins');
  await coins.set('a', { text: 'x'.repeat(20_000) });
  await new Promise((resolve) => setTimeout(resolve, 5));
  let answered = 0;
  const read = () => coins.get('a').then(({ text }) => { answered += text.length === 20_000 ? 1 : 0; });
  for (let count = 0; count < 2000; count++) read();
`;

test('reads that wait for a turn of the loop keep the process alive until their answers', async (t) => {
  const source = `${manyReads}
    process.on('exit', () => process.stdout.write(String(answered)));`;
  const env = { DATA: path.join(await temporaryFolder(t), 'data') };
  const { stdout, stderr, code } = await runScript(t, { source, env });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '2000');
});

test('close() and later writes come after reads that wait for a turn of the loop', async (t) => {
  const source = `${manyReads}
    const order = [];
    coins.get('a').then(() => order.push(answered));
    coins.set('a', { text: 'new' }).then(() => order.push('written'));
    await storage.close().then(() => order.push('closed'));
    process.stdout.write(JSON.stringify(order));`;
  const env = { DATA: path.join(await temporaryFolder(t), 'data') };
  const { stdout, stderr, code } = await runScript(t, { source, env });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), [2000, 'written', 'closed']);
});

test('process.exit() among answers that wait for a turn of the loop ends the process', async (t) => {
  const source = `${manyReads}
    for (let count = 0; count < 200; count++) coins.set('key-' + count, { count });
    setImmediate(() => process.exit(3));`;
  const env = { DATA: path.join(await temporaryFolder(t), 'data') };
  const { stderr, code } = await runScript(t, { source, env });
  assert.equal(code, 3, stderr);
  const mirror = JSON.parse(await readFile(path.join(env.DATA, 'coins.json'), 'utf8'));
  assert.equal(Object.keys(mirror).length, 201);
});

test('a worker thread that is terminated among callers that never stop ends', async (t) => {
  const cwd = await temporaryFolder(t);
  const source = `
    import { Worker } from 'node:worker_threads';
    const worker = new Worker(new URL(import.meta.url.replace(/script-.*/, 'worker.mjs')));
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    process.stdout.write('ended');
  `;
  await writeFile(
    path.join(cwd, 'worker.mjs'),
    `${manyReads}
    const { parentPort } = await import('node:worker_threads');
    const caller = async (call) => { for (;;) await call(); };
    for (let count = 0; count < 100; count++) {
      caller(read);
      caller(() => coins.set('key-' + count, { count }));
    }
    setTimeout(() => parentPort.postMessage('at it'), 100);`,
  );
  const env = { DATA: path.join(cwd, 'data') };
  const { stdout, stderr, code } = await runScript(t, { source, cwd, env });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'ended');
});
