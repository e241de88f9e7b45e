/**
 * Values that calls refuse, as rows of [description, value, codes that the error may have]; the calls with them; and the
 * check of a refusal.
 */
import assert from 'node:assert/strict';
import { ps, scene } from './durability.mjs';

export const TYPE = ['ERR_INVALID_ARG_TYPE'];
const VALUE = ['ERR_INVALID_ARG_VALUE'];
export const EITHER = [...TYPE, ...VALUE];

export const circular = {};
circular.self = circular;
const refusedByStringify = [
  ['a circular value', circular],
  ['a BigInt', { n: 1n }],
];

const notStrings = [undefined, null, 42, NaN, true, {}, [], ['players'], () => {}, Symbol('s'), 1n].map(
  (value) => [`${String(Array.isArray(value) ? `[${value}]` : value)} (${typeof value})`, value, TYPE],
);

const badKeys = [...notStrings, ['an empty string', '', VALUE]];

const notTimes = [
  ['a string', '1000', TYPE],
  ['null', null, TYPE],
  ['a BigInt', 1000n, TYPE],
  ['a Date', new Date(), TYPE],
  ['NaN', Number.NaN, VALUE],
  ['Infinity', Number.POSITIVE_INFINITY, VALUE],
  ['a negative number', -1, VALUE],
  ['more than a Date holds', 8.64e15 + 1, VALUE],
];
const notExpiries = [
  ['null', null, TYPE],
  ['a number', 1000, TYPE],
  ['an array', [], TYPE],
  ['both', { ttlMs: 1000, expiresAt: Date.now() + 1000 }, VALUE],
  ['ttlMs: 0', { ttlMs: 0 }, VALUE],
  ...notTimes.map(([what, value, codes]) => [`ttlMs: ${what}`, { ttlMs: value }, codes]),
  ...notTimes.map(([what, value, codes]) => [`expiresAt: ${what}`, { expiresAt: value }, codes]),
];

export const badLogNames = [
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
  ...['_crc', '_edit', '_memory', '_more', '_end'].map((own) => [
    `an own ${own}`,
    { op: 'NOTE', [own]: 1 },
    EITHER,
  ]),
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

const badKeyLists = [
  ...notObjects,
  ['an object', {}, TYPE],
  ['a function', () => ['user'], TYPE],
  ...badKeys.map(([what, key, codes]) => [`a list with ${what}`, ['user', key], codes]),
  ['a Set with a number', new Set(['user', 42]), TYPE],
  ['a list that throws', { [Symbol.iterator]: throwOnPurpose }, null],
];

const badPairs = [
  ...notObjects,
  ['a function', () => {}, TYPE],
  ['a list of keys', ['user', 'new'], TYPE],
  ['a list of objects', [{ user: 1 }], TYPE],
  ...badKeys.flatMap(([what, key, codes]) => [
    [
      `pairs with the key ${what}`,
      [
        ['user', 2],
        [key, 1],
      ],
      codes,
    ],
    [`a Map with the key ${what}`, new Map([['user', 2]]).set(key, 1), codes],
  ]),
  ['an object with an empty key', { user: 2, '': 1 }, VALUE],
  ...badValues.flatMap(([what, value, codes]) => [
    [
      `pairs with the value ${what}`,
      [
        ['new', 1],
        ['user', value],
      ],
      codes,
    ],
    [`an object with the value ${what}`, { new: 1, user: value }, codes],
  ]),
  ['a pair without a value', [['user']], TYPE],
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

/** Calls that return a promise, as [name of the parameter, the call, its bad cases]. */
export const badCalls = [
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
  ['collection set: options', (s, v) => s.collection('coins').set('user', 1, v), notExpiries],
  ['collection update: options', (s, v) => s.collection('coins').update('user', () => 1, v), notExpiries],
  ['collection expiresAt: key', (s, v) => s.collection('coins').expiresAt(v), badKeys],
  ['collection delete: key', (s, v) => s.collection('coins').delete(v), badKeys],
  ['collection has: key', (s, v) => s.collection('coins').has(v), badKeys],
  ['collection update: key', (s, v) => s.collection('coins').update(v, () => 1), badKeys],
  [
    'collection update: fn',
    (s, v) => s.collection('coins').update('user', v),
    [undefined, null, 42, 'text', {}, true].map((value) => [String(value), value, TYPE]),
  ],
  ...['getMany', 'deleteMany', 'updateMany'].map((method) => [
    `collection ${method}: keys`,
    (s, v) => s.collection('coins')[method](v, () => ({})),
    badKeyLists,
  ]),
  ['collection setMany: entries', (s, v) => s.collection('coins').setMany(v), badPairs],
  [
    'collection updateMany: a key twice',
    (s, v) => s.collection('coins').updateMany(v, () => ({})),
    [['a list', ['user', 'new', 'user'], VALUE]],
  ],
  [
    'collection updateMany: fn',
    (s, v) => s.collection('coins').updateMany(['user'], v),
    [undefined, null, 42, 'text', {}, true].map((value) => [String(value), value, TYPE]),
  ],
  [
    'transaction: places',
    (s, v) => s.transaction(v, (values) => values),
    [
      ...[undefined, null, 42, 'text', {}, true].map((value) => [String(value), value, TYPE]),
      ['none', [], VALUE],
      ['a name alone', ['coins'], TYPE],
      ['no pair', [['coins']], VALUE],
      ['three values', [['coins', 'user', 1]], VALUE],
      ['no collection', [[{}, 'user']], TYPE],
      ['a path as a name', [['../coins', 'user']], VALUE],
      ['no key', [['coins', 42]], TYPE],
      ['an empty key', [['coins', '']], VALUE],
      [
        'a place twice',
        [
          ['coins', 'user'],
          ['bank', 'user'],
          ['coins', 'user'],
        ],
        VALUE,
      ],
    ],
  ],
  [
    'transaction: fn',
    (s, v) => s.transaction([['coins', 'user']], v),
    [undefined, null, 42, 'text', {}, true].map((value) => [String(value), value, TYPE]),
  ],
  ['collection ensure: key', (s, v) => s.collection('coins').ensure(v, 1), badKeys],
  ['collection ensure: value', (s, v) => s.collection('coins').ensure('user', v), badValues],
  ['collection increment: key', (s, v) => s.collection('coins').increment(v, 'score'), badKeys],
  ['collection increment: field', (s, v) => s.collection('coins').increment('user', v), badKeys],
  [
    'collection increment: by',
    (s, v) => s.collection('coins').increment('user', 'score', v),
    given([...notNumbers, ...notFinite]),
  ],
  ['collection push: key', (s, v) => s.collection('coins').push(v, 'list', 1), badKeys],
  ['collection push: field', (s, v) => s.collection('coins').push('user', v, 1), badKeys],
  ['collection push: field, without items', (s, v) => s.collection('coins').push('user', v), badKeys],
  ['collection push: items', (s, v) => s.collection('coins').push('user', 'list', 1, v), badValues],
  ['collection top: field', (s, v) => s.collection('coins').top(v), notStrings],
  [
    'collection top: n',
    (s, v) => s.collection('coins').top('score', v),
    [...given(notNumbers), ['NaN', NaN, VALUE], ['-1', -1, VALUE]],
  ],
  ['collection rank: key', (s, v) => s.collection('coins').rank(v, 'score'), badKeys],
  ['collection rank: field', (s, v) => s.collection('coins').rank('user', v), notStrings],
];

/** Calls with a parameter that has no default, as [name, the call without any argument]. */
export const callsWithoutArguments = [
  ...[
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
  ].map((name) => [name, (s) => s[name]()]),
  ...[
    'get',
    'set',
    'delete',
    'has',
    'update',
    'ensure',
    'increment',
    'push',
    'top',
    'rank',
    'getMany',
    'setMany',
    'deleteMany',
    'updateMany',
  ].map((name) => [`collection ${name}`, (s) => s.collection('coins')[name]()]),
];

/** Options of `new Storage` and `configure`, as [name, value]: bad ones for any place. */
export const badOptions = [
  ['fsync', 'sometimes'],
  ['fsync', true],
  ['fsync', null],
  ['logger', 42],
  ['dataDirectory', '/tmp'],
  ['fSync', 'always'],
];
/** The same, of a folder. */
export const badFolderOptions = [
  ['dataDir', 42],
  ['dataDir', null],
  ['dataDir', ''],
  ['dataDir', 'a\0b'],
  ['dataDir', {}],
  ['fsyncIntervalMs', '5'],
  ['fsyncIntervalMs', NaN],
  ['fsyncIntervalMs', -1],
  ['fsyncIntervalMs', Infinity],
  ['onCorruption', 'ignore'],
  ['onCorruption', 1],
  ['mirror', 'never'],
  ['mirror', false],
  ['cacheBytes', -1],
  ['cacheBytes', 1.5],
  ['cacheBytes', '64'],
  ['cacheBytes', 'none'],
  ['cacheBytes', null],
];

/** `new Storage` and `configure` throw at these options, and name the bad one. */
export function assertOptionRefused(options, name) {
  for (const [what, call] of [
    ['new Storage', () => new ps.Storage(options)],
    ['configure', () => ps.configure(options)],
  ]) {
    assert.throws(call, (error) => {
      assertRefused(error, EITHER, `${what} ${name}: ${String(options[name])}`);
      assert.match(error.message, new RegExp(name), `${what} names ${name}`);
      return true;
    });
  }
}

/** `codes` null: any error, for example the one that the caller's own code threw. */
export function assertRefused(error, codes, what) {
  if (codes === null) {
    assert.ok(error instanceof Error, `${what}: ${error}`);
    return;
  }
  assert.ok(error instanceof TypeError, `${what}: ${error?.stack ?? error}`);
  assert.ok(codes.includes(error.code), `${what}: code ${error.code}, ${error.message}`);
}

const LOGS = ['players', 'tokens', 'game_state', 'coins', 'events'];

/** The entries of each log of the bot and of a collection. */
export const entriesOf = (storage) => Promise.all(LOGS.map((name) => storage.readLogEntries(name)));

/** A place with something in each of these logs but the last one. */
export async function filledPlace(t) {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.saveTokens(['a']);
  await storage.saveGameState('channel', { round: 1 });
  await storage.collection('coins').set('user', { score: 1 });
  await storage.flush();
  return { place, storage };
}
