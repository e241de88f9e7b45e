// The bot between a chat and the storage. The chat is Discord (chat/discord.js), or a stand-in (chat/stand-in.js) for
// tests. A chat has
//
//   onCommand(handler)   handler({ name, channelId, userId, username, options, reply })
//   onMessage(handler)   handler({ channelId, userId, username, text })
//   send(channelId, text)    start(definitions)    stop()

import { COMMANDS, definitions } from './commands.js';
import { Game } from './game.js';
import { QUESTIONS } from './questions.js';
import { CompactionScheduler } from './services/append-log.js';
import { getAllGameStates, loadTokens, needsTokenRefresh, saveTokens } from './services/storage.js';

export class Bot {
  constructor({ chat, roundMs = 20_000, random = Math.random, log = console.error }) {
    this.chat = chat;
    this.roundMs = roundMs;
    this.random = random;
    this.log = log;
    this.games = new Map();
    this.running = new Set();
    this.scheduler = new CompactionScheduler();
  }

  async start() {
    if (await needsTokenRefresh()) await saveTokens(QUESTIONS);
    this.questions = (await loadTokens()).tokens;
    this.chat.onCommand((command) => this.command(command));
    this.chat.onMessage((message) => this.games.get(message.channelId)?.hear(message));
    await this.chat.start(definitions());
    this.scheduler.start();
    // Games that a restart interrupted go on.
    for (const [channelId, state] of Object.entries(await getAllGameStates()))
      this.startGame(channelId, 0, state);
  }

  // Running games go on at the next start.
  async stop() {
    this.scheduler.stop();
    for (const game of this.games.values()) game.pause();
    await Promise.all(this.running);
    await this.chat.stop();
  }

  async command(command) {
    try {
      const known = COMMANDS[command.name];
      await (known ? known.run(this, command) : command.reply('I do not know that command.'));
    } catch (error) {
      this.log(`/${command.name} failed:`, error);
      await command.reply('That did not work.').catch(() => {});
    }
  }

  // False when a game is running in that channel.
  startGame(channelId, rounds, state) {
    if (this.games.has(channelId)) return false;
    const { chat, questions, roundMs, random } = this;
    const game = new Game({ channelId, chat, questions, rounds, roundMs, random, state });
    this.games.set(channelId, game);
    const played = game
      .play()
      .catch((error) => this.log(`The game in ${channelId} failed:`, error))
      .finally(() => {
        this.games.delete(channelId);
        this.running.delete(played);
      });
    this.running.add(played);
    return true;
  }

  // Resolves when no game is running.
  async idle() {
    while (this.running.size > 0) await Promise.all(this.running);
  }
}
