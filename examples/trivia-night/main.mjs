/**
 * A trivia night over a bot's data, with a kill -9 in the middle: `npm start [-- path/to/data]`. With `--server` it is
 * played by three processes on a PostgreSQL server instead (on-server.mjs).
 *
 *     node main.mjs [path/to/data] [--keep]
 *     node main.mjs --server
 *
 * 1. The data folder is copied, or one in the old module's format is generated. Only the copy changes.
 * 2. A child process is the bot (night.mjs). It is killed when about half of the results are recorded.
 * 3. The files are compared with what was acknowledged.
 * 4. A second child recovers, finishes the night, compacts the logs and exits.
 * 5. The files are compared with everything that was played.
 *
 * The checks read the files with plain JavaScript, not through the package. The exit code is 0 when all checks hold,
 * 1 when one fails or the night breaks off, 2 for a wrong argument. `--keep` does not remove the copy.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BotProcess } from './bot-process.mjs';
import { copyFolder, fingerprint } from './folder.mjs';
import { writeOldData } from './old-data.mjs';
import { damagedLines, fileSizes, readBefore } from './plain-files.mjs';
import { expectedResults, planNight } from './plan.mjs';
import {
  showBeginning,
  showFiles,
  showFirst,
  showKill,
  showLatency,
  showLeaderboard,
  showQuestion,
  showSecond,
  showTally,
} from './report.mjs';
import {
  bold,
  count,
  dim,
  green,
  line,
  progress,
  progressDone,
  red,
  section,
  showChecks,
  title,
} from './terminal.mjs';
import { checkAfterKill, checkAtTheEnd, checkRecovered, stagesOnDisk } from './verify.mjs';

const KILL_AT_SHARE = 0.45;

const { given, keep, onServer } = readArguments(process.argv.slice(2));
if (onServer) {
  const { playOnServer } = await import('./on-server.mjs');
  process.exit(await playOnServer());
}
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'trivia-night-'));
process.exitCode = 1;
process.once('SIGINT', () => {
  removeWork();
  process.exit(130);
});
try {
  const failed = await main();
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  progressDone();
  line();
  line(red(`The night broke off: ${error.stack}`));
}
if (process.exitCode === 0 && !keep) removeWork();
else line(dim(`The copy is left in ${work}`));

async function main() {
  const data = path.join(work, 'data');
  const source = given ?? path.join(work, 'generated');
  title('Trivia night');
  if (given === null) writeOldData(source);
  const sourceBefore = fingerprint(source);
  copyFolder(source, data);

  const before = {
    players: readBefore(data, 'players'),
    gameStates: readBefore(data, 'game_state'),
    tokens: readBefore(data, 'tokens'),
    damaged: damagedLines(data),
  };
  const plan = planNight(knownPlayers(before.players));
  const planFile = path.join(work, 'plan.json');
  fs.writeFileSync(planFile, JSON.stringify(plan));
  const expected = expectedResults(plan);
  const total = [...expected.values()].reduce((sum, results) => sum + results.length, 0);
  const sizes = { start: fileSizes(data) };
  showBeginning({ given, before, plan, expected, source: sourceBefore, total });

  section(1, 'The night begins');
  const first = await playUntilKilled(data, planFile, plan, total);

  section(2, 'kill -9, and what is on disk');
  const afterKill = checkAfterKill(data, before, first);
  showKill(first, afterKill);
  let failed = showChecks(afterKill.checks);

  section(3, 'A new process recovers and finishes the night');
  const stages = stagesOnDisk(data, plan);
  const second = await playToTheEnd(data, planFile, total, first.ackedResults());
  sizes.end = fileSizes(data);
  showSecond(second, plan);
  failed += showChecks([checkRecovered(plan, stages, second.ready)]);

  section(4, 'The morning after');
  showLeaderboard(second.closed);
  showLatency([...first.acked, ...second.acked]);
  showFiles(data, sizes, second.closed);

  section(5, 'What the files hold, read with plain JavaScript');
  showTally(first, second, afterKill, total);
  failed += showChecks(checkAtTheEnd(data, before, expected, plan, second.closed));
  failed += showChecks([checkSource(source, sourceBefore)]);

  line();
  if (failed === 0) line(green(bold('Every check holds.')));
  else line(red(bold(`${failed} ${failed === 1 ? 'check has' : 'checks have'} failed; see ✘ above.`)));
  return failed;
}

function readArguments(args) {
  const usage = 'Usage: npm start [-- path/to/data] [--keep], or npm start -- --server';
  const paths = args.filter((argument) => !argument.startsWith('-'));
  const unknown = args.filter((argument) => argument.startsWith('-') && argument !== '--keep');
  if (args.includes('--help') || args.includes('-h')) {
    line(`${usage}\n\nPlays a trivia night on a copy of a bot's data folder, or on generated data.`);
    line('With --server: three processes on a private PostgreSQL server that crashes in the middle.');
    process.exit(0);
  }
  if (args.length === 1 && args[0] === '--server') return { onServer: true };
  if (unknown.length > 0 || paths.length > 1) refuse(`${usage} (unknown: ${args.join(' ')})`);
  if (paths.length === 0) return { given: null, keep: args.includes('--keep') };

  // npm runs scripts in the package's folder, but a relative path is meant from where npm was called.
  const from = process.env.npm_lifecycle_event === 'start' ? process.env.INIT_CWD : undefined;
  const folder = path.resolve(from ?? process.cwd(), paths[0]);
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) refuse(`${folder} is not a folder. ${usage}`);
  const holds = (name) => fs.existsSync(path.join(folder, name));
  if (!holds('players.json') && !holds('logs') && holds('data')) {
    refuse(`${folder} holds no players.json and no logs. Did you mean its folder 'data'? ${usage}`);
  }
  return { given: folder, keep: args.includes('--keep') };
}

function refuse(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function removeWork() {
  fs.rmSync(work, { recursive: true, force: true });
}

function knownPlayers(players) {
  return [...players]
    .filter(([userId]) => userId !== '' && userId !== '__proto__')
    .map(([userId, [record]]) => ({ userId, username: String(record?.username ?? userId) }));
}

async function playUntilKilled(data, planFile, plan, total) {
  const killAt = Math.floor(total * KILL_AT_SHARE);
  let results = 0;
  let shown = 0;
  let killed = false;
  const bot = new BotProcess({
    dataFolder: data,
    args: [planFile],
    onMessage(message) {
      if (message.say === 'ready') showFirst(bot);
      if (message.say === 'question' && message.channel === plan.channels[0].name && shown < 3) {
        shown += 1;
        progressDone();
        showQuestion(message);
      }
      if (message.say !== 'acked' && message.say !== 'call') return;
      if (message.say === 'acked') results = bot.ackedResults();
      progress(`${count(results)} of ${count(total)} results recorded`);
      // If possible, in the middle of somebody's results; otherwise soon after.
      const open = bot.openResults();
      if (!killed && results >= killAt && (open >= 5 || results >= killAt + total / 10)) {
        killed = true;
        bot.killedAtMs = bot.elapsedMs();
        bot.kill();
      }
    },
  });
  const end = await bot.ended;
  progressDone();
  if (end.signal !== 'SIGKILL' || !killed) {
    throw new Error(`the first process ended before it was killed (code ${end.code})\n${end.stderr}`);
  }
  return bot;
}

async function playToTheEnd(data, planFile, total, resultsBefore) {
  const bot = new BotProcess({
    dataFolder: data,
    args: [planFile],
    onMessage() {
      progress(`${count(resultsBefore + bot.ackedResults())} of ${count(total)} results recorded`);
    },
  });
  const end = await bot.ended;
  progressDone();
  if (end.code !== 0 || bot.closed === null) {
    const how = end.signal === null ? `code ${end.code}` : `signal ${end.signal}`;
    throw new Error(`the second process did not reach the end of the night (${how})\n${end.stderr}`);
  }
  bot.totalMs = end.ms;
  return bot;
}

function checkSource(source, sourceBefore) {
  const now = fingerprint(source);
  const same = now.digest === sourceBefore.digest && now.times === sourceBefore.times;
  const what = given === null ? 'generated folder' : 'given folder';
  return {
    ok: same,
    text: `the ${what} is byte for byte as it was (SHA-256 ${now.digest.slice(0, 16)}…)`,
    details: same ? [] : ['It changed during the night. Is a bot running on it?'],
  };
}
