// `npm run reproducible [-- TARGET]`: builds the binary of what is committed twice, in two clones with names of different
// lengths and target folders of their own, and compares the bytes. With a target, it is built as the release builds it for
// Linux (`npm run cross-build`); without one, for this machine. It fails where the two differ, and says where.
//
// What may differ between machines, and so is printed: the versions of the compiler, and the folder of cargo's registry,
// which stands in the texts of panics.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, prepare, root } from './tools.mjs';

const PLACES = ['a', join('another-folder-with-a-longer-name', 'and-one-in-it')];
const LIBRARY = /^(lib)?progressive_storage\.(so|dylib|dll)$/;

const { positionals } = parseArgs({ allowPositionals: true });
if (positionals.length > 1) fail('Give one target, or none for this machine.');
const [target] = positionals;
prepare();

const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Builds in a new clone; returns the bytes of the binary. */
function build(place) {
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, place], { stdio: 'inherit' });
  const { CARGO_TARGET_DIR: _, ...env } = process.env;
  const [program, args] = target
    ? [process.execPath, ['scripts/cross-build.mjs', target]]
    : ['cargo', ['build', '--release', '--lib', '--locked', '--quiet']];
  const started = Date.now();
  const { status } = spawnSync(program, args, { cwd: place, env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) fail(`The build in ${place} ended with ${status}.`);
  const folder = join(place, 'target', target ? 'cross' : 'release');
  const file = readdirSync(folder).find((name) => (target ? name.endsWith('.node') : LIBRARY.test(name)));
  const bytes = readFileSync(join(folder, file));
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`${file}: ${bytes.length} bytes in ${seconds} s, sha256 ${hashOf(bytes)}`);
  return bytes;
}

/** The first place where two binaries differ, with the text around it. */
function difference(one, other) {
  let at = 0;
  while (at < Math.min(one.length, other.length) && one[at] === other[at]) at += 1;
  const around = (bytes) => JSON.stringify(bytes.subarray(Math.max(0, at - 40), at + 80).toString('latin1'));
  return `The first difference is at byte ${at}:\n  ${around(one)}\n  ${around(other)}`;
}

const place = mkdtempSync(join(tmpdir(), 'progressive-storage-reproducible-'));
process.on('exit', () => rmSync(place, { recursive: true, force: true, maxRetries: 5 }));

const [one, other] = PLACES.map((name) => build(join(place, name)));
console.log(execFileSync('rustc', ['--version'], { encoding: 'utf8' }).trim());
const registry = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry');
const count = (text) => one.toString('latin1').split(text).length - 1;
console.log(
  `The binary has the folder of cargo's registry ${count(registry)} times, and that of its sources ${count(place)} times.`,
);
if (!one.equals(other)) fail(difference(one, other));
console.log('Both builds have the same bytes.');
