// The table of the rehearsal in docs/hosting.md: `npm run release:rehearse` can write into it, and it has only what ran.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { CASES } from '../../scripts/rehearse/cases.mjs';
import { rowsIn, titleOf } from '../../scripts/rehearse/table.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const text = await readFile(path.join(repositoryRoot, 'docs', 'hosting.md'), 'utf8');

test('each row is a case, once, in the order of the cases', () => {
  const titles = CASES.map(titleOf);
  assert.equal(new Set(titles).size, titles.length);
  const rows = rowsIn(text);
  assert.ok(rows.length > 0, 'the rehearsal ran');
  const known = titles.filter((title) => rows.some((row) => row.case === title));
  assert.deepEqual(
    rows.map((row) => row.case),
    known,
  );
});

test('each row says what came of it, when, and how long it took', () => {
  for (const row of rowsIn(text)) {
    assert.match(row.result, /^(data whole|error: .+|not run: .+)$/, row.case);
    assert.match(row.day, /^20\d\d-\d\d-\d\d$/, row.case);
    if (row.result.startsWith('not run')) assert.equal(row.seconds, '', row.case);
    else assert.match(row.seconds, /^\d+ \+ \d+$/, row.case);
    for (const column of ['installed by', 'run by']) assert.notEqual(row[column], '', row.case);
  }
});

test('a table that is not whole is refused', () => {
  assert.throws(() => rowsIn('no markers'), /once each/);
  assert.throws(() => rowsIn(text.replace('<!-- rehearsal: end -->', '')), /once each/);
  assert.throws(() => rowsIn(text.replace('| seconds', '| hours  ')), /the columns are/);
});
