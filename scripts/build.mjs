// `npm run build`: the addon for this machine, `progressive-storage.PLATFORM.node`, and what is generated with it:
// `lib/native.js` and `lib/native.d.ts` from the Rust sources, `index.d.ts` from these declarations and the types in
// `src/bindings/types.d.ts`, and `docs/api.md` from `index.d.ts`. Installs the development tools where they are missing.

import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root, run, runTool } from './tools.mjs';

prepare();

// Built in another folder, then renamed into place: a process that has the old file open keeps it.
const output = join(root, 'target', 'addon');
runTool('napi', [
  'build',
  '--platform',
  '--release',
  '--js',
  'native.js',
  '--dts',
  'native.d.ts',
  '--output-dir',
  output,
]);
const loader = join(output, 'native.js');
// The binary stands in the package's root, above its loader. What explains napi's own code need not travel to every bot: all
// but the first lines, which are for tools.
const [forTools, ...rest] = readFileSync(loader, 'utf8').split(/(?<=NAPI-RS \*\/\n)/);
const code = rest.join('').replace(/^[ \t]*\/\/.*\n/gm, '');
writeFileSync(loader, `${forTools}${code}`.replaceAll("require('./", "require('../"));
for (const name of readdirSync(output)) {
  renameSync(join(output, name), join(root, name.startsWith('native.') ? 'lib' : '', name));
}

// The public declarations follow those of the addon, and the reference in docs/api.md follows the public ones.
run(process.execPath, ['scripts/declarations.mjs']);
run(process.execPath, ['scripts/api-reference.mjs']);
