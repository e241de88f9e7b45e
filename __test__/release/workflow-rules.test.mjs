// The workflows keep to the rules of `scripts/workflow/rules.mjs`, and the rules find each way to break them: pinned
// actions, least rights, provenance, no text of others in a script.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { faultsOf } from '../../scripts/workflow/rules.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const folder = path.join(repositoryRoot, '.github', 'workflows');
const read = (name) => readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n');
const release = read('release.yml');

test('the workflows keep to the rules', () => {
  const names = readdirSync(folder);
  assert.ok(names.includes('release.yml') && names.includes('ci.yml'));
  for (const name of names) assert.deepEqual(faultsOf(name, read(name)), [], name);
});

// What is replaced in release.yml, by what, and the fault that follows.
const BREAKS = [
  [/@[0-9a-f]{40} # v4\.2\.2/, '@v4', /not pinned/],
  [/ # v4\.2\.2/, '', /not pinned/],
  [/^permissions: \{\}$/m, 'permissions: { contents: read }', /permissions: \{\}/],
  [/^permissions: \{\}$/m, '', /permissions: \{\}/],
  [/^concurrency:\n( .*\n)+/m, '', /no concurrency/],
  [/^ {4}permissions:\n {6}contents: read\n/m, '', /names no rights/],
  [/^ {4}permissions:\n {6}contents: read\n/m, '    permissions: write-all\n', /has the rights "write-all"/],
  [/contents: read\n/, 'contents: write\n', /has the rights .*write/],
  [/contents: read\n {6}id-token: write.*\n/, 'contents: read\n', /publish has the rights/],
  [/^ {4}timeout-minutes: 30\n/m, '', /no time limit/],
  [/persist-credentials: false/, 'persist-credentials: true', /leaves its token/],
  [
    /run: npm run cross-build.*/,
    `run: echo "\${{ github.event.head_commit.message }}"`,
    /contains \$\{\{ github/,
  ],
  [/NPM_CONFIG_PROVENANCE: "true"/, 'NPM_CONFIG_PROVENANCE: "false"', /without provenance/],
  [/- name: Publish\n {8}if: .*\n/, '- name: Publish\n', /publishes without a tag/],
  [/build-others, freebsd, /, 'build-others, ', /without waiting for freebsd/],
  [
    /NPM_CONFIG_PROVENANCE: "true"/,
    `$&\n          NODE_AUTH_TOKEN: \${{ secrets.NPM_TOKEN }}`,
    /a secret is used/,
  ],
  [
    /(uses: actions\/checkout@.*\n)([\s\S]*contents: write\n {4}steps:\n)/,
    '$1$2      - $1',
    /attach may write .* and has its code/,
  ],
  [/workflow_dispatch:/, 'pull_request_target:', /on the code of others/],
];

for (const [what, by, fault] of BREAKS) {
  test(`the rules find that ${what} became ${JSON.stringify(by)}`, () => {
    const broken = release.replace(what, by);
    assert.notEqual(broken, release, 'the text is there');
    const found = faultsOf('release.yml', broken);
    assert.ok(
      found.some((each) => fault.test(each)),
      found.join('\n'),
    );
  });
}
