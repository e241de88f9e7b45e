// `npm run release:rehearse`: a release up to a bot that runs, on this Linux machine.
//
//   1. builds the binary of every target that can be built here (scripts/cross-build.mjs);
//   2. packs the main package and those of the platforms, and publishes them as the release workflow does, to a private
//      registry on loopback;
//   3. installs from there in clean folders by every package manager, runtime, system and condition of
//      scripts/rehearse/cases.mjs, with nothing of the checkout in reach, and runs the short test in each;
//   4. writes what ran into the table of docs/hosting.md.
//
//   --here          only this machine's target
//   --as-built      builds nothing: takes the binaries in target/cross, or that of `npm run build`
//   --only NAMES    only these cases, such as npm10,node18,noexec; git-build, which takes minutes, is run by name alone
//   --keep          leaves the folders of the rehearsal, and says where they are
//   --no-table      leaves docs/hosting.md as it is
//
// As root on Debian all of it can run: folders are mounted read-only, and the other systems are made with debootstrap and run
// with qemu-user-static. Without these, the rows of such cases say what is missing. It takes some minutes, and more for
// the builds; CI does not run it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Bot } from './rehearse/bot.mjs';
import { CASES } from './rehearse/cases.mjs';
import { canMount, Jail } from './rehearse/jail.mjs';
import { fetchManagers, MANAGERS, versionOf } from './rehearse/managers.mjs';
import { startRegistry } from './rehearse/registry.mjs';
import { publish, sourceOf, stageRelease } from './rehearse/staging.mjs';
import { prepareSystem, SYSTEMS } from './rehearse/systems.mjs';
import { titleOf, writeRows } from './rehearse/table.mjs';
import { fetchRuntimes, programOf, RUNTIMES } from './runtimes.mjs';
import { fail, root, run } from './tools.mjs';

const { values: options } = parseArgs({
  options: {
    here: { type: 'boolean' },
    'as-built': { type: 'boolean' },
    only: { type: 'string' },
    keep: { type: 'boolean' },
    'no-table': { type: 'boolean' },
  },
});
if (process.platform !== 'linux' || process.arch !== 'x64') fail('The rehearsal is for Linux on x86_64.');
const names = CASES.map(({ name }) => name);
const wanted = options.only?.split(',') ?? CASES.filter(({ isSlow }) => !isSlow).map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) fail(`--only ${unknown}: there are ${names.join(', ')}.`);
const cases = CASES.filter(({ name }) => wanted.includes(name));

const HERE = { target: 'x86_64-unknown-linux-gnu', platform: 'linux-x64-gnu' };
const TARGETS = [HERE, ...Object.values(SYSTEMS).filter(({ platform }) => platform !== HERE.platform)];
const target = join(root, 'target');
const tools = join(target, 'rehearsal');
const day = new Date().toISOString().slice(0, 10);

/** The platforms whose binaries are there, after building what was asked for. */
function binaries() {
  const used = TARGETS.filter(
    ({ platform }) =>
      platform === HERE.platform || cases.some(({ needs }) => SYSTEMS[needs]?.platform === platform),
  );
  const targets = options.here ? [HERE] : used;
  if (!options['as-built']) {
    const args = ['scripts/cross-build.mjs', ...targets.map((each) => each.target)];
    run(process.execPath, args);
  }
  return targets.map(({ platform }) => platform).filter((platform) => sourceOf(platform) !== null);
}

function labelOf(name) {
  if (name in MANAGERS) return `${MANAGERS[name].label} ${versionOf(name, tools)}`;
  if (name in SYSTEMS) return SYSTEMS[name].label;
  const known = RUNTIMES.find((runtime) => runtime.name === name);
  const said = spawnSync(programOf(known), ['--version'], { encoding: 'utf8' }).stdout;
  const version = /\d+\.\d+\.\d+/.exec(said)[0];
  return `${{ bun: 'Bun', deno: 'Deno' }[name] ?? 'Node.js'} ${version}`;
}

/** Why a case cannot be run here; null where it can. */
function hindranceOf({ needs, needsMounts }, platforms) {
  if (needsMounts && !canMount) return 'it needs root';
  if (!needs) return null;
  const { platform, lacks } = SYSTEMS[needs];
  if (lacks) return lacks;
  if (!platforms.includes(platform)) return `the binary ${platform} was not built`;
  return prepareSystem(needs);
}

/** The environment in which npm reaches the registry of this machine, whatever is set up for it. */
function outsideOf() {
  const setting = (name) =>
    spawnSync('npm', ['config', 'get', name], { encoding: 'utf8' })
      .stdout.trim()
      .replace(/^(null|undefined)$/, '');
  const found = { registry: setting('registry'), cafile: setting('cafile') };
  const set = Object.entries(found).filter(([, value]) => value !== '');
  return Object.fromEntries(set.map(([name, value]) => [`npm_config_${name}`, value]));
}

/** The environment in which cargo runs for another user. */
function rustOf() {
  const at = (name, folder) => process.env[name] ?? join(homedir(), folder);
  const [CARGO_HOME, RUSTUP_HOME] = [at('CARGO_HOME', '.cargo'), at('RUSTUP_HOME', '.rustup')];
  const node = dirname(programOf(RUNTIMES.find(({ name }) => name === 'node24')));
  return { CARGO_HOME, RUSTUP_HOME, PATH: [join(CARGO_HOME, 'bin'), node, '/usr/bin', '/bin'].join(':') };
}

/** A clone without a work tree, as a git server has it. */
function clone(to) {
  const { status } = spawnSync('git', ['clone', '--quiet', '--bare', '--no-hardlinks', root, to]);
  if (status !== 0) fail('git could not clone the repository.');
  return to;
}

async function resultOf(each, { jail, url, platforms, version, ...context }) {
  const { name, by, on, needs } = each;
  const row = {
    case: titleOf(each),
    'installed by': labelOf(by),
    'run by': labelOf(on),
    seconds: '',
    version,
    day,
  };
  const hindrance = hindranceOf(each, platforms);
  if (hindrance) return { ...row, result: `not run: ${hindrance}` };
  const bots = [];
  const bot = (own) => {
    bots.push(new Bot(jail, { name: `${name}-${bots.length}`, url, ...own }));
    return bots.at(-1);
  };
  try {
    const result = await each.run({ ...context, bot, system: needs && SYSTEMS[needs] });
    const sum = (part) => Math.max(1, Math.round(bots.reduce((all, { seconds }) => all + seconds[part], 0)));
    return { ...row, result, seconds: `${sum('install')} + ${sum('test')}` };
  } catch (error) {
    return { ...row, error };
  }
}

async function main() {
  fetchRuntimes();
  mkdirSync(tools, { recursive: true });
  fetchManagers(tools);
  const platforms = binaries();
  const place = realpathSync(mkdtempSync(join(tmpdir(), 'progressive-storage-rehearsal-')));
  if (options.keep) console.log(`The rehearsal is in ${place}.`);
  else process.once('exit', () => rmSync(place, { recursive: true, force: true }));
  const { url, stop } = await startRegistry(join(place, 'registry'));
  const stage = join(place, 'stage');
  stageRelease(stage, platforms);
  publish(stage, { url, home: join(place, 'publisher') });
  const { version } = JSON.parse(readFileSync(join(stage, 'package.json'), 'utf8'));
  console.log(`Published ${version} with binaries for ${platforms.join(', ')}.`);
  const jail = new Jail(place, target);
  const repository = clone(join(place, 'repository.git'));
  const context = { jail, url, platforms, version, repository, outside: outsideOf(), rust: rustOf() };
  const rows = [];
  for (const each of cases) {
    const row = await resultOf(each, context);
    rows.push(row);
    console.log(`${row.case.padEnd(50)} ${row.result ?? `FAILED: ${row.error.message}`}`);
  }
  stop();
  const failed = rows.filter(({ error }) => error);
  // A failure is to be mended, not to be documented: the row of the last run stays until then.
  const good = rows.filter(({ error }) => !error);
  if (!options['no-table']) writeRows(good, CASES.map(titleOf));
  const notRun = good.filter(({ result }) => result.startsWith('not run')).length;
  console.log(`${good.length - notRun} passed, ${failed.length} failed, ${notRun} skipped`);
  process.exit(failed.length > 0 ? 1 : 0);
}

await main();
