// What the dashboard shows of a folder: its logs, their old files, and what was synced.
//
// Invariant: it only reads, and opens no log.

const fs = require('node:fs');
const path = require('node:path');
const { ADVICE } = require('./advice.js');
const { knownLogs, oldLogs } = require('./files.js');
const { FolderLogs } = require('./folder-logs.js');
const { percentiles, sumOf } = require('./histogram.js');
const { Surroundings } = require('./surroundings.js');

const PLAYERS_MAX = 10;
/** Of so many logs, the largest, there are samples. */
const SAMPLED_LOGS_MAX = 20;
/** These events are a problem for some time. A failed compaction is one until the next compaction succeeds. */
const PROBLEMS = ['corruption', 'syncFailed', 'mirrorFailed'];

class FolderView {
  #storage;
  #growth;
  #logs;
  #surroundings;
  #players = [];
  advice = ADVICE;
  problems = PROBLEMS;
  kind;

  /**
   * `Storage` is the package's class. With `growth`, entries and bytes are those that any process appends to the
   * files.
   */
  constructor({ storage, Storage, growth }) {
    this.#storage = storage;
    this.#growth = growth;
    this.#logs = new FolderLogs({ storage, Storage });
    this.#surroundings = new Surroundings();
    this.kind = growth ? 'folder beside' : 'folder';
  }

  /** The numbers of a sample, from which the next one is counted. */
  totals(metrics) {
    this.#growth?.update();
    this.#surroundings.look(metrics.dataDir);
    const logs = Object.values(metrics.logs);
    const sum = (of) => logs.reduce((total, log) => total + of(log), 0);
    const { batches, queueCalls, residentBytes } = metrics;
    return {
      entries: this.#growth ? this.#growth.entries : sum((log) => log.entries),
      bytes: this.#growth ? this.#growth.bytes : sum((log) => log.bytes),
      ack: sumOf(logs.map((log) => log.ack)),
      fsync: sumOf(logs.map((log) => log.fsync)),
      batches: batches?.count ?? 0,
      calls: batches?.calls ?? 0,
      shown: {
        // The size of a log is known once it was read.
        size: logs.length > 0 ? sum((log) => log.sizeBytes) : null,
        stored: logs.length > 0 ? sum((log) => log.sizeBytes + log.backups.bytes + log.archives.bytes) : null,
        free: this.#surroundings.disk?.freeBytes ?? null,
        // What another process holds is not known.
        ...(!this.#growth && { queue: queueCalls, memory: residentBytes }),
      },
      logs: this.#totalsOfLogs(metrics.logs),
    };
  }

  #totalsOfLogs(logs) {
    const largest = Object.entries(logs).sort(([, one], [, other]) => other.sizeBytes - one.sizeBytes);
    return largest.slice(0, SAMPLED_LOGS_MAX).map(([name, { entries, bytes, ack, fsync, sizeBytes }]) => {
      const grown = this.#growth?.of(name);
      const shown = { size: sizeBytes };
      return { name, entries: grown?.entries ?? entries, bytes: grown?.bytes ?? bytes, ack, fsync, shown };
    });
  }

  sample(before, totals, seconds) {
    const batches = before ? totals.batches - before.batches : 0;
    // A log that was not open before has nothing until then; one that was left out is not known.
    const unopened = before && before.logs.length < SAMPLED_LOGS_MAX ? { entries: 0, bytes: 0 } : undefined;
    const logs = totals.logs.map((log) => {
      const logBefore = before?.logs.find(({ name }) => name === log.name) ?? unopened;
      return [log.name, { ...ratesOf(logBefore, log, seconds), ...log.shown }];
    });
    return {
      ...ratesOf(before, totals, seconds),
      perBatch: batches > 0 ? (totals.calls - before.calls) / batches : null,
      ...totals.shown,
      logs,
    };
  }

  state(metrics, { entries, bytes }) {
    if (metrics.logs.players) this.#readPlayers();
    const { disk, processes } = this.#surroundings;
    return {
      ...metrics,
      entries,
      bytes,
      isOfFolder: this.#growth !== undefined,
      oldLogs: oldLogs(metrics.dataDir),
      collections: collectionsOf(metrics),
      disk,
      processes,
      players: this.#players,
    };
  }

  /** What is wrong by the metrics, in a line. */
  problem({ now }) {
    for (const [name, { compactions }] of Object.entries(now?.logs ?? {})) {
      if (compactions.lastResult === 'failed') return `The last compaction of '${name}' failed.`;
    }
    return undefined;
  }

  openLog(log) {
    return this.#logs.open(log);
  }

  setWatched(isWatched) {
    this.#surroundings.isWatched = isWatched;
  }

  async check() {}

  stop() {
    return this.#logs.stop();
  }

  #readPlayers() {
    this.#storage.getLeaderboard('totalScore', PLAYERS_MAX).then(
      (players) => {
        this.#players = players.map(({ userId, username, totalScore, totalGames }) => ({
          userId,
          username,
          totalScore,
          totalGames,
        }));
      },
      () => {},
    );
  }
}

/** What came between two totals. */
function ratesOf(before, { entries, bytes, ack, fsync }, seconds) {
  const isLater = before && seconds > 0;
  return {
    perSecond: isLater ? (entries - before.entries) / seconds : 0,
    bytesPerSecond: isLater ? (bytes - before.bytes) / seconds : 0,
    ...percentiles('p', before?.ack, ack),
    ...percentiles('sync', before?.fsync, fsync),
  };
}

/** The logs with their sizes; keys are counted only of those that are open in the storage. */
function collectionsOf(metrics) {
  return knownLogs(metrics).map((name) => {
    const open = Object.hasOwn(metrics.logs, name) ? metrics.logs[name] : undefined;
    const sizeBytes = open?.sizeBytes ?? sizeOf(path.join(metrics.dataDir, 'logs', `${name}.log`));
    return { name, keys: open?.keys ?? null, sizeBytes };
  });
}

const sizeOf = (file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;

module.exports = { FolderView };
