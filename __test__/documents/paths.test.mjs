// Every file and folder of the project that a document names is there: paths in backticks, single source files, the
// map in CONTRIBUTING, and the documents that the package has.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { filesIn, read } from '../support/sources.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const isThere = (name) => existsSync(path.join(repositoryRoot, name));

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...filesIn('docs', '.md').filter((name) => name !== 'docs/api.md'),
  ...filesIn('examples', 'README.md').filter((name) => !name.includes('node_modules')),
];

const ROOMS = ['src', 'lib', 'bin', 'dashboard', '__test__', 'tests', 'fuzz', 'bench', 'examples', 'scripts'];
const OTHERS = ['npm', 'docs', '.github', '.ci'];
// Made by a run, and not under version control.
const MADE = ['bench/results/'];

const inBackticks = (text) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);

function pathsIn(text) {
  return inBackticks(text)
    .flatMap((code) => code.split(/\s+/))
    .filter((word) => [...ROOMS, ...OTHERS].some((room) => word.startsWith(`${room}/`)))
    .filter((word) => !MADE.some((folder) => word.startsWith(folder)));
}

function matches(pattern) {
  if (!pattern.includes('*')) return isThere(pattern);
  const name = new RegExp(`^${path.posix.basename(pattern).replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
  const folder = path.join(repositoryRoot, path.posix.dirname(pattern));
  return existsSync(folder) && readdirSync(folder).some((each) => name.test(each));
}

test('paths in the documents are there', () => {
  const missing = [];
  let count = 0;
  for (const document of documents) {
    for (const name of pathsIn(read(document))) {
      count += 1;
      if (!matches(name)) missing.push(`${document}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(count > 50, `${count} paths`);
});

test('source files that the documents name without a folder are there', () => {
  const known = new Set(filesIn('src', '.rs').map((name) => path.posix.basename(name)));
  const missing = [];
  for (const document of documents) {
    for (const code of inBackticks(read(document))) {
      if (/^\w+\.rs$/.test(code) && !known.has(code)) missing.push(`${document}: ${code}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('the map in CONTRIBUTING has the rooms, and the folders of src/files', () => {
  const map = read('CONTRIBUTING.md').split('## Map of the code')[1].split('## ')[0];
  const rooms = [];
  const folders = [];
  for (const [, indent, name] of map.matchAll(/^( {4}| {8})(\S+)\/ /gm)) {
    if (indent.length === 4) rooms.push(name);
    // A folder stands below its room.
    else folders.push(`${rooms.at(-1)}/${name}`);
  }
  for (const name of [...rooms, ...folders]) assert.ok(isThere(name), name);
  const foldersIn = (parent) =>
    readdirSync(path.join(repositoryRoot, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  // The programs of the crate are no room.
  const inSource = foldersIn('src').filter((name) => name !== 'bin');
  assert.deepEqual(
    rooms.filter((room) => room.startsWith('src/')).sort(),
    inSource.map((name) => `src/${name}`).sort(),
  );
  const ofFiles = folders.filter((name) => name.startsWith('src/files/'));
  assert.deepEqual(
    ofFiles.sort(),
    foldersIn('src/files')
      .map((name) => `src/files/${name}`)
      .sort(),
  );
});

test('the package has every document, except those for whoever makes a release', () => {
  const packed = read('scripts/packed-files.txt')
    .split('\n')
    .filter((name) => name.startsWith('docs/'));
  const forUsers = filesIn('docs', '.md').filter((name) => !name.startsWith('docs/release/'));
  assert.deepEqual(packed, forUsers.sort());
});
