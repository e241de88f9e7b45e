// The examples in the documents do what they say: every block of JavaScript in the README and in docs/ runs in a bot's
// folder of its own, and prints what its comments promise. Links between documents lead somewhere.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { nameRepository } from '../../scripts/name-repository.mjs';
import { repositoryRoot, runScript, temporaryFolder } from '../support/temp.mjs';

const read = (name) => readFile(path.join(repositoryRoot, name), 'utf8');

function blocksOf(text) {
  const pattern = /^( *)```js\n([\s\S]*?)^ *```$/gm;
  return [...text.matchAll(pattern)].map(({ index, 1: indent, 2: code }) => ({
    line: text.slice(0, index).split('\n').length,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

// `console.log(…); // this, that` promises one line for each of them.
function promisedBy(code) {
  const promises = [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)];
  return promises.flatMap(([, text]) => (text.startsWith('{') ? [text] : text.split(', ')));
}

// What the examples need of other packages, which only knows what they call.
const OTHERS = {
  'discord.js': 'exports.ShardingManager = class { spawn() {} };',
  keyv: `module.exports = class {
    constructor({ store, namespace }) {
      Object.assign(this, { store, namespace });
    }
    set(key, value) {
      return this.store.set(this.namespace + ':' + key, JSON.stringify({ value }));
    }
  };`,
};

// A bot with the package, and with the others.
async function botFolder(t) {
  const folder = await temporaryFolder(t);
  const modules = path.join(folder, 'node_modules');
  for (const [name, code] of Object.entries(OTHERS)) {
    await mkdir(path.join(modules, name), { recursive: true });
    await writeFile(path.join(modules, name, 'index.js'), code);
  }
  await mkdir(path.join(folder, 'services'));
  // Every bot has one, and Deno needs it to search `node_modules`.
  await writeFile(path.join(folder, 'package.json'), '{ "private": true }');
  await symlink(repositoryRoot, path.join(modules, 'progressive-storage'), 'junction');
  return folder;
}

const pages = ['README.md'];
for (const name of (await readdir(path.join(repositoryRoot, 'docs'))).sort()) {
  if (name.endsWith('.md')) pages.push(`docs/${name}`);
}

for (const document of pages) {
  for (const { line, code } of blocksOf(await read(document))) {
    test(`${document}, the example at line ${line}`, async (t) => {
      const folder = await botFolder(t);
      const isCommonJs = /\brequire\(|module\.exports/.test(code);
      const name = path.join(folder, 'services', isCommonJs ? 'example.cjs' : 'example.mjs');
      await writeFile(name, code);
      // A scheduler that an example starts would run for ever.
      const end = isCommonJs ? '' : '\nprocess.exit();';
      const {
        stdout,
        stderr,
        code: exitCode,
      } = await runScript(t, {
        cwd: folder,
        source: `await import('./services/${path.basename(name)}');${end}`,
      });
      assert.equal(stderr, '');
      assert.equal(exitCode, 0);
      const printed = stdout.split('\n');
      for (const promised of promisedBy(code)) {
        assert.ok(printed.includes(promised), `${promised} in ${JSON.stringify(printed)}`);
      }
    });
  }
}

test('the first example of the README prints what it promises', async () => {
  const [first] = blocksOf(await read('README.md'));
  assert.deepEqual(promisedBy(first.code), ['120 90', 'Ann 200', 'Ben 95']);
});

test('links lead to files and headings that are there', async () => {
  const documents = [...pages, 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md'];
  for (const name of await readdir(path.join(repositoryRoot, 'docs', 'adr')))
    documents.push(`docs/adr/${name}`);
  for (const name of await readdir(path.join(repositoryRoot, 'examples'))) {
    documents.push(`examples/${name}/README.md`);
  }
  // The anchor of a repeated heading ends with a number.
  const anchors = (text) => {
    const counts = new Map();
    return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => {
      const anchor = title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-');
      const count = counts.get(anchor) ?? 0;
      counts.set(anchor, count + 1);
      return count === 0 ? anchor : `${anchor}-${count}`;
    });
  };
  const broken = [];
  for (const document of documents) {
    const text = await read(document);
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file, anchor] = link.split('#');
      const target = path.join(repositoryRoot, path.dirname(document), file);
      if (file && !existsSync(target)) broken.push(`${document}: ${link}`);
      else if (anchor) {
        const linked = file ? await readFile(target, 'utf8') : text;
        if (!anchors(linked).includes(anchor)) broken.push(`${document}: ${link}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

// npm shows the README without the other files, and only the release knows the repository's address.
test('what is published names the repository, and its links lead there', async (t) => {
  const root = await temporaryFolder(t);
  for (const name of ['package.json', 'README.md', 'docs', 'npm'])
    await cp(path.join(repositoryRoot, name), path.join(root, name), { recursive: true });
  nameRepository('somebody/progressive-storage', root);
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  assert.deepEqual(manifest.repository, {
    type: 'git',
    url: 'git+https://github.com/somebody/progressive-storage.git',
  });
  assert.match(manifest.homepage, /^https:\/\/github\.com\/somebody\/progressive-storage#/);
  assert.match(manifest.bugs.url, /\/issues$/);
  const platform = JSON.parse(
    await readFile(path.join(root, 'npm', 'linux-x64-gnu', 'package.json'), 'utf8'),
  );
  assert.equal(platform.repository.directory, 'npm/linux-x64-gnu');
  const packed = (await read('scripts/packed-files.txt')).trim().split('\n');
  const links = async (name) =>
    [...(await readFile(path.join(root, name), 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
  const version = `v${manifest.version}`;
  const address = new RegExp(
    `^https://(github\\.com/somebody/progressive-storage/(blob|tree)|raw\\.githubusercontent\\.com/somebody/progressive-storage)/${version}/([^#]+)`,
  );
  let absolute = 0;
  for (const name of ['README.md', ...packed.filter((file) => /^docs\/.*\.md$/.test(file))]) {
    for (const link of await links(name)) {
      const target = address.exec(link)?.[3];
      if (target !== undefined) {
        absolute += 1;
        assert.ok(existsSync(path.join(repositoryRoot, target)), link);
        assert.equal(link.startsWith('https://raw.'), /\.(png|svg)$/.test(target), link);
      } else if (!/^([a-z]+:|#)/.test(link)) {
        assert.notEqual(name, 'README.md', `${link} is still relative`);
        assert.ok(
          packed.includes(path.posix.join(path.posix.dirname(name), link.split('#')[0])),
          `${name}: ${link}`,
        );
      }
    }
  }
  assert.ok(absolute > 20);
});
