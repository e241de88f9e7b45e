// `revert`: takes `adopt` back, once the old code was shown to read on a copy what the new code has.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { Storage } from '../../index.js';
import { ignoreProcessOption, refuseWhileRunning } from '../adoption/running.mjs';
import { findBot } from '../adoption/services.mjs';
import { putOldFiles } from '../adoption/swap.mjs';
import { compareProbes, sizeOf, Trial } from '../adoption/trial.mjs';
import { EXIT, Stop } from '../support/errors.mjs';
import { KEEP_BACKUPS } from '../support/folder.mjs';
import { bytes } from '../support/format.mjs';

export const summary = 'take `adopt` back: the old services/ files, with the JSON files current';
export const usage = '[path] [options]';
export const help = `
Finds the two files that \`adopt\` wrote below path (default: the current folder) and their .orig. On a copy
of the data, the old code must read what the new code has; where the JSON files lag behind (after a kill) or a
log ends with a torn line, they are brought up to date. Then the same is done to the data itself, and the old
files are put back. If a check fails, nothing is touched.

Stop the bot first: while a process uses the data folder or runs the bot's code, nothing is done.
`;
export const positionals = { max: 1 };
export const options = {
  yes: { type: 'boolean', short: 'y', description: 'do not ask' },
  'dry-run': { type: 'boolean', description: 'run the checks, show what would be done, and change nothing' },
  services: {
    type: 'string',
    value: 'DIR',
    description: 'the folder of the two files, where it is not found',
  },
  data: { type: 'string', value: 'DIR', description: 'the data folder, where the files do not name it' },
  'ignore-process': ignoreProcessOption,
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const root = path.resolve(cwd, positionals[0] ?? '.');
  const bot = findBot(root, options);
  const ours = bot.files.filter(({ isOurs }) => isOurs);
  const report = {
    root,
    services: bot.servicesDir,
    dataDir: bot.dataDir,
    checks: [],
    changed: [],
    done: false,
  };
  const byHand = bot.files.filter(({ isByHand }) => isByHand);
  if (byHand.length > 0) {
    throw new Stop(`'${byHand[0].path}' uses this package, but was not written by \`adopt\`.`, {
      code: 'ERR_NOT_ADOPTED',
      hint: 'Put the two old files back by hand; docs/going-back.md of the package says how. Nothing was changed.',
    });
  }
  if (ours.length === 0) {
    terminal.line(`The bot in ${root} does not use this package. Nothing to do.`);
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  for (const file of ours) {
    if (!existsSync(file.orig)) {
      throw new Stop(`'${file.orig}' is missing, so there is nothing to put back.`, {
        code: 'ERR_ORIG_MISSING',
        hint: 'Put the old file there (from your version control, say) and try again. Nothing was changed.',
      });
    }
  }
  const refuseIfRunning = refuseWhileRunning(terminal, bot, options['ignore-process']);
  terminal.title(`Putting the old code back in ${root}`);
  terminal.fact('data folder', bot.dataDir);
  for (const file of ours)
    terminal.fact(path.relative(root, file.path), `becomes ${path.basename(file.orig)} again`);

  terminal.line();
  terminal.title('Checks, on a copy');
  const { checks, isCompactionNeeded } = await check(terminal, bot, atEnd);
  refuseIfRunning();
  report.checks = checks;
  for (const one of checks) terminal.check(one);
  if (checks.some(({ ok }) => !ok)) {
    terminal.line();
    terminal.line('A check failed. Nothing was changed.');
    terminal.result(report);
    return EXIT.failed;
  }
  if (options['dry-run']) {
    terminal.line();
    terminal.line('This was a dry run. Nothing was changed.');
    terminal.result(report);
    return EXIT.ok;
  }
  if (!options.yes && !(await terminal.confirm('Put the old files back?'))) {
    throw new Stop('Not confirmed. Nothing was changed.', {
      exitCode: EXIT.declined,
      code: 'ERR_NOT_CONFIRMED',
      hint: 'Answer with y, or give --yes.',
    });
  }
  refuseIfRunning();
  await terminal.waiting(
    'Bringing the files up to date',
    bringUpToDate(bot.dataDir, isCompactionNeeded),
    (isCompactionNeeded ? 3 : 1) * sizeOf(bot.dataDir),
  );
  report.changed = putOldFiles(bot);
  report.done = true;
  terminal.line();
  terminal.line('Changed:');
  for (const file of report.changed) terminal.line(`  ${path.relative(root, file) || file}`);
  terminal.line('The JSON files are current. `progressive-storage adopt` comes here again at any time.');
  terminal.result(report);
  return EXIT.ok;
}

// What the new code has must still be there once the files are up to date, and the old code must read the same.
async function check(terminal, bot, atEnd) {
  // Data is gone through at most so many times.
  const progress = terminal.progress('Checking', 4 * sizeOf(bot.dataDir), bytes);
  try {
    return await checkOnCopy(await Trial.of(bot, atEnd, progress));
  } finally {
    progress.end();
  }
}

async function checkOnCopy(trial) {
  const before = await trial.probe('new');
  let checks = [];
  let isCompactionNeeded = false;
  for (const withCompaction of [false, true]) {
    isCompactionNeeded = withCompaction;
    if (trial.hasOwnData) await bringUpToDate(trial.dataDir, withCompaction);
    const after = await trial.probe('new');
    const old = await trial.probe('old');
    checks = [
      // A log may have gained by it: an edit of its JSON file is logged, a torn line is gone.
      ...compareProbes(before, after, ['the new code', 'the new code, with all up to date,']).filter(
        ({ ok, text }) => !ok && !text.startsWith('log of '),
      ),
      ...compareProbes(after, old, ['the new code', 'the old code']),
    ];
    if (checks.every(({ ok }) => ok) || !trial.hasOwnData) break;
  }
  trial.remove();
  return { checks, isCompactionNeeded };
}

async function bringUpToDate(dataDir, withCompaction) {
  const storage = new Storage({ dataDir, ...KEEP_BACKUPS });
  try {
    // Each is looked at first: what was never read is not written.
    await storage.loadPlayers();
    await storage.loadTokens();
    await storage.getAllGameStates();
    if (withCompaction)
      for (const name of ['players', 'tokens', 'game_state']) await storage.compactLog(name);
    await storage.flush();
  } finally {
    await storage.close();
  }
}
