// Records what the dashboard shows: samples of the metrics, the newest events, old logs, and the top players.
//
// Invariants: memory is bounded by the constants below. The recorder only reads.

const { ADVICE } = require('./advice.js');
const { knownLogs, oldLogs } = require('./files.js');
const { percentile, sumOf } = require('./histogram.js');
const { readKey } = require('./key.js');

const SAMPLE_MS = 2000;
/** Ten minutes. */
const SAMPLES_MAX = 300;
const EVENTS_MAX = 100;
const PLAYERS_MAX = 10;
const HISTORY_MAX = 200;
/** These events are a problem for this long. A failed compaction is one until the next compaction succeeds. */
const PROBLEMS = ['corruption', 'syncFailed', 'mirrorFailed'];
const PROBLEM_MS = 60 * 60 * 1000;

class Recorder {
  #storage;
  #Storage;
  #growth;
  #samples = [];
  #events = [];
  #listeners = [];
  #notify = () => {};
  /** The totals at the last sample: the next one shows what came since. */
  #before;
  #now;
  #players = [];
  #timer;
  #startedAt = Date.now();

  /**
   * `Storage` is the package's class. With `growth`, entries and bytes are those that any process appends to the
   * files.
   */
  constructor({ storage, Storage, growth }) {
    this.#storage = storage;
    this.#Storage = Storage;
    this.#growth = growth;
    for (const event of Object.keys(ADVICE)) {
      const listener = (happened) => this.#addEvent(happened);
      storage.on(event, listener, { observe: true });
      this.#listeners.push([event, listener]);
    }
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    // The server keeps the process alive; the timer must not.
    this.#timer.unref();
  }

  /** Calls `notify(event, data)` for each sample, event and change of the state. */
  onNews(notify) {
    this.#notify = notify;
  }

  stop() {
    clearInterval(this.#timer);
    for (const [event, listener] of this.#listeners.splice(0)) this.#storage.off(event, listener);
  }

  metricsText() {
    return this.#storage.metricsText();
  }

  all() {
    return { samples: this.#samples, events: this.#events, now: this.#now };
  }

  /** What is wrong now, in a line; undefined when all is well. */
  problem() {
    if (this.#now?.error) return this.#now.error;
    for (const [name, { compactions }] of Object.entries(this.#now?.logs ?? {})) {
      if (compactions.lastResult === 'failed') return `The last compaction of '${name}' failed.`;
    }
    const since = Date.now() - PROBLEM_MS;
    const found = this.#events.findLast(
      ({ event, timestamp }) => PROBLEMS.includes(event) && Date.parse(timestamp) > since,
    );
    return found?.message;
  }

  /**
   * A key's value and its history, newest first; undefined where there is no such log. The JSON file may have a value
   * that no log has yet.
   */
  async readKey(place) {
    const read = await readKey({ storage: this.#storage, Storage: this.#Storage }, place);
    if (!read) return undefined;
    const { history, value } = read;
    return {
      found: value !== undefined,
      value,
      records: history.length,
      history: history.slice(-HISTORY_MAX).reverse(),
    };
  }

  #addEvent(event) {
    const shown = { ...event, advice: ADVICE[event.event] };
    this.#events.push(shown);
    this.#events.splice(0, this.#events.length - EVENTS_MAX);
    this.#notify('event', shown);
    this.#sample();
  }

  #sample() {
    let metrics;
    try {
      metrics = this.#storage.metrics();
    } catch (error) {
      this.#now = { ...this.#now, error: error.message };
      this.#notify('now', this.#now);
      return;
    }
    const totals = this.#totalsOf(metrics);
    this.#addSample(totals);
    this.#setNow(metrics, totals);
    if (metrics.logs.players) this.#readPlayers();
  }

  #totalsOf(metrics) {
    this.#growth?.update();
    const logs = Object.values(metrics.logs);
    const sum = (of) => logs.reduce((total, log) => total + of(log), 0);
    return {
      at: Date.now(),
      entries: this.#growth ? this.#growth.entries : sum((log) => log.entries),
      bytes: this.#growth ? this.#growth.bytes : sum((log) => log.bytes),
      ack: sumOf(logs.map((log) => log.ack)),
      fsync: sumOf(logs.map((log) => log.fsync)),
      // The size of a log is known once it was read.
      size: logs.length > 0 ? sum((log) => log.sizeBytes) : null,
    };
  }

  /** Events ask for samples too: one within half of the interval is left out. */
  #addSample(totals) {
    const { at, entries, bytes, ack, fsync, size } = totals;
    const before = this.#before;
    const seconds = before ? (at - before.at) / 1000 : 0;
    if (before && seconds < SAMPLE_MS / 2000) return;
    const sample = {
      at,
      perSecond: before && seconds > 0 ? (entries - before.entries) / seconds : 0,
      bytesPerSecond: before && seconds > 0 ? (bytes - before.bytes) / seconds : 0,
      p50: ack ? percentile(before?.ack, ack, 0.5) : null,
      p99: ack ? percentile(before?.ack, ack, 0.99) : null,
      sync: fsync ? percentile(before?.fsync, fsync, 0.5) : null,
      size,
    };
    this.#before = totals;
    this.#samples.push(sample);
    this.#samples.splice(0, this.#samples.length - SAMPLES_MAX);
    this.#notify('sample', sample);
  }

  #setNow(metrics, { at, entries, bytes }) {
    this.#now = {
      at,
      upMs: at - this.#startedAt,
      ...metrics,
      entries,
      bytes,
      isOfFolder: this.#growth !== undefined,
      oldLogs: oldLogs(metrics.dataDir),
      knownLogs: knownLogs(metrics),
      players: this.#players,
      health: undefined,
    };
    this.#now.health = this.problem() ?? null;
    this.#notify('now', this.#now);
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

module.exports = { Recorder };
