// The version of a release is the same in every file that has it; the check finds each file that differs, and the command
// that sets it reaches them all.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { faultsOf, faultsOfTag, setVersion } from '../../scripts/versions.mjs';
import { repositoryRoot, temporaryFolder } from '../support/temp.mjs';

const platforms = readdirSync(path.join(repositoryRoot, 'npm'));
const FILES = [
  'package.json',
  'package-lock.json',
  'Cargo.toml',
  'Cargo.lock',
  'fuzz/Cargo.lock',
  'lib/native.js',
  ...platforms.map((name) => `npm/${name}/package.json`),
];
const { version } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8'));

async function copied(t) {
  const folder = await temporaryFolder(t);
  for (const file of [...FILES, 'CHANGELOG.md']) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    cpSync(path.join(repositoryRoot, file), path.join(folder, file));
  }
  return folder;
}

function change(folder, file, edit) {
  const name = path.join(folder, file);
  const text = readFileSync(name, 'utf8');
  const next = edit(text);
  assert.notEqual(next, text, `${file} changes`);
  writeFileSync(name, next);
}

test('all files have one version', () => {
  assert.deepEqual(faultsOf(repositoryRoot), []);
});

test('every file with another version is found', async (t) => {
  for (const file of FILES.slice(1)) {
    const folder = await copied(t);
    // The crate's own entry, or the first one in a file that has only its own.
    const own = /(name = "progressive-storage"\r?\nversion = "|"version": "|mismatch, expected )[^"' ]+/;
    change(folder, file, (text) => text.replace(own, '$17.7.7'));
    const found = faultsOf(folder);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0], new RegExp(`^${file.replaceAll('.', '\\.')} has the version 7\\.7\\.7`));
  }
});

test('the platform packages that the main one depends on are those of npm/, in its version', async (t) => {
  const folder = await copied(t);
  const depend = (names) =>
    writeFileSync(
      path.join(folder, 'package.json'),
      JSON.stringify({ version, optionalDependencies: Object.fromEntries(names) }, null, 2),
    );
  const right = platforms.map((name) => [`progressive-storage-${name}`, version]);
  depend(right);
  assert.deepEqual(faultsOf(folder), []);
  depend(right.slice(1));
  assert.match(faultsOf(folder).join('\n'), /depends on other packages than those in npm\//);
  depend([...right.slice(1), [right[0][0], '7.7.7']]);
  assert.match(faultsOf(folder).join('\n'), /package\.json has the version 7\.7\.7/);
});

test('setting a version changes every file that has one, and nothing else', async (t) => {
  const folder = await copied(t);
  const before = FILES.map((file) => readFileSync(path.join(folder, file), 'utf8'));
  assert.deepEqual(setVersion(folder, '98.76.54').sort(), [...FILES].sort());
  assert.deepEqual(faultsOf(folder), []);
  setVersion(folder, version);
  assert.deepEqual(
    FILES.map((file) => readFileSync(path.join(folder, file), 'utf8')),
    before,
  );
  assert.throws(() => setVersion(folder, '1.2'), /is no version/);
});

test('a tag is the version, and the changelog has its day', async (t) => {
  const folder = await copied(t);
  writeFileSync(path.join(folder, 'CHANGELOG.md'), `# Changelog\n\n## [${version}] - 2026-01-31\n`);
  assert.deepEqual(faultsOfTag(folder, `v${version}`), []);
  assert.match(faultsOfTag(folder, 'v7.7.7')[0], /The tag is v7\.7\.7/);
  writeFileSync(path.join(folder, 'CHANGELOG.md'), `# Changelog\n\n## [${version}] - unreleased\n`);
  assert.match(faultsOfTag(folder, `v${version}`)[0], /CHANGELOG\.md has no heading/);
});
