/**
 * A trivia night of three processes on one PostgreSQL server that crashes in the middle: `npm start -- --server`.
 *
 * 1. A private server is started, in a folder of its own.
 * 2. Three processes play, each a third of the channels; the same people play in all of them.
 * 3. When about half of the results are recorded, the server is killed. It stays away for two seconds.
 * 4. The processes finish the night. They are not restarted, and have no code for this.
 * 5. The tables of the server are compared with what the processes were answered.
 *
 * The tables are read by a plain client, not through the package. Returns the exit code: 0 when all checks hold, 1 when
 * one fails or the night breaks off, 3 where no server can be started, 130 or 143 after SIGINT or SIGTERM. In each case
 * everything that was started has ended.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { BotProcess } from './bot-process.mjs';
import { expectedResults, planSharedNight } from './plan.mjs';
import {
  bold,
  count,
  dim,
  fact,
  green,
  line,
  milliseconds,
  percentile,
  progress,
  progressDone,
  red,
  section,
  showChecks,
  table,
  title,
} from './terminal.mjs';
import { checkServer, readServer, unknownResults } from './verify-server.mjs';

const SCRIPT = fileURLToPath(new URL('server-night.mjs', import.meta.url));
const BOTS = 3;
const PEOPLE = 40;
const KILL_AT_SHARE = 0.45;
const AWAY_MS = 2000;
const NO_SERVER = 3;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 };

export async function playOnServer() {
  const whyNot = whyNoServer();
  if (whyNot) {
    process.stderr.write(`The night on a server cannot be played here: ${whyNot}.\n`);
    return NO_SERVER;
  }
  const night = { bots: [], server: null, work: fs.mkdtempSync(path.join(os.tmpdir(), 'trivia-night-')) };
  let signalled = null;
  const interrupted = new Promise((_, reject) => {
    for (const signal of Object.keys(SIGNALS)) {
      process.once(signal, () => {
        signalled ??= signal;
        reject(new Error(signal));
      });
    }
  });
  try {
    return (await Promise.race([play(night), interrupted])) === 0 ? 0 : 1;
  } catch (error) {
    progressDone();
    line();
    line(red(`The night broke off: ${signalled ?? error.stack}`));
    return SIGNALS[signalled] ?? 1;
  } finally {
    await end(night);
  }
}

/** Ends whatever of a night is there. */
async function end({ bots, server, work }) {
  for (const bot of bots) bot.kill();
  await Promise.allSettled(bots.map((bot) => bot.ended));
  await server?.remove();
  fs.rmSync(work, { recursive: true, force: true });
}

async function play(night) {
  // Its processes are killed and the machine is not, so it need not sync to keep what it committed.
  const server = await startServer();
  night.server = server;
  const plan = planSharedNight(PEOPLE);
  const planFile = path.join(night.work, 'plan.json');
  fs.writeFileSync(planFile, JSON.stringify(plan));
  const expected = expectedResults(plan);
  const total = [...expected.values()].reduce((sum, results) => sum + results.length, 0);
  title('Trivia night on a server');
  fact('server', `PostgreSQL ${server.version}, private, at ${server.host}:${server.port}`);
  fact('bots', `${BOTS} processes, as on ${BOTS} hosts; each plays ${plan.channels.length / BOTS} channels`);
  fact('players', `${PEOPLE}, who play in all channels: the processes write the same records`);
  fact('the plan', `${count(total)} results to record`);

  section(1, 'The night, and a crash of the server in the middle');
  const { bots } = night;
  showNight(bots, await playThroughCrash({ server, bots, planFile, total }));

  section(2, 'What the processes were answered, and what the server has');
  const found = await readServer(server);
  showAnswers(bots, found, total);
  const failed = showChecks(checkServer({ bots, found, expected }));

  line();
  if (failed === 0) line(green(bold('Every check holds.')));
  else line(red(bold(`${failed} ${failed === 1 ? 'check has' : 'checks have'} failed; see ✘ above.`)));
  return failed;
}

/** Runs the bots to their end. Resolves to what was under way when the server was killed, and how long it was away. */
async function playThroughCrash({ server, bots, planFile, total }) {
  let crash = null;
  const results = () => bots.reduce((sum, bot) => sum + bot.ackedResults(), 0);
  await new Promise((resolve, reject) => {
    const onMessage = () => {
      progress(`${count(results())} of ${count(total)} results recorded`);
      const open = bots.reduce((sum, bot) => sum + bot.openResults(), 0);
      // If possible, in the middle of somebody's results; otherwise soon after.
      const due = results() >= total * KILL_AT_SHARE && (open >= 5 || results() >= total * 0.6);
      if (crash !== null || !due) return;
      crash = { results: results(), open, away: restart(server) };
      // Without a server the bots would go on waiting.
      crash.away.catch(reject);
    };
    for (let shard = 0; shard < BOTS; shard++) {
      const args = [planFile, String(shard), String(BOTS)];
      bots.push(new BotProcess({ url: server.url, script: SCRIPT, args, onMessage }));
    }
    Promise.all(bots.map(untilDone)).then(resolve, reject);
  });
  progressDone();
  if (crash === null) throw new Error('the night ended before the crash');
  return { ...crash, awayMs: await crash.away };
}

async function untilDone(bot) {
  const { code, signal, stderr } = await bot.ended;
  if (code !== 0) throw new Error(`a bot ended with ${signal ?? `code ${code}`}\n${stderr}`);
}

/** A crash: the server's processes end at once. Resolves to how long nobody could connect. */
async function restart(server) {
  const begun = performance.now();
  await server.stop('immediate');
  await sleep(AWAY_MS);
  await server.start();
  return performance.now() - begun;
}

function showNight(bots, crash) {
  fact(
    'killed',
    `with ${count(crash.results)} results acknowledged and ${crash.open} in flight`,
    `back after ${milliseconds(crash.awayMs)}, its recovery included`,
  );
  const rows = bots.map((bot, index) => {
    const times = bot.acked.map((call) => call.ms);
    const back = bot.events.find(({ name }) => name === 'reconnect');
    return [
      `bot ${index + 1}`,
      bot.acked.length,
      bot.failed.length,
      milliseconds(percentile(times, 0.5)),
      milliseconds(Math.max(...times)),
      back === undefined ? '–' : milliseconds(back.durationMs),
    ];
  });
  const columns = [
    { name: 'process', left: true },
    { name: 'acknowledged' },
    { name: 'rejected' },
    { name: 'median' },
    { name: 'longest' },
    { name: 'without a server' },
  ];
  table(columns, rows);
  line(`   ${dim('calls; no process was restarted')}`);
}

function showAnswers(bots, found, total) {
  const acked = bots.reduce((sum, bot) => sum + bot.ackedResults(), 0);
  const unknown = unknownResults(bots);
  const rejected = bots.flatMap((bot) => bot.failed);
  fact('acknowledged', `${count(acked)} of ${count(total)} results`);
  for (const { op, code, message } of rejected.slice(0, 5)) fact('rejected', `${op}: ${code} ${message}`);
  fact('unknown', unknown.length === 0 ? 'none' : `${unknown.length}, which may count or not:`);
  for (const { code, results } of unknown.slice(0, 5)) {
    fact('', `${code}: ${results.map(({ userId }) => userId).join(', ')}`);
  }
  fact('on the server', `${found.players.size} players, ${count(found.entries)} entries in their log`);
}
