// One bot in a clean folder: a package manager installs the package into it, and the short test runs in it.
//
// A failed expectation is an error with the program's own words; the rehearsal names the case.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programOf, RUNTIMES } from '../runtimes.mjs';
import { root } from '../tools.mjs';
import { ADD_BY_NPM, MANAGERS, WARNING, writeSettings } from './managers.mjs';

/** How long a person waits, and how much longer under an emulator. */
const INSTALL_MS = 60_000;
const START_MS = 20_000;
const EMULATED_FACTOR = 12;
const SEEN_MIN = 10;

const nodeOfYarn = ['-r', './.pnp.cjs'];

export class Bot {
  seconds = { install: 0, test: 0 };
  isOffline = false;

  /** @param options `name` of its folder, `url` of the registry, yarn's `linker`, `system` (jail.mjs), `mounts` */
  constructor(jail, { name, url, linker, system = {}, mounts = [] }) {
    this.jail = jail;
    this.system = system;
    this.mounts = mounts;
    this.isPnp = linker === 'pnp';
    this.folder = join(jail.place, 'bots', name, 'bot');
    this.home = join(jail.place, 'bots', name, 'home');
    for (const each of [this.folder, this.home]) mkdirSync(each, { recursive: true });
    const manifest = { name: 'bot', version: '1.0.0', private: true, license: 'MIT' };
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify(manifest));
    cpSync(join(root, 'scripts', 'rehearse', 'short-test.cjs'), join(this.folder, 'short-test.cjs'));
    writeSettings(this.home, url, linker ?? 'node-modules');
    // yarn takes a folder above for the project, and its settings from there, unless this one has a lock file.
    if (linker !== undefined) writeFileSync(join(this.folder, 'yarn.lock'), '');
    this.env = { HOME: this.home, TMPDIR: this.home, NO_COLOR: '1', npm_config_registry: url };
  }

  get factor() {
    return this.system.emulator ? EMULATED_FACTOR : 1;
  }

  program(runtime) {
    const known = RUNTIMES.find(({ name }) => name === runtime);
    return this.system.node ?? programOf(known, join(this.jail.tools, 'runtimes'));
  }

  where(limitMs, { env = {}, mounts = this.mounts } = {}) {
    const { folder, system, isOffline } = this;
    return {
      folder,
      system,
      mounts,
      isOffline,
      limitMs: limitMs * this.factor,
      env: { ...this.env, ...env },
    };
  }

  /** Runs a program of a package manager by a version of Node.js; its words where it fails. */
  async manage(manager, node, args, { env = {}, isQuiet = true, limitMs } = {}) {
    const { program, env: own } = MANAGERS[manager];
    const tool = join(this.jail.tools, 'rehearsal', 'node_modules', manager, program);
    const PATH = `${dirname(this.program(node))}:/usr/bin:/bin`;
    const line = [this.program(node), tool, ...args];
    return this.#install(line, { env: { PATH, ...own, ...env }, isQuiet, limitMs });
  }

  /** Adds the package; the install must succeed, in time and without a warning. */
  install(manager, node, { args = MANAGERS[manager].add ?? ADD_BY_NPM, ...how } = {}) {
    return this.manage(manager, node, args, how);
  }

  /** The same by Bun or Deno, which are their own package managers. */
  installByRuntime(runtime, args) {
    return this.#install([this.program(runtime), ...args], { env: { PATH: '/usr/bin:/bin' } });
  }

  async #install(line, { env, isQuiet = true, limitMs = INSTALL_MS }) {
    const { code, output, seconds } = await this.jail.run(line, this.where(limitMs, { env }));
    this.seconds.install += seconds;
    if (code !== 0) throw new Error(`the install ended with ${code} after ${seconds} s:\n${output}`);
    if (isQuiet && WARNING.test(output)) throw new Error(`the install warns:\n${output}`);
    return output;
  }

  #line(runtime, args) {
    const flags = { bun: [], deno: ['run', '--allow-all'] }[runtime] ?? (this.isPnp ? nodeOfYarn : []);
    return [this.program(runtime), ...flags, 'short-test.cjs', ...args];
  }

  /** A hundred updates, a compaction, a kill, a start anew; throws unless the data is whole. */
  async shortTest(runtime, { env = {} } = {}) {
    const startedMs = Date.now();
    // Outside of what a case mounts read-only.
    const data = join(this.home, 'data');
    const seen = await this.#writeUntilKilled(this.#line(runtime, ['write', data]), env);
    const line = this.#line(runtime, ['read', data, String(seen)]);
    const { code, output } = await this.jail.run(line, this.where(START_MS, { env }));
    if (code !== 0 || !output.includes('data whole')) throw new Error(`${code} on reading:\n${output}`);
    this.seconds.test += (Date.now() - startedMs) / 1000;
    return 'data whole';
  }

  /** Kills it in the middle of its updates; the number of those that were acknowledged. */
  #writeUntilKilled(line, env) {
    const { limitMs, ...where } = this.where(START_MS, { env });
    const child = this.jail.start(line, where);
    let [output, seen] = ['', 0];
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      seen = Number([...output.matchAll(/acknowledged (\d+)\n/g)].at(-1)?.[1] ?? 0);
      if (seen >= SEEN_MIN) child.kill('SIGKILL');
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        if (signal === 'SIGKILL' && seen >= SEEN_MIN) resolve(seen);
        else reject(new Error(`${signal ?? code} after ${seen} acknowledged updates:\n${output}`));
      });
    });
  }

  /** The loader's error, which must name each of `helps`; returns its reason. */
  async errorOf(runtime, helps, { env = {} } = {}) {
    const line = this.#line(runtime, ['read', join(this.home, 'data'), '0']);
    const startedMs = Date.now();
    const { code, output } = await this.jail.run(line, this.where(START_MS, { env }));
    this.seconds.test += (Date.now() - startedMs) / 1000;
    const reason = /progressive-storage could not load its binary: (.*)/.exec(output)?.[1];
    const missing = helps.filter((help) => !output.includes(help));
    if (code === 0 || !reason || missing.length > 0)
      throw new Error(`it does not say ${missing.join(', ')}:\n${output}`);
    return `error: ${reason.replaceAll(this.jail.place, '…')}`;
  }
}
