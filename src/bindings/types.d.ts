/// <reference lib="esnext.disposable" />
/* Generated from the Rust sources by `npm run build`; the types here are in src/bindings/types.d.ts. */

/** Folder and options of a storage. */
export interface StorageOptions {
  /** The data folder. Default: the environment variable `PROGRESSIVE_STORAGE_DIR`, else `data` in the current directory. */
  dataDir?: string;
  /**
   * When a promise resolves: `'always'` once the entry is on disk; `'interval'` once the system has it, and it is on
   * disk at most `fsyncIntervalMs` later; `'never'` once the system has it, for tests. Default: `'always'`.
   */
  fsync?: 'always' | 'interval' | 'never';
  /** Milliseconds between two syncs of `fsync: 'interval'`, from 1 to 3600000. Default: 1000. */
  fsyncIntervalMs?: number;
  /**
   * What to do with damaged lines in a log: `'salvage'` uses all others and sets them aside, `'refuse'` rejects every
   * call on that log with code `ERR_LOG_CORRUPT` and changes nothing. Default: `'salvage'`.
   */
  onCorruption?: 'salvage' | 'refuse';
}

/** An entry of a log as it was appended. */
export interface LogEntry {
  /** When it was appended (ISO 8601, UTC). Checkpoints have `compactedAt` instead. */
  timestamp?: string;
  /** What it does; see `OpType`. Entries with another `op`, or none, change no state. */
  op?: string;
  /** The key that it sets or removes. */
  key?: string;
  /** The new value of `key`. */
  value?: any;
  /** Several keys set at once. */
  data?: Record<string, any>;
  /** The keys of a checkpoint. */
  state?: Record<string, any>;
  [property: string]: any;
}

/** What is kept of one game of a player. */
export interface GameHistoryEntry {
  /** When the result was counted (ISO 8601, UTC). */
  date: string;
  score: number;
  isWinner: boolean;
  correctAnswers: number;
  incorrectAnswers: number;
}

/** The record of a player. */
export interface PlayerRecord {
  userId: string;
  username: string | null;
  totalGames: number;
  totalWins: number;
  totalScore: number;
  /** `Math.round(totalScore / totalGames)` */
  averageScore: number;
  bestScore: number;
  totalCorrectAnswers: number;
  totalIncorrectAnswers: number;
  totalAnswers: number;
  /** Right answers in percent, rounded; 0 without answers. */
  accuracyRate: number;
  /** The newest 50 games, oldest first. */
  gamesHistory: GameHistoryEntry[];
  [property: string]: any;
}

/** One player's result of one game, for `updatePlayersStats`. */
export interface PlayerResult {
  userId: string;
  username: string | null;
  score: number;
  /** Default: false. */
  isWinner?: boolean;
  /** Default: 0. */
  correctAnswers?: number;
  /** Default: 0. */
  incorrectAnswers?: number;
}

/** The token list, as `loadTokens` gives it. */
export interface TokenList {
  /** When it was saved (ISO 8601, UTC). */
  lastUpdated: string;
  /** Number of tokens. */
  count: number;
  tokens: any[];
  artistInfo?: any;
}

/** A place in a leaderboard. */
export interface Rank {
  /** 1 is the best. */
  rank: number;
  /** How many are in the leaderboard. */
  of: number;
}

export interface Storage {
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LogEntryStream {
  [Symbol.asyncIterator](): AsyncIterableIterator<LogEntry>;
}
