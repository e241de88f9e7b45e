// The crates that are in the binaries: which, for which targets, under which licence, from which source with which hash.
// Cargo itself says so, by the lock file. What only builds (build scripts, procedural macros) and what only tests is not
// in a binary.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../tools.mjs';

const cargo = (args) =>
  execFileSync('cargo', [...args, '--locked'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** `name version` of the crates in the binary of one target, except this one. */
function namesIn(target) {
  const tree = cargo([
    'tree',
    '-e',
    'normal,no-proc-macro',
    '--target',
    target,
    '--prefix',
    'none',
    '--format',
    '{p}',
  ]);
  const names = tree
    .split('\n')
    .map((line) => /^(\S+) v(\S+)/.exec(line))
    .filter(Boolean)
    .map(([, name, version]) => `${name} ${version}`);
  return new Set(names.filter((name) => !name.startsWith('progressive-storage ')));
}

/** Crate → the hash of its archive, from `Cargo.lock`. */
function hashes() {
  const text = readFileSync(join(root, 'Cargo.lock'), 'utf8').replaceAll('\r\n', '\n');
  const pattern = /^name = "(.+)"\nversion = "(.+)"\nsource = "(.+)"\nchecksum = "([0-9a-f]{64})"$/gm;
  return new Map(
    [...text.matchAll(pattern)].map(([, name, version, , hash]) => [`${name} ${version}`, hash]),
  );
}

let known;
const metadata = () => {
  known ??= JSON.parse(cargo(['metadata', '--format-version', '1']));
  return known;
};

const isNormal = ({ dep_kinds: kinds }) => kinds.some(({ kind }) => kind === null);

/** `name version` of the crates that this project names itself, test and build tools aside. */
export function directCrates() {
  const { packages, resolve } = metadata();
  const keyOf = (wanted) =>
    packages.filter(({ id }) => id === wanted).map(({ name, version }) => `${name} ${version}`)[0];
  const own = resolve.nodes.find(({ id }) => id === resolve.root);
  return own.deps
    .filter(isNormal)
    .map(({ pkg }) => keyOf(pkg))
    .sort();
}

/**
 * All crates that are in any binary, in the order of their names: `{ name, version, license, authors, folder, hash, targets,
 * dependencies }`; `dependencies` are `name version` of others in the list.
 */
export function cratesInBinaries(targets) {
  const byTarget = targets.map((target) => [target, namesIn(target)]);
  const { packages, resolve } = metadata();
  const keyOf = new Map(packages.map(({ id, name, version }) => [id, `${name} ${version}`]));
  const hashOf = hashes();
  const isIn = (key) => byTarget.some(([, names]) => names.has(key));
  return packages
    .filter(({ id }) => isIn(keyOf.get(id)))
    .map(({ id, name, version, license, authors, manifest_path: manifest }) => ({
      name,
      version,
      license,
      authors,
      folder: dirname(manifest),
      hash: hashOf.get(keyOf.get(id)),
      targets: byTarget.filter(([, names]) => names.has(keyOf.get(id))).map(([target]) => target),
      dependencies: resolve.nodes
        .find((node) => node.id === id)
        .deps.filter(isNormal)
        .map(({ pkg }) => keyOf.get(pkg))
        .filter(isIn)
        .sort(),
    }))
    .sort((one, other) => (`${one.name} ${one.version}` < `${other.name} ${other.version}` ? -1 : 1));
}

/** The targets of the published packages, and the folder of each in `npm/`. */
export function publishedTargets() {
  const { napi } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return napi.targets;
}
