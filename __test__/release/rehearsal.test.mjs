// The table of the rehearsal in docs/hosting.md: `npm run release:rehearse` can write into it, and it has only what ran. What
// a package manager says of an install script is taken for the warning that it is.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { CASES } from '../../scripts/rehearse/cases.mjs';
import { WARNING } from '../../scripts/rehearse/managers.mjs';
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
    assert.match(row.version, /^\d+\.\d+\.\d+$/, row.case);
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

// As npm 12, pnpm 12, yarn 4, yarn 1, Bun 1.4 and Deno 2.9 print it.
const WARNINGS = [
  'npm warn install-scripts 1 package had install scripts blocked because they are not covered by allowScripts:',
  'Error: ERR_PNPM_IGNORED_BUILDS',
  '➤ YN0000: · Done with warnings in 0s 354ms',
  'warning package.json: No license field',
  'Blocked 1 postinstall. Run `bun pm untrusted` for details.',
  'Ignored build scripts for packages:',
  'npm warn deprecated inflight@1.0.6: This module is not supported',
];
const FINE = [
  'added 2 packages in 2s',
  '➤ YN0000: · Done in 0s 354ms',
  'success Saved 1 new dependency.',
  'Packages are copied from the content-addressable store to the virtual store.',
  'installed progressive-storage@0.1.0 with binaries:',
];

test('a warning of an install is noticed, and nothing else', () => {
  for (const line of WARNINGS) assert.match(line, WARNING);
  for (const line of FINE) assert.doesNotMatch(line, WARNING);
});
