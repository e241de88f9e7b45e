// The built binary is small, is an addon, and needs no Node-API above level 8. The release checks how old a glibc it loads
// on (`npm run cross-build`, the release workflow). A local build may need the glibc of its machine, so this file only tests
// the check itself.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { compareVersions, faults, inspect, SIZE_MAX_BYTES } from '../../scripts/binary.mjs';
import { repositoryRoot, temporaryFolder } from '../support/temp.mjs';

const manifest = JSON.parse(await readFile(path.join(repositoryRoot, 'package.json'), 'utf8'));
const names = (await readdir(repositoryRoot)).filter((name) => name.endsWith('.node'));

test('the built binary is small and asks for no Node-API above level 8', () => {
  assert.ok(names.length > 0, 'the addon is built');
  for (const name of names) assert.deepEqual(faults(path.join(repositoryRoot, name)), []);
});

test('the check finds a binary that must not be published', async (t) => {
  const folder = await temporaryFolder(t);
  const write = async (name, text) => {
    await writeFile(path.join(folder, name), text, 'latin1');
    return path.join(folder, name);
  };
  const good =
    'napi_register_module_v1\0napi_create_object\0node_api_module_get_api_version_v1\0GLIBC_2.4\0GLIBC_2.17\0';
  const fine = await write('fine.node', good);
  assert.deepEqual(faults(fine, { glibcMax: '2.17' }), []);
  assert.equal(inspect(fine).glibc, '2.17');
  const newer = await write('newer.node', `${good}GLIBC_2.34\0`);
  assert.match(faults(newer, { glibcMax: '2.17' })[0], /needs glibc 2\.34/);
  assert.deepEqual(faults(newer), []);
  const level10 = await write('level.node', `${good}node_api_create_property_key_utf8\0`);
  assert.match(faults(level10)[0], /node_api_create_property_key_utf8/);
  assert.match(faults(await write('none.node', 'x'))[0], /is not an addon/);
  assert.match(
    faults(await write('large.node', good + 'x'.repeat(SIZE_MAX_BYTES)))[0],
    /large\.node has \d+ bytes, over \d+/,
  );
  assert.ok(compareVersions('2.9', '2.17') < 0);
});

// Target → the package of its binary, and the machines that npm installs it on.
const PLATFORMS = {
  'x86_64-unknown-linux-gnu': { folder: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  'x86_64-unknown-linux-musl': { folder: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl' },
  'aarch64-unknown-linux-gnu': { folder: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  'aarch64-unknown-linux-musl': { folder: 'linux-arm64-musl', os: 'linux', cpu: 'arm64', libc: 'musl' },
  'armv7-unknown-linux-gnueabihf': { folder: 'linux-arm-gnueabihf', os: 'linux', cpu: 'arm', libc: 'glibc' },
  'armv7-unknown-linux-musleabihf': { folder: 'linux-arm-musleabihf', os: 'linux', cpu: 'arm', libc: 'musl' },
  'x86_64-apple-darwin': { folder: 'darwin-x64', os: 'darwin', cpu: 'x64' },
  'aarch64-apple-darwin': { folder: 'darwin-arm64', os: 'darwin', cpu: 'arm64' },
  'x86_64-pc-windows-msvc': { folder: 'win32-x64-msvc', os: 'win32', cpu: 'x64' },
  'aarch64-pc-windows-msvc': { folder: 'win32-arm64-msvc', os: 'win32', cpu: 'arm64' },
  'x86_64-unknown-freebsd': { folder: 'freebsd-x64', os: 'freebsd', cpu: 'x64' },
  'aarch64-linux-android': { folder: 'android-arm64', os: 'android', cpu: 'arm64' },
};

test('each target has its package, for its system only', async () => {
  const licence = await readFile(path.join(repositoryRoot, 'LICENSE'), 'utf8');
  assert.deepEqual([...manifest.napi.targets].sort(), Object.keys(PLATFORMS).sort());
  const folders = await readdir(path.join(repositoryRoot, 'npm'));
  assert.deepEqual(
    folders.sort(),
    Object.values(PLATFORMS)
      .map(({ folder }) => folder)
      .sort(),
  );
  for (const { folder, os, cpu, libc } of Object.values(PLATFORMS)) {
    const platform = JSON.parse(
      await readFile(path.join(repositoryRoot, 'npm', folder, 'package.json'), 'utf8'),
    );
    assert.equal(platform.name, `${manifest.name}-${folder}`);
    assert.equal(platform.version, manifest.version, folder);
    assert.deepEqual(platform.os, [os], folder);
    assert.deepEqual(platform.cpu, [cpu], folder);
    assert.deepEqual(platform.libc, libc && [libc], folder);
    assert.equal(platform.main, `${manifest.name}.${folder}.node`);
    assert.deepEqual(platform.files, [platform.main, 'THIRD-PARTY-LICENSES']);
    assert.equal(platform.license, manifest.license);
    // npm always packs it, and the licence requires it in every copy.
    assert.equal(
      await readFile(path.join(repositoryRoot, 'npm', folder, 'LICENSE'), 'utf8'),
      licence,
      folder,
    );
    assert.deepEqual(platform.engines, manifest.engines);
  }
});
