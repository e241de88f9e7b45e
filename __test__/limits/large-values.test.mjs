/**
 * Values of 50 MB and of the longest string, lines of 50 MB, a torn tail of 1 GiB: each works and is there after a reopen,
 * or gets a clear error before anything is touched.
 *
 * PS_LONG=1 adds values as long as V8 can make them.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { freemem } from 'node:os';
import test from 'node:test';
import { assertSealed, listenForWarnings, scene, sealed, set, snapshot } from '../support/durability.mjs';
import { assertSame, assertWritten, fast, isLong, refused, writersOf } from '../support/limits.mjs';

test('values of 50 MB through every call, small ones beside them, compaction, reopen', async (t) => {
  const place = scene(t);
  const large = { hex: randomBytes(25 << 20).toString('hex'), end: 'é"\\\n😀' };
  const storage = place.open(fast);
  for (const [name, write] of Object.entries(writersOf(storage))) {
    if (!['update', 'artistInfo'].includes(name)) await write(large);
  }
  await storage.collection('coins').set('small', 1);
  await storage.updatePlayerStats('small', 'small', 7);
  await assertWritten(storage, large);
  await storage.compactLog('coins');
  await storage.compactLog('events');
  await storage.appendLogEntry('events', { op: 'SET', key: 'small', value: 2 });
  await storage.close();

  const again = place.open(fast);
  assertSame((await again.rebuildStateFromLog('events')).k, large);
  assert.equal((await again.rebuildStateFromLog('events')).small, 2);
  assertSame(await again.collection('coins').get('k'), large);
  assert.equal(await again.collection('coins').get('small'), 1);
  const players = await again.loadPlayers();
  assertSame(players.k.value, large);
  assert.equal(players.small.totalScore, 7);
  assertSame(place.mirrorState('players'), players, 'the mirror is whole');
  assertSame(await place.old('loadPlayers'), players, 'the old module reads it too');
  // One more game writes a whole new record of 50 MB, and a name may have 50 MB.
  const updated = await again.updatePlayerStats('k', large.hex, 1);
  assert.equal(updated.totalGames, 2);
  assertSame(updated.value, large);
  assert.equal((await again.getLeaderboard('totalScore', 1))[0].username.length, large.hex.length);
});

test('a line of 50 MB that is torn, and one that is damaged', async (t) => {
  const place = scene(t);
  const bytes = Buffer.from(`${sealed(set('long', 'x'.repeat(50 << 20)))}\n`);
  place.writeLog(Buffer.concat([Buffer.from(`${sealed(set('a', 1))}\n`), bytes.subarray(0, -100)]), 'torn');
  bytes[1 << 20] ^= 1;
  place.writeLog(
    Buffer.concat([bytes, Buffer.from(`${sealed(set('b', 2))}\n`), bytes.subarray(0, -100)]),
    'damaged',
  );
  const storage = place.open(fast);
  for (const name of ['torn', 'damaged']) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'after', value: name });
  }
  assert.deepEqual(await storage.rebuildStateFromLog('torn'), { a: 1, after: 'torn' });
  assert.deepEqual(await storage.rebuildStateFromLog('damaged'), { b: 2, after: 'damaged' });
  for (const name of ['torn', 'damaged']) {
    assertSealed(place.logText(name));
    assert.equal(fs.statSync(place.aside(`${name}.log.torn`)[0]).size, bytes.length - 100);
  }
  assert.equal(fs.statSync(place.aside('damaged.log.corrupt')[0]).size, bytes.length);
});

const noRoom = freemem() < 6 * 2 ** 30 && 'needs 6 GB of free memory';
test('values about as long as a string can be', { skip: !isLong ? 'PS_LONG=1' : noRoom }, async (t) => {
  const place = scene(t);
  const storage = place.open(fast);
  const coins = storage.collection('coins');
  await coins.set('small', 1);
  const before = snapshot(place.data, { times: true });
  const longest = 2 ** 29 - 24;
  const longer = await refused(() => coins.set('k', 'x'.repeat(longest)));
  assert.match(longer.message, /'value'/);
  assert.deepEqual(snapshot(place.data, { times: true }), before);

  // With its quotes it still fits into a string, but the entry around it does not: refused, or readable for ever.
  const value = 'x'.repeat(longest - 2);
  const wasRefused = await coins.set('k', value).then(
    () => false,
    (error) => error.code === 'ERR_INVALID_ARG_VALUE',
  );
  if (wasRefused) assert.deepEqual(snapshot(place.data, { times: true }), before);
  else assert.equal((await coins.get('k')).length, value.length);
  assert.equal((await coins.entries()).length, wasRefused ? 1 : 2);
  assert.equal((await storage.readLogEntries('coins')).length, wasRefused ? 1 : 2);
});

test('a torn tail of 1 GiB of zeros takes no memory', {
  skip: process.platform !== 'linux' && 'the peak is read from /proc',
}, async (t) => {
  const place = scene(t);
  const GIB = 2 ** 30;
  for (const [name, whole] of [
    ['zeros', sealed(set('a', 1))],
    ['fragment', `${sealed(set('a', 1))}\n{"op":"SET","key":"b","val`],
  ]) {
    place.writeLog(whole, name);
    const size = fs.statSync(place.log(name)).size;
    fs.truncateSync(place.log(name), size + GIB);
    const { stdout } = await place.run('peak-memory.mjs', [place.data, name]);
    const { entries, before, after } = JSON.parse(stdout);
    assert.equal(entries, 1);
    assert.ok(after - before < 100 * 1024, `${name}: ${before} KiB before, ${after} KiB after`);
    assert.deepEqual(place.replayed(name), { a: 1, after: 1 });
    const [torn] = place.aside(`${name}.log.torn`);
    const { size: kept, blocks } = fs.statSync(torn);
    assert.ok(kept >= GIB && blocks * 512 < GIB / 100, `${kept} bytes in ${blocks} blocks`);
  }
});

test('a huge whole line counts, also with megabytes of zeros after it', async (t) => {
  const place = scene(t);
  const value = 'x'.repeat(3 << 20);
  const line = sealed(set('a', value));
  // Zeros, then something else, so this is not the end of the file.
  place.writeLog(`${line}\n${'\0'.repeat(3 << 20)}x\n${line}${'\0'.repeat(3 << 20)}`);
  const damaged = listenForWarnings('PS_LOG_DAMAGED');
  const torn = listenForWarnings('PS_TORN_TAIL');
  const storage = place.open();
  assert.equal((await storage.readLogEntries('players')).length, 2);
  assert.equal((await damaged()).length, 1);
  assert.match((await torn())[0].message, /ends with 3145728 bytes/);
  await storage.appendLogEntry('players', { op: 'SET', key: 'b', value: 2 });
  await storage.close();
  assert.deepEqual(Object.keys(place.replayed()), ['a', 'b']);
});
