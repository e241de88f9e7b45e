// Plays a night with the example bot in its folder and prints what happened as JSON.
//
//   node bot-night.mjs BOT-FOLDER SEED [leave | one-by-one]
//
// Three channels play at once. Ann knows everything, Ben nothing, Cat is wrong first and then right; in one
// channel nobody answers. With `leave`, the bot stops in the middle of a game, as for a restart. `one-by-one`
// plays one channel after the other, without the quiet one, as the old code loses results that are stored at the same time.

import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, seed, mode] = process.argv.slice(2);
const leave = mode === 'leave';
const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
const { Bot } = await load('bot.js');
const { standInChat } = await load('chat/stand-in.js');
const { QUESTIONS } = await load('questions.js');

let state = Number(seed) || 1;
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

const PEOPLE = {
  north: [
    { userId: '101', username: 'Ann', answers: (right) => [right] },
    { userId: '102', username: 'Ben', answers: () => ['no idea'] },
  ],
  south: [
    { userId: '102', username: 'Ben', answers: () => ['perhaps'] },
    { userId: '103', username: 'Cat', answers: (right) => ['hm', right] },
  ],
  quiet: [],
};

const chat = standInChat();
const errors = [];
const bot = new Bot({
  chat,
  // Long enough for answers on a busy machine; only the quiet channel waits for it.
  roundMs: 1000,
  random,
  log: (...parts) => errors.push(parts.map(String).join(' ')),
});
const answered = {};
let heard = 0;
let stopping;

chat.listen(({ channelId, text }) => {
  const question = QUESTIONS.find((one) => text.endsWith(one.question));
  if (!question) return;
  heard += 1;
  if (leave && heard === 4) {
    stopping ??= bot.stop();
    return;
  }
  // Ben answers before the one who knows, so that all answers count.
  const people = [...PEOPLE[channelId]].sort((one) => (one.username === 'Ben' ? -1 : 1));
  for (const { userId, username, answers } of people) {
    for (const answer of answers(question.answers[0])) {
      chat.say({ channelId, userId, username }, answer);
    }
    answered[username] = (answered[username] ?? 0) + 1;
  }
});

await bot.start();
const resumed = [...bot.games.keys()];
const replies = [];
for (const channelId of Object.keys(PEOPLE)) {
  if (mode === 'one-by-one' && channelId === 'quiet') continue;
  const rounds = channelId === 'quiet' ? 2 : 3;
  const caller = { channelId, userId: '101', username: 'Ann' };
  if (!resumed.includes(channelId)) replies.push(await chat.use(caller, 'trivia', { rounds }));
  if (mode === 'one-by-one') await bot.idle();
}
await bot.idle();
await stopping;

const ann = { channelId: 'north', userId: '101', username: 'Ann' };
const answers = {
  leaderboard: await chat.use(ann, 'leaderboard'),
  accuracy: await chat.use(ann, 'leaderboard', { by: 'accuracy' }),
  own: await chat.use(ann, 'stats'),
  other: await chat.use(ann, 'stats', { player: '103' }),
  stranger: await chat.use(ann, 'stats', { player: '999' }),
  noGame: await chat.use(ann, 'stop'),
  unknown: await chat.use(ann, 'dance'),
};
if (!leave) await bot.stop();

const { loadPlayers, getAllGameStates, loadTokens } = await load('services/storage.js');
const { readLogEntries } = await load('services/append-log.js');
process.stdout.write(
  JSON.stringify({
    runtime: process.versions.bun ? 'bun' : 'node',
    commands: chat.definitions.map(({ name }) => name),
    said: chat.said,
    resumed,
    replies,
    answers,
    answered,
    errors,
    players: await loadPlayers(),
    games: await getAllGameStates(),
    tokens: (await loadTokens()).count,
    logged: (await readLogEntries('players')).length,
  }),
  () => process.exit(0),
);
