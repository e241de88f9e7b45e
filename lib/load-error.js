// Why the addon's binary did not load, in words: what was looked for, where, what was found there, and what to do.
// Only read when loading failed. It changes nothing, and looks only at this package, at `node_modules` and lock
// files in the folders above it, and at facts about the running process.

const fs = require('node:fs');
const path = require('node:path');

const CODE = 'ERR_NATIVE_BINDING';
const packageFolder = path.dirname(__dirname);
const ownManifest = JSON.parse(fs.readFileSync(path.join(packageFolder, 'package.json'), 'utf8'));
const NAME = ownManifest.name;
/** Lock files, and the programs that write them. */
const LOCK_FILES = {
  'package-lock.json': 'npm',
  'npm-shrinkwrap.json': 'npm',
  'yarn.lock': 'yarn',
  'pnpm-lock.yaml': 'pnpm',
  'bun.lock': 'bun',
};
/** How each of them runs a program of an installed package. */
const RUNNERS = { npm: 'npx', yarn: 'yarn', pnpm: 'pnpm exec', bun: 'bunx' };

/**
 * The error to throw in place of the loader's own, with code ERR_NATIVE_BINDING. What the system said is in its text;
 * the loader's chain of causes, a page long, is left out.
 */
function explain(error) {
  const causes = chainOf(error);
  const facts = { causes, wanted: wantedBinary(causes), machine: describeMachine() };
  const looked = whatWasLookedFor(facts);
  const { why, help } = diagnose(facts, looked);
  const others = otherBinaries(facts.wanted);
  const lines = [
    `${NAME} could not load its binary: ${why}`,
    `  This is ${facts.machine}.`,
    '  Looked for:',
    ...looked.map(({ what, result }) => `    - ${what}: ${result}`),
    ...(others.length > 0
      ? ['  Found, but for other systems:', ...others.map((other) => `    - ${other}`)]
      : []),
    '  What to do:',
    ...help.map((step) => `    - ${step}`),
  ];
  const explained = new Error(lines.join('\n'));
  explained.code = CODE;
  Error.captureStackTrace?.(explained, explain);
  return explained;
}

// --- What the loader tried ---

function chainOf(error) {
  const chain = [];
  for (let each = error; each && !chain.includes(each); each = each.cause) chain.push(each);
  return chain;
}

/** The ending of the binary's name that the loader decided on, such as `linux-x64-gnu`; null when it knows none. */
function wantedBinary(causes) {
  const pattern = new RegExp(`${NAME}[.-]((?:android|darwin|freebsd|linux|openharmony|win32)-[a-z0-9-]+)`);
  for (const { message } of causes) {
    const match = pattern.exec(message);
    if (match) return match[1];
  }
  return null;
}

function whatWasLookedFor({ causes, wanted }) {
  const byHand = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  if (byHand) {
    const result = fs.existsSync(byHand) ? failureOf(causes, byHand) : 'not there';
    return [{ what: `${byHand} (from NAPI_RS_NATIVE_LIBRARY_PATH)`, file: byHand, result }];
  }
  if (!wanted) return [{ what: 'a binary for this system', result: 'there is none' }];
  const local = path.join(packageFolder, `${NAME}.${wanted}.node`);
  const name = `${NAME}-${wanted}`;
  const installed = placesOfPackages().find((place) => fs.existsSync(path.join(place, name)));
  const file = installed && path.join(installed, name, `${NAME}.${wanted}.node`);
  let result = 'not installed';
  if (file) result = fs.existsSync(file) ? failureOf(causes, file) : `${file} is missing in it`;
  return [
    { what: local, file: local, result: fs.existsSync(local) ? failureOf(causes, local) : 'not there' },
    { what: `the package ${name}, from ${packageFolder} upwards`, file, result },
  ];
}

/** What the system said about a file that is there. */
function failureOf(causes, file) {
  // The loader's chain keeps the messages, not the codes.
  const failures = causes.slice(1).filter(({ message }) => !/^Cannot find (module|package)/i.test(message));
  const failure = failures.find(({ message }) => message.includes(path.basename(file))) || failures[0];
  return failure ? firstLine(failure.message) : 'it could not be loaded';
}

const firstLine = (text) => text.split('\n', 1)[0];

/** The `node_modules` folders in which Node looks, nearest first. */
function placesOfPackages() {
  return (require.resolve.paths(NAME) || []).filter((place) => fs.existsSync(place));
}

function otherBinaries(wanted) {
  const found = [];
  for (const place of placesOfPackages()) {
    for (const name of namesIn(place)) {
      if (name.startsWith(`${NAME}-`) && name !== `${NAME}-${wanted}`) found.push(path.join(place, name));
    }
  }
  for (const name of namesIn(packageFolder)) {
    if (name.endsWith('.node') && name !== `${NAME}.${wanted}.node`)
      found.push(path.join(packageFolder, name));
  }
  return found;
}

function namesIn(folder) {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}

// --- The machine ---

function describeMachine() {
  const { platform, arch, versions } = process;
  const glibc = glibcVersion();
  const libc = glibc
    ? ` with glibc ${glibc}`
    : platform === 'linux'
      ? ' without glibc (musl, as on Alpine)'
      : '';
  const runtime = versions.bun ? `Bun ${versions.bun}` : versions.deno ? `Deno ${versions.deno}` : 'Node.js';
  return `${platform} ${arch}${libc}, ${runtime} ${process.version}, Node-API ${versions.napi}`;
}

function glibcVersion() {
  try {
    return process.report.getReport().header.glibcVersionRuntime || null;
  } catch {
    return null;
  }
}

/** The mount that holds a file, when it forbids to run what is on it. */
function noexecMount(file) {
  let mounts;
  let real;
  try {
    mounts = fs.readFileSync('/proc/mounts', 'utf8');
    real = fs.realpathSync(file);
  } catch {
    return null;
  }
  let nearest = null;
  for (const line of mounts.split('\n')) {
    const [, rawPoint, , options] = line.split(' ');
    if (!options) continue;
    const point = rawPoint.replace(/\\040/g, ' ');
    const holds = real === point || real.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (holds && (!nearest || point.length >= nearest.point.length)) nearest = { point, options };
  }
  return nearest?.options.split(',').includes('noexec') ? nearest.point : null;
}

/** `{ file, manager, text }` of the nearest lock file above the package that knows it; null when there is none. */
function lockFile() {
  for (let folder = packageFolder; ; folder = path.dirname(folder)) {
    for (const [name, manager] of Object.entries(LOCK_FILES)) {
      const file = path.join(folder, name);
      try {
        const text = fs.readFileSync(file, 'utf8');
        if (text.includes(NAME)) return { file, manager, text };
      } catch {
        // No such lock file here; look further up.
      }
    }
    if (folder === path.dirname(folder)) return null;
  }
}

const managerHere = () => lockFile()?.manager ?? 'npm';
const installAgain = () => `rm -rf node_modules && ${managerHere()} install`;
const buildHere = () =>
  `With Rust (https://rustup.rs) on this machine: ${RUNNERS[managerHere()]} ${NAME} build`;

/**
 * Whether a lock file has an entry of its own for a package. Its bare name does not tell: the entry of this package
 * names all the optional ones. npm: `"node_modules/NAME": {`, before version 7 `"NAME": {`; yarn, pnpm and Bun: `NAME@`.
 */
function isLocked(name, text) {
  return [`node_modules/${name}"`, `"${name}": {`, `${name}@`].some((entry) => text.includes(entry));
}

/** Where optional packages were switched off: this environment, or an `.npmrc` above the package. */
function optionalSwitchedOff() {
  if (/\boptional\b/.test(process.env.npm_config_omit || '')) return 'npm_config_omit in the environment';
  for (let folder = packageFolder; ; folder = path.dirname(folder)) {
    const file = path.join(folder, '.npmrc');
    try {
      if (/^\s*(omit(\[\])?\s*=\s*"?optional|optional\s*=\s*false)/m.test(fs.readFileSync(file, 'utf8')))
        return file;
    } catch {
      // No such file here; look further up.
    }
    if (folder === path.dirname(folder)) return null;
  }
}

// --- The diagnosis ---

function diagnose(facts, looked) {
  if (Number(process.versions.napi) < 8 || Number(process.versions.node.split('.')[0]) < 18) {
    return { why: 'this Node.js is too old.', help: ['Install Node.js 18 or newer.'] };
  }
  const failed = looked.find(({ file }) => file && fs.existsSync(file));
  if (failed) return diagnoseFile(failed);
  if (process.env.NAPI_RS_NATIVE_LIBRARY_PATH) {
    return {
      why: 'NAPI_RS_NATIVE_LIBRARY_PATH names a file that is not there.',
      help: ['Unset NAPI_RS_NATIVE_LIBRARY_PATH, or let it name a binary that was built for this machine.'],
    };
  }
  if (process.arch === 'ia32' || !facts.wanted || !isSupported(facts.wanted)) return diagnoseSystem();
  return diagnoseMissing(facts);
}

/** Whether this version is published with such a binary. The list is put in when it is published. */
function isSupported(wanted) {
  const published = ownManifest.optionalDependencies;
  return !published || `${NAME}-${wanted}` in published;
}

function diagnoseSystem() {
  if (process.arch === 'ia32') {
    return {
      why: 'this Node.js is a 32-bit build, for which there is none.',
      help: ['Install a 64-bit Node.js (https://nodejs.org), then: npm install', buildHere()],
    };
  }
  return { why: `there is none for ${process.platform} on ${process.arch}.`, help: [buildHere()] };
}

function diagnoseMissing({ wanted }) {
  const name = `${NAME}-${wanted}`;
  if (fs.existsSync(path.join(packageFolder, '.git'))) {
    return {
      why: 'it has not been built in this clone.',
      help: ['npm run build (needs Rust, https://rustup.rs)'],
    };
  }
  if (!ownManifest.optionalDependencies) {
    return { why: 'this was installed from its sources and has not been built.', help: [buildHere()] };
  }
  const switchedOff = optionalSwitchedOff();
  if (switchedOff) {
    return {
      why: `the package ${name} was left out, because optional packages are switched off.`,
      help: [`Take that out of ${switchedOff}, then: ${installAgain()}`],
    };
  }
  const lock = lockFile();
  if (lock && !isLocked(name, lock.text)) {
    const folder = path.dirname(lock.file);
    const known = 'npm may forget optional packages of other systems, https://github.com/npm/cli/issues/4828';
    return {
      why: `the lock file was made on another system and does not name the package ${name}.`,
      help: [
        `rm -rf node_modules ${path.basename(lock.file)} && ${lock.manager} install   (in ${folder}${lock.manager === 'npm' ? `; ${known}` : ''})`,
        buildHere(),
      ],
    };
  }
  if (otherBinaries(wanted).length > 0) {
    return {
      why: 'node_modules was installed on another system and copied here.',
      help: [
        `On this machine: ${installAgain()}`,
        'In a Dockerfile: run npm ci inside the image, and list node_modules in .dockerignore.',
      ],
    };
  }
  return {
    why: `the package ${name} is not installed.`,
    help: [
      `${installAgain()}   (without --no-optional and --omit=optional: the binary is an optional package)`,
      buildHere(),
    ],
  };
}

function diagnoseFile({ file, result }) {
  const needed = /GLIBC_([0-9.]+)' not found/.exec(result);
  if (needed) {
    return {
      why: `it needs glibc ${needed[1]} and this system has ${glibcVersion() || 'none'}.`,
      help: ['Use a newer system, such as Debian 9, Ubuntu 16.04, RHEL 7 or later.', buildHere()],
    };
  }
  const mount = noexecMount(file);
  if (mount || /failed to map segment|Operation not permitted/i.test(result)) {
    return {
      why: `nothing may be run from ${mount || 'the place where it is'} (mounted noexec).`,
      help: [
        'Move the project to a place that is not mounted noexec, or mount it with exec.',
        `Or copy ${file} to such a place and set NAPI_RS_NATIVE_LIBRARY_PATH to the copy.`,
      ],
    };
  }
  if (/ELFCLASS|not a valid Win32|incompatible architecture|wrong architecture/i.test(result)) {
    return {
      why: `it was built for another processor than this Node.js (${process.arch}).`,
      help: [
        `Install a Node.js for this machine's own processor (64-bit on a 64-bit system), then: ${installAgain()}`,
      ],
    };
  }
  if (/ld-linux|ld-musl|libc\.musl|libc\.so|Error relocating|symbol not found/i.test(result)) {
    return {
      why: 'it was built for the other C library (glibc or musl) than this system has.',
      help: [
        `On this machine: ${installAgain()}`,
        'In a Dockerfile: install in the same base image as the bot runs in (Alpine has musl, Debian glibc).',
      ],
    };
  }
  if (/permission denied|EACCES/i.test(result)) {
    return { why: 'it may not be read.', help: [`Give this user the right to read ${file}.`] };
  }
  if (/invalid ELF header|file too short|exec format error|not a mach-o|slice is not valid/i.test(result)) {
    return {
      why: 'the file is damaged, or for another system.',
      help: [`See that the disk is not full, then: ${installAgain()}`],
    };
  }
  return { why: 'the system refused it.', help: [`On this machine: ${installAgain()}`, buildHere()] };
}

module.exports.CODE = CODE;
module.exports.explain = explain;
