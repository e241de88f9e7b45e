// Whether Rust and a C compiler are installed, and Rust is new enough to build the addon. `build` and the development
// scripts use this.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MANIFEST = new URL('../Cargo.toml', import.meta.url);

/** Why the addon cannot be built here, as a sentence; null where Rust is new enough. */
export function whyNoRust() {
  const wanted = /^rust-version = "(.+)"$/m.exec(readFileSync(MANIFEST, 'utf8'))[1];
  const { error, status, stdout, stderr } = spawnSync('cargo', ['--version'], { encoding: 'utf8' });
  if (error?.code === 'ENOENT') {
    return `Rust ${wanted} or newer is needed, and cargo was not found. Install it from https://rustup.rs, open a new terminal and try again.`;
  }
  if (error || status !== 0) return `cargo does not run: ${error?.message ?? stderr.trim()}`;
  const found = /\d+\.\d+/.exec(stdout)?.[0] ?? wanted;
  if (!isOlder(found, wanted)) return null;
  return `Rust ${wanted} or newer is needed; this is ${stdout.trim()}. Update it with \`rustup update\`. If it came with the system, install the one from https://rustup.rs.`;
}

function isOlder(found, wanted) {
  const [[foundMajor, foundMinor], [major, minor]] = [found, wanted].map((version) =>
    version.split('.').map(Number),
  );
  return foundMajor < major || (foundMajor === major && foundMinor < minor);
}

/** That no linker is installed, as a sentence; null where there is one. Rust links with `cc`; crates compile C with it. */
export function whyNoLinker() {
  if (process.platform === 'win32' || spawnSync('cc', ['--version']).error?.code !== 'ENOENT') return null;
  return 'Building needs a C compiler and its linker, and `cc` was not found. Debian, Ubuntu: apt install build-essential. Alpine: apk add build-base. Fedora: dnf install gcc. macOS: xcode-select --install.';
}
