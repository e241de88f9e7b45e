// How `history` and `diff` show what changed: by field, in lines that fit the terminal, with wide characters counted as two
// columns, and with nothing in them that a terminal obeys.

import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { changeLines, linesOfChange } from '../../bin/support/change-lines.mjs';
import { Terminal } from '../../bin/support/terminal.mjs';
import { columnsOf, fit, visible } from '../../bin/support/visible.mjs';
import { Storage } from '../../index.js';
import { contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { seededRandom } from '../support/durability.mjs';
import { folderWithHistory } from '../support/player-history.mjs';
import { closeStorage, openStorage, temporaryFolder } from '../support/temp.mjs';
import { noTerminal, runOnTerminal } from '../support/terminal.mjs';

const ESCAPE = '\u001b';
const RAW = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;
const HOSTILE = 'x\u001b]0;owned\u0007\u009b2J\u202e\u2028\n';
const shown = (lines) => lines.map(({ sign, text }) => `${sign} ${text}`);
const proto = (value) => JSON.parse(`{"__proto__":${JSON.stringify(value)}}`);

test('changes by field, and of a list what came and went', () => {
  const games = (...scores) => scores.map((score) => ({ score }));
  for (const [from, to, expected] of [
    [{ a: 1, b: { c: 2 } }, { a: 1, b: { c: 3 } }, ['~ b.c: 2 → 3']],
    [{ a: 1 }, { b: 2 }, ['- a: 1', '+ b: 2']],
    [{ a: { b: 1 } }, { a: { b: 1, c: { d: 2 } } }, ['+ a.c: {"d":2}']],
    [{ a: 1 }, { a: null }, ['~ a: 1 → null']],
    [{ 'x y': 1 }, { 'x y': 2 }, ['~ ["x y"]: 1 → 2']],
    [{ g: games(1, 2) }, { g: games(1, 2, 3) }, ['+ g[]: {"score":3}']],
    // A list that keeps only the newest.
    [{ g: games(1, 2, 3) }, { g: games(2, 3, 4) }, ['- g[]: {"score":1}', '+ g[]: {"score":4}']],
    [{ g: games(1, 2, 3) }, { g: games(1, 3) }, ['- g[]: {"score":2}']],
    [{ g: games(1, 2, 3) }, { g: games(1, 5, 3) }, ['~ g[1].score: 2 → 5']],
    [{ g: [] }, { g: [1, 2, 3] }, ['+ g[]: 1', '+ g[]: 2', '+ g[]: 3']],
    [{ g: [] }, { g: [1, 2, 3, 4] }, ['+ g[]: 4 items, the last: 4']],
    [{ g: [1, 2] }, { g: [3, 4] }, ['~ g[0]: 1 → 3', '~ g[1]: 2 → 4']],
    [[1], [1, 2], ['+ []: 2']],
    [1, 2, ['~ 1 → 2']],
    [1, [1], ['~ 1 → [1]']],
    [{ a: 1 }, 2, ['~ {"a":1} → 2']],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, []],
    [undefined, 1, ['+ 1']],
    [undefined, {}, ['+ {}']],
    [undefined, { a: 1, b: [] }, ['+ a: 1', '+ b: []']],
    [{ a: 1, b: [] }, undefined, ['- a: 1', '- b: []']],
    [1, undefined, ['- 1']],
    [undefined, undefined, []],
    [{}, proto(1), ['+ __proto__: 1']],
    [proto({ a: 1 }), proto({ a: 2 }), ['~ __proto__.a: 1 → 2']],
    [proto(1), { constructor: 1 }, ['- __proto__: 1', '+ constructor: 1']],
  ]) {
    assert.deepEqual(shown(changeLines(from, to)), expected);
  }
  const long = Array.from({ length: 20_001 }, (_, i) => i);
  assert.deepEqual(shown(changeLines({ g: long.slice(1) }, { g: long })), [
    '~ g: 20,000 items → 20,001 items',
  ]);
});

test('of two long values, what differs is seen', () => {
  const text = 'the same beginning of a long text, '.repeat(5);
  const line = (from, to, columns) => shown(changeLines({ a: from }, { a: to }, columns))[0];
  assert.equal(line(`${text}one`, `${text}two`, 60), '~ a: …g text, one" → …g text, two"');
  assert.equal(line('short', `${text}two`, 40), '~ a: "short" → "the same beginning of a l…');
  assert.equal(line(`${text}one`, 'short', 40), '~ a: "the same beginning of a l… → "short"');
  assert.match(line('a'.repeat(99), 'b'.repeat(99), 40), /^~ a: "a+… → "b+…$/);
  assert.equal(
    line(`${text}one`, `${text}two`),
    `~ a: "${text}one" → "${text}two"`,
    'elsewhere nothing is cut',
  );
});

const ODD = [
  'a',
  ' ',
  '日',
  '한',
  'Ａ',
  '😀',
  '✅',
  '❤️',
  '1️⃣',
  '🇩🇪',
  '👩‍👩‍👧',
  '👍🏽',
  'e\u0301',
  '\u0301',
  '\u200d',
  '\\u001b',
  '"',
];

test('the columns of a text: two for wide characters, none for accents', () => {
  assert.deepEqual(
    [
      '',
      'abc',
      '日本',
      '한글',
      'Ａ',
      'ｱ',
      'e\u0301',
      'é',
      '😀',
      '✅',
      '⭐',
      '❤',
      '❤️',
      '1️⃣',
      '🇩🇪',
      '→',
      '…',
    ].map(columnsOf),
    [0, 3, 4, 4, 2, 1, 1, 1, 2, 2, 2, 1, 2, 2, 2, 1, 1],
  );
  // Terminals that do not join them show each part.
  assert.equal(columnsOf('👩‍👩‍👧'), 6);
});

test('a cut text fits, begins as the text does, and has no half of a character', () => {
  const random = seededRandom(7);
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const starts = (text) =>
    new Set([...segmenter.segment(text)].map(({ index }) => index).concat(text.length));
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: random(30) }, () => ODD[random(ODD.length)]).join('');
    const columns = 1 + random(40);
    const cut = fit(text, columns);
    assert.ok(columnsOf(cut) <= columns, `${columns}: ${cut}`);
    if (columnsOf(text) <= columns) assert.equal(cut, text);
    else {
      assert.ok(cut.endsWith('…') && text.startsWith(cut.slice(0, -1)), cut);
      assert.ok(starts(text).has(cut.length - 1), `${JSON.stringify(text)}: ${cut}`);
      // The next character would not have fitted.
      const [next] = [...segmenter.segment(text.slice(cut.length - 1))];
      assert.ok(columnsOf(cut) + columnsOf(next.segment) > columns, `${columns}: ${cut}`);
    }
  }
  assert.equal(fit('日'.repeat(1e6), 5), '日日…', 'and what is behind the cut is not read');
});

test('no line is wider than it may be, whatever is in it', () => {
  const random = seededRandom(11);
  const word = () =>
    Array.from({ length: random(12) }, () => [...ODD, HOSTILE][random(ODD.length + 1)]).join('');
  const value = (depth) => {
    const kind = random(depth > 2 ? 3 : 5);
    if (kind === 0) return random(1000);
    if (kind === 1) return word();
    if (kind === 2) return null;
    const items = Array.from({ length: random(5) }, () => value(depth + 1));
    return kind === 3 ? items : Object.fromEntries(items.map((item) => [word(), item]));
  };
  for (let round = 0; round < 1000; round++) {
    const [from, to] = [value(0), value(0)];
    const columns = 1 + random(80);
    const lines = [...changeLines(from, to, columns), ...linesOfChange({ path: word(), from, to }, columns)];
    for (const { text } of lines) {
      assert.ok(columnsOf(text) <= columns, `${columns}: ${text}`);
      assert.doesNotMatch(text, RAW);
    }
    for (const { text } of changeLines(from, to)) assert.doesNotMatch(text, RAW);
  }
});

test('a line of pieces is cut as one, and coloured on a terminal only', () => {
  const said = (isTTY, env, columns = 12) => {
    let text = '';
    const out = { isTTY, columns, write: (more) => (text += more) };
    new Terminal({ stdout: out, stderr: out, env }).fitted(
      ['ab'],
      [`c${HOSTILE.slice(0, 2)}`, 'red'],
      ['efg', 'bold'],
    );
    return text;
  };
  assert.equal(said(true, {}, 80), 'ab\u001b[31mcx\\u001b\u001b[0m\u001b[1mefg\u001b[0m\n');
  assert.equal(said(true, {}), 'ab\u001b[31mcx\\u001b\u001b[0m\u001b[1me…\u001b[0m\n');
  assert.equal(said(true, { NO_COLOR: '1' }, 6), 'abcx\\…\n');
  assert.equal(said(false, { COLUMNS: '6' }), 'abcx\\…\n');
  assert.equal(said(false, {}), 'abcx\\u001befg\n', 'a pipe gets all of it');
});

// --- The commands ---

let template;
const LONG = '日本😀'.repeat(100);
const endings = [];
before(async () => {
  const owner = { after: (work) => endings.push(work) };
  const { storage, dataDir } = await openStorage(owner, Storage);
  const guilds = storage.collection('guilds');
  await guilds.set(HOSTILE, {
    prefix: '!',
    stats: { wins: 1 },
    roles: ['a'],
    [HOSTILE]: HOSTILE,
    long: LONG,
  });
  await guilds.set('gone', { a: 1 });
  await guilds.set('wide', Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i])));
  await storage.compactLog('guilds');
  await guilds.set(HOSTILE, { stats: { wins: 2, [HOSTILE]: 1 }, roles: ['a', HOSTILE], long: `${LONG}!` });
  await guilds.set(HOSTILE, { stats: { wins: 2, [HOSTILE]: 1 }, roles: ['a', HOSTILE], long: `${LONG}!` });
  await guilds.set('new', proto(1));
  await guilds.delete('gone');
  await closeStorage(storage);
  template = dataDir;
});
after(async () => {
  for (const end of endings.reverse()) await end();
});

async function copyOf(t) {
  const folder = path.join(await temporaryFolder(t), 'data');
  await cp(template, folder, { recursive: true });
  return folder;
}

const CHANGES = ['- prefix: "!"', '~ stats.wins: 1 → 2', `+ stats[${JSON.stringify(HOSTILE)}]: 1`].map(
  visible,
);

test('history: what changed, below the time and the operation', async (t) => {
  const dataDir = await copyOf(t);
  const { code, stdout } = await runCli(t, ['history', HOSTILE, dataDir, '--log', 'guilds']);
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split('\n');
  for (const change of CHANGES) assert.ok(lines.includes(`      ${change}`), `${change} in ${stdout}`);
  assert.ok(lines.includes(`      ~ long: "${LONG}" → "${LONG}!"`), 'in a pipe nothing is cut');
  assert.equal(lines.filter((line) => /^ {2}\d{4}-\S+Z {2}SET {9}guilds\.log/.test(line)).length, 3);
  assert.match(lines.at(-1), /guilds\.log, the same value$/);
  for (const line of lines) assert.doesNotMatch(line, RAW);
  const gone = await runCli(t, ['history', 'gone', dataDir, '--log', 'guilds']);
  assert.match(gone.stdout, /DELETE {6}guilds\.log\n {6}- a: 1\n$/);
  const wide = ['history', 'wide', dataDir, '--log', 'guilds'];
  assert.equal((await runCli(t, wide)).stdout.split('\n').filter((line) => line.includes('+ f')).length, 100);
  const cut = await runCli(t, wide, { env: { COLUMNS: '80' } });
  assert.match(cut.stdout, /\+ f39: 39\n {6}… and 60 more: --values shows all\n$/);
});

test('diff: the keys that came and went, and of the others the fields', async (t) => {
  const dataDir = await copyOf(t);
  const args = ['diff', dataDir, '--backup', 'newest'];
  const { code, stdout } = await runCli(t, args);
  assert.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  assert.match(lines[0], /guilds\.log\.backup\.\d+ → guilds\.log: 3 keys differ, 1 the same$/);
  assert.ok(lines.includes(visible(`      ~ ${JSON.stringify(HOSTILE)}`)));
  for (const change of CHANGES) assert.ok(lines.includes(`          ${change}`), `${change} in ${stdout}`);
  assert.ok(lines.includes('      + "new": {"__proto__":1}'));
  assert.ok(lines.includes('      - "gone": {"a":1}'));
  for (const line of lines) assert.doesNotMatch(line, RAW);
  const { json } = await runCliJson(t, args);
  const { from, to } = json.comparisons[0].changes.find(({ key }) => key === HOSTILE);
  assert.deepEqual([from.long, to.long], [LONG, `${LONG}!`], 'the JSON has the values as before');
});

test('both fit the width that COLUMNS says', async (t) => {
  const dataDir = await copyOf(t);
  for (const COLUMNS of ['120', '61', '33']) {
    for (const args of [
      ['history', HOSTILE, dataDir, '--log', 'guilds'],
      ['diff', dataDir, '--backup', 'newest'],
    ]) {
      const { stdout } = await runCli(t, args, { env: { COLUMNS } });
      const lines = stdout.trimEnd().split('\n');
      // The line with both places and the number of keys is never cut.
      for (const line of lines.filter((each) => !each.includes('✘')))
        assert.ok(columnsOf(line) <= Number(COLUMNS), `${COLUMNS}: ${line}`);
      const widest = Math.max(...lines.map(columnsOf));
      if (args[0] === 'history') assert.ok(widest >= Number(COLUMNS) - 1, `${COLUMNS} columns are used`);
      assert.ok(lines.some((line) => line.trim() === '~ stats.wins: 1 → 2'));
    }
  }
});

test('on a terminal, both fit its width, and have colours without NO_COLOR', {
  skip: noTerminal,
}, async (t) => {
  const dataDir = await copyOf(t);
  const env = { COLUMNS: '', NO_COLOR: '' };
  const COLOUR = new RegExp(`${ESCAPE}\\[\\d+m`, 'g');
  for (const columns of [100, 50]) {
    for (const [args, code] of [
      [['history', 'new', dataDir, '--log', 'guilds'], 0],
      [['history', HOSTILE, dataDir, '--log', 'guilds'], 0],
      [['diff', dataDir, '--backup', 'newest'], 1],
    ]) {
      const coloured = await runOnTerminal(args, { columns, env, code });
      assert.ok(coloured.includes(`${ESCAPE}[32m+ `));
      const plain = await runOnTerminal(args, { columns, env: { ...env, NO_COLOR: '1' }, code });
      assert.equal(coloured.replace(COLOUR, ''), plain);
      const lines = plain.split('\r\n').filter((line) => !line.includes('✘'));
      for (const line of lines) {
        assert.ok(columnsOf(line) <= columns, `${columns}: ${line}`);
        assert.doesNotMatch(line, RAW);
      }
    }
  }
});

test('diff --at: the data of a time and the data now', async (t) => {
  const { dataDir, between } = await folderWithHistory(t);
  const { storage } = await openStorage(t, Storage, { dataDir });
  await storage.collection('guilds').set('new', 1);
  await storage.collection('guilds').set('__proto__', 1);
  await closeStorage(storage);
  const before = await contentsOf(dataDir);
  const { code, stdout } = await runCli(t, ['diff', dataDir, '--at', between]);
  assert.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines[0], `  ✘ players at ${between} → players now: 2 keys differ, 1 the same`);
  assert.equal(lines[1], '      ~ "ann"');
  assert.ok(lines.includes('          ~ totalScore: 30 → 70'));
  assert.match(lines.at(-2), /^ {6}\+ "cat": \{/);
  assert.match(lines.at(-1), /^ {2}· guilds: not compared, it begins at \d{4}-\S+Z$/);
  const { json } = await runCliJson(t, ['diff', dataDir, '--at', between]);
  assert.deepEqual(
    json.comparisons.map(({ log, changes: found }) => [log, found.map(({ key }) => key)]),
    [['players', ['ann', 'cat']]],
  );
  assert.deepEqual(
    json.skipped.map(({ log }) => log),
    ['guilds'],
  );
  const now = await runCliJson(t, ['diff', dataDir, '--at', '2100-01-01']);
  assert.deepEqual([now.code, now.json.ok, now.json.comparisons.length], [0, true, 2]);
  for (const [args, wanted, errorCode] of [
    [['--at', '2020-01-01'], 3, 'ERR_NO_HISTORY'],
    [['--at', between, '--log', 'guilds'], 3, 'ERR_NO_HISTORY'],
    [['--at', between, '--log', 'none'], 5, 'ERR_NO_LOG'],
    [['--at', 'yesterday'], 2, 'ERR_USAGE'],
    [['--at', between, '--backup', 'newest'], 2, 'ERR_USAGE'],
    [[dataDir, '--at', between], 2, 'ERR_USAGE'],
  ]) {
    const refused = await runCliJson(t, ['diff', dataDir, ...args]);
    assert.deepEqual([refused.code, refused.json.error?.code], [wanted, errorCode], args.join(' '));
  }
  assert.deepEqual(await contentsOf(dataDir), before);
});
