// `adopt`: replaces the bot's two service files by re-exports of this package, after old and new code have read the
// same on a copy of the data.

import path from 'node:path';
import { compareProbes } from '../adoption/compare.mjs';
import { adoptionOptions, reportOn, showChanged } from '../adoption/report.mjs';
import { refuseWhileRunning } from '../adoption/running.mjs';
import { serviceText } from '../adoption/service-text.mjs';
import { filesUsing, findBot } from '../adoption/services.mjs';
import { checkOrigs, putNewFiles, putOldFiles } from '../adoption/swap.mjs';
import { runProbe, sizeOf, Trial } from '../adoption/trial.mjs';
import { confirmed } from '../support/confirm.mjs';
import { EXIT, Stop } from '../support/errors.mjs';
import { bytes, plural } from '../support/format.mjs';

export const summary = "put this package into a bot's two services/ files, after checking it on its data";
export const usage = '[path] [options]';
export const help = `
Finds services/append-log.js, services/storage.js and the data folder below path (default: the current folder),
and shows what it will do. Then it checks old and new code on a copy of the data. Both must read the same
players, numbers, tokens, game states and logs. The new code stores a result, and the old code must read that
too. Only then it keeps the old files as .orig and replaces them by re-exports with that data folder. If a check
fails, nothing is changed.

Stop the bot first: nothing is done while a process uses the data folder or runs the bot's code, or where the
data changes during the checks. \`progressive-storage revert\` takes it back.
`;
export const examples = [
  ['what it would do with the bot in this folder', 'progressive-storage adopt --dry-run'],
  ['put it into the bot in bot/, without a question', 'progressive-storage adopt bot/ --yes'],
];
export const positionals = { max: 1 };
export const options = {
  ...adoptionOptions('the data folder, where it is not path/data'),
  'accept-differences': {
    type: 'boolean',
    description: 'go on although old and new code do not read the same (the differences are shown)',
  },
};

export async function run({ terminal, options, positionals, cwd, atEnd }) {
  const root = path.resolve(cwd, positionals[0] ?? '.');
  const bot = findBot(root, options);
  const report = reportOn(bot);
  if (bot.files.every(({ isOurs, isByHand }) => isOurs || isByHand)) {
    terminal.line(`The bot in ${root} uses this package already. Nothing to do.`);
    terminal.result({ ...report, done: true });
    return EXIT.ok;
  }
  checkOrigs(bot);
  const refuseIfRunning = refuseWhileRunning(terminal, bot, options['ignore-process']);
  showPlan(terminal, bot);

  terminal.line();
  terminal.title('Checks, on a copy');
  const { before, checks } = await check(terminal, bot, atEnd);
  // Before a difference is shown: a bot that writes could be its cause.
  refuseIfRunning();
  report.checks = checks;
  for (const one of checks) terminal.check(one);
  const failed = checks.filter(({ ok }) => !ok);
  const isExcused = options['accept-differences'] && failed.every(({ isComparison }) => isComparison);
  if (failed.length > 0 && !isExcused) {
    terminal.result(report);
    showFailure(terminal, failed);
    return EXIT.failed;
  }
  if (!(await confirmed(terminal, options, 'Change these files?'))) {
    terminal.result(report);
    return EXIT.ok;
  }

  refuseIfRunning();
  report.changed = putNewFiles(bot);
  const afterwards = await checkInPlace({ terminal, bot, before, atEnd, isExcused, refuseIfRunning });
  report.checks.push(...afterwards);
  terminal.line();
  terminal.title('In place');
  for (const one of afterwards) terminal.check(one);
  report.done = true;
  showChanged(terminal, report);
  terminal.line('The data was not changed. Start the bot; `progressive-storage revert` takes this back.');
  terminal.result(report);
  return EXIT.ok;
}

function showFailure(terminal, failed) {
  terminal.line();
  terminal.line('A check failed. Nothing was changed.');
  if (!failed.some(({ isComparison }) => isComparison)) return;
  terminal.line(
    'The old module reads only the JSON files; this package also reads log lines that are newer than them.',
  );
  terminal.line('Check the differences above; with --accept-differences they are accepted.');
}

function showPlan(terminal, bot) {
  terminal.title(`Adopting progressive-storage in ${bot.root}`);
  terminal.fact('data folder', bot.dataDir);
  for (const file of bot.files) {
    const name = path.relative(bot.root, file.path);
    if (file.isOurs) {
      terminal.fact(name, 'is a re-export already');
      continue;
    }
    terminal.fact(name, `is kept as ${path.basename(file.orig)} and becomes:`);
    for (const line of serviceText(file, bot).trimEnd().split('\n'))
      terminal.line(`      ${terminal.cyan(line)}`);
  }
}

// Runs old and new code on a copy. `before` is what the old code read.
async function check(terminal, bot, atEnd) {
  // The data is read at most five times.
  const progress = terminal.progress('Checking', 5 * sizeOf(bot.dataDir), { unit: bytes });
  try {
    return await checkOnCopy(bot, await Trial.of(bot, atEnd, progress));
  } finally {
    progress.end();
  }
}

async function checkOnCopy(bot, trial) {
  const before = await trial.probe('old');
  const after = await trial.probe('new');
  const checks = [exportsCheck(bot, before, after)];
  const comparisons = compareProbes(before, after, ['the old code', 'the new code']);
  checks.push(...comparisons.map((one) => ({ ...one, isComparison: true })));
  if (trial.hasOwnData) {
    const written = await trial.probe('new', { write: true });
    const readBack = await trial.probe('old');
    const back = compareProbes(written, readBack, ['the new code', 'the old code']).filter(({ ok }) => !ok);
    checks.push({
      ok: back.length === 0,
      text:
        back.length === 0
          ? 'the old code reads what the new code stores'
          : 'the old code cannot read what the new code stores',
      details: back.flatMap(({ text, details }) => [text, ...details]),
    });
  } else {
    checks.push({
      ok: true,
      text: `not tried: going back (the data folder is outside of ${bot.root})`,
      details: [],
    });
  }
  trial.remove();
  return { before, checks };
}

// An export that this package lacks matters only where another file of the bot uses it.
function exportsCheck(bot, before, after) {
  const used = [];
  let unused = 0;
  for (const part of Object.keys(before.exports)) {
    for (const name of before.exports[part]) {
      if (after.exports[part].includes(name)) continue;
      const users = filesUsing(bot, part, name);
      if (users.length === 0) unused += 1;
      for (const user of users) used.push(`'${name}' of ${part}, used in ${path.relative(bot.root, user)}`);
    }
  }
  if (used.length > 0) {
    return {
      ok: false,
      text: 'exports of the old files that this package lacks',
      details: [...used, 'Move these to another file, and try again.'],
    };
  }
  const others = unused > 0 ? ` (${plural(unused, 'other is', 'others are')} used nowhere else)` : '';
  return { ok: true, text: `every export that the bot uses is there${others}`, details: [] };
}

// Reads the data with the new files in place. If they read something else, the old files come back.
async function checkInPlace({ terminal, bot, before, atEnd, isExcused, refuseIfRunning }) {
  const adopted = findBot(bot.root, { services: bot.servicesDir, data: bot.dataDir });
  // The data is copied once and read once.
  const progress = terminal.progress('Checking in place', 2 * sizeOf(bot.dataDir), { unit: bytes });
  const trial = await Trial.of(adopted, atEnd, progress);
  try {
    const now = await runProbe(
      adopted.files.map((file) => file.path),
      { cwd: bot.root, result: path.join(trial.root, '.in-place.json'), what: 'the new code' },
    );
    const checks = compareProbes(before, now, ['the old code', 'the new code']);
    if (!isExcused && checks.some(({ ok }) => !ok)) {
      refuseIfRunning();
      throw new Stop('In its place, the new code reads something else.', {
        details: checks.filter(({ ok }) => !ok).flatMap(({ text, details }) => [text, ...details]),
      });
    }
    const differing = checks.filter(({ ok }) => !ok).length;
    const text =
      differing === 0
        ? 'the new code reads the same in place'
        : 'the new code reads in place (with the accepted differences)';
    return [{ ok: true, text, details: [] }];
  } catch (error) {
    putOldFiles(adopted);
    error.message += ' The old files are back in their place.';
    if (error.hint) error.hint = error.hint.replace(/ Nothing was changed\.$/, '');
    throw error;
  } finally {
    progress.end();
  }
}
