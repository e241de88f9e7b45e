// `npm run sbom`: the software bill of materials of a release, in the form of CycloneDX 1.6, in target/sbom: a file for each
// platform's package, with the crates in its binary, and one for the main package, with the packages of the platforms.
// Each names versions, licences, what depends on what, and the hashes of the crates' archives. The same commit gives the
// same bytes: there is no time and no random number in it.
//
// The crates are those of `Cargo.lock`, as cargo reads it for the target. Users get no other package of npm
// (`npm run check:supply` refuses that).

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseTriple } from '@napi-rs/cli';
import { cratesInBinaries, directCrates } from './supply/crates.mjs';
import { root } from './tools.mjs';

const SPEC = { bomFormat: 'CycloneDX', specVersion: '1.6' };
const purlOfCrate = ({ name, version }) => `pkg:cargo/${name}@${version.replaceAll('+', '%2B')}`;

/** A UUID that follows from a text. */
function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return `urn:uuid:${parts.join('-')}`;
}

const purlOf = ({ name, version }) => `pkg:npm/${name}@${version}`;

/** One of this project's own packages. */
const ofNpm = (manifest) => ({
  type: 'library',
  'bom-ref': purlOf(manifest),
  name: manifest.name,
  version: manifest.version,
  licenses: [{ license: { id: manifest.license } }],
  purl: purlOf(manifest),
});

function componentOf(crate) {
  return {
    type: 'library',
    'bom-ref': purlOfCrate(crate),
    name: crate.name,
    version: crate.version,
    ...(crate.authors.length > 0 ? { authors: crate.authors.map(authorOf) } : {}),
    hashes: [{ alg: 'SHA-256', content: crate.hash }],
    // The old form of `OR` is not in the language of SPDX.
    licenses: [{ expression: crate.license.replaceAll('/', ' OR ') }],
    purl: purlOfCrate(crate),
  };
}

function authorOf(text) {
  const [, name, email] = /^(.*?)\s*(?:<(.*)>)?$/.exec(text);
  return { name, ...(email ? { email } : {}) };
}

const withSerial = (bom) => ({ ...bom, serialNumber: uuidOf(JSON.stringify(bom)) });

/** The binary as a part of its package, where it is there: in the release it is. */
function binaryIn(folder, { main }) {
  const file = join(folder, main);
  if (!existsSync(file)) return {};
  const content = createHash('sha256').update(readFileSync(file)).digest('hex');
  return { components: [{ type: 'file', name: main, hashes: [{ alg: 'SHA-256', content }] }] };
}

/** The bill of the package of one target: the binary, and the crates in it. `folder` has the package. */
export function bomOfPlatform({ target, manifest, folder }, crates, direct) {
  const ref = purlOf(manifest);
  const own = crates.filter(({ targets }) => targets.includes(target));
  const isOwn = new Set(own.map(({ name, version }) => `${name} ${version}`));
  const refOf = new Map(own.map((crate) => [`${crate.name} ${crate.version}`, purlOfCrate(crate)]));
  const refs = (names) => names.filter((name) => isOwn.has(name)).map((name) => refOf.get(name));
  return withSerial({
    ...SPEC,
    version: 1,
    metadata: {
      component: {
        ...ofNpm(manifest),
        description: `The binary for ${target}`,
        ...binaryIn(folder, manifest),
      },
    },
    components: own.map(componentOf),
    dependencies: [
      { ref, dependsOn: refs(direct) },
      ...own.map((crate) => ({ ref: purlOfCrate(crate), dependsOn: refs(crate.dependencies) })),
    ],
  });
}

/** The bill of the main package: one of the platforms' packages is installed with it. */
export function bomOfMain(manifest, platforms) {
  const ref = purlOf(manifest);
  return withSerial({
    ...SPEC,
    version: 1,
    metadata: { component: { ...ofNpm(manifest), description: manifest.description } },
    components: platforms.map((platform) => ({ ...ofNpm(platform.manifest), scope: 'optional' })),
    dependencies: [
      { ref, dependsOn: platforms.map((platform) => purlOf(platform.manifest)) },
      ...platforms.map((platform) => ({ ref: purlOf(platform.manifest), dependsOn: [] })),
    ],
  });
}

/** All bills of a release: file name → bill. */
export function allBoms() {
  const read = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const main = read('.');
  const platforms = main.napi.targets.map((target) => {
    const place = join('npm', parseTriple(target).platformArchABI);
    return { target, manifest: read(place), folder: join(root, place) };
  });
  const crates = cratesInBinaries(main.napi.targets);
  const direct = directCrates();
  const boms = new Map([[nameOf(main), bomOfMain(main, platforms)]]);
  for (const platform of platforms) {
    boms.set(nameOf(platform.manifest), bomOfPlatform(platform, crates, direct));
  }
  return boms;
}

const nameOf = ({ name, version }) => `${name}-${version}.cdx.json`;

function main() {
  const folder = join(root, 'target', 'sbom');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, bom] of allBoms()) {
    writeFileSync(join(folder, name), `${JSON.stringify(bom, null, 2)}\n`);
    console.log(`${name}: ${bom.components.length} components`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main();
