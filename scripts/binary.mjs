// What a built binary needs from the machine that loads it: size, glibc, Node-API. The tests, `npm run cross-build`
// and the release workflow use it: node scripts/binary.mjs FILE… [--glibc 2.17]
//
// It does not load the binary, so it can check binaries of other systems. Every binary has the names of its symbols
// as plain text: those of glibc with their version, those of Node-API because they are resolved by name.

import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/** Node-API names of level 9 and above. All names up to level 8 begin with `napi_`. */
const ABOVE_LEVEL_8 = /\bnode_api_\w+/g;
/** The addon exports this function to name its level; it does not import it. */
const OWN_NAMES = new Set(['node_api_module_get_api_version_v1']);

/** The one limit of its size, a little above what it is: the tests, the release workflow and `npm run bench` take it from here. */
export const SIZE_MAX_BYTES = 5_600_000;
export const GLIBC_MAX = '2.17';

/** `{ sizeBytes, glibc, isAddon, tooNewNames }`; `glibc` is null where none is needed. */
export function inspect(file) {
  const text = readFileSync(file, 'latin1');
  const versions = [...text.matchAll(/GLIBC_(\d+(?:\.\d+)+)/g)].map((match) => match[1]);
  return {
    sizeBytes: statSync(file).size,
    glibc: versions.sort(compareVersions).at(-1) ?? null,
    isAddon: text.includes('napi_register_module_v1'),
    tooNewNames: [...new Set(text.match(ABOVE_LEVEL_8) ?? [])].filter((name) => !OWN_NAMES.has(name)),
  };
}

/** What is wrong with a binary, as sentences; an empty list where it may be published. */
export function faults(file, { glibcMax = null, isStripped = true } = {}) {
  const { sizeBytes, glibc, isAddon, tooNewNames } = inspect(file);
  const name = basename(file);
  const found = [];
  if (!isAddon) found.push(`${name} is not an addon: it has no napi_register_module_v1.`);
  if (isStripped && sizeBytes >= SIZE_MAX_BYTES)
    found.push(`${name} has ${sizeBytes} bytes, over ${SIZE_MAX_BYTES}.`);
  if (tooNewNames.length > 0) found.push(`${name} uses Node-API above level 8: ${tooNewNames.join(', ')}.`);
  if (glibcMax && glibc && compareVersions(glibc, glibcMax) > 0) {
    found.push(`${name} needs glibc ${glibc}; the newest allowed is ${glibcMax}.`);
  }
  return found;
}

export function compareVersions(one, other) {
  const numbers = (version) => version.split('.').map(Number);
  const [a, b] = [numbers(one), numbers(other)];
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function main() {
  const { values, positionals } = parseArgs({
    options: { glibc: { type: 'string' } },
    allowPositionals: true,
  });
  const found = positionals.flatMap((file) => faults(file, { glibcMax: values.glibc ?? null }));
  for (const file of positionals) {
    const { sizeBytes, glibc } = inspect(file);
    console.log(`${basename(file)}: ${sizeBytes} bytes, ${glibc ? `glibc ${glibc}` : 'no glibc'}`);
  }
  if (positionals.length === 0) found.push('Usage: node scripts/binary.mjs FILE… [--glibc 2.17]');
  for (const fault of found) console.error(fault);
  process.exitCode = found.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main();
