// What the rehearsal tries, one row of the table each: who installs, on which system, what runs it, and under which
// condition. Each ends with the short test, or with the error that names what helps.
//
// `run(context)` returns the result; `context` is `{ bot(options), system, repository, outside, rust }`: the other system, a
// clone of this repository, and the environments in which npm reaches the registry of this machine, and in which cargo
// runs. `needs` names a system of systems.mjs, `needsMounts` is for what only root can try, and what `isSlow` runs where
// it is named.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'progressive-storage';
/** The command says that it takes some minutes. */
const BUILD_MS = 1_800_000;
const NODES = ['node18', 'node20', 'node22', 'node24', 'node26'];
const AGAIN = 'rm -rf node_modules && npm install';
/** Another system, as npm and pnpm take it: nothing of it loads here. */
const ELSEWHERE = ['--os=darwin', '--cpu=arm64'];

/** Installs by a manager that runs on `node`, and tests by that too. */
const byManager = (manager, node, { linker, condition = '' } = {}) => ({
  name: [manager, linker].filter(Boolean).join('-'),
  by: manager,
  on: node,
  condition: linker === 'pnp' ? "Plug'n'Play" : (condition ?? ''),
  run: async ({ bot }) => {
    const here = bot({ linker });
    await here.install(manager, node);
    return here.shortTest(node);
  },
});

const managers = [
  byManager('npm10', 'node18'),
  byManager('npm', 'node24'),
  byManager('pnpm', 'node24'),
  byManager('yarn-classic', 'node22'),
  byManager('yarn', 'node24', { linker: 'node-modules' }),
  byManager('yarn', 'node24', { linker: 'pnp' }),
  {
    name: 'bun',
    by: 'bun',
    on: 'bun',
    run: async ({ bot }) => {
      const here = bot();
      await here.installByRuntime('bun', ['add', NAME]);
      await here.shortTest('node24');
      return here.shortTest('bun');
    },
  },
  {
    name: 'deno',
    by: 'deno',
    on: 'deno',
    run: async ({ bot }) => {
      const here = bot();
      await here.installByRuntime('deno', ['add', '--minimum-dependency-age=0', `npm:${NAME}`]);
      return here.shortTest('deno');
    },
  },
];

const runtimes = NODES.slice(1).map((node) => ({ ...byManager('npm10', node), name: node }));

/** A case of npm on this machine, on the newest version of Node.js that both run on. */
const condition = (name, text, run, more = {}) => ({
  name,
  by: 'npm',
  on: 'node24',
  condition: text,
  run,
  ...more,
});

async function installed(context, options, install = {}) {
  const here = context.bot(options);
  await here.install('npm', 'node24', install);
  return here;
}

/** Installs from git, which gives no binary; npm packs the clone with development tools of the outside's registry. */
async function fromGit({ bot, repository, outside }, manager) {
  const here = bot();
  const allow = manager === 'npm' ? ['--allow-git=all'] : [];
  const args = ['install', `git+file://${repository}`, ...allow];
  await here.manage(manager, 'node24', args, { env: outside, isQuiet: false });
  const result = await here.errorOf('node24', ['has not been built', `npx ${NAME} build`]);
  return { here, result };
}

/** What the errors say: `rm -rf node_modules && npm install`. */
async function installedAgain(here, manager = 'npm') {
  rmSync(join(here.folder, 'node_modules'), { recursive: true });
  await here.manage(manager, 'node24', ['install']);
  return `With what it says: ${await here.shortTest('node24')}`;
}

const conditions = [
  condition('ignore-scripts', '', async (context) => {
    const here = await installed(context, {}, { args: ['install', NAME, '--ignore-scripts'] });
    return here.shortTest('node24');
  }),
  condition('omit-optional', '', async (context) => {
    const here = await installed(context, {}, { args: ['install', NAME, '--omit=optional'] });
    const result = await here.errorOf('node24', ['is not installed', AGAIN, '--omit=optional']);
    return `${result} ${await installedAgain(here)}`;
  }),
  condition('omit-optional-setting', '`omit=optional` in `.npmrc`', async ({ bot }) => {
    const here = bot();
    const file = join(here.folder, '.npmrc');
    writeFileSync(file, 'omit=optional\n');
    await here.install('npm', 'node24');
    const result = await here.errorOf('node24', [`Take that out of ${file}, then: ${AGAIN}`]);
    rmSync(file);
    return `${result} ${await installedAgain(here)}`;
  }),
  ...['npm10', 'npm'].map((manager) =>
    condition(
      `foreign-lock-${manager}`,
      'lock file made for macOS on arm64, `npm ci`',
      async ({ bot }) => {
        const here = bot();
        await here.install(manager, 'node24', { args: ['install', NAME, ...ELSEWHERE] });
        rmSync(join(here.folder, 'node_modules'), { recursive: true });
        await here.manage(manager, 'node24', ['ci']);
        return here.shortTest('node24');
      },
      { by: manager },
    ),
  ),
  condition(
    'foreign-lock-pnpm',
    'lock file made for macOS on arm64, `--frozen-lockfile`',
    async ({ bot }) => {
      const here = bot();
      await here.install('pnpm', 'node24', { args: ['add', NAME, ...ELSEWHERE] });
      rmSync(join(here.folder, 'node_modules'), { recursive: true });
      await here.manage('pnpm', 'node24', ['install', '--frozen-lockfile']);
      return here.shortTest('node24');
    },
    { by: 'pnpm' },
  ),
  condition(
    'short-lock',
    "lock file without this system's package, `npm ci`",
    async ({ bot }) => {
      const here = bot();
      await here.install('npm10', 'node24');
      // npm writes such a file where node_modules of another system is: https://github.com/npm/cli/issues/4828
      const file = join(here.folder, 'package-lock.json');
      const lock = JSON.parse(readFileSync(file, 'utf8'));
      for (const name of Object.keys(lock.packages))
        if (name.startsWith(`node_modules/${NAME}-`) && !name.includes('darwin')) delete lock.packages[name];
      writeFileSync(file, JSON.stringify(lock));
      rmSync(join(here.folder, 'node_modules'), { recursive: true });
      await here.manage('npm10', 'node24', ['ci']);
      const help = 'rm -rf node_modules package-lock.json && npm install';
      const result = await here.errorOf('node24', [help]);
      rmSync(file);
      return `${result} ${await installedAgain(here, 'npm10')}`;
    },
    { by: 'npm10' },
  ),
  condition('foreign-modules', '`node_modules` of macOS copied here', async (context) => {
    const here = await installed(context, {}, { args: ['install', NAME, ...ELSEWHERE] });
    const helps = ['installed on another system and copied here', AGAIN, '.dockerignore'];
    const result = await here.errorOf('node24', helps);
    return `${result} ${await installedAgain(here)}`;
  }),
  condition(
    'offline',
    'no network, from the cache, `npm ci --offline`',
    async (context) => {
      const here = await installed(context);
      rmSync(join(here.folder, 'node_modules'), { recursive: true });
      here.isOffline = true;
      await here.manage('npm', 'node24', ['ci', '--offline']);
      return here.shortTest('node24');
    },
    { needsMounts: true },
  ),
  ...['npm10', 'npm'].map((manager) =>
    condition(
      `git-${manager}`,
      manager === 'npm' ? '`--allow-git=all`' : '',
      async (context) => (await fromGit(context, manager)).result,
      { by: manager },
    ),
  ),
  condition(
    'git-build',
    `\`npx ${NAME} build\``,
    async (context) => {
      const { here } = await fromGit(context, 'npm');
      const env = { ...context.outside, ...context.rust };
      await here.manage('npm', 'node24', ['exec', '--', NAME, 'build'], {
        env,
        isQuiet: false,
        limitMs: BUILD_MS,
      });
      return here.shortTest('node24');
    },
    { isSlow: true },
  ),
  condition(
    'read-only',
    'the data is elsewhere',
    async (context) => {
      const here = await installed(context);
      here.mounts = [`ro:${here.folder}`];
      return here.shortTest('node24');
    },
    { needsMounts: true },
  ),
  condition(
    'noexec',
    '',
    async (context) => {
      const here = await installed(context);
      here.mounts = [`noexec:${here.folder}`];
      const result = await here.errorOf('node24', ['mounted noexec', 'NAPI_RS_NATIVE_LIBRARY_PATH']);
      // What the error says helps.
      const modules = join(here.folder, 'node_modules');
      const platform = readdirSync(modules).find((name) => name.startsWith(`${NAME}-`));
      const binary = `${NAME}.${platform.slice(NAME.length + 1)}.node`;
      mkdirSync(join(here.home, 'exec'));
      const copy = join(here.home, 'exec', binary);
      cpSync(join(modules, platform, binary), copy);
      await here.shortTest('node24', { env: { NAPI_RS_NATIVE_LIBRARY_PATH: copy } });
      return `${result} With the copy that it names: data whole`;
    },
    { needsMounts: true },
  ),
];

/** Installs and runs on another system: npm 10 by that system's Node.js. */
const onSystem = (system) => ({
  name: system,
  by: 'npm10',
  on: system,
  needs: system,
  needsMounts: true,
  run: async ({ bot, system: own }) => {
    const here = bot({ system: own });
    await here.install('npm10', own.name);
    const found = readdirSync(join(here.folder, 'node_modules')).filter((each) =>
      each.startsWith(`${NAME}-`),
    );
    if (found.length !== 1 || !existsSync(join(here.folder, 'node_modules', `${NAME}-${own.platform}`)))
      throw new Error(`npm chose ${found.join(', ') || 'no binary'} for ${own.platform}`);
    return here.shortTest(own.name);
  },
});

export const SYSTEM_CASES = ['debian-11', 'musl-x64', 'arm64', 'musl-arm64', 'armv7', 'musl-armv7'].map(
  onSystem,
);

export const CASES = [...managers, ...runtimes, ...conditions, ...SYSTEM_CASES];
