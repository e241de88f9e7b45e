// The tables of options, events, error codes, exports and commands in the documents are those of the code: no row is
// missing, and none is superfluous. What the code knows comes from the package itself, from its types, and from the
// texts of its sources.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { filesIn, read } from '../support/sources.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const require = createRequire(import.meta.url);
const ts = require('typescript');
const ps = require('../../index.js');
const manifest = require('../../package.json');

const sorted = (names) => [...new Set(names)].sort();
const codesIn = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

// --- What the documents have ---

// The rows of the first table behind a heading, as objects by the titles of the columns.
function tableOf(document, heading) {
  const text = `\n${read(document)}`;
  const begin = text.indexOf(`\n${heading}\n`);
  assert.ok(begin >= 0, `${document} has the heading ${heading}`);
  const table = /^\|.*\n\| *-[-| ]*\|\n(?:\|.*\n?)+/m.exec(text.slice(begin));
  assert.ok(table, `${document} has a table behind ${heading}`);
  const cells = (line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [titles, , ...rows] = table[0].trim().split('\n').map(cells);
  return rows.map((row) => Object.fromEntries(row.map((cell, at) => [titles[at], cell])));
}

const column = (rows, title) => rows.flatMap((row) => codesIn(row[title]));

// --- What the code has ---

const types = ts.createSourceFile('index.d.ts', read('index.d.ts'), ts.ScriptTarget.Latest, true);

function interfaceOf(name) {
  const found = types.statements.filter((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
  assert.equal(found.length, 1, `one interface ${name}`);
  return found[0];
}

// The texts of a type that is a union of them.
function textsOf(name) {
  const found = types.statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === name);
  return found.type.types.map((member) => member.literal.text);
}

const membersOf = (name) => interfaceOf(name).members.map((member) => member.name.getText());
const commentOf = (node) => ts.getTextOfJSDocComment(node.jsDoc?.at(-1)?.comment) ?? '';

// What the package lists when it refuses a name that it does not know.
function listedBy(call, words) {
  try {
    call();
  } catch (error) {
    assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
    return error.message.slice(error.message.indexOf(words) + words.length).split(', ');
  }
  return assert.fail('an unknown name was taken');
}

const sourcesIn = (folder, ending) =>
  filesIn(folder, ending).filter((name) => !/\/(tests|simulation)\//.test(name));

// Rust sources end with their tests; comments are no use of a code.
function productOf(name) {
  const [text] = read(name).split('#[cfg(test)]\nmod tests');
  return text.replaceAll(/^\s*\/\/.*$/gm, '');
}

function stringsIn(files, pattern) {
  return files.flatMap((name) => [...productOf(name).matchAll(pattern)].map(([, code]) => code));
}

// Without the generated loader, whose errors the package explains in words of its own.
const library = [
  ...sourcesIn('src', '.rs'),
  ...sourcesIn('lib', '.js').filter((name) => name !== 'lib/native.js'),
  ...sourcesIn('dashboard', '.js'),
  'index.js',
];
const ERROR_CODE = /["'](ERR_[A-Z_]+)["']/g;

// --- Options ---

for (const { heading, name, unknown, words } of [
  { heading: '# Options', name: 'StorageOptions', unknown: { nonsense: 1 }, words: 'the options are ' },
  {
    heading: '## `rotation`',
    name: 'RotationOptions',
    unknown: { rotation: { nonsense: 1 } },
    words: 'it has ',
  },
]) {
  test(`options: the table of ${name}`, () => {
    const documented = column(tableOf('docs/options.md', heading), 'option');
    assert.equal(documented.length, new Set(documented).size, 'no option twice');
    assert.deepEqual(sorted(documented), sorted(membersOf(name)));
    assert.deepEqual(sorted(documented), sorted(listedBy(() => new ps.Storage(unknown), words)));
  });

  test(`options: the defaults of ${name}`, () => {
    const documented = new Map(
      tableOf('docs/options.md', heading).map((row) => [codesIn(row.option)[0], row.default]),
    );
    let compared = 0;
    for (const member of interfaceOf(name).members) {
      const literal = /Default: (?:`('[^']+')`|(\d+|true|false))\./.exec(commentOf(member));
      if (!literal) continue;
      compared += 1;
      const option = member.name.getText();
      assert.equal(documented.get(option), `\`${literal[1] ?? literal[2]}\``, option);
    }
    assert.ok(compared >= 2);
  });
}

// --- Events ---

const events = () => tableOf('docs/events.md', '# Events and warnings');

test('events: the table has what `on` takes, and what the types have', () => {
  const documented = column(events(), 'event');
  assert.equal(documented.length, new Set(documented).size, 'no event twice');
  assert.deepEqual(sorted(documented), sorted(membersOf('StorageEvents')));
  const accepted = listedBy(() => ps.on('nonsense', () => {}), 'the events are ');
  assert.deepEqual(sorted(documented), sorted(accepted));
});

test('events: codes and properties are those of the types', () => {
  const rows = new Map(events().map((row) => [codesIn(row.event)[0], row]));
  for (const member of interfaceOf('StorageEvents').members) {
    const [event, type] = [member.name.getText(), member.type.getText()];
    const row = rows.get(event);
    const codes = commentOf(interfaceOf(type)).match(/PS_[A-Z_]+/g);
    assert.deepEqual(sorted(codesIn(row.codes)), sorted(codes), `codes of ${event}`);
    // Its name and its codes are in the type, too, which narrows by them.
    const [name, code] = interfaceOf(type).heritageClauses[0].types[0].typeArguments;
    assert.equal(name.literal.text, event);
    const typed = (code.types ?? [code]).map((each) => each.literal.text);
    assert.deepEqual(sorted(typed), sorted(codes), `codes of the type of ${event}`);
    assert.deepEqual(codesIn(row.properties), membersOf(type), `properties of ${event}`);
  }
});

test('events: the table of codes has all codes of the sources', () => {
  const documented = column(tableOf('docs/events.md', '## Codes'), '`code`');
  assert.equal(documented.length, new Set(documented).size, 'no code twice');
  assert.deepEqual(sorted(documented), sorted(stringsIn(library, /["'](PS_[A-Z_]+)["']/g)));
  assert.deepEqual(sorted(documented), sorted(column(events(), 'codes')));
});

// --- Errors ---

const errors = () => column(tableOf('docs/errors.md', '# Errors'), '`code`');

test('errors: the table has all codes of the sources', () => {
  const documented = errors();
  assert.equal(documented.length, new Set(documented).size, 'no code twice');
  assert.deepEqual(sorted(documented), sorted(stringsIn(library, ERROR_CODE)));
});

test('errors: the types have all codes of the sources', () => {
  const typed = textsOf('StorageErrorCode');
  assert.deepEqual(typed, sorted(typed), 'sorted, and none twice');
  assert.deepEqual(typed, sorted(errors()));
  // Those of the system have their texts in one place.
  const [, match] = /fn as_str\(self\)[^{]*\{\n\s*match self \{([^}]*)\}/.exec(read('src/error/code.rs'));
  const texts = [...match.matchAll(/=> "(\w+)"/g)].map(([, text]) => text);
  assert.ok(texts.length > 40, `${texts.length} codes`);
  assert.deepEqual(
    textsOf('SystemErrorCode'),
    texts.filter((text) => !text.startsWith('ERR_')),
  );
  // The table behind the paragraph that ends with this line.
  const ofSystem = column(tableOf('docs/errors.md', 'cause is gone.'), '`code`');
  for (const code of ofSystem) assert.ok(texts.includes(code), code);
});

test('errors: the table of the program has all codes of its sources', () => {
  const documented = column(tableOf('docs/cli.md', '### Codes of errors'), '`error.code`');
  assert.equal(documented.length, new Set(documented).size, 'no code twice');
  const known = errors();
  const own = stringsIn(sourcesIn('bin', '.mjs'), ERROR_CODE).filter(
    // Node's own, of what reads the arguments.
    (code) => !known.includes(code) && !code.startsWith('ERR_PARSE_ARGS_'),
  );
  assert.deepEqual(sorted(documented), sorted(own));
});

// --- Exports ---

const namesAt = (heading) =>
  tableOf('docs/api.md', heading).flatMap(({ name }) => [...name.matchAll(/\[(\w+)\]/g)].map(([, it]) => it));

test('exports: the reference has those of each subpath, and of the root', () => {
  const everything = [];
  for (const subpath of ['append-log', 'storage']) {
    const documented = namesAt(`### \`${manifest.name}/${subpath}\``);
    const exported = Object.keys(
      require(path.join(repositoryRoot, manifest.exports[`./${subpath}`].default)),
    );
    assert.deepEqual(sorted(documented), sorted(exported), subpath);
    everything.push(...documented);
  }
  everything.push(...namesAt('### From the root only'));
  assert.equal(everything.length, new Set(everything).size, 'each name has one place');
  // The generated loader's own.
  const exported = Object.keys(ps).filter((name) => !name.startsWith('__'));
  assert.deepEqual(sorted(everything), sorted(exported));
});

// The names of a class's methods and accessors, inherited ones included.
function methodsOf({ prototype }) {
  const names = [];
  for (let each = prototype; each !== Object.prototype; each = Object.getPrototypeOf(each))
    names.push(...Object.getOwnPropertyNames(each).filter((name) => !name.startsWith('_')));
  return sorted(names);
}

test('exports: the reference has the methods of each class', () => {
  const text = read('docs/api.md');
  for (const [name, exported] of Object.entries(ps).filter(([, value]) => value?.prototype)) {
    const documented = [...text.matchAll(new RegExp(`^#### ${name}: (\\w+)$`, 'gm'))].map(([, it]) => it);
    if (documented.length === 0) continue;
    assert.deepEqual(sorted([...documented, 'constructor']), methodsOf(exported), name);
  }
  for (const name of ['Storage', 'Collection', 'CompactionScheduler'])
    assert.ok(text.includes(`\n#### ${name}: `), `${name} has methods in the reference`);
});

test('collections: the page has every method, and names no other', () => {
  const text = read('docs/collections.md');
  const methods = methodsOf(ps.Collection).filter((name) => name !== 'constructor');
  const missing = methods.filter((name) => !new RegExp(`\\b${name}\\(`).test(text));
  assert.deepEqual(missing, []);
  const named = sorted([...text.matchAll(/\bdata\.(\w+)\(/g)].map(([, name]) => name));
  assert.ok(named.length >= 9, named.join());
  assert.deepEqual(
    named.filter((name) => !methods.includes(name)),
    [],
  );
});

// --- The program ---

test('commands: the documents have each of them', () => {
  const commands = readdirSync(path.join(repositoryRoot, 'bin', 'commands'))
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => path.basename(name, '.mjs'));
  const inTable = column(tableOf('docs/cli.md', '# The program `progressive-storage`'), 'command');
  assert.deepEqual(sorted(inTable.map((name) => name.split(' ')[0])), sorted(commands));
  const headings = [...read('docs/cli.md').matchAll(/^### `(\w+)/gm)].map(([, name]) => name);
  assert.deepEqual([...headings].sort(), sorted(commands));
});

// --- Figures ---

test('the figures of the README are those of the benchmark', () => {
  const bench = read('bench/README.md').split('<!-- comparison -->')[1];
  const [, date] = /^Measured on (\S+) by/m.exec(bench);
  assert.ok(read('README.md').includes(`the run of ${date} in [bench/README.md]`));
  const lines = bench.split('```')[1].split('\n');
  const stores = lines
    .find((line) => line.includes('bare disk'))
    .trim()
    .split(/ {2,}/);
  // A value such as `0.523 ms ±11%`; what stands behind the stores is compared with nothing.
  const figures = (label) =>
    lines
      .find((line) => line.startsWith(label))
      .slice(60)
      .trim()
      .split(/ {2,}/);
  const rows = new Map(tableOf('README.md', '## Beside other stores').map((row) => [row[''], row]));
  for (const [title, label] of [
    ['one awaited update', 'One awaited update, 1,000 players'],
    ['1,000 updates in flight', '1,000 updates in flight, 1,000 players'],
    ['longest stop of the event loop meanwhile', '  1,000 updates in flight'],
    ['open and load 10,000 players', 'Open and load all, 10,000 players'],
    ['memory after that', 'Memory beyond Node.js: open and load, 10,000 players'],
  ]) {
    for (const [store, measured] of [
      ['this package', 'this package'],
      ['better-sqlite3', 'better-sqlite3'],
      ['lmdb', 'lmdb'],
      ['lowdb', '(lowdb)'],
    ]) {
      const shown = rows.get(title)[store];
      const figure = figures(label)[stores.indexOf(measured)];
      const [, number, unit] = /^([\d.,]+)(.*)$/.exec(shown);
      const decimals = number.split('.')[1]?.length ?? 0;
      const rounded = Number(figure.replaceAll(',', '').match(/^[\d.]+/)[0]).toFixed(decimals);
      assert.equal(number.replaceAll(',', ''), rounded, `${title}, ${store}: ${figure}`);
      assert.equal(/^[\d.,]+( ms|\/s| MB)/.exec(figure)[1], unit, `${title}, ${store}`);
    }
  }
});
