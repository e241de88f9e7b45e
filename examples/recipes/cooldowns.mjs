// Cooldowns of commands: the same on all shards, and still there after a restart.
//
//     const leftMs = await startCooldown(storage, 'daily', interaction.user.id, 24 * 60 * 60 * 1000);
//     if (leftMs > 0) return interaction.reply(`Again in ${inWords(leftMs)}.`);

import { tryOut } from './try-out.mjs';

class OnCooldown extends Error {
  constructor(until) {
    super('on cooldown');
    this.until = until;
  }
}

const cooldowns = (storage) => storage.collection('cooldowns');
const keyOf = (command, userId) => `${command}:${userId}`;
// At least 1: what has not ended may have no whole millisecond left, and hosts may differ in their clocks.
const leftOf = (until) => Math.max(1, until - Date.now());

/**
 * Starts a cooldown, if the user is not on it. Resolves to 0 if the user may go on, else to the milliseconds that are left.
 * Of several calls at once, on whichever shards, one gets 0.
 */
export async function startCooldown(storage, command, userId, ttlMs) {
  const end = Date.now() + ttlMs;
  const claim = (until) => {
    if (until !== undefined) throw new OnCooldown(until);
    return end;
  };
  try {
    // At `expiresAt` the key ends by itself, and `update` finds nothing there.
    await cooldowns(storage).update(keyOf(command, userId), claim, { expiresAt: end });
    return 0;
  } catch (error) {
    if (error instanceof OnCooldown) return leftOf(error.until);
    throw error;
  }
}

/** The milliseconds that are left; 0 without a cooldown. */
export async function leftMs(storage, command, userId) {
  const until = await cooldowns(storage).get(keyOf(command, userId));
  return until === undefined ? 0 : leftOf(until);
}

/** Ends a cooldown early, such as when the command has failed. Resolves to whether there was one. */
export const endCooldown = (storage, command, userId) => cooldowns(storage).delete(keyOf(command, userId));

/** `45 s`, `12 min`, `3 h`, rounded up, for the reply. */
export function inWords(ms) {
  if (ms <= 90_000) return `${Math.ceil(ms / 1000)} s`;
  if (ms <= 90 * 60_000) return `${Math.ceil(ms / 60_000)} min`;
  return `${Math.ceil(ms / 3_600_000)} h`;
}

tryOut(import.meta.url, async (storage) => {
  const day = 24 * 60 * 60 * 1000;
  console.log('first call:', await startCooldown(storage, 'daily', 'ann', day));
  console.log('second call:', inWords(await startCooldown(storage, 'daily', 'ann', day)));
  console.log('another user:', await startCooldown(storage, 'daily', 'ben', day));
  await endCooldown(storage, 'daily', 'ann');
  console.log('after its end:', await leftMs(storage, 'daily', 'ann'));
});
