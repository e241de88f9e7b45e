/**
 * What the dashboard answers about keys: pages, searches and histories, all of bounded size; logs that are open in the bot and
 * logs that are not; and that reading changes nothing.
 */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { KEY_CHARACTERS_MAX, PAGE_KEYS, SCANNED_MAX } from '../../dashboard/key-pages.js';
import { STEPS } from '../../dashboard/key-steps.js';
import { contentsOf, runCli } from '../support/cli.mjs';
import { ask, listKeys, lookUp, start } from '../support/dashboard.mjs';
import { plain, range, scene, set, waitFor } from '../support/durability.mjs';

const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  'title\u001b]0;owned\u0007',
  'line\nbreak',
  'turned\u202egnp.exe',
  '__proto__',
  'constructor',
  'it\'s $(touch x) `x` \\ "q" %s',
  '-n',
  'nul\0',
  'half \ud83d',
  ' ',
];

/** All pages of a log, one after the other. */
async function allPages(url, query) {
  const pages = [];
  let next = null;
  do {
    const page = await listKeys(url, { ...query, ...(next !== null && { after: next }) });
    assert.equal(page.status, 200, page.text);
    pages.push(page);
    next = page.next;
  } while (next !== null);
  return pages;
}

const keysOf = (pages) => pages.flatMap(({ keys }) => keys.map(({ key }) => key));

test('pages have every key once, in stored order, whether the log is open or not', async (t) => {
  const place = scene(t);
  const before = place.open();
  const names = range(PAGE_KEYS * 2 + 3).map((number) => `key-${number}`);
  await before.collection('coins').setMany(names.map((key) => [key, { of: key }]));
  await before.appendLogEntry('plain', { op: 'SET', key: 'a', value: 1 });
  await before.close();
  const { storage, dashboard } = await start(place);
  const closed = await allPages(dashboard.url, { log: 'coins' });
  assert.deepEqual(
    closed.map(({ keys, scanned, total }) => [keys.length, scanned, total]),
    [
      [PAGE_KEYS, PAGE_KEYS, names.length],
      [PAGE_KEYS, PAGE_KEYS * 2, names.length],
      [3, names.length, names.length],
    ],
  );
  assert.deepEqual(keysOf(closed), names);
  assert.deepEqual(keysOf(await allPages(dashboard.url, { log: 'plain' })), ['a']);
  assert.deepEqual(Object.keys(storage.metrics().logs), [], 'none was opened in the storage');
  assert.equal(await storage.collection('coins').size(), names.length);
  assert.deepEqual(keysOf(await allPages(dashboard.url, { log: 'coins' })), names);
  // The key of a cursor may be gone.
  const [first] = await allPages(dashboard.url, { log: 'coins' });
  await storage.collection('coins').delete(names[PAGE_KEYS - 1]);
  const rest = await listKeys(dashboard.url, { log: 'coins', after: first.next });
  assert.equal(rest.status, 200);
  assert.equal(rest.keys[1].key, names[PAGE_KEYS + 2]);
});

test('a search by name and by field, with the meaning of the command find', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  await storage.collection('guilds').setMany([
    ['guild-Ann', { name: 'Ann', level: 5, settings: { language: 'en' } }],
    ['guild-ben', { name: 'Ben', level: '5', 'settings.language': 'de' }],
    ['other', { name: 'Cem', level: 6, tags: ['Ann'] }],
  ]);
  const found = async (how, text) => keysOf(await allPages(dashboard.url, { log: 'guilds', how, text }));
  assert.deepEqual(await found('contains', 'ANN'), ['guild-Ann']);
  assert.deepEqual(await found('begins', 'guild-'), ['guild-Ann', 'guild-ben']);
  assert.deepEqual(await found('begins', 'uild-'), []);
  for (const text of [
    'level=5',
    'level="5"',
    'settings.language=en',
    'settings.language=de',
    'tags.0=Ann',
    'x=1',
  ]) {
    const { stdout } = await runCli(t, ['find', text, place.data, '--log', 'guilds', '--json']);
    assert.deepEqual(
      await found('field', text),
      JSON.parse(stdout).found.map(({ key }) => key),
      text,
    );
  }
  const wrong = async (query) => (await listKeys(dashboard.url, { log: 'guilds', ...query })).status;
  assert.deepEqual(
    [
      await wrong({ how: 'field', text: 'level' }),
      await wrong({ how: 'field', text: '=5' }),
      await wrong({ how: 'other', text: 'a' }),
      ...(await Promise.all(['x', '[]', '[1,""]', '[-1,"a"]', '{}'].map((after) => wrong({ after })))),
    ],
    Array(8).fill(400),
  );
  for (const log of ['../x', '', 'guild', '__proto__', 'constructor']) {
    assert.equal((await listKeys(dashboard.url, { log })).status, 404, log);
  }
  assert.equal((await ask(`${dashboard.url}keys`)).status, 400);
});

test('a search that finds nothing for long answers, and goes on from there', async (t) => {
  const place = scene(t);
  const many = SCANNED_MAX + 10;
  place.writeLog(range(many).map((number) => plain(set(`k${number}`, number))));
  const { dashboard } = await start(place);
  const pages = await allPages(dashboard.url, { log: 'players', how: 'field', text: 'x=1' });
  assert.ok(pages.length > 1, 'one answer is not all of it');
  assert.ok(pages.every(({ keys }) => keys.length === 0));
  assert.deepEqual([pages.at(-1).scanned, pages.at(-1).total], [many, many]);
  const last = `k${many - 1}`;
  assert.deepEqual(keysOf(await allPages(dashboard.url, { log: 'players', how: 'contains', text: last })), [
    last,
  ]);
});

test('hostile and long keys are listed, and opened where an address can name them', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  const long = 'k'.repeat(KEY_CHARACTERS_MAX + 1);
  const wide = '\uffff'.repeat(KEY_CHARACTERS_MAX);
  const coins = storage.collection('coins');
  for (const key of [...HOSTILE, long, wide]) await coins.set(key, { of: 'it' });
  const [{ keys }] = await allPages(dashboard.url, { log: 'coins' });
  assert.deepEqual(
    keys.filter(({ isLong }) => !isLong).map(({ key }) => key),
    [...HOSTILE, wide],
  );
  const [cut] = keys.filter(({ isLong }) => isLong);
  assert.equal(cut.length, long.length);
  assert.ok(cut.key.length < 1000);
  // An address has no half of a pair of characters.
  for (const key of [...HOSTILE.filter((text) => text.isWellFormed?.() ?? !text.includes('\ud83d')), wide]) {
    assert.deepEqual(
      (await lookUp(dashboard.url, { log: 'coins', key })).value,
      { of: 'it' },
      key.slice(0, 40),
    );
  }
});

test('a large value is cut, laid out as JSON, and not compared', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  const coins = storage.collection('coins');
  const large = { list: range(100_000).map((number) => ({ number })) };
  await coins.set('ann', { small: [1, {}, []], text: 'a "b" \\ {[,:' });
  await coins.set('ann', large);
  await coins.set('ann', { small: [2] }, { expiresAt: 4_000_000_000_000 });
  const { text } = await ask(`${dashboard.url}key?log=coins&key=ann`);
  assert.ok(text.length < 300_000, `${text.length} characters`);
  const { value, expiresAt, steps } = JSON.parse(text);
  assert.deepEqual(
    [JSON.parse(value.text), value.isCut, expiresAt],
    [{ small: [2] }, false, 4_000_000_000_000],
  );
  assert.equal(steps[2].value.text, JSON.stringify({ small: [1, {}, []], text: 'a "b" \\ {[,:' }, null, 2));
  assert.deepEqual([steps[1].value.isCut, steps[1].value.bytes], [true, JSON.stringify(large).length]);
  assert.ok(JSON.stringify(large, null, 2).startsWith(steps[1].value.text));
  assert.deepEqual([steps[0].changes, steps[1].changes], [undefined, undefined]);
  assert.match(steps[1].note, /too large/);
  const [{ keys }] = await allPages(dashboard.url, { log: 'coins' });
  assert.deepEqual([keys[0].key, keys[0].bytes], ['ann', 13]);
  await coins.set('large', large);
  const listed = await ask(`${dashboard.url}keys?log=coins`);
  assert.ok(listed.text.length < 1000, `${listed.text.length} characters`);
  const deep = (depth) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  await coins.set('deep', deep(4000));
  await coins.set('deep', deep(4001));
  const answer = await ask(`${dashboard.url}key?log=coins&key=deep`);
  assert.equal(answer.status, 200);
  assert.ok(answer.text.length < 500_000);
});

test('a history is steps with what changed, newest first, so many at a time', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  const coins = storage.collection('coins');
  const many = STEPS + 5;
  for (const number of range(many - 3)) await coins.set('ann', { number, same: 1 });
  await coins.set('ann', { same: 2, list: [1] });
  await coins.delete('ann');
  await coins.set('ann', { same: 2 });
  const first = await lookUp(dashboard.url, { log: 'coins', key: 'ann' });
  assert.deepEqual([first.records, first.history.length, first.older], [many, STEPS, 5]);
  assert.deepEqual(
    first.history.slice(0, 4).map(({ op, isNew, value, changes }) => [op, isNew, value, changes]),
    [
      ['SET', true, { same: 2 }, []],
      ['DELETE', false, undefined, []],
      [
        'SET',
        false,
        { same: 2, list: [1] },
        [
          { path: 'number', from: String(many - 4) },
          { path: 'same', from: '1', to: '2' },
          { path: 'list', to: '[1]' },
        ],
      ],
      [
        'SET',
        false,
        { number: many - 4, same: 1 },
        [{ path: 'number', from: `${many - 5}`, to: `${many - 4}` }],
      ],
    ],
  );
  const oldest = first.history.at(-1).number;
  const rest = await lookUp(dashboard.url, { log: 'coins', key: 'ann', before: oldest });
  assert.deepEqual([rest.history.map(({ number }) => number), rest.older], [[4, 3, 2, 1, 0], 0]);
  assert.deepEqual([rest.history[4].isFirst, rest.history[4].isNew], [true, true]);
  for (const before of ['x', '-1', '1.5']) {
    assert.equal((await lookUp(dashboard.url, { log: 'coins', key: 'ann', before })).status, 400, before);
  }
});

test('a log that is not open is read as it is now, and nothing is written', async (t) => {
  const place = scene(t);
  place.writeLog(`${plain(set('a', 1))}\ngarbage\n${plain(set('b', { c: 1 }))}\n{"op":"SE`, 'coins');
  fs.mkdirSync(place.file('.progressive-storage'), { recursive: true });
  const before = await contentsOf(place.data);
  const temporary = () =>
    fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith('progressive-storage-'));
  const there = temporary();
  const { dashboard } = await start(place);
  assert.deepEqual(keysOf(await allPages(dashboard.url, { log: 'coins' })), ['a', 'b']);
  assert.deepEqual((await lookUp(dashboard.url, { log: 'coins', key: 'b' })).value, { c: 1 });
  assert.deepEqual(await contentsOf(place.data), before);
  // Another process replaces it, and appends to it.
  fs.writeFileSync(place.file('fresh'), `${plain(set('y', 1))}\n`);
  fs.renameSync(place.file('fresh'), place.log('coins'));
  assert.deepEqual(keysOf(await allPages(dashboard.url, { log: 'coins' })), ['y']);
  fs.appendFileSync(place.log('coins'), `${plain(set('z', 9))}\n`);
  assert.deepEqual(keysOf(await allPages(dashboard.url, { log: 'coins' })), ['y', 'z']);
  await dashboard.close();
  const isOurs = (name) =>
    !there.includes(name) && fs.existsSync(path.join(os.tmpdir(), name, 'logs', 'log.log'));
  await waitFor(() => !temporary().some(isOurs), 'the temporary folder to be removed');
});

test('series: the samples of all and of one log', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  const series = async (query) => {
    const { status, text } = await ask(`${dashboard.url}series?${new URLSearchParams(query)}`);
    return status === 200 ? JSON.parse(text) : status;
  };
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.collection('coins').set('ann', 1);
  await waitFor(async () => (await series({})).some(({ perSecond }) => perSecond > 0), 'a sample');
  const all = (await series({ seconds: '300' })).find(({ perSecond }) => perSecond > 0);
  assert.equal(all.logs, undefined);
  for (const name of ['p50', 'p99', 'sync50', 'sync99', 'size', 'stored', 'memory'])
    assert.ok(all[name] > 0, `${name}: ${all[name]}`);
  const coins = (await series({ log: 'coins' })).find(({ at }) => at === all.at);
  assert.ok(coins.perSecond > 0 && coins.perSecond < all.perSecond);
  assert.ok(coins.size > 0 && coins.size < all.size && coins.sync99 > 0);
  assert.deepEqual(Object.keys((await series({ log: '__proto__' }))[0]), ['at']);
  for (const seconds of ['0', '-1', 'x']) assert.equal(await series({ seconds }), 400, seconds);
});
