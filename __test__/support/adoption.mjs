// Helpers of the tests of `adopt`: a night of the example bot, and the bot's service files.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runScript } from './temp.mjs';

export const NIGHT = fileURLToPath(new URL('../children/bot-night.mjs', import.meta.url));
export const MARK = '// Written by `progressive-storage adopt`';

export async function playNight(t, folder, seed = 1) {
  const result = await runScript(t, { file: NIGHT, args: [folder, String(seed), 'one-by-one'], cwd: folder });
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}

export const service = (folder, name) => readFile(path.join(folder, 'services', name), 'utf8');
