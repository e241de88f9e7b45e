// The addon's binary is missing, or does not load: the error says what was searched, where, what was found, and what to do.
// Each test lays out a bot's node_modules with one fault, and starts a process in it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { atEnd, repositoryRoot, runScript, temporaryFolder } from '../support/temp.mjs';

const NAME = 'progressive-storage';
const builtBinary = (await readdir(repositoryRoot)).find((name) => name.endsWith('.node'));
assert.ok(builtBinary, 'the addon is built');
const HERE = builtBinary.split('.')[1];
const ELSEWHERE = HERE === 'win32-arm64-msvc' ? 'linux-arm64-musl' : 'win32-arm64-msvc';

// A bot with the published package in its node_modules, without the binary.
async function botWithoutBinary(t, folder) {
  const bot = folder ?? (await temporaryFolder(t));
  const installed = path.join(bot, 'node_modules', NAME);
  await mkdir(installed, { recursive: true });
  for (const name of ['index.js', 'lib']) {
    await cp(path.join(repositoryRoot, name), path.join(installed, name), { recursive: true });
  }
  const manifest = JSON.parse(await readFile(path.join(repositoryRoot, 'package.json'), 'utf8'));
  const platforms = await readdir(path.join(repositoryRoot, 'npm'));
  manifest.optionalDependencies = Object.fromEntries(
    platforms.map((platform) => [`${NAME}-${platform}`, manifest.version]),
  );
  await writeFile(path.join(installed, 'package.json'), JSON.stringify(manifest));
  return bot;
}

// Adds the package of one platform. `binary` copies a file, `text` writes one, `throws` fails with that message like the
// system's loader.
async function addPlatform(bot, platform, { binary, text, throws } = {}) {
  const folder = path.join(bot, 'node_modules', `${NAME}-${platform}`);
  const file = path.join(folder, `${NAME}.${platform}.node`);
  await mkdir(folder, { recursive: true });
  const main = throws ? 'fails.js' : path.basename(file);
  await writeFile(
    path.join(folder, 'package.json'),
    JSON.stringify({ name: `${NAME}-${platform}`, version: '0.1.0', main }),
  );
  if (binary) await cp(binary, file);
  else await writeFile(file, text ?? '');
  if (throws) {
    await writeFile(
      path.join(folder, 'fails.js'),
      `throw Object.assign(new Error(${JSON.stringify(throws(file))}), { code: 'ERR_DLOPEN_FAILED' });`,
    );
  }
  return file;
}

// Loads the package in a process of its own. Returns the error's message, or null when it loaded. `process` sets
// properties of the child's `process` first.
async function load(t, bot, { as = {}, env = {}, from = NAME } = {}) {
  const result = await runScript(t, {
    cwd: bot,
    env: { npm_config_omit: '', NAPI_RS_NATIVE_LIBRARY_PATH: '', ...env },
    source: `
      import { createRequire } from 'node:module';
      for (const [name, value] of Object.entries(${JSON.stringify(as)})) {
        Object.defineProperty(process, name, { value });
      }
      try {
        createRequire(import.meta.url)(${JSON.stringify(from)});
        console.log(JSON.stringify(null));
      } catch (error) {
        console.log(JSON.stringify({ code: error.code, message: error.message }));
      }
    `,
  });
  assert.equal(result.stderr, '');
  const error = JSON.parse(result.stdout);
  if (error) assert.equal(error.code, 'ERR_NATIVE_BINDING', error.message);
  return error?.message ?? null;
}

test('it loads with the package of its platform', async (t) => {
  const bot = await botWithoutBinary(t);
  await addPlatform(bot, HERE, { binary: path.join(repositoryRoot, builtBinary) });
  assert.equal(await load(t, bot), null);
});

test('no binary: the error says what is missing, where, on which machine, and what to do', async (t) => {
  const bot = await botWithoutBinary(t);
  for (const from of [NAME, `${NAME}/append-log`, `${NAME}/storage`]) {
    const message = await load(t, bot, { from });
    assert.ok(message.includes(`the package ${NAME}-${HERE} is not installed`), message);
    assert.ok(message.includes(path.join(NAME, `${NAME}.${HERE}.node`)), message);
    assert.ok(message.includes(`${process.platform} ${process.arch}`), message);
    assert.ok(message.includes(process.version), message);
    assert.ok(message.includes('rm -rf node_modules && npm install'), message);
    assert.ok(message.includes(`npx ${NAME} build`), message);
  }
});

test('node_modules of another system: the packages found are named', async (t) => {
  const bot = await botWithoutBinary(t);
  await addPlatform(bot, ELSEWHERE);
  const message = await load(t, bot);
  assert.ok(message.includes('node_modules was installed on another system and copied here'), message);
  assert.ok(message.includes(path.join('node_modules', `${NAME}-${ELSEWHERE}`)), message);
  assert.ok(message.includes('.dockerignore'), message);
});

// As each package manager writes it: the entry of the main package names all platforms' packages, with or without
// entries of their own.
const LOCK_FILES = {
  'package-lock.json': (named, locked) =>
    JSON.stringify(
      {
        packages: {
          [`node_modules/${NAME}`]: {
            version: '0.1.0',
            optionalDependencies: Object.fromEntries(named.map((name) => [name, '0.1.0'])),
          },
          ...Object.fromEntries(locked.map((name) => [`node_modules/${name}`, { version: '0.1.0' }])),
        },
      },
      null,
      2,
    ),
  'yarn.lock': (named, locked) =>
    [
      `${NAME}@^0.1.0:\n  version "0.1.0"\n  optionalDependencies:`,
      ...named.map((name) => `    ${name} "0.1.0"`),
      ...locked.map((name) => `\n${name}@0.1.0:\n  version "0.1.0"`),
    ].join('\n'),
  'pnpm-lock.yaml': (named, locked) =>
    [
      ...locked.map((name) => `  ${name}@0.1.0:\n    resolution: {integrity: sha512-x}`),
      `snapshots:\n  ${NAME}@0.1.0:\n    optionalDependencies:`,
      ...named.map((name) => `      ${name}: 0.1.0`),
    ].join('\n'),
  'bun.lock': (named, locked) =>
    [
      `    "${NAME}": ["${NAME}@0.1.0", "", { "optionalDependencies": { ${named.map((name) => `"${name}": "0.1.0"`)} } }],`,
      ...locked.map((name) => `    "${name}": ["${name}@0.1.0", "", { "os": "x" }],`),
    ].join('\n'),
};

for (const [lock, text] of Object.entries(LOCK_FILES)) {
  test(`a ${lock} without the package for this system is named`, async (t) => {
    const bot = await botWithoutBinary(t);
    const named = [`${NAME}-${HERE}`, `${NAME}-${ELSEWHERE}`];
    await writeFile(path.join(bot, lock), text(named, [`${NAME}-${ELSEWHERE}`]));
    const message = await load(t, bot);
    assert.ok(message.includes('the lock file was made on another system'), message);
    const manager = { 'package-lock.json': 'npm' }[lock] ?? lock.split(/[.-]/)[0];
    assert.ok(message.includes(`rm -rf node_modules ${lock} && ${manager} install`), message);
    const runner = { npm: 'npx', pnpm: 'pnpm exec', bun: 'bunx' }[manager] ?? manager;
    assert.ok(message.includes(`: ${runner} ${NAME} build`), message);
    // The error does not name a lock file with the right package.
    await writeFile(path.join(bot, lock), text(named, named));
    const other = await load(t, bot);
    assert.ok(!other.includes('the lock file'), other);
    assert.ok(other.includes(`rm -rf node_modules && ${manager} install`), other);
  });
}

test('optional packages switched off, in the environment or in .npmrc', async (t) => {
  const bot = await botWithoutBinary(t);
  const byEnvironment = await load(t, bot, { env: { npm_config_omit: 'optional' } });
  assert.ok(byEnvironment.includes('optional packages are switched off'), byEnvironment);
  await writeFile(path.join(bot, '.npmrc'), 'fund=false\nomit=optional\n');
  const byFile = await load(t, bot);
  assert.ok(byFile.includes(path.join(path.basename(bot), '.npmrc')), byFile);
});

test('a system without a published package, and a 32-bit Node', async (t) => {
  const bot = await botWithoutBinary(t);
  const strange = await load(t, bot, { as: { platform: 'sunos', arch: 'x64' } });
  assert.ok(strange.includes('there is none for sunos on x64'), strange);
  const riscv = await load(t, bot, { as: { platform: 'linux', arch: 'riscv64' } });
  assert.ok(riscv.includes('there is none for linux on riscv64'), riscv);
  assert.ok(riscv.includes(`npx ${NAME} build`), riscv);
  const narrow = await load(t, bot, { as: { platform: 'linux', arch: 'ia32' } });
  assert.ok(narrow.includes('this Node.js is a 32-bit build'), narrow);
});

test('a Node that is too old', async (t) => {
  const bot = await botWithoutBinary(t);
  const message = await load(t, bot, {
    as: { versions: { ...process.versions, node: '14.21.3', napi: '8' } },
  });
  assert.ok(message.includes('this Node.js is too old'), message);
});

test('installed from its sources, and not built', async (t) => {
  const bot = await botWithoutBinary(t);
  const file = path.join(bot, 'node_modules', NAME, 'package.json');
  const { optionalDependencies, ...fromGit } = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify(fromGit));
  assert.ok((await load(t, bot)).includes('this was installed from its sources and has not been built'));
});

test('a clone that was not built', async (t) => {
  const bot = await botWithoutBinary(t);
  await mkdir(path.join(bot, 'node_modules', NAME, '.git'));
  assert.ok((await load(t, bot)).includes('npm run build'));
});

// The exact messages of the system's loaders, with the path of the file inserted.
const REFUSALS = [
  {
    name: 'too old a glibc',
    says: (file) => `/lib/x86_64-linux-gnu/libc.so.6: version \`GLIBC_2.34' not found (required by ${file})`,
    why: 'it needs glibc 2.34 and this system has',
  },
  {
    name: 'a place from which nothing may be run',
    says: (file) => `${file}: failed to map segment from shared object: Operation not permitted`,
    why: 'mounted noexec',
  },
  {
    name: 'a binary for musl where there is glibc',
    says: () => 'libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory',
    why: 'the other C library',
  },
  {
    name: 'a binary for glibc where there is musl',
    says: (file) =>
      `Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by ${file})`,
    why: 'the other C library',
  },
  {
    name: 'a 64-bit binary in a 32-bit Node',
    says: (file) => `${file}: wrong ELF class: ELFCLASS64`,
    why: 'another processor than this Node.js',
  },
  {
    name: 'a binary for another processor on Windows',
    says: (file) => `\\\\?\\${file} is not a valid Win32 application.`,
    why: 'another processor than this Node.js',
  },
  {
    name: 'a binary for another processor on macOS',
    says: (file) =>
      `dlopen(${file}, 0x0001): tried: '${file}' (mach-o file, but is an incompatible architecture)`,
    why: 'another processor than this Node.js',
  },
  {
    name: 'a file that may not be read',
    says: (file) => `${file}: cannot open shared object file: Permission denied`,
    why: 'it may not be read',
  },
  {
    name: 'anything else',
    says: (file) => `${file}: cannot enable executable stack as shared object requires`,
    why: 'the system refused it',
  },
];

for (const { name, says, why } of REFUSALS) {
  test(`refused: ${name}`, async (t) => {
    const bot = await botWithoutBinary(t);
    const file = await addPlatform(bot, HERE, { text: 'x', throws: says });
    const message = await load(t, bot);
    assert.ok(message.includes(why), message);
    assert.ok(message.includes(says(file)), 'the words of the system stand in the error');
    assert.match(message, /What to do:\n {4}- \S/);
  });
}

test('a damaged file, by the real loader', { skip: process.platform !== 'linux' }, async (t) => {
  const bot = await botWithoutBinary(t);
  await addPlatform(bot, HERE, { text: 'not a binary' });
  const message = await load(t, bot);
  assert.ok(message.includes('the file is damaged, or for another system'), message);
});

// Without a check of our own, the system's loader ends the process at the first file, and calls the second "No such file
// or directory".
const isElf = (await readFile(path.join(repositoryRoot, builtBinary))).toString('latin1', 0, 4) === '\x7fELF';
const notChecked = process.versions.deno
  ? 'Deno does not load by process.dlopen'
  : !isElf && 'needs ELF files';

test('a file that is cut short', { skip: notChecked }, async (t) => {
  const bot = await botWithoutBinary(t);
  const file = await addPlatform(bot, HERE, { binary: path.join(repositoryRoot, builtBinary) });
  const { size } = await stat(file);
  for (const length of [size - 1, size >> 1, 1000, 63, 0]) {
    await truncate(file, length);
    const message = await load(t, bot);
    assert.ok(message.includes('the file is damaged, or for another system'), message);
    assert.ok(message.includes(`${file}: file too short`), message);
  }
});

test('a file for another processor', { skip: notChecked }, async (t) => {
  const bot = await botWithoutBinary(t);
  const file = await addPlatform(bot, HERE, { binary: path.join(repositoryRoot, builtBinary) });
  const binary = await readFile(file);
  // The number of RISC-V.
  binary.writeUInt16LE(243, 18);
  await writeFile(file, binary);
  const message = await load(t, bot);
  assert.ok(message.includes('another processor than this Node.js'), message);
  assert.ok(message.includes(file), message);
});

test('a package without its file', async (t) => {
  const bot = await botWithoutBinary(t);
  const file = await addPlatform(bot, HERE, { throws: () => 'there is no such file' });
  await writeFile(path.join(path.dirname(file), 'package.json'), '{}');
  await rm(file);
  const message = await load(t, bot);
  assert.ok(message.includes(`${path.basename(file)} is missing in it`), message);
});

test('NAPI_RS_NATIVE_LIBRARY_PATH: used, and named when it is wrong', async (t) => {
  const bot = await botWithoutBinary(t);
  const right = { NAPI_RS_NATIVE_LIBRARY_PATH: path.join(repositoryRoot, builtBinary) };
  assert.equal(await load(t, bot, { env: right }), null);
  const gone = path.join(bot, 'gone.node');
  const message = await load(t, bot, { env: { NAPI_RS_NATIVE_LIBRARY_PATH: gone } });
  assert.ok(message.includes(`${gone} (from NAPI_RS_NATIVE_LIBRARY_PATH): not there`), message);
  assert.ok(message.includes('Unset NAPI_RS_NATIVE_LIBRARY_PATH'), message);
});

test('the program prints the error once, with exit code 3', async (t) => {
  const bot = await botWithoutBinary(t);
  const bin = path.join(bot, 'node_modules', NAME, 'bin');
  await cp(path.join(repositoryRoot, 'bin'), bin, { recursive: true });
  const file = path.join(bin, 'progressive-storage.mjs');
  const env = { npm_config_omit: '', NAPI_RS_NATIVE_LIBRARY_PATH: '' };
  for (const args of [['doctor'], ['adopt', '.'], ['--help']]) {
    const { code, stderr } = await runScript(t, { file, args, cwd: bot, env });
    assert.equal(code, 3, stderr);
    assert.equal(stderr.split('could not load its binary').length, 2, stderr);
    assert.ok(stderr.includes('What to do:'), stderr);
  }
  const version = await runScript(t, { file, args: ['--version'], cwd: bot, env });
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^\d+\.\d+\.\d+/);
});

// Mounts a file system that forbids running programs; null where the test may not mount.
async function noexecFolder(t) {
  const folder = await temporaryFolder(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'noexec,size=16m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  atEnd(t, () => execFileSync('umount', [folder]));
  return folder;
}

test('a real noexec mount is named', async (t) => {
  if (!existsSync('/proc/mounts')) return t.skip('needs Linux');
  const folder = await noexecFolder(t);
  if (!folder) return t.skip('needs the right to mount a file system');
  const bot = await botWithoutBinary(t, folder);
  const file = await addPlatform(bot, HERE, { binary: path.join(repositoryRoot, builtBinary) });
  const message = await load(t, bot);
  assert.ok(message.includes(`nothing may be run from ${folder} (mounted noexec)`), message);
  assert.ok(message.includes(`copy ${file}`), message);
});

// --- Building the binary where none loads ---

// Runs `progressive-storage build` as it is installed, with the test's own `cargo` first in the PATH, or without any.
async function build(t, bot, cargo, ...args) {
  const programs = await temporaryFolder(t);
  const installed = path.join(bot, 'node_modules', NAME);
  for (const name of ['bin', 'Cargo.toml']) {
    await cp(path.join(repositoryRoot, name), path.join(installed, name), { recursive: true });
  }
  if (cargo) await writeFile(path.join(programs, 'cargo'), `#!/bin/sh\n${cargo}\n`, { mode: 0o755 });
  return runScript(t, {
    file: path.join(installed, 'bin', 'progressive-storage.mjs'),
    args: ['build', ...args],
    cwd: bot,
    env: {
      PATH: cargo ? `${programs}:${process.env.PATH}` : programs,
      npm_config_omit: '',
      NAPI_RS_NATIVE_LIBRARY_PATH: '',
    },
  });
}

const noShell = process.platform === 'win32' && 'the stand-in for cargo is a shell script';

test('build without Rust, or with one that is too old, says so', { skip: noShell }, async (t) => {
  const bot = await botWithoutBinary(t);
  for (const [cargo, says] of [
    [null, /cargo was not found\. Install it from https:\/\/rustup\.rs/],
    ['echo "cargo 1.63.0 (fd9c4297c 2022-07-01)"', /Rust 1\.\d+ or newer is needed; this is cargo 1\.63\.0/],
    ['echo "no default toolchain is configured" >&2; exit 1', /cargo does not run: no default toolchain/],
    ['[ "$1" = --version ] && echo "cargo 1.99.0" && exit; exit 9', /cargo ended with 9|`cc` was not found/],
  ]) {
    const { code, stdout, stderr } = await build(t, bot, cargo);
    assert.equal(code, 3);
    assert.equal(stdout, '');
    assert.match(stderr, says);
    const { stdout: told } = await build(t, bot, cargo, '--json');
    assert.equal(JSON.parse(told).error.code, 'ERR_NOT_BUILT');
  }
});

const CARGO = `if [ "$1" = --version ]; then echo "cargo 1.99.0"; exit; fi`;

test('build puts the binary in place, and leaves nothing else', { skip: noShell }, async (t) => {
  const bot = await botWithoutBinary(t);
  const installed = path.join(bot, 'node_modules', NAME);
  const library = path.join(installed, 'target', 'release', 'libstore.so');
  const artifact = { reason: 'compiler-artifact', target: { kind: ['cdylib'] }, filenames: [library] };
  const { code, stdout, stderr } = await build(
    t,
    bot,
    `${CARGO}
     mkdir -p '${path.dirname(library)}'
     cp '${path.join(repositoryRoot, builtBinary)}' '${library}'
     echo '${JSON.stringify(artifact)}'`,
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Built .*progressive-storage\..*\.node\. It loads\./);
  assert.deepEqual(
    (await readdir(installed)).sort(),
    ['Cargo.toml', 'bin', 'index.js', 'lib', 'package.json', builtBinary].sort(),
  );
  assert.equal(await load(t, bot), null);
  // With a binary, there is nothing to do.
  const again = await build(t, bot, null);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /There is nothing to build/);
});

test('build says when what was built does not load', { skip: noShell }, async (t) => {
  const bot = await botWithoutBinary(t);
  const library = path.join(bot, 'libstore.so');
  await writeFile(library, 'not a binary');
  const artifact = { reason: 'compiler-artifact', target: { kind: ['cdylib'] }, filenames: [library] };
  const { code, stderr } = await build(t, bot, `${CARGO}\necho '${JSON.stringify(artifact)}'`);
  assert.equal(code, 3);
  assert.match(stderr, /what was built does not load/);
});

test('build tells its help without a binary', async (t) => {
  const bot = await botWithoutBinary(t);
  const { code, stdout, stderr } = await build(t, bot, null, '--help');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /from the Rust sources in the package/);
});
