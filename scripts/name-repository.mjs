// Writes the address of the public repository into what is published: `repository`, `homepage` and `bugs` of every
// package.json, and the links of the documents: npm shows the README without the files that it links to. The release
// workflow runs this with its own repository; the address is nowhere else in the project.
//
//   node scripts/name-repository.mjs OWNER/NAME [ROOT]

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { fail, root as here } from './tools.mjs';

const IMAGE = /\.(png|svg|jpg|gif)$/;

/** The fields of a manifest that name the repository. */
export function fieldsOf(repository) {
  const url = `https://github.com/${repository}`;
  return {
    repository: { type: 'git', url: `git+${url}.git` },
    homepage: `${url}#readme`,
    bugs: { url: `${url}/issues` },
  };
}

/**
 * The text of the document `name`, with absolute links to `ref` instead of relative ones. Links to a file stay
 * relative where `isKept` is true for it.
 */
function withAbsoluteLinks(text, { name, repository, ref, isKept = () => false }) {
  return text.replace(/\]\(([^)\s]+)\)/g, (link, target) => {
    if (/^([a-z]+:|#)/.test(target)) return link;
    const [file, anchor] = target.split('#');
    const path = posix.join(posix.dirname(name), file);
    if (isKept(path)) return link;
    const kind = statSync(join(here, path)).isDirectory() ? 'tree' : 'blob';
    const base = IMAGE.test(path)
      ? `https://raw.githubusercontent.com/${repository}/${ref}`
      : `https://github.com/${repository}/${kind}/${ref}`;
    return `](${base}/${path}${anchor === undefined ? '' : `#${anchor}`})`;
  });
}

function change(file, edit) {
  writeFileSync(file, edit(readFileSync(file, 'utf8')));
}

function documentsIn(root, folder = 'docs') {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = posix.join(folder, entry.name);
    if (entry.isDirectory()) return documentsIn(root, name);
    return name.endsWith('.md') ? [name] : [];
  });
}

export function nameRepository(repository, root) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const ref = `v${manifest.version}`;
  const platforms = join(root, 'npm');
  const folders = existsSync(platforms) ? readdirSync(platforms).map((name) => join(platforms, name)) : [];
  for (const folder of [root, ...folders]) {
    change(join(folder, 'package.json'), (text) => {
      const directory = relative(root, folder).replaceAll('\\', '/');
      const fields = fieldsOf(repository);
      if (directory !== '') fields.repository.directory = directory;
      return `${JSON.stringify({ ...JSON.parse(text), ...fields }, null, 2)}\n`;
    });
  }
  const documents = documentsIn(root);
  change(join(root, 'README.md'), (text) => withAbsoluteLinks(text, { name: 'README.md', repository, ref }));
  // Links between documents of the package work there.
  const packed = readFileSync(join(here, 'scripts', 'packed-files.txt'), 'utf8').split('\n');
  const isKept = (path) => packed.includes(path);
  for (const name of documents) {
    change(join(root, name), (text) => withAbsoluteLinks(text, { name, repository, ref, isKept }));
  }
}

if (import.meta.url === pathToFileURL(argv[1]).href) {
  const [repository = '', root = here] = argv.slice(2);
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) fail('Give the repository as OWNER/NAME.');
  nameRepository(repository, root);
}
