// One game in one channel. Each round is one question, until somebody is right or the time is over.
//
//   saveGameState       before each question
//   updatePlayerStats   once for each player, at the end
//   clearGameState      after the results
//
// Invariant: an interrupted game goes on with the question that its saved state names. That state has the points of all
// finished rounds.

import { isRight } from './questions.js';
import { clearGameState, saveGameState, updatePlayerStats } from './services/storage.js';

const POINTS = 10;

export class Game {
  // `state` is the saved state of an interrupted game.
  constructor({ channelId, chat, questions, rounds, roundMs, random, state }) {
    this.channelId = channelId;
    this.chat = chat;
    this.roundMs = roundMs;
    this.state = state ?? { round: 0, questions: pick(questions, rounds, random), players: {} };
    this.isStopped = false;
    this.isPaused = false;
    this.endRound = () => {};
  }

  async play() {
    while (this.state.round < this.state.questions.length && !this.isStopped) {
      await saveGameState(this.channelId, this.state);
      if (this.isStopped) break;
      await this.playRound(this.state.questions[this.state.round]);
      if (!this.isPaused) this.state.round += 1;
    }
    if (!this.isPaused) await this.finish();
  }

  async playRound(question) {
    this.question = question;
    // A player counts once for this question, however often they answer.
    this.tried = new Map();
    const { round, questions } = this.state;
    const ended = new Promise((resolve) => {
      this.endRound = resolve;
    });
    const timer = setTimeout(() => this.endRound(undefined), this.roundMs);
    await this.chat.send(
      this.channelId,
      `Question ${round + 1} of ${questions.length}: ${question.question}`,
    );
    const winner = await ended;
    clearTimeout(timer);
    this.question = undefined;
    if (this.isPaused) return;
    for (const [userId, { username, isRight: wasRight }] of this.tried) {
      const player = this.player(userId, username);
      if (wasRight) player.correct += 1;
      else player.incorrect += 1;
      if (userId === winner) player.score += POINTS;
    }
    const line = winner ? `${this.state.players[winner].username} is right.` : 'Nobody knew.';
    await this.chat.send(this.channelId, line);
  }

  player(userId, username) {
    this.state.players[userId] ??= { username, score: 0, correct: 0, incorrect: 0 };
    return this.state.players[userId];
  }

  hear({ userId, username, text }) {
    if (!this.question) return;
    const right = isRight(this.question, text);
    this.tried.set(userId, { username, isRight: right || this.tried.get(userId)?.isRight === true });
    if (right) this.endRound(userId);
  }

  // Ends the game after this round, with its results.
  stop() {
    this.isStopped = true;
    this.endRound(undefined);
  }

  // Leaves the game as it was last saved: it goes on after a restart.
  pause() {
    this.isPaused = true;
    this.stop();
  }

  // Results are not stored together with the end of the game. After a kill between the two, the restart counts the
  // results that were stored a second time. (examples/trivia-night shows how to avoid that.)
  async finish() {
    const results = Object.entries(this.state.players).sort(([, one], [, other]) => other.score - one.score);
    const best = results[0]?.[1].score ?? 0;
    const lines = ['The game is over.'];
    for (const [userId, { username, score, correct, incorrect }] of results) {
      const isWinner = score > 0 && score === best;
      const record = await updatePlayerStats(userId, username, score, isWinner, correct, incorrect);
      lines.push(`${isWinner ? '🏆 ' : ''}${username}: ${score} points, ${record.totalScore} in all`);
    }
    await clearGameState(this.channelId);
    await this.chat.send(this.channelId, lines.join('\n'));
  }
}

function pick(questions, rounds, random) {
  const left = [...questions];
  const picked = [];
  while (picked.length < rounds && left.length > 0) {
    picked.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return picked;
}
