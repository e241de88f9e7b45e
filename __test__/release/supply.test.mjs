// The check of the lock files finds packages without a hash, from elsewhere, and with licences that this project does not take.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { faultsOfLock, isAllowed } from '../../scripts/supply/npm-lock.mjs';
import { repositoryRoot } from '../support/temp.mjs';

test('a licence is taken where the expression leaves a choice that is allowed', () => {
  const allowed = ['MIT', 'ISC'];
  const values = [
    ['MIT', true],
    ['GPL-3.0-only', false],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND GPL-3.0-only', false],
    ['GPL-3.0-only OR (MIT AND ISC)', true],
    ['(GPL-3.0-only OR MIT) AND Foo', false],
    ['MIT/Apache-2.0', true],
    ['SEE LICENSE IN x', false],
    ['MIT MIT', false],
  ];
  for (const [expression, value] of values) assert.equal(isAllowed(expression, allowed), value, expression);
});

test('every package of the lock files has a hash, a known source and a licence', () => {
  for (const file of ['package-lock.json', 'bench/package-lock.json', 'bench/prisma/package-lock.json']) {
    const lock = JSON.parse(readFileSync(path.join(repositoryRoot, file), 'utf8'));
    assert.ok(Object.keys(lock.packages).length > 50, file);
    assert.deepEqual(faultsOfLock(lock), [], file);
  }
});

test('each fault of a lock file is found', () => {
  const good = { version: '1.0.0', integrity: 'sha512-x', license: 'MIT' };
  const faults = (entry, own = {}) =>
    faultsOfLock({ name: 'progressive-storage', packages: { '': own, 'node_modules/@a/b': entry } });
  assert.deepEqual(faults(good), []);
  assert.deepEqual(faults({ ...good, integrity: undefined }), ['@a/b@1.0.0 has no hash']);
  assert.deepEqual(faults({ ...good, integrity: 'sha1-x' }), ['@a/b@1.0.0 has no hash']);
  assert.deepEqual(faults({ ...good, license: undefined }), ['@a/b@1.0.0 names no licence']);
  assert.deepEqual(faults({ ...good, license: 'AGPL-3.0' }), ['@a/b@1.0.0 has the licence AGPL-3.0']);
  assert.deepEqual(faults({ ...good, resolved: 'git+ssh://git@example.org/a/b.git' }), [
    '@a/b@1.0.0 has an address of its own, git+ssh://git@example.org/a/b.git',
  ]);
  assert.deepEqual(faults(good, { dependencies: { '@a/b': '1' } }), ['users would install @a/b']);
});
