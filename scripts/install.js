// npm's `install` script. Where a binary loads, it does nothing: that is every system with a published one.
//
// Elsewhere it builds a binary from the Rust sources in the package, if Rust is installed: after an install from the
// git repository, on a system without a published binary, and for `npm rebuild progressive-storage`. Without Rust, an
// install goes on, because it may be meant for another machine; loading the package then says what is missing. A
// rebuild fails.

const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, readFileSync, renameSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { whyNoLinker, whyNoRust } = require('./rust.js');

const root = join(__dirname, '..');
const isRebuild = process.env.npm_command === 'rebuild';

/**
 * Why the package does not load, as text; null where it loads. A child process tries it, so that it can be tried
 * again.
 */
function whyNotLoaded() {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['-e', "try { require('./index.js') } catch (e) { console.error(e.message); process.exit(1) }"],
    { cwd: root, encoding: 'utf8' },
  );
  return status === 0 ? null : stderr.trim();
}

/** A developer of the package installs its tools here, and builds with `npm run build`. */
function isOwnClone() {
  return existsSync(join(root, '.git')) && (process.env.INIT_CWD ?? process.cwd()) === root;
}

/** npm packs a git dependency from a temporary clone. A binary that is built there would be discarded. */
function isBeingPacked() {
  return '_PACOTE_NO_PREPARE_' in process.env;
}

/** The file name that the loader expects, from its own message: the loader can tell glibc from musl. */
function fileNameFrom(reason) {
  return /progressive-storage\.[a-z0-9-]+\.node/.exec(reason)?.[0] ?? null;
}

function build(name) {
  const noRust = whyNoRust();
  if (noRust) return noRust;
  const isMusl = name.includes('-musl');
  const flags = isMusl ? '-C target-feature=-crt-static' : '';
  const args = ['build', '--release', '--lib', '--locked', '--message-format=json-render-diagnostics'];
  const { status, stdout, error } = spawnSync('cargo', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} ${flags}`.trim() },
  });
  if (error) return `cargo could not be run: ${error.message}`;
  if (status !== 0) return whyNoLinker() ?? `cargo ended with ${status}; its messages are above.`;
  const library = stdout
    .split('\n')
    .filter((line) => line.includes('"compiler-artifact"') && line.includes('"cdylib"'))
    .flatMap((line) => JSON.parse(line).filenames)
    .find((file) => /\.(so|dylib|dll)$/.test(file));
  if (!library) return 'cargo did not name the library that it built.';
  // Written to a new file, then renamed: a process that has the old file open keeps it.
  copyFileSync(library, join(root, `${name}.new`));
  renameSync(join(root, `${name}.new`), join(root, name));
  // cargo's own files are far larger than the package.
  if (!existsSync(join(root, '.git'))) rmSync(join(root, 'target'), { recursive: true, force: true });
  return null;
}

function main() {
  if (isBeingPacked() || (isOwnClone() && !isRebuild)) return;
  const reason = whyNotLoaded();
  if (reason === null) return;
  const name = fileNameFrom(reason);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const hindrance = name
    ? build(name)
    : `there is no known file name for a binary of ${process.platform} on ${process.arch}`;
  const problem = hindrance ?? whyNotLoaded();
  if (problem === null) {
    console.log(`progressive-storage ${version}: built ${name}.`);
    return;
  }
  console.error(`${reason}\n\nBuilding it here failed: ${problem}`);
  if (isRebuild) process.exitCode = 1;
}

main();
