// The recipe of guild settings: what one shard sets, the Maps of all shards have, also when it is set while they start.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSettings } from '../../examples/recipes/guild-settings.mjs';
import { Storage } from '../../index.js';
import { optionsAt } from '../support/place.mjs';
import { startShard } from '../support/recipes.mjs';
import { atEnd, openStorage, waitUntil } from '../support/temp.mjs';

async function opened(t, storage) {
  const settings = await openSettings(storage);
  atEnd(t, () => settings.close());
  return settings;
}

test('defaults, what was set, and what was taken back', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const settings = await opened(t, storage);
  assert.deepEqual(settings.get('1'), { prefix: '!', language: 'en', roles: [] });
  assert.deepEqual(await settings.set('1', { prefix: '?' }), { prefix: '?' });
  await settings.set('1', { language: 'de' });
  await waitUntil(() => settings.get('1').language === 'de', { what: 'the Map to follow' });
  assert.deepEqual(settings.get('1'), { prefix: '?', language: 'de', roles: [] });
  settings.get('1').roles.push('changed');
  settings.get('2').roles.push('changed');
  assert.deepEqual([settings.get('1').roles, settings.get('2').roles], [[], []], 'a copy was changed');
  await settings.reset('1');
  await waitUntil(() => settings.get('1').prefix === '!', { what: 'the Map to follow' });
});

test('a setting that there is none of is refused, and names are only names', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const settings = await opened(t, storage);
  for (const wrong of [{ prefx: '?' }, JSON.parse('{"__proto__":{"prefix":"?"}}'), { constructor: 1 }])
    await assert.rejects(settings.set('1', wrong), TypeError);
  assert.equal(await storage.collection('guilds').size(), 0);
  for (const name of ['__proto__', 'constructor']) {
    assert.equal(settings.get(name).prefix, '!');
    await settings.set(name, { prefix: name });
    await waitUntil(() => settings.get(name).prefix === name, { what: 'the Map to follow' });
  }
  assert.equal({}.prefix, undefined);
});

test('a shard that starts later, or again, has all settings at once', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const first = await opened(t, storage);
  for (let i = 0; i < 20; i++) await first.set(`${i}`, { prefix: `${i}` });
  const later = await opened(t, storage);
  for (let i = 0; i < 20; i++) assert.equal(later.get(`${i}`).prefix, `${i}`);
});

test('what is set while a shard starts reaches it', async (t) => {
  const { storage } = await openStorage(t, Storage);
  const guilds = storage.collection('guilds');
  await guilds.set('gone', { prefix: 'gone' });
  for (let round = 1; round <= 20; round++) {
    await guilds.set('back', { prefix: 'old' });
    const starting = openSettings(storage);
    const writing = [
      guilds.set('1', { prefix: `${round}` }),
      guilds.delete('back'),
      guilds.set('2', { prefix: `${round}` }),
    ];
    const settings = await starting;
    await Promise.all(writing);
    const isThere = () =>
      settings.get('1').prefix === `${round}` &&
      settings.get('2').prefix === `${round}` &&
      settings.get('back').prefix === '!';
    await waitUntil(isThere, { what: `round ${round}` });
    assert.equal(settings.get('gone').prefix, 'gone');
    await settings.close();
  }
});

test('shards in processes of their own see each other', async (t) => {
  const { storage, dataDir } = await openStorage(t, Storage);
  const options = optionsAt(dataDir);
  const [one, other] = await Promise.all([1, 2].map(() => startShard(t, 'guild-settings', options)));
  const here = await opened(t, storage);
  const prefixIn = async (shard, guildId) => (await shard.call('get', guildId)).value.prefix;
  await one.call('set', '7', { prefix: '?' });
  await waitUntil(async () => (await prefixIn(other, '7')) === '?', { what: 'the other shard to follow' });
  await waitUntil(() => here.get('7').prefix === '?', { what: 'this one to follow' });
  // Both at once: whichever counts, all have the same in the end.
  await Promise.all([one.call('set', '7', { prefix: 'a' }), other.call('set', '7', { language: 'fr' })]);
  await one.kill();
  await waitUntil(async () => JSON.stringify((await other.call('get', '7')).value).includes('"a"'), {
    what: 'a',
  });
  assert.deepEqual((await other.call('get', '7')).value, { prefix: 'a', language: 'fr', roles: [] });
  await here.reset('7');
  await waitUntil(async () => (await prefixIn(other, '7')) === '!', { what: 'the defaults' });
  assert.equal(await other.end(), 0);
});
