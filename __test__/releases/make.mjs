// Makes the fixtures of a release: the data folders that its program leaves behind, in all the ways of scenes.mjs, and beside
// each what the program answered (`saw.json`). Each release adds its own, once; they are never made anew.
//
//   node __test__/releases/make.mjs                                this version, as it was built last
//   node __test__/releases/make.mjs --package FOLDER --name NAME   another one, built in that folder
//
// Only on Linux, with strace: it ends the program at a system call.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SCENES } from './scenes.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(path.dirname(here));
const { values } = parseArgs({ options: { package: { type: 'string' }, name: { type: 'string' } } });
const packageFolder = path.resolve(values.package ?? root);
const { version } = JSON.parse(readFileSync(path.join(packageFolder, 'package.json'), 'utf8'));
const target = path.join(here, 'fixtures', values.name ?? version);
const NOT_THERE = 3;
const DEADLINE_MS = 60_000;

if (existsSync(target)) {
  console.error(`${target} is there. The fixtures of a release are made once.`);
  process.exit(1);
}

async function make(name) {
  const scene = SCENES[name];
  const dataDir = path.join(target, name, 'data');
  const sawFile = path.join(target, name, 'saw.json');
  mkdirSync(path.dirname(dataDir), { recursive: true });
  const entry = pathToFileURL(path.join(packageFolder, 'index.js')).href;
  let command = [process.execPath, path.join(here, 'play.mjs'), entry, name, dataDir, sawFile];
  if (scene.end.killedAt) command = await killedAtLastCall(name, command, scene.end);
  const code = await ended(command, { isKilled: scene.end === 'kill' });
  if (code === NOT_THERE) {
    rmSync(path.join(target, name), { recursive: true });
    return console.log(`${name}: not in this release`);
  }
  const saw = JSON.parse(readFileSync(sawFile, 'utf8'));
  await scene.afterwards?.({ dataDir, saw });
  writeFileSync(sawFile, `${JSON.stringify(saw)}\n`);
  return console.log(`${name}: ${sizeOf(path.join(target, name))} bytes`);
}

// The command in strace, which ends it at the last such system call. A first run in another folder counts them; strace counts
// those of each thread by themselves.
async function killedAtLastCall(name, command, { killedAt, file }) {
  const dataDir = path.join(target, name, 'counted');
  const output = path.join(target, name, 'calls');
  const counting = command.map((word) => (word.endsWith(path.join(name, 'data')) ? dataDir : word));
  const strace = (folder, to, expression) => [
    ...['strace', '-f', '-qq', '-o', to, '-e', expression],
    ...(file ? ['-P', path.join(folder, file)] : []),
  ];
  await ended([...strace(dataDir, output, `trace=${killedAt}`), ...counting], { isKilled: true });
  const pattern = new RegExp(`^(\\d+) +(?:${killedAt.replaceAll(',', '|')})\\(`, 'gm');
  const threads = [...readFileSync(output, 'utf8').matchAll(pattern)].map(([, thread]) => thread);
  const nth = threads.filter((thread) => thread === threads.at(-1)).length;
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(output);
  // A release that lacks the call says so itself.
  if (nth === 0) return command;
  const inject = `inject=${killedAt}:signal=SIGKILL:when=${nth}`;
  return [...strace(path.join(target, name, 'data'), '/dev/null', inject), ...command];
}

async function ended([program, ...args], { isKilled }) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  child.stdout.once('data', () => {
    if (isKilled) setTimeout(() => process.kill(-child.pid, 'SIGKILL'), program === 'strace' ? 2000 : 0);
  });
  const deadline = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), DEADLINE_MS);
  const [code, signal] = await once(child, 'close');
  clearTimeout(deadline);
  if (signal === null && code !== 0 && code !== NOT_THERE && code !== 137)
    throw new Error(`${program} ended with ${code}`);
  return code;
}

function sizeOf(place) {
  if (!statSync(place).isDirectory()) return statSync(place).size;
  return readdirSync(place).reduce((sum, name) => sum + sizeOf(path.join(place, name)), 0);
}

for (const name of Object.keys(SCENES)) await make(name);
