// A trial: a copy of the two service files and of the data. Old and new code run on it before the bot's own files
// change.
//
//   TRIAL/services/   the two files, old or new
//   TRIAL/data/       a copy of the data
//   TRIAL/…           links to everything else of the bot's folder
//
// Invariant: a trial writes nothing into the bot's folder itself.

import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EXIT, Stop } from '../support/errors.mjs';
import { bytesToRead, logsIn } from '../support/log-files.mjs';
import { isInside, PACKAGE, serviceText } from './service-text.mjs';

const PROBE = fileURLToPath(new URL('./probe.mjs', import.meta.url));

export class Trial {
  // A trial that is ready. `atEnd` removes the copy, after Ctrl-C too. `progress` counts the bytes of data that were
  // read.
  static async of(bot, atEnd, progress) {
    const trial = new Trial(bot, atEnd, progress);
    await trial.copy('');
    trial.linkPackage();
    if (trial.hasOwnData) progress?.add(sizeOf(bot.dataDir));
    return trial;
  }

  constructor(bot, atEnd, progress) {
    this.bot = bot;
    this.progress = progress;
    this.root = mkdtempSync(path.join(tmpdir(), 'progressive-storage-trial-'));
    this.remove = () => rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
    atEnd(this.remove);
    this.servicesDir = path.join(this.root, path.relative(bot.root, bot.servicesDir));
    // Where the data folder is outside of the bot's folder, the old code reads the real one. Then only reading is
    // tried.
    this.hasOwnData = isInside(bot.root, bot.dataDir);
    this.dataDir = this.hasOwnData ? path.join(this.root, path.relative(bot.root, bot.dataDir)) : bot.dataDir;
    this.resultNumber = 0;
  }

  // Copies services and data, links everything else.
  async copy(below) {
    const from = path.join(this.bot.root, below);
    const isServices = from === this.bot.servicesDir;
    mkdirSync(path.join(this.root, below), { recursive: true });
    for (const entry of readdirSync(from)) {
      const source = path.join(from, entry);
      const target = path.join(this.root, below, entry);
      const stat = statSync(source, { throwIfNoEntry: false });
      if (stat === undefined || entry === '.git') continue;
      const isOnTheWay =
        stat.isDirectory() &&
        [this.bot.servicesDir, this.bot.dataDir].some((folder) => isInside(source, folder));
      if (source === this.bot.dataDir) {
        await cp(source, target, { recursive: true, dereference: true });
        makeWritable(target);
      } else if (isOnTheWay) await this.copy(path.join(below, entry));
      else if (stat.isDirectory()) symlinkSync(source, target, 'junction');
      else if (isServices || entry === 'package.json' || process.platform === 'win32')
        copyFileSync(source, target);
      else symlinkSync(source, target);
    }
  }

  // The package may be installed in a folder above the bot's.
  linkPackage() {
    for (let folder = this.bot.root; ; folder = path.dirname(folder)) {
      const modules = path.join(folder, 'node_modules');
      if (existsSync(path.join(modules, PACKAGE))) {
        if (!existsSync(path.join(this.root, 'node_modules')))
          symlinkSync(modules, path.join(this.root, 'node_modules'), 'junction');
        return;
      }
      if (folder === path.dirname(folder)) break;
    }
    throw new Stop(`The package '${PACKAGE}' is not installed in '${this.bot.root}'.`, {
      code: 'ERR_NOT_INSTALLED',
      hint: `Run \`npm install ${PACKAGE}\` in that folder, then try again. Nothing was changed.`,
    });
  }

  // Puts the old or the new text into the copies.
  put(which) {
    const trialBot = { root: this.root, dataDir: this.dataDir };
    for (const file of this.bot.files) {
      const target = path.join(this.servicesDir, path.basename(file.path));
      if (which === 'new') writeFileSync(target, serviceText({ ...file, path: target }, trialBot));
      else writeFileSync(target, readFileSync(file.isOurs ? file.orig : file.path));
    }
  }

  async probe(which, { write = false } = {}) {
    this.put(which);
    const result = path.join(this.root, `.probe-${++this.resultNumber}.json`);
    const probe = await runProbe(
      this.bot.files.map((file) => path.join(this.servicesDir, path.basename(file.path))),
      {
        cwd: this.root,
        result,
        write,
        what: which === 'new' ? 'the new code' : 'the old code',
        inPlaceOf: this.bot.root,
      },
    );
    this.progress?.add(sizeOf(this.dataDir));
    return probe;
  }
}

// The copied files keep their modes, and may be read-only.
function makeWritable(folder) {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) makeWritable(name);
    else if (entry.isFile()) chmodSync(name, 0o600);
  }
}

// Bytes of the JSON files and logs of a data folder: what reading it once reads.
export function sizeOf(dataDir) {
  return logsIn(dataDir).reduce((sum, log) => sum + bytesToRead(log), 0);
}

// Runs probe.mjs on the two files, append-log and storage; returns its results. `what` and `inPlaceOf` are for
// messages.
export async function runProbe(
  [logFile, storageFile],
  { cwd, result, write = false, what, inPlaceOf = cwd },
) {
  const args = [PROBE, storageFile, logFile, result, ...(write ? ['write'] : [])];
  const env = { ...process.env };
  delete env.PROGRESSIVE_STORAGE_DIR;
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) {
    throw new Stop(`A check failed: ${what} could not be run (exit code ${code}). Nothing was changed.`, {
      exitCode: EXIT.failed,
      code: 'ERR_CHECK_FAILED',
      details: relevant(printed, { cwd, inPlaceOf }).slice(0, 12),
    });
  }
  // Errors name files of the copy, which is gone when somebody reads them: name the bot's own files instead.
  const inJson = (text) => JSON.stringify(text).slice(1, -1);
  return JSON.parse(readFileSync(result, 'utf8').replaceAll(inJson(cwd), inJson(inPlaceOf)));
}

// What the bot's code printed, with paths of its own folder instead of the copy's, and without stack lines of this
// package or the runtime.
function relevant(printed, { cwd, inPlaceOf }) {
  const isOfOthers = (line) => line.includes(path.dirname(PROBE)) || /\(?node:internal\//.test(line);
  return printed
    .replaceAll(pathToFileURL(cwd).href, pathToFileURL(inPlaceOf).href)
    .replaceAll(cwd, inPlaceOf)
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '' && !isOfOthers(line));
}
