// The JavaScript of this package imports in one direction: no circle of files, and each folder only uses those below
// it.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/temp.mjs';

const FOLDERS = ['bin', 'dashboard', 'lib', 'scripts', 'bench', 'examples'];
const SOURCE = /\.[cm]?js$/;
// `import … from './x'`, `export … from './x'`, `import './x'`, `import('./x')` and `require('./x')`.
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(['"])(\.{1,2}\/[^'"]*)\1/g;

function sourcesBelow(folder) {
  return readdirSync(path.join(repositoryRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.name === 'node_modules') return [];
    if (entry.isDirectory()) return sourcesBelow(name);
    return SOURCE.test(entry.name) ? [name] : [];
  });
}

function importsOf(file) {
  // An example in a comment is no import.
  const text = readFileSync(path.join(repositoryRoot, file), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  return [...text.matchAll(IMPORT)]
    .map(([, , place]) => path.posix.join(path.posix.dirname(file), place))
    .flatMap((place) => [place, `${place}.js`, `${place}/index.js`].filter(isFile).slice(0, 1));
}

const isFile = (name) =>
  existsSync(path.join(repositoryRoot, name)) && statSync(path.join(repositoryRoot, name)).isFile();

/** `Map` from each file to the files that it imports. */
function importGraph() {
  const atRoot = readdirSync(repositoryRoot).filter((name) => SOURCE.test(name));
  return new Map([...atRoot, ...FOLDERS.flatMap(sourcesBelow)].map((file) => [file, importsOf(file)]));
}

/** The first circle, such as `['a', 'b', 'a']`; undefined where there is none. */
function circleIn(graph) {
  const done = new Set();
  const visit = (file, trail) => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next, [...trail, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}

test('a circle is found', () => {
  const lines = { a: ['b', 'c'], b: ['c'], c: [] };
  assert.equal(circleIn(new Map(Object.entries(lines))), undefined);
  assert.deepEqual(circleIn(new Map(Object.entries({ ...lines, c: ['b'] }))), ['b', 'c', 'b']);
  assert.deepEqual(circleIn(new Map([['a', ['a']]])), ['a', 'a']);
});

test('no files import each other in a circle', () => {
  const graph = importGraph();
  // The search covers the entry and the program.
  assert.ok(graph.get('lib/exports.js').some((file) => file.startsWith('dashboard/')));
  assert.ok(graph.get('bin/progressive-storage.mjs').includes('bin/program.mjs'));
  assert.equal(circleIn(graph)?.join(' → '), undefined);
});

// The program loads its commands by name, so the search for circles does not see that import.
const BIN = [
  'bin',
  'bin/commands',
  'bin/adoption',
  'bin/server',
  'bin/doctor',
  'bin/migration',
  'bin/formats',
  'bin/recovery',
  'bin/building',
  'bin/support',
];

test('each folder of the program imports only folders below it, and nothing else imports the program', () => {
  const wrong = [];
  for (const [file, imported] of importGraph()) {
    const floor = BIN.indexOf(path.posix.dirname(file));
    for (const other of imported) {
      const below = BIN.indexOf(path.posix.dirname(other));
      if (below >= 0 && (floor < 0 || floor > below)) wrong.push(`${file} → ${other}`);
    }
  }
  assert.deepEqual(wrong, []);
});
