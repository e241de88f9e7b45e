// What the dashboard shows of a folder: its logs, their old files, and what was synced.
//
// Invariant: it only reads, and opens no log.

const { ADVICE } = require('./advice.js');
const { knownLogs, oldLogs } = require('./files.js');
const { percentile, sumOf } = require('./histogram.js');
const { readKey } = require('./key.js');

const PLAYERS_MAX = 10;
/** These events are a problem for some time. A failed compaction is one until the next compaction succeeds. */
const PROBLEMS = ['corruption', 'syncFailed', 'mirrorFailed'];

class FolderView {
  #storage;
  #Storage;
  #growth;
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
    this.#Storage = Storage;
    this.#growth = growth;
    this.kind = growth ? 'folder beside' : 'folder';
  }

  /** The numbers of a sample, from which the next one is counted. */
  totals(metrics) {
    this.#growth?.update();
    const logs = Object.values(metrics.logs);
    const sum = (of) => logs.reduce((total, log) => total + of(log), 0);
    return {
      entries: this.#growth ? this.#growth.entries : sum((log) => log.entries),
      bytes: this.#growth ? this.#growth.bytes : sum((log) => log.bytes),
      ack: sumOf(logs.map((log) => log.ack)),
      fsync: sumOf(logs.map((log) => log.fsync)),
      // The size of a log is known once it was read.
      size: logs.length > 0 ? sum((log) => log.sizeBytes) : null,
    };
  }

  sample(before, { entries, bytes, ack, fsync, size }, seconds) {
    return {
      perSecond: before && seconds > 0 ? (entries - before.entries) / seconds : 0,
      bytesPerSecond: before && seconds > 0 ? (bytes - before.bytes) / seconds : 0,
      p50: ack ? percentile(before?.ack, ack, 0.5) : null,
      p99: ack ? percentile(before?.ack, ack, 0.99) : null,
      sync: fsync ? percentile(before?.fsync, fsync, 0.5) : null,
      size,
    };
  }

  state(metrics, { entries, bytes }) {
    if (metrics.logs.players) this.#readPlayers();
    return {
      ...metrics,
      entries,
      bytes,
      isOfFolder: this.#growth !== undefined,
      oldLogs: oldLogs(metrics.dataDir),
      knownLogs: knownLogs(metrics),
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

  readKey(place) {
    return readKey({ storage: this.#storage, Storage: this.#Storage }, place);
  }

  setWatched() {}

  async check() {}

  async stop() {}

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

module.exports = { FolderView };
