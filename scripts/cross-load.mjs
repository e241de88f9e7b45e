// Loads binaries of other systems, for cross-build.mjs: with a runtime of that system, run by an emulator where needed.
//
// These packages of Debian run them: qemu-user-static, libstdc++6 and libatomic1 with the endings -arm64-cross and
// -armhf-cross for other processors; musl-tools for musl; wine64 and wine for Windows.

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
import { has, root, run } from './tools.mjs';

export const folder = join(root, 'target', 'cross');
export const venv = join(folder, 'venv');
const runtimes = join(folder, 'runtimes');

export const binaryOf = (platform) => join(folder, `progressive-storage.${platform}.node`);

// The package's own JavaScript loads the binary that the variable NAPI_RS_NATIVE_LIBRARY_PATH names.
const SMOKE = `
  const assert = require('node:assert');
  const ps = require(${JSON.stringify(root)});
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

/** Loads a binary with a runtime of its system; returns what was run, or why nothing was. */
export function load(platform, runner) {
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
  if (!existsSync(program)) installRuntime(place, runner.npm);
  const script = join(folder, 'smoke.cjs');
  writeFileSync(script, SMOKE);
  const environment = runner.prepare?.(place);
  const command = [...runner.by, ...(libraries ? ['-L', libraries] : []), program, script];
  // Output goes to a file: Node's pipes are sockets, and Wine cannot write to those.
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

function installRuntime(place, npmPackage) {
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n');
  // The runtime is for another system, so npm must be forced.
  const quiet = ['--no-audit', '--no-fund', '--loglevel=silent'];
  const args = ['install', npmPackage, '--force', '--ignore-scripts', ...quiet];
  run('npm', args, { cwd: place, stdio: 'ignore' });
}

const pip = (...args) => run(join(venv, 'bin', 'pip'), ['--quiet', '--disable-pip-version-check', ...args]);

/**
 * Bun for musl needs a C++ library for musl, and Debian has none. Python packages for musl bring one. The version
 * that Debian's musl (1.2.3) can load lacks two functions; they only handle failures, so stand-ins that abort are
 * enough.
 */
export function prepareMusl(place) {
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

/** Rust gets random bytes from a function of Windows that older versions of Wine lack. */
export function prepareWine(place) {
  const source = join(place, 'random.c');
  writeFileSync(
    source,
    `#include <windows.h>
    BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
    __declspec(dllexport) BOOL ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
    `,
  );
  // Windows searches for libraries in the folder of the addon.
  const library = join(folder, 'bcryptprimitives.dll');
  const zig = ['-m', 'ziglang', 'cc', '-target', 'x86_64-windows-gnu', '-shared'];
  run(join(venv, 'bin', 'python'), [...zig, source, '-ladvapi32', '-o', library]);
  return { WINEDEBUG: '-all', WINEPREFIX: join(place, 'wine'), NODE_SKIP_PLATFORM_CHECK: '1' };
}
