// The version of a release stands in many files: the main package and its lock file, each platform's package, the crate and
// its lock files, and the loader, which compares it with the binary's package. All of them agree, or this names those that
// do not.
//
//   node scripts/versions.mjs                 checks that they agree
//   node scripts/versions.mjs --tag v1.2.3    and that this is their tag, and CHANGELOG.md has a heading of it
//   npm run set-version -- 1.2.3              writes a version everywhere

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { fail, root as here } from './tools.mjs';

const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
const NAME = 'progressive-storage';

/** What `[package]` of `Cargo.toml` and the crate's entry of a `Cargo.lock` look like; the version is the second group. */
const OF_MANIFEST = /^(\[package\]\r?\nname = "progressive-storage"\r?\nversion = ")([^"]+)/gm;
const OF_LOCK = /^(name = "progressive-storage"\r?\nversion = ")([^"]+)/gm;
/** In the loader: what it compares, and what it says. */
const OF_LOADER = /(bindingPackageVersion !== '|mismatch, expected )([^' ]+)/g;
/** In JSON of two spaces: the version of the package itself, here and in a lock file's own entry. */
const OF_JSON = /^( {2}"version": ")([^"]+)/gm;
const OF_NPM_LOCK = /^( {2}"version": "| {6}"name": "progressive-storage",\r?\n {6}"version": ")([^"]+)/gm;
/** A platform's package among the dependencies. */
const OF_DEPENDENCY = /^( {4}"progressive-storage-[\w-]+": ")([^"]+)/gm;

/** The files with a version, and where it stands in each. `min` is how often it has to be found. */
function places(root) {
  const platforms = readdirSync(join(root, 'npm')).sort();
  return [
    { file: 'package.json', pattern: OF_JSON, min: 1 },
    { file: 'package.json', pattern: OF_DEPENDENCY, min: 0, names: platforms },
    { file: 'package-lock.json', pattern: OF_NPM_LOCK, min: 2 },
    ...platforms.map((folder) => ({ file: `npm/${folder}/package.json`, pattern: OF_JSON, min: 1 })),
    { file: 'Cargo.toml', pattern: OF_MANIFEST, min: 1 },
    { file: 'Cargo.lock', pattern: OF_LOCK, min: 1 },
    { file: 'fuzz/Cargo.lock', pattern: OF_LOCK, min: 1 },
    { file: 'lib/native.js', pattern: OF_LOADER, min: 2 * platforms.length },
  ];
}

const read = (root, file) => readFileSync(join(root, file), 'utf8').replaceAll('\r\n', '\n');

/** Everything that is wrong with the versions in a folder, as sentences. */
export function faultsOf(root) {
  const { version, optionalDependencies } = JSON.parse(read(root, 'package.json'));
  const found = [];
  for (const { file, pattern, min, names } of places(root)) {
    const versions = [...read(root, file).matchAll(pattern)].map((match) => match[2]);
    if (versions.length < min)
      found.push(`${file} has its version ${versions.length} times instead of ${min}`);
    const others = [...new Set(versions.filter((each) => each !== version))];
    if (others.length > 0)
      found.push(`${file} has the version ${others.join(', ')}; package.json has ${version}`);
    if (names && optionalDependencies) {
      const wanted = names.map((name) => `${NAME}-${name}`);
      const strangers = Object.keys(optionalDependencies).filter((name) => !wanted.includes(name));
      const missing = wanted.filter((name) => !(name in optionalDependencies));
      if (strangers.length + missing.length > 0) {
        found.push(
          `${file} depends on other packages than those in npm/: ${[...strangers, ...missing].join(', ')}`,
        );
      }
    }
  }
  return found;
}

/** What is wrong with a tag: it has to be the version, and the changelog has to have a heading with its day. */
export function faultsOfTag(root, tag) {
  const { version } = JSON.parse(read(root, 'package.json'));
  const found = [];
  if (tag !== `v${version}`) found.push(`The tag is ${tag}; package.json has the version ${version}.`);
  const heading = new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm');
  if (!heading.test(read(root, 'CHANGELOG.md'))) {
    found.push(`CHANGELOG.md has no heading '## [${version}] - YEAR-MONTH-DAY'.`);
  }
  return found;
}

/** Writes a version into all places; returns the files that changed. */
export function setVersion(root, version) {
  if (!VERSION.test(version)) throw new Error(`'${version}' is no version such as 1.2.3.`);
  const changed = new Set();
  for (const { file, pattern } of places(root)) {
    const text = readFileSync(join(root, file), 'utf8');
    const next = text.replaceAll(pattern, (_, before) => before + version);
    if (next === text) continue;
    writeFileSync(join(root, file), next);
    changed.add(file);
  }
  return [...changed];
}

function main() {
  const { values } = parseArgs({ options: { tag: { type: 'string' }, set: { type: 'string' } } });
  if (values.set !== undefined) {
    if (!VERSION.test(values.set)) fail(`'${values.set}' is no version such as 1.2.3.`);
    console.log(`Changed: ${setVersion(here, values.set).join(', ') || 'nothing'}`);
  }
  const found = [...faultsOf(here), ...(values.tag === undefined ? [] : faultsOfTag(here, values.tag))];
  if (found.length > 0) fail(found.join('\n'));
  console.log(`All files have the version ${JSON.parse(read(here, 'package.json')).version}.`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main();
