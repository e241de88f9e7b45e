// No command shows the password of a url, wherever it stands among the arguments and however it is mistyped.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandNames } from '../../bin/support/command-names.mjs';
import { hideSecrets } from '../../bin/support/url.mjs';
import { runScript, temporaryFolder } from '../support/temp.mjs';

const CANARY = 'c4nary';
const URLS = [
  `postgres://bot:${CANARY}@127.0.0.1:1/none`,
  `postgre://bot:${CANARY}@127.0.0.1/none`,
  `Postgres://bot:${CANARY}@127.0.0.1/none`,
  `postgres:/bot:${CANARY}@127.0.0.1/none`,
  `postgres//bot:${CANARY}@127.0.0.1/none`,
  `bot:${CANARY}@127.0.0.1/none`,
  `https://bot:${CANARY}@127.0.0.1/none`,
  `postgres://bot@127.0.0.1:1/none?sslmod=1&password=${CANARY}`,
  `postgres://bot:${CANARY}@x/${CANARY}@127.0.0.1:x/none`,
  `postgres://bot@127.0.0.1:1/none?password=a'${CANARY}`,
  `host=db user=bot password='${CANARY}'`,
  `host=db user=bot password = ${CANARY}`,
];

const places = (url) => [
  [url],
  [url, url],
  ['one', url],
  [url, 'one'],
  ['one', 'two', 'three', url],
  ['--url', url],
  ['--url', url, url],
  ['--schema', url],
  ['--url', 'postgres://bot@127.0.0.1:1/none', '--schema', url],
  ['--log', url],
  ['--format', url],
  ['--into', url],
  ['--at', url, '--into', 'out'],
  ['--output', url],
  [`--${url}`],
];

const CHILD = fileURLToPath(new URL('../children/wrong-urls.mjs', import.meta.url));

test('no command shows a password, as text or with --json', async (t) => {
  const folder = await temporaryFolder(t);
  const runs = URLS.map((url) => [url]);
  for (const command of commandNames())
    for (const url of URLS) for (const args of places(url)) runs.push([command, ...args]);
  const file = path.join(folder, 'runs.json');
  await writeFile(
    file,
    JSON.stringify(runs.map((args, number) => (number % 2 ? [...args, '--json'] : args))),
  );
  const env = { PROGRESSIVE_STORAGE_URL: '', PROGRESSIVE_STORAGE_DIR: '' };
  const { code, stdout, stderr } = await runScript(t, { file: CHILD, args: [file], cwd: folder, env });
  assert.equal(code, 0, stderr.slice(-2000));
  assert.equal(stdout.match(/^== /gm).length, runs.length);
  for (const output of [stdout, stderr]) {
    const at = output.indexOf(CANARY);
    assert.ok(at < 0, output.slice(Math.max(0, at - 300), at + 100));
  }
});

test('what is no password stays', () => {
  for (const text of [
    "'/data/logs/players.log': there is no such file (ENOENT, open)",
    'Give postgres://user@host/database, or the word env.',
    'at 12:30:00, by mail@example.com',
    'The host db1.example.com:5432 did not answer',
  ])
    assert.equal(hideSecrets(text), text);
  assert.equal(hideSecrets('postgres://a:b@c/d is wrong'), 'postgres://a:…@c/d is wrong');
});
