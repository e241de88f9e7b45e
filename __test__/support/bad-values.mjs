/**
 * Values that calls refuse, as rows of [description, value, codes that the error may have], and the check of a refusal.
 */
import assert from 'node:assert/strict';
import { scene } from './durability.mjs';

export const TYPE = ['ERR_INVALID_ARG_TYPE'];
export const VALUE = ['ERR_INVALID_ARG_VALUE'];
export const EITHER = [...TYPE, ...VALUE];

export const circular = {};
circular.self = circular;
export const refusedByStringify = [
  ['a circular value', circular],
  ['a BigInt', { n: 1n }],
];

export const notStrings = [
  undefined,
  null,
  42,
  NaN,
  true,
  {},
  [],
  ['players'],
  () => {},
  Symbol('s'),
  1n,
].map((value) => [`${String(Array.isArray(value) ? `[${value}]` : value)} (${typeof value})`, value, TYPE]);

export const badKeys = [...notStrings, ['an empty string', '', VALUE]];

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

export const notNumbers = [undefined, null, '5', '', {}, [], true, 5n, Symbol('s')].map((value) => [
  `${String(value)} (${typeof value})`,
  value,
  TYPE,
]);
export const notFinite = [NaN, Infinity, -Infinity].map((value) => [String(value), value, VALUE]);
/** For a parameter with a default, undefined is the default. */
export const given = (cases) => cases.filter(([, value]) => value !== undefined);

export const notObjects = [undefined, null, 42, 'text', true, 1n, Symbol('s')].map((value) => [
  `${String(value)} (${typeof value})`,
  value,
  TYPE,
]);

export const throwOnPurpose = () => {
  throw new RangeError('on purpose');
};
export const badEntries = [
  ...notObjects,
  ['a list', [1], EITHER],
  ['a function', () => {}, EITHER],
  ...refusedByStringify.map(([what, value]) => [what, { op: 'SET', key: 'k', value }, EITHER]),
  ...['_crc', '_more', '_edit', '_end'].map((own) => [`an own ${own}`, { op: 'NOTE', [own]: 1 }, EITHER]),
  ['one with a value whose toJSON throws', { op: 'SET', key: 'k', value: { toJSON: throwOnPurpose } }, null],
  ['one whose own toJSON throws', { op: 'NOTE', toJSON: throwOnPurpose }, null],
];

export const badValues = [
  ['undefined', undefined, EITHER],
  ['a function', () => {}, EITHER],
  ['a symbol', Symbol('s'), EITHER],
  ['a bare BigInt', 1n, EITHER],
  ...refusedByStringify.map(([what, value]) => [what, value, EITHER]),
];

export const result = (fields) => ({ userId: 'user', username: 'name', score: 1, ...fields });
export const badResults = [
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

/** `codes` null: any error, for example the one that the caller's own code threw. */
export function assertRefused(error, codes, what) {
  if (codes === null) {
    assert.ok(error instanceof Error, `${what}: ${error}`);
    return;
  }
  assert.ok(error instanceof TypeError, `${what}: ${error?.stack ?? error}`);
  assert.ok(codes.includes(error.code), `${what}: code ${error.code}, ${error.message}`);
}

/** Legal keys that others mishandle. */
export const oddKeys = [
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

/** A place with something in each log of the bot and in a collection; `entries()` reads all of it. */
export async function filledPlace(t) {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('user', 'name', 1);
  await storage.saveTokens(['a']);
  await storage.saveGameState('channel', { round: 1 });
  await storage.collection('coins').set('user', { score: 1 });
  await storage.flush();
  const names = ['players', 'tokens', 'game_state', 'coins', 'events'];
  const entries = () => Promise.all(names.map((name) => storage.readLogEntries(name)));
  return { place, storage, entries };
}
