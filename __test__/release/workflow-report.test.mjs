// The record of what ran of the workflows names each run: what passed, what failed, what was left out and why, and what never
// ran. It keeps what earlier calls executed.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { documentOf, remember } from '../../scripts/workflow/report.mjs';
import { temporaryFolder } from '../support/temp.mjs';

const row = (name, result, isBad = false) => ({ name, result, isBad, seconds: 2 });

test('every run has its line, and only what was executed is called that', async (t) => {
  const file = path.join(await temporaryFolder(t), 'known.json');
  remember(file, 'one', {
    commit: 'abcdef0123',
    rows: [row('a', 'done'), row('b', 'left out: no | docker')],
  });
  remember(file, 'whole', { commit: 'abcdef0123', rows: [row('a', 'done, as a dry run')] });
  const known = remember(file, 'two', { commit: 'abcdef0123', rows: [row('a', 'FAILED: 1', true)] });
  const linux = { runner: 'ubuntu-24.04' };
  const all = [
    { run: linux, title: 'one', leftOut: [] },
    { run: linux, title: 'whole', leftOut: [] },
    { run: linux, title: 'two', leftOut: [] },
    { run: linux, title: 'three', leftOut: ['needs it', 'needs it'] },
    { run: { runner: 'macos-15' }, title: 'four', leftOut: [] },
  ];
  const lines = documentOf(all, known, { node: 'v1' })
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  assert.deepEqual(lines, [
    '| `one` | partly | 1 step passed in 4 s, at abcdef0; b: left out: no \\| docker |',
    '| `whole` | yes | 1 step passed in 2 s, at abcdef0; a: done, as a dry run |',
    '| `two` | no | a: FAILED: 1 |',
    '| `three` | no | not run; left out: needs it |',
    '| `four` | no | runs on macos-15 |',
  ]);
});
