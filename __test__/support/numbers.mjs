// Numbers and texts that are easily changed on the way: scores with what their total and their mean print as, random
// results of games, and awkward keys.

/** [scores of one player, the text of their total] */
export const TOTALS = [
  [[1], '1'],
  [[0.5], '0.5'],
  [[0.1, 0.2], '0.30000000000000004'],
  [[1e21], '1e+21'],
  [[1e20], '100000000000000000000'],
  [[123456789012345680000], '123456789012345680000'],
  [[1e-6], '0.000001'],
  [[1e-7], '1e-7'],
  [[1.5e-10], '1.5e-10'],
  [[5e-324], '5e-324'],
  [[1.7976931348623157e308], '1.7976931348623157e+308'],
  [[2 ** 53, 1], '9007199254740992'],
  [[0.5, 0.5], '1'],
  [[-0], '0'],
  [[-0, -0], '0'],
  [[1, -1], '0'],
  [[-2.5], '-2.5'],
  [[4.35, 100], '104.35'],
  [[1 / 3], '0.3333333333333333'],
];

/** [scores of one player, the text of their mean] */
export const MEANS = [
  [[1, 2], '2'],
  [[-1, -2], '-1'],
  [[-3, -2], '-2'],
  [[0.5], '1'],
  [[-0.5], '0'],
  [[-0.4], '0'],
  [[-0.6], '-1'],
  [[-1.5], '-1'],
  [[-2.5], '-2'],
  [[2.5], '3'],
  [[0.49999999999999994], '0'],
  [[-0.49999999999999994], '0'],
  [[0.5000000000000001], '1'],
  [[4503599627370495.5], '4503599627370496'],
  [[-4503599627370495.5], '-4503599627370495'],
  [[4503599627370497], '4503599627370497'],
  [[9007199254740991], '9007199254740991'],
  [[-9007199254740991], '-9007199254740991'],
  [[1e300], '1e+300'],
  [[10, 11, 12.5], '11'],
];

/** Results of games of 200 players, with scores of every size. */
export function randomResults(random) {
  const bytes = new DataView(new ArrayBuffer(8));
  const anyNumber = () => {
    if (random.chance(0.5)) return (random.below(2e6) - 1e6) / 10 ** random.below(6);
    for (;;) {
      bytes.setUint32(0, random.below(2 ** 32));
      bytes.setUint32(4, random.below(2 ** 32));
      const value = bytes.getFloat64(0);
      // The sums of these stay finite.
      if (Math.abs(value) < 1e300) return value;
    }
  };
  return Array.from({ length: 200 }, (_, i) => ({
    userId: `u${i}`,
    username: 'Ann',
    score: anyNumber(),
    isWinner: random.chance(0.5),
    correctAnswers: random.below(1000),
    incorrectAnswers: random.below(1000),
  }));
}

/** Keys and names that are strings like any other. */
export const AWKWARD = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '\ud800',
  '\ud801',
  '\udc00',
  'a\udfffb',
  '\ufffd',
  '😀',
  '\ud83d\ude00\ud83d',
  'é',
  'e\u0301',
  '"',
  "'",
  '\\',
  '\\u0041',
  'line\nbreak\r\n',
  '\ttab',
  '\0',
  '\u0001\u001f',
  '\u007f',
  '\u2028\u2029',
  ' ',
  '  leading and trailing  ',
  '../../escape',
  '..\\..\\escape',
  '/etc/passwd',
  'CON',
  'a/b',
  '{"json":true}',
  '","_crc":"00000000"}',
  '_crc',
  '_more',
  '_end',
  'key',
  'value',
  'data',
  'null',
  'undefined',
  'عربي',
  '\u202eright to left',
  '日本語',
  '0',
  '00',
  '-0',
  '1e3',
  'x'.repeat(70_000),
  '😀'.repeat(5_000),
];
