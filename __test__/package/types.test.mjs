// The types for TypeScript users: a file with every export compiles under `strict`, with the resolution of Node and of
// bundlers, from ES modules and from CommonJS. Collections have the types of their values, or those of a schema, and what is
// wrong does not compile. No type that the package has is `any`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import * as ps from '../../index.js';
import { repositoryRoot, temporaryFolder } from '../support/temp.mjs';

const require = createRequire(import.meta.url);
const ts = require('typescript');
const compiler = require.resolve('typescript/bin/tsc');
const modules = path.join(repositoryRoot, 'node_modules');
const sources = path.join(repositoryRoot, '__test__', 'types');
const everyExport = await readFile(path.join(sources, 'every-export.mts'), 'utf8');

// Compiles in a project of its own with the package installed, and others. Returns the compiler's messages.
async function compile(t, options, files, installed = []) {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(repositoryRoot, path.join(folder, 'node_modules', 'progressive-storage'), 'junction');
  for (const name of installed)
    await symlink(path.join(modules, name), path.join(folder, 'node_modules', name), 'junction');
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: [],
    skipLibCheck: false,
    ...options,
  };
  const declared = 'declare const console: { log(...values: unknown[]): void };\n';
  await writeFile(path.join(folder, 'globals.d.ts'), declared);
  await writeFile(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['globals.d.ts', ...Object.keys(files)] }),
  );
  try {
    execFileSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return error.stdout || String(error);
  }
}

test('every export is in the file that is compiled', () => {
  const missing = Object.keys(ps).filter((name) => !new RegExp(`\\b${name}\\b`).test(everyExport));
  // Names that `import *` adds to a CommonJS module.
  assert.deepEqual(
    missing.filter((name) => !['default', 'module.exports'].includes(name)),
    [],
  );
});

test('strict, with the resolution of Node', async (t) => {
  const byRequire = await readFile(path.join(sources, 'by-require.cts'), 'utf8');
  const files = { 'every-export.mts': everyExport, 'by-require.cts': byRequire };
  assert.equal(await compile(t, { module: 'node16', moduleResolution: 'node16' }, files), '');
});

test('strict, with the resolution of bundlers', async (t) => {
  const files = { 'every-export.ts': everyExport };
  assert.equal(await compile(t, { module: 'esnext', moduleResolution: 'bundler' }, files), '');
});

const NODE = { module: 'node16', moduleResolution: 'node16' };

test('collections, history, events and errors have types that fit, and refuse what does not', async (t) => {
  const files = { 'collections.mts': await readFile(path.join(sources, 'collections.mts'), 'utf8') };
  assert.equal(await compile(t, { ...NODE, exactOptionalPropertyTypes: true }, files), '');
});

test('a schema of zod, valibot or arktype gives a collection its types', async (t) => {
  const files = { 'schemas.mts': await readFile(path.join(sources, 'schemas.mts'), 'utf8') };
  // Their declarations are theirs.
  const options = { ...NODE, lib: ['es2023', 'dom', 'esnext.disposable'], skipLibCheck: true };
  assert.equal(await compile(t, options, files, ['zod', 'valibot', 'arktype']), '');
});

test('no declaration has the type any', async () => {
  const found = [];
  for (const name of ['index.d.ts', 'lib/append-log.d.ts', 'lib/keyv.d.ts', 'lib/storage.d.ts']) {
    const text = await readFile(path.join(repositoryRoot, name), 'utf8');
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
    const visit = (node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) {
        const { line } = file.getLineAndCharacterOfPosition(node.getStart());
        found.push(`${name}:${line + 1}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  assert.deepEqual(found, []);
});

test('the compiler rejects wrong types', async (t) => {
  const files = { 'wrong.mts': "import { nothing } from 'progressive-storage';\nnothing();\n" };
  assert.match(await compile(t, { module: 'node16', moduleResolution: 'node16' }, files), /TS2305/);
});
