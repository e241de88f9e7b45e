// `import --validate`: every value fits the schema of a module, or nothing is written.

import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Storage } from '../../index.js';
import { contentsOf, runCli, runCliJson } from '../support/cli.mjs';
import { closeStorage, openStorage, repositoryRoot, temporaryFolder } from '../support/temp.mjs';

const STANDARD = (validate) => `{ '~standard': { version: 1, vendor: 'test', validate: ${validate} } }`;

// A folder with a store, and modules that can import what the package has for its tests.
async function aScene(t, entries) {
  const { storage, dataDir } = await openStorage(t, Storage);
  await storage.collection('guilds').set('1', { games: 1, prefix: '!' });
  await closeStorage(storage);
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'modules'));
  await symlink(
    path.join(repositoryRoot, 'node_modules'),
    path.join(folder, 'modules', 'node_modules'),
    'junction',
  );
  const file = path.join(folder, 'guilds.json');
  await writeFile(file, JSON.stringify(entries));
  const write = async (name, text) => {
    await writeFile(path.join(folder, 'modules', name), text);
    return ['import', file, dataDir, '--log', 'guilds', '--validate', `modules/${name}`];
  };
  const stored = async () => {
    const { storage: again } = await openStorage(t, Storage, { dataDir });
    const found = Object.fromEntries(await again.collection('guilds').entries());
    await closeStorage(again);
    return found;
  };
  return { folder, dataDir, write, stored, cwd: { cwd: folder } };
}

const MODULES = [
  ['a.mjs', "import { z } from 'zod';\nexport default z.object({ games: z.number().default(0) });"],
  [
    'b.mjs',
    "import * as v from 'valibot';\nexport const guilds = v.object({ games: v.optional(v.number(), 0) });",
  ],
  [
    'c.mjs',
    "import { type } from 'arktype';\nexport const other = 1;\nexport const guilds = type({ games: 'number = 0', '+': 'delete' });",
  ],
  ['d.cjs', "const { z } = require('zod');\nmodule.exports = z.object({ games: z.number().default(0) });"],
  [
    'e.cjs',
    "const { z } = require('zod');\nmodule.exports = { other: 1, guilds: z.object({ games: z.number().default(0) }) };",
  ],
  [
    'f.cjs',
    "const { z } = require('zod');\nexports.__esModule = true;\nexports.default = z.object({ games: z.number().default(0) });",
  ],
];

for (const [name, text] of MODULES) {
  test(`what the schema makes of a value is what is stored: ${name}`, async (t) => {
    const { write, stored, dataDir, cwd } = await aScene(t, {
      1: { games: 1 },
      2: {},
      3: { games: 3, more: 1 },
    });
    const args = await write(name, text);
    const before = await contentsOf(dataDir);
    const dry = await runCliJson(t, [...args, '--dry-run'], cwd);
    assert.deepEqual([dry.code, dry.json.added, dry.json.changed], [0, 2, 1], dry.stdout);
    assert.deepEqual(await contentsOf(dataDir), before);
    assert.equal((await runCli(t, [...args, '--yes'], cwd)).code, 0);
    assert.deepEqual(await stored(), { 1: { games: 1 }, 2: { games: 0 }, 3: { games: 3 } });
    assert.equal((await runCliJson(t, [...args, '--yes'], cwd)).json.same, 3);
  });
}

test('all values that do not fit are counted, the first twenty named, and nothing is written', async (t) => {
  const entries = { good: { games: 1 }, 'bad\u001b]0;x\u0007': { games: 'many' } };
  for (let n = 0; n < 30; n++) entries[`k${n}`] = { games: null };
  const { write, dataDir, cwd } = await aScene(t, entries);
  const args = await write('a.mjs', MODULES[0][1]);
  const before = await contentsOf(dataDir);
  for (const mode of ['--yes', '--dry-run']) {
    const { code, json } = await runCliJson(t, [...args, mode], cwd);
    assert.deepEqual([code, json.error.code], [2, 'ERR_VALIDATION'], mode);
    assert.match(json.error.message, /^31 values do not fit the schema/);
    assert.equal(json.error.details.length, 21);
    assert.match(
      json.error.details[0],
      /^"bad\\u001b\]0;x\\u0007": games: .*expected number, received string/,
    );
    assert.equal(json.error.details.at(-1), 'and 11 more');
  }
  const { stderr } = await runCli(t, [...args, '--yes'], cwd);
  assert.match(stderr, /Nothing was written/);
  for (const character of ['\u001b', '\u0007']) assert.ok(!stderr.includes(character));
  assert.deepEqual(await contentsOf(dataDir), before);
});

test('an issue is text of others, too', async (t) => {
  const { write, cwd } = await aScene(t, { a: 1 });
  const args = await write(
    'issue.mjs',
    `export default ${STANDARD("() => ({ issues: [{ message: '\\u202eevil\\n', path: ['\\u001b[2J'] }] })")};`,
  );
  const { code, stderr } = await runCli(t, [...args, '--yes'], cwd);
  assert.equal(code, 2);
  assert.match(stderr, /1 value does not fit/);
  for (const character of ['\u001b', '\u202e']) assert.ok(!stderr.includes(character));
  assert.match(stderr, /evil/);
});

test('a module without a schema that can be used is refused before anything is touched', async (t) => {
  const { write, folder, cwd } = await aScene(t, { a: { games: 1 } });
  const target = path.join(folder, 'new');
  for (const [name, text, said] of [
    ['none.mjs', undefined, /cannot be loaded/],
    ['broken.mjs', 'export default {', /cannot be loaded/],
    ['throws.mjs', "throw new Error('no token');", /cannot be loaded .*no token/],
    ['empty.mjs', 'export const x = 1;', /has no schema/],
    ['plain.mjs', 'export default { games: Number };', /has no schema/],
    ['version.mjs', `export default ${STANDARD('() => ({})').replace('1,', '2,')};`, /another version/],
    ['half.mjs', "export default { '~standard': { version: 1 } };", /cannot be used/],
    ['later.mjs', `export default ${STANDARD('async (value) => ({ value })')};`, /asynchronous checks/],
    [
      'later.cjs',
      "const { z } = require('zod');\nmodule.exports = z.object({}).refine(async () => true);",
      /asynchronous/,
    ],
    [
      'fails.mjs',
      `export default ${STANDARD("() => { throw new Error('oops') }")};`,
      /"a" cannot be checked: oops/,
    ],
    ['big.mjs', `export default ${STANDARD('() => ({ value: 1n })')};`, /cannot be checked/],
  ]) {
    const [command, file, , ...others] = await write(name, text ?? '');
    if (text === undefined) others[others.length - 1] += '.gone';
    for (const mode of ['--yes', '--dry-run']) {
      const { code, stderr } = await runCli(t, [command, file, target, ...others, mode], cwd);
      assert.equal(code, 2, `${name}: ${stderr}`);
      assert.match(stderr, said, name);
    }
    assert.deepEqual(await contentsOf(target).catch(() => 'missing'), 'missing', name);
  }
});

test('CSV, lines and ends pass the schema, too', async (t) => {
  const { write, folder, stored, dataDir, cwd } = await aScene(t, {});
  const [, , , ...others] = await write('a.mjs', MODULES[0][1]);
  const lines = path.join(folder, 'g.jsonl');
  await writeFile(lines, `{"key":"2","value":{},"expiresAt":${Date.now() + 86_400_000}}\n`);
  assert.equal((await runCli(t, ['import', lines, dataDir, ...others, '--yes'], cwd)).code, 0);
  const { storage } = await openStorage(t, Storage, { dataDir });
  assert.ok((await storage.collection('guilds').expiresAt('2')) > Date.now());
  await closeStorage(storage);
  const rows = path.join(folder, 'g.csv');
  await writeFile(rows, 'key,games\n3,5\n4,many\n');
  assert.equal((await runCli(t, ['import', rows, dataDir, ...others, '--yes'], cwd)).code, 2);
  await writeFile(rows, 'key,games\n3,5\n');
  assert.equal((await runCli(t, ['import', rows, dataDir, ...others, '--yes'], cwd)).code, 0);
  assert.deepEqual(await stored(), { 1: { games: 1, prefix: '!' }, 2: { games: 0 }, 3: { games: 5 } });
});
