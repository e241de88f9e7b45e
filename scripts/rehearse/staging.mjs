// What a release publishes, made as the release workflow makes it: a copy of the repository with the binaries in npm/, the
// repository's address written in, `napi pre-publish`, `npm publish`.
//
// The package of a system whose binary was not built here is published with a text in its place. So managers have all
// packages to choose from, as after a release, and one that chooses wrongly gets a file that does not load.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { binaryOf } from '../cross-load.mjs';
import { nameRepository } from '../name-repository.mjs';
import { root } from '../tools.mjs';

const NO_BINARY = 'This binary was not built for the rehearsal.\n';

/** Copies what git knows into `stage`. `platforms` are those whose binaries are there; others get a text. */
export function stageRelease(stage, platforms) {
  const names = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
  for (const name of names.filter((each) => each !== '' && existsSync(join(root, each)))) {
    mkdirSync(dirname(join(stage, name)), { recursive: true });
    cpSync(join(root, name), join(stage, name));
  }
  for (const platform of readdirSync(join(root, 'npm'))) {
    const file = join(stage, 'npm', platform, `progressive-storage.${platform}.node`);
    if (platforms.includes(platform)) cpSync(sourceOf(platform), file);
    else writeFileSync(file, NO_BINARY);
  }
  nameRepository('example/progressive-storage', stage);
}

/** The binary of a system: as cross-build makes it, else this machine's own of `npm run build`; null where none is. */
export function sourceOf(platform) {
  const own = join(root, `progressive-storage.${platform}.node`);
  return [binaryOf(platform), own].find((file) => existsSync(file)) ?? null;
}

/** Publishes what was staged to a registry, with a home of its own. */
export function publish(stage, { url, home }) {
  mkdirSync(home, { recursive: true });
  const settings = join(home, '.npmrc');
  writeFileSync(
    settings,
    `registry=${url}\n${url.replace('http:', '')}:_authToken=rehearsal\nupdate-notifier=false\n`,
  );
  const env = { ...process.env, HOME: home, npm_config_userconfig: settings, npm_config_registry: url };
  const napi = join(root, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js');
  const options = { cwd: stage, env, stdio: ['ignore', 'pipe', 'inherit'] };
  execFileSync(process.execPath, [napi, 'pre-publish', '-t', 'npm', '--no-gh-release'], options);
  execFileSync('npm', ['publish', '--access', 'public', '--loglevel=error'], options);
}
