// `npm run sizes [-- --binaries FOLDER --commit NAME]`: packs the main package and those of the platforms as a release does,
// and writes their sizes into docs/release/sizes.md. The binaries are those that `npm run cross-build` made, or those in the
// folder; `--commit` says what they were built from, where that is another commit. A package whose binary was not built is
// named as that, with no size.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { faults } from './binary.mjs';
import { fail, root } from './tools.mjs';

const { values } = parseArgs({ options: { binaries: { type: 'string' }, commit: { type: 'string' } } });
const binaries = resolve(values.binaries ?? join(root, 'target', 'cross'));
const DOCUMENT = join(root, 'docs', 'release', 'sizes.md');

const manifestIn = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const digits = (number) => String(number).replaceAll(/\B(?=(\d{3})+$)/g, ',');

/** `{ size, unpackedSize, entryCount }` of a package, as npm packs it. */
function packed(folder) {
  const args = ['pack', '--json', '--dry-run', '--ignore-scripts', '--loglevel=error'];
  return JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }))[0];
}

function rowOf(manifest, folder, binary) {
  const { size, unpackedSize, entryCount } = packed(folder);
  return [
    manifest.name,
    digits(size),
    digits(unpackedSize),
    binary ? digits(statSync(binary).size) : '',
    entryCount,
  ];
}

function platformRow(name, place) {
  const folder = join(place, name);
  cpSync(join(root, 'npm', name), folder, { recursive: true });
  const manifest = manifestIn(folder);
  const binary = join(binaries, manifest.main);
  if (!existsSync(binary)) return [manifest.name, 'not built', '', '', ''];
  // zig's linker leaves symbols in libraries of macOS. Apple's, which makes the published ones, does not.
  const isAsPublished = !name.startsWith('darwin');
  const found = faults(binary, { isStripped: isAsPublished });
  if (found.length > 0) fail(found.join('\n'));
  if (!isAsPublished) return [manifest.name, 'not built as published', '', '', ''];
  cpSync(binary, join(folder, manifest.main));
  return rowOf(manifest, folder, binary);
}

function table(rows) {
  const head = ['package', 'packed, bytes', 'unpacked, bytes', 'its binary, bytes', 'files'];
  const lines = [head, head.map(() => '-'), ...rows];
  const widths = head.map((_, at) => Math.max(...lines.map((line) => String(line[at]).length)));
  const cell = (value, at) => {
    if (value === '-') return at === 0 ? '-'.repeat(widths[at]) : `${'-'.repeat(widths[at] - 1)}:`;
    return at === 0 ? String(value).padEnd(widths[at]) : String(value).padStart(widths[at]);
  };
  return lines.map((line) => `| ${line.map(cell).join(' | ')} |`).join('\n');
}

const place = mkdtempSync(join(tmpdir(), 'progressive-storage-sizes-'));
try {
  const manifest = manifestIn(root);
  const rows = [
    rowOf(manifest, root),
    ...readdirSync(join(root, 'npm'))
      .sort()
      .map((name) => platformRow(name, place)),
  ];
  const missing = rows.filter((row) => String(row[1]).startsWith('not built')).map(([name]) => name);
  const text = `# Sizes of the packages

Made by \`npm run sizes\`, version ${manifest.version}. An install takes the main package and the one of its
platform.${values.commit ? ` The binaries are of commit ${values.commit}.` : ''}

${table(rows)}

${missing.length > 0 ? `Not built on the machine that made this table, and so without a size: ${missing.length} of ${rows.length - 1} binaries. The release workflow builds all.\n` : ''}`;
  mkdirSync(join(root, 'docs', 'release'), { recursive: true });
  writeFileSync(DOCUMENT, `${text.trimEnd()}\n`);
  console.log(text);
} finally {
  rmSync(place, { recursive: true, force: true });
}
