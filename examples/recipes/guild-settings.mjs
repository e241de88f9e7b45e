// Settings of guilds, read from memory with each message, and the same on all shards: each shard keeps a Map, and `watch`
// brings what any of them changes.
//
//     const settings = await openSettings(storage);
//     client.on('messageCreate', (message) => {
//       if (message.content.startsWith(settings.get(message.guildId).prefix)) …
//     });

import { tryOut } from './try-out.mjs';

const DEFAULTS = { prefix: '!', language: 'en', roles: [] };

/** Reads all settings; from then on `get` answers without waiting. */
export async function openSettings(storage) {
  const guilds = storage.collection('guilds');
  // The watch begins before the first reading, so no change falls between both. What was read already comes once more.
  const changes = guilds.watch();
  const cache = new Map(await guilds.entries());
  const following = follow(changes, cache);
  return {
    /** The settings of a guild: a copy, with the defaults for what it has not set. */
    get: (guildId) => structuredClone({ ...DEFAULTS, ...cache.get(guildId) }),
    /** Changes some settings of a guild; resolves once it is stored. The Maps of all shards follow shortly. */
    async set(guildId, settings) {
      for (const name of Object.keys(settings)) {
        if (!Object.hasOwn(DEFAULTS, name)) throw new TypeError(`There is no setting '${name}'.`);
      }
      return guilds.update(guildId, (before) => ({ ...before, ...settings }));
    },
    /** Takes a guild back to the defaults, such as when the bot has left it. */
    reset: (guildId) => guilds.delete(guildId),
    /** Ends the watch; closing the storage does it too. */
    async close() {
      await changes.return();
      await following;
    },
  };
}

// The Map changes here alone: a value that `set` put in could be older than what another shard wrote since.
async function follow(changes, cache) {
  for await (const { key, value } of changes) {
    if (value === undefined) cache.delete(key);
    else cache.set(key, value);
  }
}

tryOut(import.meta.url, async (storage) => {
  const [shard, other] = [await openSettings(storage), await openSettings(storage)];
  console.log('at first:', other.get('123').prefix);
  await shard.set('123', { prefix: '?' });
  while (other.get('123').prefix !== '?') await new Promise((resolve) => setTimeout(resolve, 10));
  console.log('on the other shard:', JSON.stringify(other.get('123')));
  await Promise.all([shard.close(), other.close()]);
});
