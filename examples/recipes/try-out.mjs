// Runs a recipe that is started by itself (`node economy.mjs`) on a temporary folder, which is removed at its end. Where a
// bot imports the recipe, this does nothing. In your own copy, leave the call out.

import { existsSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Storage } from 'progressive-storage';

/** Whether the module of this URL is the program that was started. */
export function isProgram(url) {
  const [, started] = process.argv;
  return (
    Boolean(started) && existsSync(started) && realpathSync(started) === realpathSync(fileURLToPath(url))
  );
}

/** Calls `show` with a new Storage and the temporary folder, if the module of this URL is the program. */
export async function tryOut(url, show, options = {}) {
  if (!isProgram(url)) return;
  const folder = await mkdtemp(path.join(tmpdir(), 'recipe-'));
  const storage = new Storage({ ...options, dataDir: path.join(folder, 'data') });
  try {
    await show(storage, folder);
  } finally {
    await storage.close();
    await rm(folder, { recursive: true, force: true });
  }
}
