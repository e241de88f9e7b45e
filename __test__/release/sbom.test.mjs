// The bills of materials name every crate of each binary with the hash of `Cargo.lock`, leave no dependency open, and are the
// same each time they are made.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { allBoms, bomOfPlatform } from '../../scripts/sbom.mjs';
import { cratesInBinaries, directCrates, publishedTargets } from '../../scripts/supply/crates.mjs';
import { repositoryRoot, temporaryFolder } from '../support/temp.mjs';

const boms = allBoms();
const { version } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8'));
const lock = readFileSync(path.join(repositoryRoot, 'Cargo.lock'), 'utf8');

test('there is a bill for each package, and it is the same when it is made again', () => {
  assert.equal(boms.size, 1 + publishedTargets().length);
  assert.deepEqual([...allBoms()], [...boms]);
  const serials = new Set([...boms.values()].map(({ serialNumber }) => serialNumber));
  assert.equal(serials.size, boms.size);
  for (const [name, bom] of boms) {
    assert.ok(name.endsWith(`-${version}.cdx.json`), name);
    assert.equal(bom.specVersion, '1.6');
    assert.match(bom.serialNumber, /^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  }
});

test('every reference is to a component of the bill, and every component is needed by another', () => {
  for (const [name, { metadata, components, dependencies }] of boms) {
    const refs = [metadata.component, ...components].map((component) => component['bom-ref']);
    assert.equal(new Set(refs).size, refs.length, name);
    assert.deepEqual(dependencies.map(({ ref }) => ref).sort(), [...refs].sort(), name);
    const needed = new Set(dependencies.flatMap(({ dependsOn }) => dependsOn));
    assert.deepEqual([...needed].sort(), refs.slice(1).sort(), name);
  }
});

test('each crate has its hash, its licence and its place in the registry', () => {
  const bom = boms.get(`progressive-storage-linux-x64-gnu-${version}.cdx.json`);
  assert.ok(bom.components.length > 80, `${bom.components.length} crates`);
  for (const { name, version: own, hashes, licenses, purl } of bom.components) {
    assert.ok(lock.includes(`checksum = "${hashes[0].content}"`), name);
    assert.ok(licenses[0].expression.length > 2, name);
    assert.equal(purl, `pkg:cargo/${name}@${own}`);
  }
  const names = (bill) =>
    boms.get(`progressive-storage-${bill}-${version}.cdx.json`).components.map(({ name }) => name);
  assert.ok(names('win32-x64-msvc').includes('winapi-util'));
  assert.ok(!names('linux-x64-gnu').includes('winapi-util'));
});

test('the bill of a package has the hash of the binary that is in it', async (t) => {
  const folder = await temporaryFolder(t);
  const manifest = { name: 'one', version: '1.0.0', license: 'MIT', main: 'one.node' };
  writeFileSync(path.join(folder, 'one.node'), 'binary');
  const targets = publishedTargets();
  const bom = bomOfPlatform(
    { target: targets[0], manifest, folder },
    cratesInBinaries(targets),
    directCrates(),
  );
  const content = createHash('sha256').update('binary').digest('hex');
  assert.deepEqual(bom.metadata.component.components, [
    { type: 'file', name: 'one.node', hashes: [{ alg: 'SHA-256', content }] },
  ]);
});
