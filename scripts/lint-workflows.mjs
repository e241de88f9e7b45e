// Checks .github/workflows: actionlint on each file, and this project's own rules (scripts/workflow/rules.mjs): pinned
// actions, least rights, provenance.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fetched } from './fetched.mjs';
import { fail, root } from './tools.mjs';
import { faultsOf } from './workflow/rules.mjs';

/** Runners that are newer than this actionlint. */
const NEWER_RUNNERS = /label "(ubuntu-2[24]\.04(-arm)?|macos-15(-intel)?|windows-11-arm)" is unknown/;

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
  found.push(...faultsOf(name, text).map((fault) => `${name}: ${fault}`));
}
if (found.length > 0) fail(found.join('\n'));
console.log('The workflows are in order.');
process.exit(0);
