/**
 * One of the bots of a night on a server: it plays every n-th channel of the plan, as a shard of a bot on a host of its
 * own does.
 *
 *     node server-night.mjs plan.json SHARD SHARDS
 *
 * It has no code for a server that is away: its calls wait. Every call is reported to the parent (journal.mjs), and so
 * are the events of the storage.
 */

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as storage from 'progressive-storage';
import { report, reported } from './journal.mjs';
import { resultsOf } from './plan.mjs';

/** A call that is rejected is not repeated: the checks of the parent count what it may have done. */
const settled = (about, call) => reported(about, call).catch(() => {});

for (const name of ['connectionLost', 'reconnect', 'notReplicated', 'lostWrites']) {
  storage.on(name, (event) => report({ say: 'event', name, durationMs: event.durationMs }));
}

const [planFile, shard, shards] = process.argv.slice(2);
const plan = JSON.parse(fs.readFileSync(planFile, 'utf8'));
const own = plan.channels.filter((_, index) => index % Number(shards) === Number(shard));
await Promise.all(own.map((channel) => playChannel(channel)));
const { rank, of } = await storage.getPlayerRank(plan.channels[0].games[0].players[0].userId);
await storage.close();
report({ say: 'closed', rank, of });
process.exit(0);

async function playChannel({ channelId, settle, games }) {
  for (const [number, game] of games.entries()) {
    for (const [round, { openMs }] of game.questions.entries()) {
      await sleep(openMs);
      await settled({ op: 'save' }, () => storage.saveGameState(channelId, { number, round: round + 1 }));
    }
    await record(settle, resultsOf(game));
    await settled({ op: 'clear' }, () => storage.clearGameState(channelId));
  }
}

/** Records the results of a game in the channel's way. */
async function record(settle, results) {
  if (settle === 'one line') {
    const users = results.map(({ userId }) => userId);
    await settled({ op: 'result', users, results }, () => storage.updatePlayersStats(results));
  } else if (settle === 'all at once') {
    await Promise.all(results.map(recordOne));
  } else {
    for (const result of results) await recordOne(result);
  }
}

function recordOne(result) {
  const { userId, username, score, isWinner, correctAnswers, incorrectAnswers } = result;
  return settled({ op: 'result', users: [userId], results: [result] }, () =>
    storage.updatePlayerStats(userId, username, score, isWinner, correctAnswers, incorrectAnswers),
  );
}
