// Cooldowns that processes of one bot share: one of them gets it, all of them see it, and it outlives each of them.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Storage } from '../../index.js';
import { openStorage, startScript, temporaryFolder, waitUntil } from '../support/temp.mjs';

const file = fileURLToPath(new URL('../children/cooldown.mjs', import.meta.url));
const DAY_MS = 24 * 60 * 60 * 1000;

/** A process that wants cooldowns: `want(key, ttlMs)` resolves to what it prints. */
async function shard(t, dataDir) {
  const { child, output, ended } = await startScript(t, { file, args: [JSON.stringify({ dataDir })] });
  let lines = 0;
  const next = async () => {
    const number = lines++;
    const line = await waitUntil(
      () => output.stdout.split('\n').length > number + 1 && output.stdout.split('\n')[number],
      { what: `line ${number} of a shard: ${output.stderr}` },
    );
    return JSON.parse(line);
  };
  await next();
  const want = (key, ttlMs) => {
    child.stdin.write(`${JSON.stringify({ key, ttlMs })}\n`);
    return next();
  };
  return { child, ended, want };
}

test('a cooldown is shared, and outlives the process that took it and all others', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const [one, other] = [await shard(t, dataDir), await shard(t, dataDir)];
  const first = await one.want('daily:1', DAY_MS);
  assert.equal(first.isTaken, false);
  assert.deepEqual(await other.want('daily:1', 5), { ...first, isTaken: true });
  one.child.kill('SIGKILL');
  await one.ended;
  assert.deepEqual(await other.want('daily:1', 5), { ...first, isTaken: true });
  other.child.kill('SIGKILL');
  await other.ended;
  const again = await shard(t, dataDir);
  assert.deepEqual(await again.want('daily:1', 5), { ...first, isTaken: true });
  const { storage } = await openStorage(t, Storage, { dataDir });
  assert.deepEqual(await storage.collection('cooldowns').keys(), ['daily:1']);
});

test('each time a cooldown ends, one of several processes gets the next one', async (t) => {
  const dataDir = path.join(await temporaryFolder(t), 'data');
  const shards = await Promise.all(Array.from({ length: 3 }, () => shard(t, dataDir)));
  const { storage } = await openStorage(t, Storage, { dataDir });
  const cooldowns = storage.collection('cooldowns');
  for (const round of ['a', 'b', 'c']) {
    // Long enough that it does not end while they all ask.
    const found = await Promise.all(shards.map(({ want }) => want('hourly:1', DAY_MS)));
    assert.equal(found.filter(({ isTaken }) => !isTaken).length, 1, `round ${round}`);
    assert.equal(new Set(found.map(({ expiresAt }) => expiresAt)).size, 1, `round ${round}`);
    await cooldowns.update('hourly:1', (value) => value, { expiresAt: Date.now() - 1 });
    assert.equal(await cooldowns.has('hourly:1'), false);
  }
});
