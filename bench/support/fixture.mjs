/**
 * A data folder with any number of players, each with 50 games of history: about 5.3 KB of JSON a player.
 *
 *     logs/players.log   CHECKPOINT lines of about 1 MiB, with checksums, as a compaction leaves them
 *     players.json       the same players, pretty-printed
 *
 * Both are streamed, and only a few megabytes are in memory: 100,000 players are about 550 MB of log and 900 MB of
 * JSON file. History entries come from a pool of prepared texts, because formatting dates takes long.
 */

import fs from 'node:fs';
import path from 'node:path';
import * as zlib from 'node:zlib';
import { randomFrom } from './stats.mjs';

const GAMES_EACH = 50;
const POOL_SIZE = 4096;
const CHECKPOINT_BYTES = 1 << 20;
const COMPACTED_AT = '2025-09-14T03:00:00.000Z';

/** Node.js 18 has no zlib.crc32 yet. */
export const crc32 = zlib.crc32 ?? tableCrc32();

function tableCrc32() {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value >>> 0;
  });
  return (bytes) => {
    let value = 0xffffffff;
    for (let index = 0; index < bytes.length; index++) {
      value = table[(value ^ bytes[index]) & 0xff] ^ (value >>> 8);
    }
    return (value ^ 0xffffffff) >>> 0;
  };
}

/** The id of the player with this number: 18 digits, as in chat services. */
export function playerId(index) {
  return String(100_000_000_000_000_000n + BigInt(index) * 7_654_321n);
}

/** `[id, record]` of the same players, for stores with their own files. */
export function* players(count) {
  const random = randomFrom(count);
  const pool = historyPool(random);
  for (let index = 0; index < count; index++) {
    const { id, compact } = playerTexts(index, random, pool);
    yield [id, JSON.parse(compact)];
  }
}

/**
 * Writes the folder; returns `{ players, logBytes, mirrorBytes, liveBytes }`. Live bytes are those of the records
 * alone.
 */
export function writeFixture(folder, players) {
  fs.mkdirSync(path.join(folder, 'logs'), { recursive: true });
  const random = randomFrom(players);
  const pool = historyPool(random);
  const log = new CheckpointWriter(path.join(folder, 'logs', 'players.log'));
  const mirror = new TextWriter(path.join(folder, 'players.json'));
  let liveBytes = 0;
  mirror.add('{');
  for (let index = 0; index < players; index++) {
    const { id, compact, pretty } = playerTexts(index, random, pool);
    liveBytes += id.length + compact.length;
    log.add(id, compact);
    mirror.add(`${index === 0 ? '' : ','}\n  "${id}": ${pretty}`);
  }
  mirror.add('\n}');
  return { players, logBytes: log.end(), mirrorBytes: mirror.end(), liveBytes };
}

/** Prepared history entries: each with its value, its text in a log line, and its text in the pretty JSON file. */
function historyPool(random) {
  return Array.from({ length: POOL_SIZE }, (_, index) => {
    const correctAnswers = Math.floor(random() * 11);
    const game = {
      date: new Date(
        Date.UTC(2024, 0, 1) + index * 3_600_000 + Math.floor(random() * 3_600_000),
      ).toISOString(),
      score: correctAnswers * 100 + Math.floor(random() * 100),
      isWinner: random() < 0.12,
      correctAnswers,
      incorrectAnswers: 10 - correctAnswers,
    };
    const pretty = JSON.stringify(game, null, 2).replaceAll('\n', '\n      ');
    return { game, compact: JSON.stringify(game), pretty };
  });
}

function playerTexts(index, random, pool) {
  const from = Math.floor(random() * (POOL_SIZE - GAMES_EACH));
  const history = pool.slice(from, from + GAMES_EACH);
  const sum = (field) => history.reduce((total, { game }) => total + Number(game[field]), 0);
  const correct = sum('correctAnswers');
  const incorrect = sum('incorrectAnswers');
  const totalScore = sum('score');
  const id = playerId(index);
  const fields = {
    userId: id,
    username: `Player ${index}`,
    totalGames: GAMES_EACH,
    totalWins: sum('isWinner'),
    totalScore,
    averageScore: Math.round(totalScore / GAMES_EACH),
    bestScore: Math.max(...history.map(({ game }) => game.score)),
    totalCorrectAnswers: correct,
    totalIncorrectAnswers: incorrect,
    totalAnswers: correct + incorrect,
    accuracyRate: Math.round((100 * correct) / (correct + incorrect)),
  };
  const compactFields = JSON.stringify(fields).slice(0, -1);
  const prettyFields = JSON.stringify(fields, null, 2).slice(0, -2).replaceAll('\n', '\n  ');
  const compactHistory = history.map((game) => game.compact).join(',');
  const prettyHistory = history.map((game) => game.pretty).join(',\n      ');
  return {
    id,
    compact: `${compactFields},"gamesHistory":[${compactHistory}]}`,
    pretty: `${prettyFields},\n    "gamesHistory": [\n      ${prettyHistory}\n    ]\n  }`,
  };
}

/** Writes text to a file, a few megabytes at a time. */
class TextWriter {
  #fd;
  #parts = [];
  #held = 0;
  #written = 0;

  constructor(file) {
    this.#fd = fs.openSync(file, 'w');
  }

  add(text) {
    this.#parts.push(text);
    this.#held += text.length;
    if (this.#held >= 4 * CHECKPOINT_BYTES) this.#flush();
  }

  #flush() {
    const bytes = Buffer.from(this.#parts.join(''));
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.#fd, bytes, at);
    this.#written += bytes.length;
    this.#parts = [];
    this.#held = 0;
  }

  end() {
    this.#flush();
    fs.fsyncSync(this.#fd);
    fs.closeSync(this.#fd);
    return this.#written;
  }
}

/** Writes players as CHECKPOINT lines of about 1 MiB each. */
class CheckpointWriter {
  #file;
  #members = [];
  #held = 0;

  constructor(file) {
    this.#file = new TextWriter(file);
  }

  add(id, compact) {
    const member = `"${id}":${compact}`;
    this.#members.push(member);
    this.#held += member.length + 1;
    if (this.#held >= CHECKPOINT_BYTES) this.#line();
  }

  #line() {
    const state = this.#members.join(',');
    const text = `{"op":"CHECKPOINT","state":{${state}},"compactedAt":"${COMPACTED_AT}"`;
    const checksum = crc32(Buffer.from(text)).toString(16).padStart(8, '0');
    this.#file.add(`${text},"_crc":"${checksum}"}\n`);
    this.#members = [];
    this.#held = 0;
  }

  end() {
    if (this.#members.length > 0) this.#line();
    return this.#file.end();
  }
}
