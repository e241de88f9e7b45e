// What the dashboard shows: samples of the metrics, the last events, old logs, and the top players.
//
// Invariant: memory is bounded: ten minutes of samples, the last events, the names of files. It only reads.

const fs = require('node:fs');
const path = require('node:path');
const { ADVICE } = require('./advice.js');
const { knownLogs, lookUp } = require('./past.js');

const SAMPLE_MS = 2000;
const SAMPLES_MAX = 300;
const EVENTS_MAX = 100;
const PLAYERS_MAX = 10;
const HISTORY_MAX = 200;
/** A failed compaction is a problem until one is done; other problems for this long. */
const PROBLEM_MS = 60 * 60 * 1000;

/** The value at most `share` of the counted ones are above of, from the growth of a histogram. */
function percentile(before, after, share) {
  const counts = after.buckets.map(([bound, count], index) => [
    bound,
    count - (before?.buckets[index][1] ?? 0),
  ]);
  const total = after.count - (before?.count ?? 0);
  if (total <= 0) return null;
  let [low, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= total * share) return low + ((bound - low) * (total * share - below)) / (count - below || 1);
    [low, below] = [bound, count];
  }
  return low;
}

/** Several histograms of the same bounds as one. */
function together(histograms) {
  const [first, ...others] = histograms;
  if (!first) return undefined;
  const sum = { count: first.count, buckets: first.buckets.map((bucket) => [...bucket]) };
  for (const { count, buckets } of others) {
    sum.count += count;
    buckets.forEach(([, number], index) => {
      sum.buckets[index][1] += number;
    });
  }
  return sum;
}

class Recorder {
  #storage;
  #samples = [];
  #events = [];
  #listeners = [];
  #tell = () => {};
  #before;
  #now;
  #players = [];
  #timer;
  #started = Date.now();
  #growth;

  /** With `growth`, entries are counted from the files that another process writes. */
  constructor(storage, growth) {
    this.#storage = storage;
    this.#growth = growth;
    for (const event of Object.keys(ADVICE)) {
      const listener = (happened) => this.#heard(happened);
      storage.on(event, listener, { observe: true });
      this.#listeners.push([event, listener]);
    }
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    // The server holds the process, not the clock.
    this.#timer.unref();
  }

  onNews(tell) {
    this.#tell = tell;
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
    const grave = ['corruption', 'syncFailed', 'mirrorFailed'];
    const found = this.#events.findLast(
      ({ event, timestamp }) => grave.includes(event) && Date.parse(timestamp) > since,
    );
    return found?.message;
  }

  /** A key's value, which may stand in the JSON file alone yet, and its history, newest first; undefined: no such log. */
  async lookUp(log, key) {
    const told = await lookUp(this.#storage, log, key);
    if (!told) return undefined;
    const { history, value } = told;
    return {
      found: value !== undefined,
      value,
      records: history.length,
      history: history.slice(-HISTORY_MAX).reverse(),
    };
  }

  #heard(event) {
    const shown = { ...event, advice: ADVICE[event.event] };
    this.#events.push(shown);
    this.#events.splice(0, this.#events.length - EVENTS_MAX);
    this.#tell('event', shown);
    this.#sample();
  }

  #sample() {
    let metrics;
    try {
      metrics = this.#storage.metrics();
    } catch (error) {
      this.#now = { ...this.#now, error: error.message };
      this.#tell('now', this.#now);
      return;
    }
    const logs = Object.values(metrics.logs);
    const ack = together(logs.map((log) => log.ack));
    const fsync = together(logs.map((log) => log.fsync));
    this.#growth?.look();
    const sum = (of) => logs.reduce((total, log) => total + of(log), 0);
    const entries = this.#growth ? this.#growth.entries : sum((log) => log.entries);
    const bytes = this.#growth ? this.#growth.bytes : sum((log) => log.bytes);
    const at = Date.now();
    const before = this.#before;
    const seconds = before ? (at - before.at) / 1000 : 0;
    if (!before || seconds >= SAMPLE_MS / 2000) {
      const sample = {
        at,
        perSecond: before && seconds > 0 ? (entries - before.entries) / seconds : 0,
        bytesPerSecond: before && seconds > 0 ? (bytes - before.bytes) / seconds : 0,
        p50: ack ? percentile(before?.ack, ack, 0.5) : null,
        p99: ack ? percentile(before?.ack, ack, 0.99) : null,
        sync: fsync ? percentile(before?.fsync, fsync, 0.5) : null,
        // Until a log was read, its size is not known.
        size: logs.length > 0 ? sum((log) => log.sizeBytes) : null,
      };
      this.#before = { at, entries, bytes, ack, fsync };
      this.#samples.push(sample);
      this.#samples.splice(0, this.#samples.length - SAMPLES_MAX);
      this.#tell('sample', sample);
    }
    this.#now = {
      at,
      upMs: at - this.#started,
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
    this.#tell('now', this.#now);
    if (metrics.logs.players) this.#askForPlayers();
  }

  #askForPlayers() {
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

/** Backups and archives in a data folder, newest first. */
function oldLogs(dataDir) {
  const folder = path.join(dataDir, 'logs');
  let names;
  try {
    names = fs.readdirSync(folder);
  } catch {
    return [];
  }
  const found = [];
  for (const name of names) {
    const parts = /^(.+)\.log\.(backup|archive)\.(\d+)(\.gz)?$/.exec(name);
    if (!parts) continue;
    const [, log, kind, number] = parts;
    const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (stat) found.push({ name, log, kind, at: Number(number), sizeBytes: stat.size });
  }
  return found.sort((one, other) => other.at - one.at).slice(0, 50);
}

module.exports = { Recorder, percentile };
