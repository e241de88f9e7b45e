/**
 * The time of one require() of the package in a fresh process. Its files are in the page cache.
 */

import { loadPackage } from '../support/package.mjs';

export async function run() {
  const begun = performance.now();
  loadPackage();
  return { ms: performance.now() - begun };
}
