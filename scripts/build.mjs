// Builds the addon for this machine: `progressive-storage.PLATFORM.node`, `native.js` and `index.d.ts`
// in the project's folder. Installs what it needs.

import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root, run, runTool } from './tools.mjs';

prepare();

// Built aside and moved into place: a process that has the old file open keeps it.
const output = join(root, 'target', 'addon');
runTool('napi', [
  'build',
  '--platform',
  '--release',
  '--js',
  'native.js',
  '--dts',
  'index.d.ts',
  '--output-dir',
  output,
]);
for (const name of readdirSync(output)) {
  renameSync(join(output, name), join(root, name));
}

// The reference in docs/api.md follows the declarations.
run(process.execPath, ['scripts/api-reference.mjs']);
