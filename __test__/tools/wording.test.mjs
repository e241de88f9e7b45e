// Messages use the singular for one: in the warnings of the library, and in the output of the program.

import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { runCli } from '../support/cli.mjs';
import { plain, scene, set } from '../support/durability.mjs';
import { repositoryRoot, temporaryFolder } from '../support/temp.mjs';

test('warnings: 1 key, 1 byte, 1 more line', async (t) => {
  const place = scene(t);
  const said = [];
  const open = () => place.open({ logger: { warn: (text) => said.push(text) } });
  const first = open();
  await first.collection('coins').set('ann', 1);
  await first.close();
  place.writeMirror({ ann: 2 }, 'coins');
  assert.equal(await open().collection('coins').get('ann'), 2);
  place.writeLog(`${plain(set('a', 1))}\nx\ny\n${plain(set('b', 1))}\n{`, 'other');
  assert.equal(await open().collection('other').get('b'), 1);
  const text = said.join('\n');
  assert.match(text, /changes of 1 key that/);
  assert.match(text, /\(1 byte\)/);
  assert.match(text, /and 1 more line\./);
  assert.match(text, /ends with 1 byte of/);
  assert.doesNotMatch(text, /\b1 (keys|bytes|more lines)\b/);
});

test('the program: 1 key, 2 keys', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'logs'));
  await appendFile(
    path.join(folder, 'logs', 'players.log'),
    '{"op":"SET","data":{"a":1}}\n{"op":"SET","data":{"a":1,"b":2}}\n',
  );
  await writeFile(path.join(folder, 'players.json'), '{"a":1,"b":2}');
  const { stdout } = await runCli(t, ['tail', folder]);
  assert.match(stdout, / 1 key: \{/);
  assert.match(stdout, / 2 keys: \{/);
  for (const command of ['verify', 'inspect', 'stats', 'diff', 'doctor', 'compact']) {
    const result = await runCli(t, [command, folder]);
    assert.doesNotMatch(
      result.stdout + result.stderr,
      /\b1 (keys|lines|entries|bytes|files|rows|items)\b/,
      command,
    );
  }
});

// Except where one is not possible: `"keys":` of JSON, or sizes with their unit.
test('no text has a count with a fixed plural', async () => {
  const folders = [
    'bin',
    'bin/adoption',
    'bin/commands',
    'bin/doctor',
    'bin/formats',
    'bin/recovery',
    'bin/support',
    'dashboard',
  ];
  const found = [];
  for (const folder of folders) {
    for (const entry of await readdir(path.join(repositoryRoot, folder), { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const name = path.posix.join(folder, entry.name);
      const text = await readFile(path.join(repositoryRoot, name), 'utf8');
      for (const [place] of text.matchAll(
        /\}\)? (?:keys|lines|entries|files|rows|processes|backups)\b[^'"]*[`'"]/g,
      ))
        found.push(`${name}: ${place}`);
    }
  }
  assert.deepEqual(found, []);
});
