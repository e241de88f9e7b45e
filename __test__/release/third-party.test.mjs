// The texts of others' licences travel with the binaries: `THIRD-PARTY-LICENSES` in every platform's package has each crate
// that `Cargo.lock` puts into any of them. After a change of the crates: `npm run licences`.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { cratesInBinaries, publishedTargets } from '../../scripts/supply/crates.mjs';
import { chosen, textsOf } from '../../scripts/supply/licence-texts.mjs';
import { NAME, outdated, platformFolders, thirdPartyText } from '../../scripts/third-party.mjs';
import { temporaryFolder } from '../support/temp.mjs';

const targets = publishedTargets();
const crates = cratesInBinaries(targets);

test('the file in every package is the one that the crates give', () => {
  assert.equal(platformFolders().length, targets.length);
  assert.deepEqual(outdated(thirdPartyText(crates, targets)), []);
});

test('the file names every crate of a binary, and its text is there', () => {
  const text = readFileSync(path.join(platformFolders()[0], NAME), 'utf8').replaceAll('\r\n', '\n');
  assert.ok(crates.length > 80, `${crates.length} crates`);
  for (const name of [
    'napi',
    'tokio',
    'ring',
    'rustls',
    'serde_json',
    'winapi-util',
    'objc2-core-foundation',
  ]) {
    assert.ok(
      crates.some((crate) => crate.name === name),
      name,
    );
  }
  for (const crate of crates) {
    assert.ok(text.includes(`\n  ${crate.name} ${crate.version}: `), crate.name);
    for (const each of textsOf(crate).texts) assert.ok(text.includes(each), crate.name);
    assert.match(crate.hash, /^[0-9a-f]{64}$/, crate.name);
  }
  assert.match(text, /The Rust standard library\n=+\n/);
});

test('what only builds or tests is not in a binary', () => {
  for (const name of ['syn', 'napi-derive', 'napi-build', 'cc', 'proptest', 'tempfile']) {
    assert.ok(!crates.some((crate) => crate.name === name), name);
  }
});

test('one licence of a choice is taken, and all that are asked for together', () => {
  assert.deepEqual(chosen('Apache-2.0 OR MIT'), ['MIT']);
  assert.deepEqual(chosen('MIT/Apache-2.0'), ['MIT']);
  assert.deepEqual(chosen('Apache-2.0 AND ISC'), ['Apache-2.0', 'ISC']);
  assert.deepEqual(chosen('(MIT OR Apache-2.0) AND Unicode-3.0'), ['MIT', 'Unicode-3.0']);
  assert.deepEqual(chosen('Apache-2.0 OR BSL-1.0'), ['BSL-1.0']);
  assert.throws(() => chosen('GPL-3.0-only'), /No licence of 'GPL-3.0-only' is known/);
});

test('the texts of a crate are those of the licence that was taken, and a crate without any is an error', async (t) => {
  const folder = await temporaryFolder(t);
  const crate = { name: 'one', version: '1.0.0', license: 'MIT OR Apache-2.0', folder };
  assert.throws(() => textsOf(crate), /one 1\.0\.0 has no text of/);
  writeFileSync(path.join(folder, 'LICENSE-APACHE'), 'the other\n');
  assert.throws(() => textsOf(crate), /one 1\.0\.0 has no text of/);
  writeFileSync(path.join(folder, 'LICENSE-MIT'), 'Copyright one \r\n');
  mkdirSync(path.join(folder, 'src', 'borrowed'), { recursive: true });
  cpSync(path.join(folder, 'LICENSE-MIT'), path.join(folder, 'src', 'borrowed', 'LICENSE'));
  writeFileSync(path.join(folder, 'NOTICE'), 'Copyright two');
  assert.deepEqual(textsOf(crate), { licences: ['MIT'], texts: ['Copyright one\n', 'Copyright two\n'] });
  assert.throws(() => textsOf({ ...crate, license: null }), /names no licence/);
});
