// The package managers of the rehearsal: fetched from the npm registry into target/rehearsal, at their newest version but for
// those that name one, and how each adds a package to a clean folder.
//
// pnpm, yarn and Deno do not take a version that is younger than a day, unless they are told to: so are they here.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../tools.mjs';

const PACKAGE = 'progressive-storage';

/** For each: its package, the program in it, and how it adds a package where that is not as npm does it. */
export const MANAGERS = {
  npm10: { spec: 'npm:npm@10', program: 'bin/npm-cli.js', label: 'npm' },
  npm: { spec: 'npm:npm@latest', program: 'bin/npm-cli.js', label: 'npm' },
  pnpm: {
    spec: 'npm:pnpm@latest',
    program: 'bin/pnpm.mjs',
    label: 'pnpm',
    add: ['add', PACKAGE],
    env: { pnpm_config_minimum_release_age: '0' },
  },
  'yarn-classic': { spec: 'npm:yarn@1', program: 'bin/yarn.js', label: 'yarn', add: ['add', PACKAGE] },
  yarn: {
    spec: 'npm:@yarnpkg/cli-dist@latest',
    program: 'bin/yarn.js',
    label: 'yarn',
    add: ['add', PACKAGE],
  },
};
export const ADD_BY_NPM = ['install', PACKAGE];

/** What an install must not print: a warning, or that a script was refused or waits for a permission. */
export const WARNING = /\bwarn(ing)?s?\b|deprecat|ignored.builds?|blocked \d|untrusted/i;

export function fetchManagers(folder) {
  const dependencies = Object.fromEntries(Object.entries(MANAGERS).map(([name, { spec }]) => [name, spec]));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  // Asked again each time, for "newest".
  const args = ['update', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

export function versionOf(name, folder) {
  const manifest = join(folder, 'node_modules', name, 'package.json');
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

/** The settings of a bot's user: the registry on loopback and nothing else. `linker` is yarn's. */
export function writeSettings(home, url, linker) {
  writeFileSync(join(home, '.npmrc'), `registry=${url}\n`);
  const yarn = {
    npmRegistryServer: url,
    unsafeHttpWhitelist: ['127.0.0.1'],
    enableTelemetry: false,
    npmMinimalAgeGate: 0,
    nodeLinker: linker,
    // As for a person: in CI yarn refuses to change a lock file.
    enableImmutableInstalls: false,
  };
  writeFileSync(join(home, '.yarnrc.yml'), JSON.stringify(yarn));
}
