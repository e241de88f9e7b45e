// The `install` script: does nothing where a binary loads, which is everywhere that one was published for.
//
// Elsewhere it builds one from the Rust sources in the package, when Rust is there: after an install from the git
// repository, on a system without a published binary, and at `npm rebuild progressive-storage`. Without Rust an
// install goes on (it may be meant for another machine), and loading the package tells what is missing; a rebuild,
// which was asked for, fails.

const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, readFileSync, renameSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { whyNoLinker, whyNoRust } = require('./rust.js');

const root = join(__dirname, '..');
const isRebuild = process.env.npm_command === 'rebuild';

/** What hinders loading, as text; null when nothing does. In a process of its own, so that it can be asked again. */
function whyNotLoaded() {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['-e', "try { require('./index.js') } catch (e) { console.error(e.message); process.exit(1) }"],
    { cwd: root, encoding: 'utf8' },
  );
  return status === 0 ? null : stderr.trim();
}

/** Those who work on the package itself install its tools here, and build with `npm run build`. */
function isOwnClone() {
  return existsSync(join(root, '.git')) && (process.env.INIT_CWD ?? process.cwd()) === root;
}

/** The clone that npm makes of a git dependency to pack it: what is built in it would be thrown away. */
function isBeingPacked() {
  return '_PACOTE_NO_PREPARE_' in process.env;
}

/** The name that the loader looks for, from its own message: it knows glibc from musl. */
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
  if (!library) return 'cargo told of no library that it built.';
  // Beside, then renamed: a process that has the old file open keeps it.
  copyFileSync(library, join(root, `${name}.new`));
  renameSync(join(root, `${name}.new`), join(root, name));
  // What cargo made on the way is a hundred times as large as the package.
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
    : `no name is known for a binary of ${process.platform} on ${process.arch}`;
  const problem = hindrance ?? whyNotLoaded();
  if (problem === null) {
    console.log(`progressive-storage ${version}: built ${name}.`);
    return;
  }
  console.error(`${reason}\n\nBuilding it here did not succeed: ${problem}`);
  if (isRebuild) process.exitCode = 1;
}

main();
