// The bot's own tests, unchanged: three scripts that run in the bot's folder, where the two service files only re-export
// this package. The scripts delete and rewrite files under the running process. They also run on the old module, which
// shows that they need nothing new.

import assert from 'node:assert/strict';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { oldModuleUrl, repositoryRoot, runScript, temporaryFolder } from '../support/temp.mjs';

const BOT = fileURLToPath(new URL('../bot/', import.meta.url));
const SCRIPTS = { 'append-log': 9, storage: 5, statistics: 5 };

async function botFolder(t) {
  const folder = path.join(await temporaryFolder(t), 'bot');
  await cp(BOT, folder, { recursive: true });
  return folder;
}

async function runBotScript(t, folder, name) {
  const result = await runScript(t, {
    cwd: folder,
    file: path.join('tests', `${name}.test.js`),
  });
  const passed = result.stdout.match(/^PASS /gm)?.length ?? 0;
  assert.equal(result.code, 0, `tests/${name}.test.js failed:\n${result.stdout}${result.stderr}`);
  assert.equal(passed, SCRIPTS[name], `cases of tests/${name}.test.js that passed:\n${result.stdout}`);
}

for (const name of Object.keys(SCRIPTS)) {
  test(`node tests/${name}.test.js, on this package`, async (t) => {
    const folder = await botFolder(t);
    await mkdir(path.join(folder, 'node_modules'));
    await symlink(repositoryRoot, path.join(folder, 'node_modules', 'progressive-storage'), 'junction');
    await runBotScript(t, folder, name);
    // Once more, on the files of the first run.
    await runBotScript(t, folder, name);
  });

  test(`node tests/${name}.test.js, on the old module`, async (t) => {
    const folder = await botFolder(t);
    for (const service of ['append-log', 'storage']) {
      const line = `export * from '${new URL(`${service}.mjs`, oldModuleUrl).href}';\n`;
      await writeFile(path.join(folder, 'services', `${service}.js`), line);
    }
    await runBotScript(t, folder, name);
  });
}

test('the three scripts one after the other in one folder, on this package', async (t) => {
  const folder = await botFolder(t);
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(repositoryRoot, path.join(folder, 'node_modules', 'progressive-storage'), 'junction');
  for (const name of Object.keys(SCRIPTS)) await runBotScript(t, folder, name);
});
