// The default storage where it cannot be opened at first: the next call decides anew which folder that is.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { packageUrl, repositoryRoot, runScript, temporaryFolder } from '../support/temp.mjs';

const addonUrl = pathToFileURL(path.join(repositoryRoot, 'lib', 'addon.js')).href;

test('options with which the default storage did not open are not kept', async (t) => {
  const cwd = await temporaryFolder(t);
  const result = await runScript(t, {
    cwd,
    source: `
      import { existsSync } from 'node:fs';
      import addon from ${JSON.stringify(addonUrl)};
      import { flush, updatePlayerStats } from ${JSON.stringify(packageUrl)};
      const { openStandard } = addon;
      addon.openStandard = () => {
        throw new Error('no thread');
      };
      process.env.PROGRESSIVE_STORAGE_DIR = 'first';
      await updatePlayerStats('u', 'Ann', 1).catch((error) => console.log(error.message));
      addon.openStandard = openStandard;
      process.env.PROGRESSIVE_STORAGE_DIR = 'second';
      await updatePlayerStats('u', 'Ann', 1);
      await flush();
      console.log(existsSync('first/players.json'), existsSync('second/players.json'));
    `,
  });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stdout, 'no thread\nfalse true\n');
});
