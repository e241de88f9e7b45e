// Each recipe of examples/recipes runs as it stands, and prints what is expected here; each is short, and in the list.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hasSqlite, RECIPES } from '../support/recipes.mjs';
import { runScript } from '../support/temp.mjs';

const LINES_MAX = 80;

const PRINTED = {
  economy: [
    'ann: You had your daily coins.',
    'ann: That takes 100 coins, and there are 70.',
    'ben: {"coins":10,"items":["sword"]}',
    'ann: The shop has none of these.',
  ],
  'guild-settings': ['at first: !', 'on the other shard: {"prefix":"?","language":"en","roles":[]}'],
  cooldowns: ['first call: 0', 'second call: 24 h', 'another user: 0', 'after its end: 0'],
  seasons: [
    '3 players, and the winner is ann with 70 points',
    'the next season has 0 players',
    'before that, it was ben',
  ],
  'from-quick-db': [
    'json: of 2, 2 written, 0 the same already',
    'json: of 2, 0 written, 1 the same already, 1 changed since, which stay as they are here: "42"',
  ],
  'from-lowdb': [
    'users: of 2, 2 written, 0 the same already',
    'settings: of 1, 1 written, 0 the same already',
    'lowdb: of 1, 1 written, 0 the same already',
    'users: of 2, 0 written, 1 the same already, 1 changed since, which stay as they are here: "42"',
    'settings: of 1, 0 written, 1 the same already',
    'lowdb: of 1, 0 written, 1 the same already',
  ],
  // What recipes share; they show nothing by themselves.
  'bring-over': [],
  'try-out': [],
};

const files = readdirSync(RECIPES)
  .filter((name) => name.endsWith('.mjs'))
  .sort();

test('every recipe is expected here, and the README lists it', () => {
  assert.deepEqual(
    files,
    Object.keys(PRINTED)
      .map((name) => `${name}.mjs`)
      .sort(),
  );
  const readme = readFileSync(path.join(RECIPES, 'README.md'), 'utf8');
  for (const file of files) assert.ok(readme.includes(`\`${file}\``), file);
});

test(`every recipe has under ${LINES_MAX} lines`, () => {
  for (const file of files) {
    const lines = readFileSync(path.join(RECIPES, file), 'utf8').trimEnd().split('\n').length;
    assert.ok(lines < LINES_MAX, `${file} has ${lines}`);
  }
});

for (const [name, lines] of Object.entries(PRINTED)) {
  const skip = name === 'from-quick-db' && !hasSqlite && 'this runtime has no node:sqlite';
  test(`${name}, started by itself`, { skip }, async (t) => {
    const { code, stdout, stderr } = await runScript(t, { file: path.join(RECIPES, `${name}.mjs`) });
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.split('\n').slice(0, -1), lines);
    assert.doesNotMatch(stderr, /Error|PS_/);
  });
}

test('without SQLite, from-quick-db says what it needs', {
  skip: hasSqlite && 'there is SQLite',
}, async (t) => {
  const { code, stderr } = await runScript(t, { file: path.join(RECIPES, 'from-quick-db.mjs') });
  assert.equal(code, 1);
  assert.match(stderr, /Install better-sqlite3, or use Node.js 22\.5 or newer\./);
});
