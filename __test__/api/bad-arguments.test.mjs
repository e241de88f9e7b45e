/**
 * Bad arguments: every call refuses them with a TypeError and a stable code before anything is touched. After each case
 * every file is byte for byte as it was. Odd but legal keys, `__proto__` first of all, are ordinary keys.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { player, ps, scene, snapshot, watchUnhandled } from '../support/durability.mjs';

const TYPE = ['ERR_INVALID_ARG_TYPE'];
const VALUE = ['ERR_INVALID_ARG_VALUE'];
const EITHER = [...TYPE, ...VALUE];

const circular = {};
circular.self = circular;
const refusedByStringify = [
  ['a circular value', circular],
  ['a BigInt', { n: 1n }],
];

const notStrings = [undefined, null, 42, NaN, true, {}, [], ['players'], () => {}, Symbol('s'), 1n].map(
  (value) => [`${String(Array.isArray(value) ? `[${value}]` : value)} (${typeof value})`, value, TYPE],
);

const badKeys = [...notStrings, ['an empty string', '', VALUE]];

const badLogNames = [
  ...notStrings,
  ...[
    '',
    'x'.repeat(201),
    'é'.repeat(101),
    'a/b',
    '/etc/passwd',
    'a\\b',
    '..',
    '.',
    '../players',
    '../../outside',
    'a/../b',
    '..\\outside',
    'a..b',
    'a\0b',
    '\0',
    'CON',
    'con',
    'Nul',
    'PRN',
    'aux',
    'COM1',
    'com9',
    'lpt1',
    '.hidden',
    '.progressive-storage',
    'ends.',
    'ends ',
    'a<b',
    'a>b',
    'a:b',
    'C:',
    'a"b',
    'a|b',
    'a?b',
    'a*b',
    'a\nb',
    'a\tb',
    '\u001f',
  ].map((name) => [JSON.stringify(name.length > 20 ? `${name.slice(0, 20)}…` : name), name, VALUE]),
];

const notNumbers = [undefined, null, '5', '', {}, [], true, 5n, Symbol('s')].map((value) => [
  `${String(value)} (${typeof value})`,
  value,
  TYPE,
]);
const notFinite = [NaN, Infinity, -Infinity].map((value) => [String(value), value, VALUE]);
/** For a parameter with a default, undefined is the default. */
const given = (cases) => cases.filter(([, value]) => value !== undefined);

const notObjects = [undefined, null, 42, 'text', true, 1n, Symbol('s')].map((value) => [
  `${String(value)} (${typeof value})`,
  value,
  TYPE,
]);

const throwOnPurpose = () => {
  throw new RangeError('on purpose');
};
const badEntries = [
  ...notObjects,
  ['a list', [1], EITHER],
  ['a function', () => {}, EITHER],
  ...refusedByStringify.map(([what, value]) => [what, { op: 'SET', key: 'k', value }, EITHER]),
  ...['_crc', '_more', '_edit', '_end'].map((own) => [`an own ${own}`, { op: 'NOTE', [own]: 1 }, EITHER]),
  ['one with a value whose toJSON throws', { op: 'SET', key: 'k', value: { toJSON: throwOnPurpose } }, null],
  ['one whose own toJSON throws', { op: 'NOTE', toJSON: throwOnPurpose }, null],
];

const badValues = [
  ['undefined', undefined, EITHER],
  ['a function', () => {}, EITHER],
  ['a symbol', Symbol('s'), EITHER],
  ['a bare BigInt', 1n, EITHER],
  ...refusedByStringify.map(([what, value]) => [what, value, EITHER]),
];

const result = (fields) => ({ userId: 'user', username: 'name', score: 1, ...fields });
const badResults = [
  ...[undefined, null, 42, 'text', {}, true].map((value) => [`${String(value)} as list`, value, TYPE]),
  ...[undefined, null, 42, 'text', true].map((value) => [
    `${String(value)} in the list`,
    [result(), value],
    EITHER,
  ]),
  ...badKeys.map(([what, userId, codes]) => [`userId ${what}`, [result(), result({ userId })], codes]),
  ...[...notNumbers, ...notFinite].map(([what, score, codes]) => [
    `score ${what}`,
    [result(), result({ score })],
    codes,
  ]),
  ...given([...notNumbers, ...notFinite]).flatMap(([what, count, codes]) => [
    [`correctAnswers ${what}`, [result(), result({ correctAnswers: count })], codes],
    [`incorrectAnswers ${what}`, [result({ incorrectAnswers: count }), result()], codes],
  ]),
];

/** [name of the parameter, the call, its bad cases] */
const calls = [
  ['appendLogEntry: logName', (s, v) => s.appendLogEntry(v, { op: 'NOTE' }), badLogNames],
  ['readLogEntries: logName', (s, v) => s.readLogEntries(v), badLogNames],
  ['rebuildStateFromLog: logName', (s, v) => s.rebuildStateFromLog(v), badLogNames],
  ['compactLog: logName', (s, v) => s.compactLog(v), badLogNames],
  ['compact: logName', (s, v) => s.compact(v), given(badLogNames)],
  ['getLogSize: logName', (s, v) => s.getLogSize(v), badLogNames],
  ['needsCompaction: logName', (s, v) => s.needsCompaction(v), badLogNames],
  ['appendLogEntry: entry', (s, v) => s.appendLogEntry('players', v), badEntries],

  ['updatePlayerStats: userId', (s, v) => s.updatePlayerStats(v, 'name', 1), badKeys],
  [
    'updatePlayerStats: score',
    (s, v) => s.updatePlayerStats('user', 'name', v),
    [...notNumbers, ...notFinite],
  ],
  [
    'updatePlayerStats: correctAnswers',
    (s, v) => s.updatePlayerStats('user', 'name', 1, false, v),
    given([...notNumbers, ...notFinite]),
  ],
  [
    'updatePlayerStats: incorrectAnswers',
    (s, v) => s.updatePlayerStats('user', 'name', 1, false, 1, v),
    given([...notNumbers, ...notFinite]),
  ],
  ['updatePlayersStats', (s, v) => s.updatePlayersStats(v), badResults],
  ['getPlayerStats: userId', (s, v) => s.getPlayerStats(v), badKeys],
  ['getPlayerRank: userId', (s, v) => s.getPlayerRank(v), badKeys],
  ['getPlayerRank: sortBy', (s, v) => s.getPlayerRank('user', v), given(notStrings)],
  ['getLeaderboard: sortBy', (s, v) => s.getLeaderboard(v), given(notStrings)],
  [
    'getLeaderboard: limit',
    (s, v) => s.getLeaderboard('totalScore', v),
    [...given(notNumbers), ['NaN', NaN, VALUE], ['-1', -1, VALUE], ['-Infinity', -Infinity, VALUE]],
  ],
  [
    'savePlayers',
    (s, v) => s.savePlayers(v),
    [
      ...notObjects,
      ['a list', [], EITHER],
      ['a function', () => {}, EITHER],
      ...refusedByStringify.map(([what, value]) => [what, { user: value }, EITHER]),
    ],
  ],
  [
    'saveTokens: tokens',
    (s, v) => s.saveTokens(v),
    [
      ...notObjects,
      ['an object', {}, TYPE],
      ['like a list', { length: 1, 0: 'a' }, TYPE],
      ...refusedByStringify.map(([what, value]) => [what, ['a', value], EITHER]),
    ],
  ],
  [
    'saveTokens: artistInfo',
    (s, v) => s.saveTokens(['a'], v),
    refusedByStringify.map(([what, value]) => [what, value, EITHER]),
  ],
  ['saveGameState: channelId', (s, v) => s.saveGameState(v, { round: 1 }), badKeys],
  [
    'saveGameState: state',
    (s, v) => s.saveGameState('channel', v),
    [...notObjects, ...refusedByStringify.map(([what, value]) => [what, value, EITHER])],
  ],
  ['loadGameState: channelId', (s, v) => s.loadGameState(v), badKeys],
  ['clearGameState: channelId', (s, v) => s.clearGameState(v), badKeys],

  ['collection get: key', (s, v) => s.collection('coins').get(v), badKeys],
  ['collection set: key', (s, v) => s.collection('coins').set(v, 1), badKeys],
  ['collection set: value', (s, v) => s.collection('coins').set('user', v), badValues],
  ['collection delete: key', (s, v) => s.collection('coins').delete(v), badKeys],
  ['collection has: key', (s, v) => s.collection('coins').has(v), badKeys],
  ['collection update: key', (s, v) => s.collection('coins').update(v, () => 1), badKeys],
  [
    'collection update: fn',
    (s, v) => s.collection('coins').update('user', v),
    [undefined, null, 42, 'text', {}, true].map((value) => [String(value), value, TYPE]),
  ],
  ['collection top: field', (s, v) => s.collection('coins').top(v), notStrings],
  [
    'collection top: n',
    (s, v) => s.collection('coins').top('score', v),
    [...given(notNumbers), ['NaN', NaN, VALUE], ['-1', -1, VALUE]],
  ],
  ['collection rank: key', (s, v) => s.collection('coins').rank(v, 'score'), badKeys],
  ['collection rank: field', (s, v) => s.collection('coins').rank('user', v), notStrings],
];

/** `codes` null: any TypeError will do, or the error that the caller's own code threw. */
function assertRefused(error, codes, what) {
  if (codes === null) {
    assert.ok(error instanceof Error, `${what}: ${error}`);
    return;
  }
  assert.ok(error instanceof TypeError, `${what}: ${error?.stack ?? error}`);
  assert.ok(codes.includes(error.code), `${what}: code ${error.code}, ${error.message}`);
}

async function filledPlace(t) {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.saveTokens(['a']);
  await storage.saveGameState('channel', { round: 1 });
  await storage.collection('coins').set('user', { score: 1 });
  await storage.flush();
  return { place, storage };
}

for (const [what, call, cases] of calls) {
  test(`${what} refuses ${cases.length} kinds of bad input`, async (t) => {
    const unhandled = watchUnhandled(t);
    const { place, storage } = await filledPlace(t);
    const untouched = place.open({ dataDir: path.join(place.root, 'new') });
    const before = snapshot(place.root, { times: true });
    for (const [name, value, codes] of cases) {
      for (const each of [storage, untouched]) {
        // It must be a rejection: a call that throws at once would pass by the caller's catch().
        const promise = call(each, value);
        assert.equal(typeof promise?.then, 'function', `${what} ${name} returns a promise`);
        const error = await promise.then(
          () => assert.fail(`${what} accepted ${name}`),
          (reason) => reason,
        );
        assertRefused(error, codes, `${what} ${name}`);
      }
      assert.deepEqual(snapshot(place.root, { times: true }), before, `${what} ${name} changed a file`);
    }
    assert.deepEqual(await unhandled(), []);
    // The refusals did no harm to what comes next.
    assert.equal((await storage.updatePlayerStats('user', 'name', 1)).totalGames, 2);
  });
}

test('calls without any arguments are refused', async (t) => {
  const { place, storage } = await filledPlace(t);
  const before = snapshot(place.root, { times: true });
  for (const name of [
    'appendLogEntry',
    'readLogEntries',
    'rebuildStateFromLog',
    'compactLog',
    'getLogSize',
    'needsCompaction',
    'saveTokens',
    'savePlayers',
    'getPlayerStats',
    'updatePlayerStats',
    'updatePlayersStats',
    'getPlayerRank',
    'saveGameState',
    'loadGameState',
    'clearGameState',
  ]) {
    await assert.rejects(storage[name](), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, name);
  }
  for (const name of ['get', 'set', 'delete', 'has', 'update', 'top', 'rank']) {
    await assert.rejects(
      storage.collection('coins')[name](),
      { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' },
      name,
    );
  }
  assert.deepEqual(snapshot(place.root, { times: true }), before);
});

test('a bad call among good ones, none awaited, costs only itself', async (t) => {
  const unhandled = watchUnhandled(t);
  const { storage } = await filledPlace(t);
  const results = await Promise.allSettled([
    storage.updatePlayerStats('user', 'name', 1),
    storage.updatePlayerStats('user', 'name', NaN),
    storage.updatePlayerStats('user', 'name', 1),
    storage.appendLogEntry('..', {}),
    storage.updatePlayerStats('user', 'name', 1),
  ]);
  assert.deepEqual(
    results.map((each) => each.status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal((await storage.getPlayerStats('user')).totalGames, 4);
  assert.deepEqual(await unhandled(), []);
});

test('update: what fn throws rejects the call, what it may not return does too, and nothing changes', async (t) => {
  const unhandled = watchUnhandled(t);
  const { place, storage } = await filledPlace(t);
  const coins = storage.collection('coins');
  // `fn` runs under the lock, and taking that is no change of the data.
  const look = () => {
    const files = snapshot(place.data, { times: true });
    return Object.fromEntries(
      Object.entries(files).filter(([name]) => !name.includes('/.progressive-storage/')),
    );
  };
  const before = look();
  const thrown = new RangeError('on purpose');
  await assert.rejects(
    coins.update('user', () => {
      throw thrown;
    }),
    (error) => error === thrown,
  );
  // What fn does to the value it was given is not a change.
  await assert.rejects(
    coins.update('user', (value) => {
      value.score = 99;
      throw thrown;
    }),
    (error) => error === thrown,
  );
  const invalid = { name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' };
  for (const key of ['user', 'new']) {
    await assert.rejects(
      coins.update(key, () => undefined),
      invalid,
    );
    await assert.rejects(
      coins.update(key, async (value) => value),
      invalid,
    );
    await assert.rejects(
      coins.update(key, () => Promise.reject(new Error('on purpose'))),
      invalid,
    );
    for (const value of [() => {}, Symbol('s'), 1n, circular]) {
      await assert.rejects(
        coins.update(key, () => value),
        TypeError,
      );
    }
  }
  assert.deepEqual(await coins.entries(), [['user', { score: 1 }]]);
  assert.deepEqual(look(), before);
  assert.deepEqual(await coins.update('user', (value) => ({ score: value.score + 1 })), { score: 2 });
  assert.deepEqual(await unhandled(), []);
});

// ------------------------------------------------------------------------------------------ calls that throw

test('synchronous calls throw', async (t) => {
  const { place, storage } = await filledPlace(t);
  const before = snapshot(place.root, { times: true });
  const throws = (call, codes, what) => {
    assert.throws(call, (error) => {
      assertRefused(error, codes, what);
      return true;
    });
  };
  for (const [what, name, codes] of badLogNames) {
    throws(() => storage.collection(name), codes, `collection ${what}`);
    throws(() => storage.streamLogEntries(name), codes, `streamLogEntries ${what}`);
    throws(() => new ps.CompactionScheduler(1000).start([name]), codes, `start ${what}`);
  }
  for (const names of [null, 42, 'players', {}]) {
    throws(() => new ps.CompactionScheduler(1000).start(names), TYPE, `start ${names}`);
  }
  for (const interval of [null, '5', {}, NaN, -1, Infinity, 0]) {
    throws(() => new ps.CompactionScheduler(interval), EITHER, `CompactionScheduler ${interval}`);
  }
  assert.deepEqual(snapshot(place.root, { times: true }), before);
});

const badOptions = [
  ['dataDir', 42],
  ['dataDir', null],
  ['dataDir', ''],
  ['dataDir', 'a\0b'],
  ['dataDir', {}],
  ['fsync', 'sometimes'],
  ['fsync', true],
  ['fsync', null],
  ['fsyncIntervalMs', '5'],
  ['fsyncIntervalMs', NaN],
  ['fsyncIntervalMs', -1],
  ['fsyncIntervalMs', Infinity],
  ['onCorruption', 'ignore'],
  ['onCorruption', 1],
  ['dataDirectory', '/tmp'],
  ['fSync', 'always'],
];

test('a bad option is refused by name', (t) => {
  const place = scene(t);
  for (const [name, value] of badOptions) {
    for (const [what, call] of [
      ['new Storage', () => new ps.Storage({ dataDir: place.data, [name]: value })],
      ['configure', () => ps.configure({ dataDir: place.data, [name]: value })],
    ]) {
      assert.throws(call, (error) => {
        assertRefused(error, EITHER, `${what} ${name}: ${String(value)}`);
        assert.match(error.message, new RegExp(name), `${what} names ${name}`);
        return true;
      });
    }
  }
  for (const options of [null, 42, 'data', []]) {
    assert.throws(() => new ps.Storage(options), { name: 'TypeError' }, `new Storage(${options})`);
    assert.throws(() => ps.configure(options), { name: 'TypeError' }, `configure(${options})`);
  }
  assert.deepEqual(fs.readdirSync(place.root), []);
});

// ---------------------------------------------------------------------------------------- odd but legal names

test('a log name of exactly 200 bytes, and other legal ones', async (t) => {
  const place = scene(t);
  const storage = place.open();
  for (const name of [
    'x'.repeat(200),
    'é'.repeat(100),
    'a.b',
    'con2',
    'nulls',
    'with space',
    '-',
    '日本',
    '$HOME',
  ]) {
    await storage.appendLogEntry(name, { op: 'SET', key: 'k', value: name });
    assert.deepEqual(await storage.rebuildStateFromLog(name), { k: name });
    await storage.compactLog(name);
    assert.ok(fs.existsSync(place.log(name)));
  }
  assert.deepEqual(fs.readdirSync(place.root), ['data']);
});

const oddKeys = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '../../outside',
  '..',
  '/etc/passwd',
  'C:\\outside',
  'a\0b',
  'a\nb',
  '"quoted"',
  '\u2028',
  ' ',
  '😀',
  'x'.repeat(10_000),
  '-1',
  '1.5',
  '4294967295',
  '007',
];

test('odd keys are ordinary keys and reach nothing outside the data directory', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const coins = storage.collection('coins');
  for (const key of oddKeys) {
    assert.equal(await coins.get(key), undefined, key.slice(0, 20));
    assert.equal(await coins.has(key), false);
    assert.equal(await storage.loadGameState(key), null);
    assert.deepEqual((await storage.getPlayerStats(key)).gamesHistory, []);
    assert.equal((await storage.getPlayerStats(key)).userId, key);
    assert.equal(await storage.getPlayerRank(key), null);

    await coins.set(key, { polluted: key });
    assert.deepEqual(await coins.get(key), { polluted: key });
    await storage.saveGameState(key, { polluted: key });
    assert.equal((await storage.loadGameState(key)).polluted, key);
    assert.equal((await storage.updatePlayerStats(key, key, 1)).totalGames, 1);
    assert.equal((await storage.updatePlayerStats(key, key, 1)).totalGames, 2);
  }
  assert.equal(await coins.size(), oddKeys.length);
  const expected = [...oddKeys].sort();
  assert.deepEqual((await coins.keys()).sort(), expected);
  assert.deepEqual(Object.keys(await storage.loadPlayers()).sort(), expected);
  await storage.close();

  const again = place.open();
  assert.deepEqual(Object.keys(await again.loadPlayers()).sort(), expected);
  assert.deepEqual(Object.keys(await again.getAllGameStates()).sort(), expected);
  for (const key of oddKeys) {
    assert.equal((await again.getPlayerStats(key)).totalGames, 2);
    assert.equal(await again.collection('coins').delete(key), true);
    await again.clearGameState(key);
  }
  assert.equal(await again.collection('coins').size(), 0);
  assert.deepEqual(await again.getAllGameStates(), {});
  assert.deepEqual(fs.readdirSync(place.root), ['data']);
});

test('__proto__ as a key changes no prototype, whichever way it comes', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const evil = JSON.parse('{"__proto__": {"polluted": true}}');
  await storage.savePlayers(evil);
  await storage.appendLogEntry('events', { op: 'SET', data: evil });
  await storage.appendLogEntry('events', { op: 'SET', key: '__proto__', value: { polluted: 'again' } });
  await storage.appendLogEntry('players', { op: 'SET', data: evil });
  await storage.updatePlayersStats([{ userId: '__proto__', username: 'name', score: 1 }]);
  await storage.saveGameState('channel', evil);
  await storage.collection('coins').set('__proto__', evil);
  await storage.compactLog('players');

  const players = await storage.loadPlayers();
  const rebuilt = await storage.rebuildStateFromLog('events');
  const states = await storage.getAllGameStates();
  for (const object of [players, rebuilt, states, await storage.getPlayerStats('other')]) {
    assert.equal(Object.getPrototypeOf(object), Object.prototype);
    assert.equal(object.polluted, undefined);
  }
  assert.equal({}.polluted, undefined);
  assert.equal(Object.hasOwn(players, '__proto__'), true);
  assert.deepEqual(Object.getOwnPropertyDescriptor(rebuilt, '__proto__').value, { polluted: 'again' });
  const stored = Object.getOwnPropertyDescriptor(players, '__proto__').value;
  assert.equal(stored.polluted, true);
  assert.equal(stored.totalGames, 1);
  assert.deepEqual(Object.keys(await storage.loadGameState('channel')), ['__proto__', 'lastUpdated']);
  const [entry] = await storage.readLogEntries('events');
  assert.deepEqual(Object.keys(entry.data), ['__proto__']);

  // An edit by hand that holds such a key, too.
  await storage.close();
  fs.writeFileSync(place.mirror(), '{"__proto__": {"polluted": true}, "a": {"totalScore": 1}}');
  const again = place.open();
  const edited = await again.loadPlayers();
  assert.deepEqual(Object.keys(edited), ['__proto__', 'a']);
  assert.equal(Object.getPrototypeOf(edited), Object.prototype);
  await again.clearGameState('__proto__');
  await again.updatePlayerStats('__proto__', 'name', 1);
  assert.equal({}.totalGames, undefined);
});

test('__proto__ in a log written by hand', async (t) => {
  const place = scene(t);
  place.writeLog(
    [
      '{"op":"SET","key":"__proto__","value":{"polluted":true}}',
      '{"op":"SET","data":{"__proto__":{"polluted":true},"a":{}}}',
      '{"op":"CHECKPOINT","state":{"__proto__":{"polluted":true},"b":{}}}',
      '{"op":"SET","key":"x","value":1,"__proto__":{"op":"DELETE"}}',
    ],
    'events',
  );
  const storage = place.open();
  const state = await storage.rebuildStateFromLog('events');
  assert.deepEqual(Object.keys(state), ['__proto__', 'a', 'b', 'x']);
  assert.equal(Object.getPrototypeOf(state), Object.prototype);
  assert.equal({}.polluted, undefined);
});

test('a lone surrogate is kept as it is, or refused, but never turned into another key', async (t) => {
  const coins = scene(t).open().collection('coins');
  const keys = ['\ud800', '\udfff', '\ufffd', 'a\ud800b'];
  const accepted = [];
  for (const key of keys) {
    const refusal = await coins.set(key, { key }).then(
      () => null,
      (error) => error,
    );
    if (refusal) assertRefused(refusal, EITHER, JSON.stringify(key));
    else accepted.push(key);
  }
  assert.deepEqual(await coins.keys(), accepted);
  for (const key of accepted) assert.deepEqual(await coins.get(key), { key });
});

test('values come back as they went in, and the caller may change what it got', async (t) => {
  const place = scene(t);
  const storage = place.open();
  const given = { user: player('user') };
  const saving = storage.savePlayers(given);
  // The call was made; what happens to the argument afterwards is the caller's business.
  given.user.totalScore = -1;
  await saving;
  const loaded = await storage.loadPlayers();
  assert.equal(loaded.user.totalScore, 10);
  loaded.user.totalScore = -1;
  delete loaded.user.gamesHistory;
  assert.deepEqual(await storage.loadPlayers(), { user: player('user') });
  const [leader] = await storage.getLeaderboard();
  leader.totalScore = -1;
  assert.equal((await storage.getLeaderboard())[0].totalScore, 10);
  assert.equal((await storage.getPlayerStats('user')).totalScore, 10);
});

test('what a getter or a proxy throws rejects the call, and nothing else', async (t) => {
  const storage = scene(t).open();
  const coins = storage.collection('coins');
  const thrown = new Error('thrown on purpose');
  const fail = () => {
    throw thrown;
  };
  const thrower = (name) => Object.defineProperty({}, name, { get: fail, enumerable: true });
  const unhandled = watchUnhandled(t);
  const calls = {
    'a result': () => storage.updatePlayersStats([thrower('userId')]),
    toJSON: () => storage.saveGameState('x', thrower('toJSON')),
    'own names': () => storage.saveGameState('x', new Proxy({ toJSON() {} }, { ownKeys: fail })),
    'an option': () => storage.rebuildStateFromLog('events', thrower('at')),
    'what fn returns, unknown before': () => coins.update('a', () => thrower('then')),
    'what fn returns': () => coins.update('a', () => thrower('then')),
  };
  for (const [name, call] of Object.entries(calls)) {
    // A call that throws at once would reject here as well, so it is made before.
    const promise = call();
    await assert.rejects(promise, (error) => error === thrown, name);
  }
  for (const reason of [null, undefined, thrower('message')]) {
    const value = {
      toJSON() {
        throw reason;
      },
    };
    const promise = coins.set('a', value);
    await assert.rejects(promise, { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  }
  await coins.set('b', 1);
  assert.deepEqual(await coins.entries(), [['b', 1]]);
  assert.deepEqual(await unhandled(), []);
});
