// `npm run check`: what must pass before a commit, in CI too: format, lints, licences and advisories, all tests, and
// the package as a user installs it.

import { execFileSync } from 'node:child_process';
import { fail, prepare, root, run, runTool } from './tools.mjs';

/** Written by `npm run build` and committed. */
const GENERATED = ['lib/native.js', 'lib/native.d.ts', 'index.d.ts', 'docs/api.md'];

const step = (name) => console.log(`\n── ${name}`);

prepare();

step('format');
runTool('biome', ['ci', '.']);
run('cargo', ['fmt', '--check']);

step('lints');
run('cargo', ['clippy', '--all-targets', '--all-features', '--quiet', '--', '-D', 'warnings']);
// A workspace of its own, which nothing else builds: so it is noticed where the sources have left it behind.
const ofFuzzer = ['--manifest-path', 'fuzz/Cargo.toml', '--target-dir', 'target'];
run('cargo', ['check', ...ofFuzzer, '--all-targets', '--locked', '--quiet']);

run(process.execPath, ['scripts/lint-workflows.mjs']);

step('supply chain');
run(process.execPath, ['scripts/check-supply.mjs']);

step('tests');
await import('./test.mjs');

step('generated files');
const changed = execFileSync('git', ['status', '--porcelain', '--', ...GENERATED], {
  cwd: root,
  encoding: 'utf8',
});
if (changed.trim() && process.env.CI) {
  fail(`generated files are not what the sources give; run \`npm run build\` and commit them:\n${changed}`);
}

step('package');
await import('./check-package.mjs');

console.log('\nAll checks passed.');
