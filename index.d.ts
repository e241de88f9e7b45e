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

/**
 * Which binding artifact the generated loader actually loaded: `'native'` for
 * a native addon, otherwise the `platformArchABI` of the WASI flavor. Every
 * flavor napi-rs can build is listed, because `NAPI_RS_NATIVE_LIBRARY_PATH`
 * can point the loader at a WASI artifact this package does not build itself.
 */
export declare const __napiBindingTarget: 'native' | 'wasm32-wasi' | 'wasm32-wasip1'

/**
 * Keyed data of any kind in one log with its JSON file. Keys are non-empty strings, values anything
 * that JSON can hold. Made by `collection(name)`; players, tokens and `game_state` are collections too.
 *
 * Every method rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong
 * argument, and with the system's code (`ENOSPC`, `EACCES`, `EIO`, …) when the disk refuses.
 *
 * @example
 * const guilds = collection('guilds')
 * await guilds.update('123', (guild = { games: 0 }) => ({ ...guild, games: guild.games + 1 }))
 */
export declare class Collection {
  /** Not to be called: use `collection(name)`. */
  constructor(name: string)
  /** The value of a key, or undefined. */
  get(key: string): Promise<any>
  /** Whether a key is there. */
  has(key: string): Promise<boolean>
  /** Sets a key. Resolves once it is on disk. */
  set(key: string, value: any): Promise<void>
  /** Removes a key. Resolves to whether it was there. */
  delete(key: string): Promise<boolean>
  /**
   * Reads, changes and writes a key, atomically among all callers in all processes. Resolves to the
   * new value.
   *
   * Rejects with `TypeError` (`ERR_INVALID_RETURN_VALUE`) when `fn` returns undefined or a promise, and
   * with the error that `fn` throws; then nothing was changed.
   * @param key The key.
   * @param fn Gets the value, or undefined when there is none, and returns the new one. May be called again when somebody else changed the value meanwhile, so it should do nothing else.
   */
  update(key: string, fn: (value: any) => any): Promise<any>
  /** All keys with their values, in JavaScript's property order. */
  entries(): Promise<Array<[string, any]>>
  /** All keys, in JavaScript's property order. */
  keys(): Promise<string[]>
  /** Number of keys. */
  size(): Promise<number>
  /**
   * The keys with the greatest numbers in a field, with their values; ties in stored order. Values
   * without that number are left out.
   * @param field Name of the field.
   * @param n How many at the most. Default: 10.
   */
  top(field: string, n?: number): Promise<Array<[string, any]>>
  /**
   * The place of a key by a field (1 is the greatest) among the values that have it, or null.
   * @param key The key.
   * @param field Name of the field.
   */
  rank(key: string, field: string): Promise<Rank | null>
  /** Removes all keys. */
  clear(): Promise<void>
}

/**
 * Looks at logs at an interval and compacts each one that is over 1 MiB and at least half dead, or rotates it where
 * the option `rotation` says so (writes see to that, too). Backups and archives older than a day are compressed, and
 * those too many removed. Without a scheduler, logs are compacted by calls only. One that fails does not stop the others; it is reported as a warning (`PS_COMPACTION_FAILED`).
 *
 * Like `setInterval` it keeps the process alive until it is stopped.
 */
export declare class CompactionScheduler {
  /**
   * A scheduler for the default storage, not yet running.
   *
   * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong interval.
   * @param intervalMs Milliseconds between two looks, from 1 to 2147483647. Default: 3600000 (an hour).
   */
  constructor(intervalMs?: number)
  /** Milliseconds between two looks. */
  get intervalMs(): number
  /** Sets the interval for the next `start`. */
  set intervalMs(intervalMs: unknown)
  /** True between `start` and `stop`. */
  get isRunning(): boolean
  /**
   * Starts looking; does nothing while running.
   *
   * Throws `TypeError` for wrong names.
   * @param logNames Logs to look at. Default: `['players', 'tokens', 'game_state']`.
   */
  start(logNames?: string[]): void
  /** Stops looking. Safe to call twice. */
  stop(): void
}

/** The async iterator that `streamLogEntries` gives. */
export declare class LogEntryStream {
  /** The next entry. */
  next(): Promise<IteratorResult<LogEntry, undefined>>
  /** Ends the iteration early; a `for await` loop does it by itself. */
  return(): Promise<IteratorResult<LogEntry, undefined>>
}

/**
 * A data folder as an object: the module's functions as methods, for more than one folder in a
 * process.
 *
 * @example
 * ```js
 * const storage = new Storage({ dataDir: './other-data' })
 * await storage.updatePlayerStats('42', 'Ann', 10)
 * await storage.close()
 * ```
 */
export declare class Storage {
  /**
   * Opens nothing yet: files are read with the first call.
   *
   * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option.
   * @param options Folder and options; the defaults are those of `configure`.
   */
  constructor(options?: StorageOptions)
  /**
   * Finishes all calls, writes the mirrors and gives everything back. Later calls on this object
   * reject with code `ERR_STORAGE_CLOSED`. Safe to call twice.
   */
  close(): Promise<void>
  /**
   * A collection of this folder: keyed data of any kind. See `Collection`.
   *
   * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name.
   * @param name A log name; the files are `logs/NAME.log` and `NAME.json`.
   */
  collection(name: string): Collection
  /**
   * Every entry of a log, one after the other; memory does not grow with the log. See
   * `readLogEntries`.
   * @param logName File name of the log without its ending.
   */
  streamLogEntries(logName: string): AsyncIterableIterator<LogEntry>
  /**
   * What was counted of this folder since it was opened; see the module's `metrics`.
   *
   * Throws an error with code `ERR_STORAGE_CLOSED` after `close()`.
   */
  metrics(): StorageMetrics
  /**
   * The same as `metrics`, as text for Prometheus.
   *
   * Throws an error with code `ERR_STORAGE_CLOSED` after `close()`.
   */
  metricsText(): string
  /**
   * Calls `listener` whenever an event happens in this folder; see the module's `on`.
   *
   * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for an unknown event or a listener that
   * is no function.
   * @param event Name of the event.
   * @param listener Called with what happened, on this thread.
   */
  on<E extends keyof StorageEvents>(event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions): void
  /**
   * The same as `on`, for the next event only.
   * @param event Name of the event.
   * @param listener Called once with what happened.
   */
  once<E extends keyof StorageEvents>(event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions): void
  /**
   * Takes a listener away that `on` or `once` added.
   * @param event Name of the event.
   * @param listener The function that was given to `on` or `once`.
   */
  off<E extends keyof StorageEvents>(event: E, listener: (event: StorageEvents[E]) => void): void
  /**
   * Creates, starts and returns a `CompactionScheduler` for this folder.
   * @param intervalMs Milliseconds between two looks. Default: 3600000 (an hour).
   * @param logNames Logs to look at. Default: `['players', 'tokens', 'game_state']`.
   */
  startCompactionScheduler(intervalMs?: number, logNames?: string[]): CompactionScheduler
  /**
   * Appends one line to a log: `timestamp` (now) first, then the entry's own properties as
   * `JSON.stringify` writes them. An own `timestamp` replaces the default. Folders are made.
   *
   * Resolves once the line is on disk. Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`,
   * `ERR_INVALID_ARG_VALUE`) for a wrong name or entry, or with the system's code (`ENOSPC`, `EACCES`,
   * `EIO`, …), and then nothing was written.
   *
   * @example
   * await appendLogEntry('events', { op: OpType.SET, key: 'last', value: { who: 'Ann' } })
   * @param logName File name of the log without its ending, at most 200 bytes.
   * @param entry A plain object that JSON can hold.
   */
  appendLogEntry(logName: string, entry: object): Promise<void>
  /**
   * Every entry of a log, in order; `[]` when there is no log. For large logs see
   * `streamLogEntries`.
   * @param logName File name of the log without its ending.
   */
  readLogEntries(logName: string): Promise<LogEntry[]>
  /**
   * The object that a log's entries come to; `{}` when there is no log. With `at`, as it was at that time,
   * from the log, its backups and its archives.
   *
   * Rejects with code `ERR_NO_HISTORY` when no file that is left reaches back to that time, and with
   * `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when `at` is no point in time.
   *
   * @example
   * const then = await rebuildStateFromLog('players', { at: new Date('2026-11-23T20:00:00Z') })
   * @param logName File name of the log without its ending.
   * @param options `at`: a Date, milliseconds since 1970, or a text that Date reads. Default: now.
   */
  rebuildStateFromLog(logName: string, options?: RebuildOptions): Promise<Record<string, any>>
  /**
   * Every recorded value of one key, in the order in which it got them: from the log, its backups and its
   * archives, compressed ones included. `[]` for a key never seen. What was before the oldest file that is
   * left is told by that file's checkpoint as one value.
   *
   * Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name or key.
   *
   * @example
   * for (const { timestamp, value } of await history('players', '42')) console.log(timestamp, value.totalScore)
   * @param logName File name of the log without its ending.
   * @param key The key, such as a player's id.
   */
  history(logName: string, key: string): Promise<HistoryEntry[]>
  /**
   * Replaces a log by its checkpoint. The old log stays as `NAME.log.backup.N`; the newest 3 backups
   * are kept. Entries that are appended meanwhile are in the new log.
   *
   * Rejects with the system's code when a file cannot be written; the log is then as it was.
   * @param logName File name of the log without its ending.
   */
  compactLog(logName: string): Promise<void>
  /**
   * Size of a log in bytes; 0 when there is no log.
   * @param logName File name of the log without its ending.
   */
  getLogSize(logName: string): Promise<number>
  /**
   * Whether a log is larger than a threshold.
   * @param logName File name of the log without its ending.
   * @param threshold Bytes. Default: 1048576 (1 MiB).
   */
  needsCompaction(logName: string, threshold?: number): Promise<boolean>
  /**
   * Compacts one log, or players, tokens and game states. Without a name, one that fails does not stop
   * the others and is reported as a warning.
   * @param logName File name of the log without its ending. Default: all three.
   */
  compact(logName?: string): Promise<void>
  /**
   * Compacts players, tokens and game states. One that fails does not stop the others; it is reported
   * as a warning (`PS_COMPACTION_FAILED`).
   */
  compactAllLogs(): Promise<void>
  /**
   * Replaces the token list.
   *
   * Rejects with `TypeError` when `tokens` is not an array.
   * @param tokens The tokens, any values that JSON can hold.
   * @param artistInfo Stored beside them when given. Default: null.
   */
  saveTokens(tokens: any[], artistInfo?: any): Promise<void>
  /** The token list with `lastUpdated` and `count`, or null when there is none. */
  loadTokens(): Promise<TokenList | null>
  /** True when there is no token list, or it has no date, or is older than 24 hours. */
  needsTokenRefresh(): Promise<boolean>
  /**
   * All players by user id; `{}` when there are none. A fresh object each time: changing it changes
   * nothing stored.
   */
  loadPlayers(): Promise<Record<string, PlayerRecord>>
  /**
   * Replaces the whole set of players. Only what differs is written.
   *
   * Rejects with `TypeError` when `players` is not a plain object.
   * @param players All players by user id.
   */
  savePlayers(players: Record<string, object>): Promise<void>
  /**
   * The record of one player, with defaults for missing fields. A player never seen has the default
   * record; nothing is written.
   *
   * Rejects with `TypeError` when the id is not a non-empty string.
   * @param userId The player's id.
   */
  getPlayerStats(userId: string): Promise<PlayerRecord>
  /**
   * Counts one game's result of a player. Resolves to the new record once it is on disk.
   *
   * Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when the id is not a
   * non-empty string or a number is not finite, or with the system's code (`ENOSPC`, `EACCES`, `EIO`, …);
   * then nothing was counted.
   *
   * @example
   * const record = await updatePlayerStats('42', 'Ann', 120, true, 9, 1)
   * @param userId The player's id.
   * @param username The name to store, or null.
   * @param score Points of this game.
   * @param isWinner Whether the player won it. Default: false.
   * @param correctAnswers Right answers in this game. Default: 0.
   * @param incorrectAnswers Wrong answers in this game. Default: 0.
   */
  updatePlayerStats(userId: string, username: string | null, score: number, isWinner?: boolean, correctAnswers?: number, incorrectAnswers?: number): Promise<PlayerRecord>
  /**
   * Counts a whole game's results: one line, one sync, all or none. Resolves to the new records in
   * the same order.
   *
   * Rejects as `updatePlayerStats` does; then none was counted.
   * @param results One for each player; the parameters of `updatePlayerStats` as properties.
   */
  updatePlayersStats(results: PlayerResult[]): Promise<PlayerRecord[]>
  /**
   * The best players, descending by a numeric field, ties in stored order.
   *
   * Rejects with `TypeError` when the field is not a non-empty string or the limit is negative.
   * @param sortBy Any numeric field of the records. A record without it counts as 0. Default: 'totalScore'.
   * @param limit How many at the most. Default: 10.
   */
  getLeaderboard(sortBy?: string, limit?: number): Promise<PlayerRecord[]>
  /**
   * A player's place in the whole leaderboard (1 is the best) and the number of players; null for a
   * player never seen.
   * @param userId The player's id.
   * @param sortBy Any numeric field of the records. Default: 'totalScore'.
   */
  getPlayerRank(userId: string, sortBy?: string): Promise<Rank | null>
  /**
   * Stores the state of a channel's game, with `lastUpdated` (now).
   *
   * Rejects with `TypeError` when the id is not a non-empty string or the state is not a plain object.
   * @param channelId The channel's id.
   * @param state Anything that JSON can hold.
   */
  saveGameState(channelId: string, state: object): Promise<void>
  /**
   * The state of a channel's game, or null.
   * @param channelId The channel's id.
   */
  loadGameState(channelId: string): Promise<any>
  /**
   * Removes the state of a channel's game.
   * @param channelId The channel's id.
   */
  clearGameState(channelId: string): Promise<void>
  /** All game states by channel id; `{}` when there are none. */
  getAllGameStates(): Promise<Record<string, any>>
  /**
   * Resolves when all that was called before is on disk and the JSON files show it. One that a killed
   * process left behind is renewed, too; where none is old, and only reading was done, nothing is written.
   */
  flush(): Promise<void>
}

/**
 * Appends one line to a log: `timestamp` (now) first, then the entry's own properties as
 * `JSON.stringify` writes them. An own `timestamp` replaces the default. Folders are made.
 *
 * Resolves once the line is on disk. Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`,
 * `ERR_INVALID_ARG_VALUE`) for a wrong name or entry, or with the system's code (`ENOSPC`, `EACCES`,
 * `EIO`, …), and then nothing was written.
 *
 * @example
 * await appendLogEntry('events', { op: OpType.SET, key: 'last', value: { who: 'Ann' } })
 * @param logName File name of the log without its ending, at most 200 bytes.
 * @param entry A plain object that JSON can hold.
 */
export declare function appendLogEntry(logName: string, entry: object): Promise<void>

/**
 * Removes the state of a channel's game.
 * @param channelId The channel's id.
 */
export declare function clearGameState(channelId: string): Promise<void>

/**
 * Finishes all calls of the module's functions, writes the mirrors and gives everything back. The
 * next call opens the storage anew, with the same options unless `configure` is called before it.
 */
export declare function close(): Promise<void>

/**
 * A collection of the default storage: keyed data of any kind. See `Collection`.
 *
 * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name.
 * @param name A log name; the files are `logs/NAME.log` and `NAME.json`.
 */
export declare function collection(name: string): Collection

/**
 * Compacts one log, or players, tokens and game states. Without a name, one that fails does not stop
 * the others and is reported as a warning.
 * @param logName File name of the log without its ending. Default: all three.
 */
export declare function compact(logName?: string): Promise<void>

/**
 * Compacts players, tokens and game states. One that fails does not stop the others; it is reported
 * as a warning (`PS_COMPACTION_FAILED`).
 */
export declare function compactAllLogs(): Promise<void>

/**
 * Replaces a log by its checkpoint. The old log stays as `NAME.log.backup.N`; the newest 3 backups
 * are kept. Entries that are appended meanwhile are in the new log.
 *
 * Rejects with the system's code when a file cannot be written; the log is then as it was.
 * @param logName File name of the log without its ending.
 */
export declare function compactLog(logName: string): Promise<void>

/**
 * Chooses the data folder and options of the module's functions. Call it before any of them. It holds
 * for worker threads, too, that have not used the module yet.
 *
 * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option, and an
 * error with code `ERR_ALREADY_CONFIGURED` when the storage is open with other options.
 *
 * @example
 * configure({ dataDir: '/var/lib/bot/data' })
 * @param options Folder and options. Default: the environment variable `PROGRESSIVE_STORAGE_DIR`, else `data` in the current directory.
 */
export declare function configure(options: StorageOptions): void

/**
 * Resolves when all that was called before is on disk and the JSON files show it. One that a killed
 * process left behind is renewed, too; where none is old, and only reading was done, nothing is written.
 */
export declare function flush(): Promise<void>

/** All game states by channel id; `{}` when there are none. */
export declare function getAllGameStates(): Promise<Record<string, any>>

/**
 * The best players, descending by a numeric field, ties in stored order.
 *
 * Rejects with `TypeError` when the field is not a non-empty string or the limit is negative.
 * @param sortBy Any numeric field of the records. A record without it counts as 0. Default: 'totalScore'.
 * @param limit How many at the most. Default: 10.
 */
export declare function getLeaderboard(sortBy?: string, limit?: number): Promise<PlayerRecord[]>

/**
 * Size of a log in bytes; 0 when there is no log.
 * @param logName File name of the log without its ending.
 */
export declare function getLogSize(logName: string): Promise<number>

/**
 * A player's place in the whole leaderboard (1 is the best) and the number of players; null for a
 * player never seen.
 * @param userId The player's id.
 * @param sortBy Any numeric field of the records. Default: 'totalScore'.
 */
export declare function getPlayerRank(userId: string, sortBy?: string): Promise<Rank | null>

/**
 * The record of one player, with defaults for missing fields. A player never seen has the default
 * record; nothing is written.
 *
 * Rejects with `TypeError` when the id is not a non-empty string.
 * @param userId The player's id.
 */
export declare function getPlayerStats(userId: string): Promise<PlayerRecord>

/**
 * Every recorded value of one key, in the order in which it got them: from the log, its backups and its
 * archives, compressed ones included. `[]` for a key never seen. What was before the oldest file that is
 * left is told by that file's checkpoint as one value.
 *
 * Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name or key.
 *
 * @example
 * for (const { timestamp, value } of await history('players', '42')) console.log(timestamp, value.totalScore)
 * @param logName File name of the log without its ending.
 * @param key The key, such as a player's id.
 */
export declare function history(logName: string, key: string): Promise<HistoryEntry[]>

/**
 * The state of a channel's game, or null.
 * @param channelId The channel's id.
 */
export declare function loadGameState(channelId: string): Promise<any>

/**
 * All players by user id; `{}` when there are none. A fresh object each time: changing it changes
 * nothing stored.
 */
export declare function loadPlayers(): Promise<Record<string, PlayerRecord>>

/** The token list with `lastUpdated` and `count`, or null when there is none. */
export declare function loadTokens(): Promise<TokenList | null>

/**
 * What the default storage has counted since it was opened: entries, sizes, latencies, compactions, problems. It
 * opens no file; logs that were not used are missing.
 *
 * @example
 * console.log(metrics().logs.players?.fsync.count)
 */
export declare function metrics(): StorageMetrics

/** The same as `metrics`, as text for Prometheus (text format 0.0.4, `text/plain; version=0.0.4`). */
export declare function metricsText(): string

/**
 * Whether a log is larger than a threshold.
 * @param logName File name of the log without its ending.
 * @param threshold Bytes. Default: 1048576 (1 MiB).
 */
export declare function needsCompaction(logName: string, threshold?: number): Promise<boolean>

/** True when there is no token list, or it has no date, or is older than 24 hours. */
export declare function needsTokenRefresh(): Promise<boolean>

/**
 * Takes a listener away that `on` or `once` added; nothing happens when there is none.
 *
 * Throws as `on` does.
 * @param event Name of the event.
 * @param listener The function that was given to `on` or `once`.
 */
export declare function off<E extends keyof StorageEvents>(event: E, listener: (event: StorageEvents[E]) => void): void

/**
 * Calls `listener` whenever an event happens in the default storage: a compaction, a backup, or a problem. See
 * `StorageEvents` for the names and what comes with them. While anybody listens to a kind of problem, it is not
 * printed. Listening opens nothing and does not keep the process alive.
 *
 * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for an unknown event or a listener that is
 * no function.
 *
 * @example
 * on('compactionFailed', ({ log, message }) => console.error(log, message))
 * @param event Name of the event.
 * @param listener Called with what happened, on this thread. What it throws is an uncaught exception.
 * @param options `observe: true`: problems are printed as if nobody listened.
 */
export declare function on<E extends keyof StorageEvents>(event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions): void

/**
 * The same as `on`, for the next event only.
 *
 * Throws as `on` does.
 * @param event Name of the event.
 * @param listener Called once with what happened.
 */
export declare function once<E extends keyof StorageEvents>(event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions): void

/** The operations of log entries. */
export declare enum OpType {
  /** Sets `key` to `value`, or merges `data`. */
  SET = 'SET',
  /** Removes `key`. */
  DELETE = 'DELETE',
  /** Merges `state`. */
  CHECKPOINT = 'CHECKPOINT',
}

/**
 * Every entry of a log, in order; `[]` when there is no log. For large logs see
 * `streamLogEntries`.
 * @param logName File name of the log without its ending.
 */
export declare function readLogEntries(logName: string): Promise<LogEntry[]>

/**
 * The lines of a log file with their places and checksums: a log, a backup, or what was set aside of one.
 * For tools; it answers at once with about 1 MiB of lines, reads without a lock, and changes nothing. The
 * last line of a log that is being written may be unfinished.
 *
 * Gives null when there is no such file. Throws `TypeError` (`ERR_INVALID_ARG_TYPE`,
 * `ERR_INVALID_ARG_VALUE`) for a wrong argument, or an error with the system's code (`EACCES`, `EIO`, …).
 *
 * @example
 * for (let from; ; ) {
 *   const { lines, next, isEnd } = readLogLines('data/logs/players.log', from)
 *   for (const { line, state } of lines) if (state === 'damaged') console.log('line', line)
 *   if (isEnd) break
 *   from = next
 * }
 * @param file Path of the file.
 * @param from Where to begin: the `next` of an earlier call. Default: at the beginning.
 * @param options Whether lines have their `entry` (default true) and their `changes` (default false).
 */
export declare function readLogLines(file: string, from?: { offset: number, line: number }, options?: ReadLinesOptions): LogLines | null

/**
 * The object that a log's entries come to; `{}` when there is no log. With `at`, as it was at that time,
 * from the log, its backups and its archives.
 *
 * Rejects with code `ERR_NO_HISTORY` when no file that is left reaches back to that time, and with
 * `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when `at` is no point in time.
 *
 * @example
 * const then = await rebuildStateFromLog('players', { at: new Date('2026-11-23T20:00:00Z') })
 * @param logName File name of the log without its ending.
 * @param options `at`: a Date, milliseconds since 1970, or a text that Date reads. Default: now.
 */
export declare function rebuildStateFromLog(logName: string, options?: RebuildOptions): Promise<Record<string, any>>

/**
 * Stores the state of a channel's game, with `lastUpdated` (now).
 *
 * Rejects with `TypeError` when the id is not a non-empty string or the state is not a plain object.
 * @param channelId The channel's id.
 * @param state Anything that JSON can hold.
 */
export declare function saveGameState(channelId: string, state: object): Promise<void>

/**
 * Replaces the whole set of players. Only what differs is written.
 *
 * Rejects with `TypeError` when `players` is not a plain object.
 * @param players All players by user id.
 */
export declare function savePlayers(players: Record<string, object>): Promise<void>

/**
 * Replaces the token list.
 *
 * Rejects with `TypeError` when `tokens` is not an array.
 * @param tokens The tokens, any values that JSON can hold.
 * @param artistInfo Stored beside them when given. Default: null.
 */
export declare function saveTokens(tokens: any[], artistInfo?: any): Promise<void>

/**
 * Creates, starts and returns a `CompactionScheduler` for the default storage.
 *
 * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong argument.
 * @param intervalMs Milliseconds between two looks. Default: 3600000 (an hour).
 * @param logNames Logs to look at. Default: `['players', 'tokens', 'game_state']`.
 */
export declare function startCompactionScheduler(intervalMs?: number, logNames?: string[]): CompactionScheduler

/**
 * Every entry of a log, one after the other; memory does not grow with the log. Entries that are
 * appended after the first step are not part of it. See `readLogEntries`.
 *
 * Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name.
 *
 * @example
 * for await (const entry of streamLogEntries('players')) console.log(entry.key)
 * @param logName File name of the log without its ending.
 */
export declare function streamLogEntries(logName: string): AsyncIterableIterator<LogEntry>

/**
 * Counts a whole game's results: one line, one sync, all or none. Resolves to the new records in
 * the same order.
 *
 * Rejects as `updatePlayerStats` does; then none was counted.
 * @param results One for each player; the parameters of `updatePlayerStats` as properties.
 */
export declare function updatePlayersStats(results: PlayerResult[]): Promise<PlayerRecord[]>

/**
 * Counts one game's result of a player. Resolves to the new record once it is on disk.
 *
 * Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when the id is not a
 * non-empty string or a number is not finite, or with the system's code (`ENOSPC`, `EACCES`, `EIO`, …);
 * then nothing was counted.
 *
 * @example
 * const record = await updatePlayerStats('42', 'Ann', 120, true, 9, 1)
 * @param userId The player's id.
 * @param username The name to store, or null.
 * @param score Points of this game.
 * @param isWinner Whether the player won it. Default: false.
 * @param correctAnswers Right answers in this game. Default: 0.
 * @param incorrectAnswers Wrong answers in this game. Default: 0.
 */
export declare function updatePlayerStats(userId: string, username: string | null, score: number, isWinner?: boolean, correctAnswers?: number, incorrectAnswers?: number): Promise<PlayerRecord>
