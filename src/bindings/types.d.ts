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
  /** How many backups of each log are kept, from 1 to 100000. Default: 3. */
  backups?: number;
  /**
   * Whether backups and archives older than a day are compressed (`.gz`), in the background: when a
   * `CompactionScheduler` looks, or a write as the option `rotation` says; with neither, never. The newest one stays as
   * it is. Default: true.
   */
  compressBackups?: boolean;
  /**
   * When logs are rotated. It is looked at with a log's first write, then with one after each minute, and by a
   * `CompactionScheduler`; without writes there is nothing to rotate. Default: never.
   */
  rotation?: RotationOptions;
  /** How many archives of each log are kept, from 0 to 100000. Default: 12. */
  archives?: number;
  /**
   * What the backups and archives of one log may come to together, in bytes: the oldest ones go first, the newest one
   * stays in any case. Default: no limit.
   */
  oldLogsLimitBytes?: number;
  /**
   * Where problems and news go in words: a console-like object with a method `warn`, and `info` for news; null or
   * false for nowhere. By default problems that nobody listens to become warnings of the process, each printed once,
   * and news are not printed. Holds for the thread that gave it.
   */
  logger?: StorageLogger | null | false;
}

/** When a log is rotated: moved to `NAME.log.archive.N` and replaced by its checkpoint, so that its state stays whole. */
export interface RotationOptions {
  /** When it is larger than this and at least half dead. */
  sizeBytes?: number;
  /** Once a day or once a week, if it was written to since. */
  every?: 'day' | 'week';
  /** The hour at which a day or week ends, from 0 to 23. Default: 4. */
  hour?: number;
  /** The day on which a week ends; 0 is Sunday. Default: 1. */
  weekday?: number;
  /** Whose hour it is, such as `'Europe/Berlin'`; clock changes are followed. Default: that of the process. */
  timeZone?: string;
}

/** What the option `logger` takes; `console` is one. */
export interface StorageLogger {
  /** Gets problems. */
  warn(message: string): void;
  /** Gets news: compactions and backups. */
  info?(message: string): void;
}

/** How often a duration fell between which bounds. */
export interface DurationHistogram {
  /** How many there were. */
  count: number;
  /** Milliseconds of all of them together. */
  sumMs: number;
  /** Pairs of an upper bound in milliseconds and how many took at most that long. */
  buckets: Array<[number, number]>;
}

/** What is counted of one log. */
export interface LogMetrics {
  /** Lines appended by this process. */
  entries: number;
  /** Their bytes. */
  bytes: number;
  /** Size of the log's file. */
  sizeBytes: number;
  /** Size of its state as JSON text. */
  liveBytes: number;
  /** Share of the log that compaction would free, from 0 to 1. */
  deadShare: number;
  /** Number of keys. */
  keys: number;
  /** The syncs of appends. */
  fsync: DurationHistogram;
  /** From a call to its acknowledgement. While calls queue up, one in 16 is timed. */
  ack: DurationHistogram;
  compactions: {
    ok: number;
    failed: number;
    /** When the last one ended (ISO 8601, UTC), or null. */
    lastAt: string | null;
    lastResult: 'ok' | 'failed' | null;
    /** Those that were done. */
    duration: DurationHistogram;
  };
  /** How long the JSON file has been behind its log; 0 while it is not. */
  mirrorAgeMs: number;
  /** Damaged lines that were found. */
  corruptLines: number;
  /** Unfinished last lines that were dropped. */
  tornTails: number;
  /** Edits of the JSON file that were found. */
  externalEdits: number;
  /** JSON files that could not be written. */
  mirrorFailures: number;
  /** Backups there are, as of the last opening, compaction, rotation or removal. */
  backups: { count: number; bytes: number };
  /** Archives, in the same way. */
  archives: { count: number; bytes: number };
}

/** What `metrics` gives. */
export interface StorageMetrics {
  /** The data folder. */
  dataDir: string;
  /** By name; logs that were not used are missing. */
  logs: Record<string, LogMetrics>;
  /** Calls that wait to be written, and bytes of their text. */
  queueCalls: number;
  queueBytes: number;
  /** Calls that were written with one sync: pairs of an upper bound and how many batches had at most so many. */
  batches: { count: number; calls: number; buckets: Array<[number, number]> };
  /** Until the lock between processes was taken. */
  lockWait: DurationHistogram;
  /** Memory of the whole process in bytes, or null where it is not known. */
  residentBytes: number | null;
}

/** Options of `on` and `once`. */
export interface ListenerOptions {
  /** True for one who only looks on: problems are printed as if nobody listened. Default: false. */
  observe?: boolean;
}

/** Options of `startDashboard`. */
export interface DashboardOptions {
  /** The port to listen on; 0 takes a free one. Default: 8377. */
  port?: number;
  /** The address to listen on. Any but loopback needs a token. Default: `'127.0.0.1'`. */
  host?: string;
  /**
   * What who looks at it must know: 16 to 512 visible ASCII characters, no spaces. In the address it is encoded as with
   * `encodeURIComponent`. Default: none, which only loopback may have.
   */
  token?: string;
  /** The storage to show. Default: that of the module's functions. */
  storage?: Storage;
}

/** A dashboard that runs. */
export interface Dashboard {
  /** Where it is, without the token. */
  url: string;
  port: number;
  /** Ends it; safe to call twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a web page that shows what a storage does, live: throughput, latencies, logs, compactions, backups, problems,
 * top players, and the history of any key. `/metrics` on the same port is for Prometheus, `/healthz` for whoever looks
 * whether it lives: without the token it says `ok` or `not ok`, with it also what is wrong. It only reads: it opens no
 * log and changes no file. It keeps the process alive until it is closed.
 *
 * Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option, such as an address of
 * the network without a token, and with the system's code (`EADDRINUSE`, …) when it cannot listen.
 *
 * @example
 * const dashboard = await startDashboard({ port: 8377 })
 * console.log(dashboard.url)
 */
export declare function startDashboard(options?: DashboardOptions): Promise<Dashboard>;

/** What every event has. */
export interface StorageEvent {
  /** Name of the event. */
  event: keyof StorageEvents;
  /** Stable name of what happened, such as `PS_TORN_TAIL`. */
  code: string;
  /** What happened, where, and what follows, in words. */
  message: string;
  /** When it was noticed (ISO 8601, UTC). */
  timestamp: string;
}

/** A log was replaced by its checkpoint. Code: `PS_COMPACTION`. */
export interface CompactionEvent extends StorageEvent {
  log: string;
  /** Milliseconds from its beginning to its end. Appends go on meanwhile. */
  durationMs: number;
  sizeBeforeBytes: number;
  sizeAfterBytes: number;
}

/** A compaction failed; the log is as it was. Code: `PS_COMPACTION_FAILED`. */
export interface CompactionFailedEvent extends StorageEvent {
  log: string;
  /** Code of the error: the system's, or one of `ERR_…`. */
  reason: string;
}

/** A file holds what cannot be read. Codes: `PS_LOG_DAMAGED`, `PS_MIRROR_BROKEN`. */
export interface CorruptionEvent extends StorageEvent {
  log: string;
  /** The log, or its JSON file. */
  path: string;
  /** Number of damaged lines of a log. */
  lines?: number;
  /** Number of the first of them; 1 is the first line. */
  firstLine?: number;
  /** Bytes of the log before it. */
  offset?: number;
  /** Its length in bytes. */
  sizeBytes?: number;
  /** What is wrong with it. */
  reason?: string;
  /** The key that it seems to hold. */
  key?: string;
  /** Where a CHECKPOINT is damaged: the newest backup or archive that has data. `repair` takes it back from there. */
  backup?: string;
}

/**
 * What was wrong with the files was put right. Codes:
 * - `PS_TORN_TAIL`: a log ended with a line that a crash cut short, which is dropped (`droppedBytes`).
 * - `PS_LOG_LOST`: another program removed, cut or replaced a log while it was in use. This process has all data in
 *   memory (`keys`), and the next write logs it again.
 * - `PS_RECOVERED_FROM_MIRROR`: damaged lines of a log have lost values that the JSON file still has (`keys`).
 */
export interface RecoveryEvent extends StorageEvent {
  log: string;
  /** The log, or its JSON file. */
  path: string;
  /** Bytes of the line that was cut short. */
  droppedBytes?: number;
  /** Number of keys that were kept. */
  keys?: number;
}

/** A JSON file holds changes that the log does not have; they count. Code: `PS_FOREIGN_EDIT`. */
export interface ExternalEditEvent extends StorageEvent {
  log: string;
  /** The JSON file. */
  path: string;
  /** Number of keys that were changed. */
  keys: number;
  /**
   * Keys of which nothing tells for certain what is meant, if there are any: the file was made from an older state
   * than the last one. They have changed since, and either the edit changes them, too, or it leaves them as they are
   * now although the file has the older value.
   */
  ambiguousKeys?: string[];
}

/** A sync took a second or longer. Code: `PS_SLOW_SYNC`. */
export interface SlowSyncEvent extends StorageEvent {
  log: string;
  durationMs: number;
}

/** Calls waited a second or longer for another process's lock. Code: `PS_LOCK_WAIT`. */
export interface LockWaitEvent extends StorageEvent {
  /** The data folder. */
  path: string;
  durationMs: number;
}

/** A backup or archive was made, compressed or removed. Code: `PS_BACKUP`. */
export interface BackupEvent extends StorageEvent {
  log: string;
  path: string;
  sizeBytes: number;
  action: 'made' | 'archived' | 'compressed' | 'removed';
}

/**
 * The JSON file or its record could not be written or read as it should. The log has the data. Codes:
 * - `PS_MIRROR_FAILED`: the file could not be written; it is tried again.
 * - `PS_MIRROR_IN_PLACE`: the system refused to replace the file, so it was written in place.
 * - `PS_RECORD_FAILED`: the record cannot be read, and counts as missing.
 */
export interface MirrorFailedEvent extends StorageEvent {
  log: string;
  path: string;
  /** Code of the error. */
  reason: string;
}

/** With `fsync: 'interval'`, a sync failed; the log is written anew. Code: `PS_SYNC_FAILED`. */
export interface SyncFailedEvent extends StorageEvent {
  log: string;
  /** Code of the error. */
  reason: string;
}

/** Old backups could not be compressed or removed; it is tried again. Code: `PS_BACKUP_FAILED`. */
export interface BackupFailedEvent extends StorageEvent {
  log: string;
  /** Code of the error. */
  reason: string;
}

/** The events of a storage by name; see `on`. */
export interface StorageEvents {
  compaction: CompactionEvent;
  compactionFailed: CompactionFailedEvent;
  corruption: CorruptionEvent;
  recovery: RecoveryEvent;
  externalEdit: ExternalEditEvent;
  slowSync: SlowSyncEvent;
  lockWait: LockWaitEvent;
  backup: BackupEvent;
  mirrorFailed: MirrorFailedEvent;
  syncFailed: SyncFailedEvent;
  backupFailed: BackupFailedEvent;
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

/** A line of a log file, or a part of one that holds several; see `readLogLines`. */
export interface LogLine {
  /** 1 for the first line of the file. All parts of a line have its number. */
  line: number;
  /** Bytes before it in the file. */
  offset: number;
  /** Its length without the line break. */
  sizeBytes: number;
  /** False for a last line without a line break. */
  isTerminated: boolean;
  /**
   * `'checked'`: its checksum is right; `'plain'`: it has none and is a JSON object; `'empty'`; `'damaged'`: neither, or
   * what stands before an entry in its line; `'torn'`: the last line without a line break, as a crash leaves it.
   */
  state: 'checked' | 'plain' | 'empty' | 'damaged' | 'torn';
  /** What is wrong with a damaged or torn line. */
  reason?: string;
  /** The key that a damaged or torn line seems to hold. */
  key?: string;
  /** The entry of a good line, unless `entries` is false; missing where the line only ends an operation. */
  entry?: LogEntry;
  /** Time of the entry, as it says; of a damaged line too, where it can be read. */
  time?: any;
  /**
   * With `changes`: what replay does with the line. A pair sets a key, a key alone removes it. Of a damaged line: what it
   * would do, where that can be read.
   */
  changes?: ([key: string, value: any] | [key: string])[];
  /** True for a CHECKPOINT, also a damaged one. */
  isCheckpoint?: true;
  /** True for the line that ends an operation of several lines. */
  endsOperation?: true;
  /** For how many more lines its operation goes on. */
  more?: number;
  /** True when the change was found in the JSON file. */
  isEdit?: true;
  /** True for what is damaged in a line that holds an entry besides. */
  isPartOfLine?: true;
}

/** Options of `readLogLines`. */
export interface ReadLinesOptions {
  /** Whether lines have their `entry`. Default: true. */
  entries?: boolean;
  /** Whether lines have their `changes`. Default: false. */
  changes?: boolean;
}

/** Some lines of a log file, see `readLogLines`. */
export interface LogLines {
  lines: LogLine[];
  /** Where the next call begins. */
  next: { offset: number; line: number };
  /** True when these were the last lines that the file has now. */
  isEnd: boolean;
  /** Size of the file. */
  sizeBytes: number;
}

/** Options of `rebuildStateFromLog`. */
export interface RebuildOptions {
  /** A Date, milliseconds since 1970, or a text that Date reads. Default: now. */
  at?: Date | number | string;
}

/** One recorded value of a key, as `history` gives it. */
export interface HistoryEntry {
  /** When it was recorded (ISO 8601, UTC), as the entry says; null for an entry without a time. */
  timestamp: string | null;
  /**
   * `SET` and `DELETE` as they were called. `CHECKPOINT` where only a compacted log still tells the value: it was set
   * before that time.
   */
  op: 'SET' | 'DELETE' | 'CHECKPOINT';
  /** The value; missing where the key was removed. */
  value?: any;
  /** Name of the file in `logs` that tells it. */
  source: string;
  /** Present where it was found in the JSON file, as somebody's edit. */
  isExternalEdit?: true;
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
