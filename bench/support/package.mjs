/**
 * The measured package, and its places in the repository.
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const BENCH = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const PRISMA = path.join(BENCH, 'prisma');
export const REPOSITORY = path.dirname(BENCH);
export const ENTRY = path.join(REPOSITORY, 'index.js');

const require = createRequire(import.meta.url);

export function loadPackage() {
  return require(ENTRY);
}

/** The file of the built addon, or null where it is not built. */
export function addonFile() {
  const name = fs.readdirSync(REPOSITORY).find((file) => file.endsWith('.node'));
  return name === undefined ? null : path.join(REPOSITORY, name);
}
