// Builds the addon's binary from the Rust sources in this package, and puts it where the loader looks first.
//
// Invariant: the binary is written beside its place and renamed, so a process that has an old one open keeps it.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { whyNoLinker, whyNoRust } from '../../lib/rust.mjs';
import { Stop } from '../support/errors.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ARGS = ['build', '--release', '--lib', '--locked', '--message-format=json-render-diagnostics'];

/**
 * Builds the binary of that name, such as `progressive-storage.linux-x64-gnu.node`, and returns its path. What cargo says
 * goes to stderr.
 */
export async function buildAddon(name, atEnd) {
  const noRust = whyNoRust();
  if (noRust) throw notBuilt(noRust);
  // cargo's own files are far larger than the package. A clone keeps them for the next time.
  if (!existsSync(join(root, '.git')))
    atEnd(() => rmSync(join(root, 'target'), { recursive: true, force: true }));
  const library = libraryIn(await outputOfCargo(name.includes('-musl'), atEnd));
  if (!library) throw notBuilt('cargo did not name the library that it built.');
  const [place, beside] = [join(root, name), join(root, `${name}.new`)];
  atEnd(() => rmSync(beside, { force: true }));
  copyFileSync(library, beside);
  renameSync(beside, place);
  return place;
}

/** The error of a build that failed, or could not begin. */
export function notBuilt(why, details = []) {
  return new Stop(`The binary could not be built: ${why}`, { code: 'ERR_NOT_BUILT', details });
}

async function outputOfCargo(isMusl, atEnd) {
  const flags = isMusl ? ' -C target-feature=-crt-static' : '';
  const cargo = spawn('cargo', ARGS, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''}${flags}`.trim() },
  });
  const ended = new Promise((resolve) => {
    cargo.once('error', (error) => resolve(notBuilt(`cargo could not be run: ${error.message}`)));
    cargo.once('close', (code, signal) => {
      const why = whyNoLinker() ?? `cargo ended with ${code ?? signal}; its messages are above.`;
      resolve(code === 0 ? undefined : notBuilt(why));
    });
  });
  // Ctrl-C ends it too, and its files are removed when it no longer writes.
  atEnd(async () => {
    cargo.kill();
    await ended;
  });
  let output = '';
  cargo.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const failure = await ended;
  if (failure) throw failure;
  return output;
}

/** The library in cargo's messages, one JSON object a line. */
function libraryIn(output) {
  return output
    .split('\n')
    .filter((line) => line.includes('"compiler-artifact"') && line.includes('"cdylib"'))
    .flatMap((line) => JSON.parse(line).filenames)
    .find((file) => /\.(so|dylib|dll)$/.test(file));
}
