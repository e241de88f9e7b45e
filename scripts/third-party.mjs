// `npm run licences`: writes `THIRD-PARTY-LICENSES` into each platform's package: what is in the binaries besides this project's
// own code, and the texts of its licences, which have to travel with every copy. They come from `Cargo.lock` and the
// crates' own archives; Rust's standard library is in `scripts/supply/texts`. All packages have the same file; it says
// which crates are in the binaries of some systems only.
//
//   --check    writes nothing, and fails where a file is not what it would write

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { cratesInBinaries, publishedTargets } from './supply/crates.mjs';
import { textsOf } from './supply/licence-texts.mjs';
import { fail, root } from './tools.mjs';

export const NAME = 'THIRD-PARTY-LICENSES';
const RULE = '='.repeat(80);

const HEAD = `What is in the binaries of progressive-storage besides its own code
${RULE}

These packages of Rust are compiled into the binary. Their licences allow that, and
ask that their texts come with it. Where a package leaves a choice of licences, the one
named here is the one that it is used under. progressive-storage itself is under the
licence in the file LICENSE.
`;

/** The text of the file, for these crates of `cratesInBinaries`. */
export function thirdPartyText(crates, targets) {
  const byText = new Map();
  const list = [];
  for (const crate of crates) {
    const { licences, texts } = textsOf(crate);
    const name = `${crate.name} ${crate.version}`;
    const only = crate.targets.length === targets.length ? '' : `, only for ${crate.targets.join(', ')}`;
    list.push(`  ${name}: ${licences.join(' and ')}${only}`);
    for (const text of texts) byText.set(text, [...(byText.get(text) ?? []), name]);
  }
  const sections = [...byText].map(([text, names]) => `${RULE}\n${names.join('\n')}\n${RULE}\n\n${text}`);
  const rust = readFileSync(join(root, 'scripts', 'supply', 'texts', 'rust.txt'), 'utf8').replaceAll(
    '\r\n',
    '\n',
  );
  sections.push(`${RULE}\nThe Rust standard library\n${RULE}\n\n${rust}`);
  return `${HEAD}\n${list.join('\n')}\n  The Rust standard library: MIT, and others for parts of it\n\n${sections.join('\n')}`;
}

/** The folders of the platforms' packages. */
export const platformFolders = () => readdirSync(join(root, 'npm')).map((name) => join(root, 'npm', name));

/** The files that are missing, or are not as `text`. */
export function outdated(text) {
  return platformFolders()
    .map((folder) => join(folder, NAME))
    .filter((file) => !existsSync(file) || readFileSync(file, 'utf8').replaceAll('\r\n', '\n') !== text);
}

function main() {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
  const targets = publishedTargets();
  const crates = cratesInBinaries(targets);
  const text = thirdPartyText(crates, targets);
  const files = outdated(text);
  if (values.check && files.length > 0)
    fail(`Run \`npm run licences\`: not up to date are\n${files.join('\n')}`);
  for (const file of values.check ? [] : files) writeFileSync(file, text);
  console.log(`${NAME}: ${crates.length} crates, ${text.length} characters, ${files.length} files written.`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main();
