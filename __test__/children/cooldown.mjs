/**
 * Wants cooldowns. Reads lines of JSON from its input, `{ key, ttlMs }`, and prints one for each: `{ key, isTaken, expiresAt }`.
 * Of a key that is on cooldown, `isTaken` is true.
 * Arguments: JSON of the Storage's options.
 */
import { createInterface } from 'node:readline';
import { Storage } from '../../index.js';

const storage = new Storage(JSON.parse(process.argv[2]));
const cooldowns = storage.collection('cooldowns');
const TAKEN = new Error('taken');
console.log(JSON.stringify({ isReady: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const { key, ttlMs } = JSON.parse(line);
  const claim = (last) => {
    if (last !== undefined) throw TAKEN;
    return process.pid;
  };
  let isTaken = false;
  try {
    await cooldowns.update(key, claim, { ttlMs });
  } catch (error) {
    if (error !== TAKEN) throw error;
    isTaken = true;
  }
  console.log(JSON.stringify({ key, isTaken, expiresAt: await cooldowns.expiresAt(key) }));
}
await storage.close();
