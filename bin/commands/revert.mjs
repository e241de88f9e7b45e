// `revert`: takes `adopt` back, after the old code has read on a copy what the new code reads.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { Storage } from '../../index.js';
import { compareProbes } from '../adoption/compare.mjs';
import { adoptionOptions, reportOn, showChanged } from '../adoption/report.mjs';
import { refuseWhileRunning } from '../adoption/running.mjs';
import { findBot } from '../adoption/services.mjs';
import { putOldFiles } from '../adoption/swap.mjs';
import { sizeOf, Trial } from '../adoption/trial.mjs';
import { confirmed } from '../support/confirm.mjs';
import { KEEP_BACKUPS } from '../support/contents.mjs';
import { EXIT, Stop } from '../support/errors.mjs';
import { bytes } from '../support/format.mjs';

export const summary = 'take `adopt` back: the old services/ files, with the JSON files current';
export const usage = '[path] [options]';
export const help = `
Finds the two files that \`adopt\` wrote below path (default: the current folder) and their .orig. On a copy of
the data, the old code must read what the new code reads. Where the JSON files are behind (after a kill) or a
log ends with a torn line, they are brought up to date. Then the same is done to the data itself, and the old
files are put back. If a check fails, nothing is changed.

Stop the bot first: nothing is done while a process uses the data folder or runs the bot's code, or where the
data changes during the checks.
`;
export const examples = [
  ['what it would do with the bot in this folder', 'progressive-storage revert --dry-run'],
  ['take the package out of the bot in bot/, without a question', 'progressive-storage revert bot/ --yes'],
];
export const positionals = { max: 1 };
export const options = adoptionOptions('the data folder, where the files do not name it');

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const root = path.resolve(cwd, positionals[0] ?? '.');
  const bot = findBot(root, options);
  const report = reportOn(bot);
  const ours = revertible(bot);
  if (ours.length === 0) {
    terminal.line(`The bot in ${root} does not use this package. Nothing to do.`);
    terminal.result({ ...report, done: true });
    return EXIT.ok;
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
  if (!(await confirmed(terminal, options, 'Put the old files back?'))) {
    terminal.result(report);
    return EXIT.ok;
  }
  refuseIfRunning();
  await terminal.waiting(
    'Bringing the files up to date',
    bringUpToDate(bot.dataDir, { isCompactionNeeded }),
    (isCompactionNeeded ? 3 : 1) * sizeOf(bot.dataDir),
  );
  report.changed = putOldFiles(bot);
  report.done = true;
  showChanged(terminal, report);
  terminal.line('The JSON files are current. You can run `progressive-storage adopt` again at any time.');
  terminal.result(report);
  return EXIT.ok;
}

// The files that `adopt` wrote. The command ends where they cannot be put back.
function revertible(bot) {
  const byHand = bot.files.find(({ isByHand }) => isByHand);
  if (byHand) {
    throw new Stop(`'${byHand.path}' uses this package, but was not written by \`adopt\`.`, {
      code: 'ERR_NOT_ADOPTED',
      hint: 'Put the two old files back by hand: see docs/going-back.md. Nothing was changed.',
    });
  }
  const ours = bot.files.filter(({ isOurs }) => isOurs);
  const lacking = ours.find(({ orig }) => !existsSync(orig));
  if (lacking) {
    throw new Stop(`'${lacking.orig}' is missing, so there is nothing to put back.`, {
      code: 'ERR_ORIG_MISSING',
      hint: 'Put the old file there (from your version control, say) and try again. Nothing was changed.',
    });
  }
  return ours;
}

// Once the files are up to date, the new code must still read the same, and the old code too.
async function check(terminal, bot, atEnd) {
  // The copy and three probes read the data. Where a compaction is needed, two more probes go beyond this estimate.
  const progress = terminal.progress('Checking', 4 * sizeOf(bot.dataDir), { unit: bytes });
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
  for (isCompactionNeeded of [false, true]) {
    if (trial.hasOwnData) await bringUpToDate(trial.dataDir, { isCompactionNeeded });
    const after = await trial.probe('new');
    const old = await trial.probe('old');
    checks = [
      // A log may change: an edit of its JSON file is logged, a torn line is removed.
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

async function bringUpToDate(dataDir, { isCompactionNeeded }) {
  const storage = new Storage({ dataDir, ...KEEP_BACKUPS });
  try {
    // Read each first: a log that was never read is not written.
    await storage.loadPlayers();
    await storage.loadTokens();
    await storage.getAllGameStates();
    if (isCompactionNeeded)
      for (const name of ['players', 'tokens', 'game_state']) await storage.compactLog(name);
    await storage.flush();
  } finally {
    await storage.close();
  }
}
