// `build`: the binary of this machine from the sources in the package, where no published one loads.
//
// Invariant: nothing that this file imports loads the addon. It is the one command that works without it.

import { createRequire } from 'node:module';
import { buildAddon, notBuilt } from '../building/build-addon.mjs';

export const summary = 'the binary of this machine, from the sources in the package, where none loads';
export const usage = '[options]';
export const help = `
Builds the binary of this machine from the Rust sources in the package, and puts it there, where the next start finds
it. It takes some minutes, and needs Rust (https://rustup.rs) and a C compiler. Where one loads, nothing is done.
`;
export const examples = [['where no binary loads, as the error says', 'progressive-storage build']];
export const positionals = { max: 0 };
export const options = {};

const require = createRequire(import.meta.url);

export async function run({ terminal, atEnd }) {
  const reason = whyNotLoaded();
  if (reason === null) {
    terminal.line('A binary is there and loads. There is nothing to build.');
    terminal.result({ built: null });
    return;
  }
  // The loader can tell glibc from musl, so its own message has the name of the file.
  const name = /progressive-storage\.[a-z0-9-]+\.node/.exec(reason)?.[0];
  if (!name) throw notBuilt(`the loader knows no binary of ${process.platform} on ${process.arch}.`);
  const built = await buildAddon(name, atEnd);
  const left = whyNotLoaded();
  if (left !== null) throw notBuilt('what was built does not load.', left.split('\n'));
  terminal.check({ ok: true, text: `Built ${built}. It loads.` });
  terminal.result({ built });
}

/** Why the package does not load, as text; null where it loads. */
function whyNotLoaded() {
  try {
    require('../../index.js');
    return null;
  } catch (error) {
    return error.message;
  }
}
