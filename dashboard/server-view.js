// What the dashboard shows of a server: what it is and holds (`watch.js`), and the counts of the process that shows it.
//
// The page's own questions go over a storage of their own, so that they never hold up the bot's reads. It has a shorter time
// than the bot's calls, so that a page learns soon that the server is away.
//
// Invariants: it only reads. No text here holds the url.

const { SERVER_ADVICE } = require('./advice.js');
const { percentiles } = require('./histogram.js');
const { readerOf } = require('./folder-logs.js');
const { Watch } = require('./watch.js');

// No bot has just this time, so none shares its place, and with it its queue, with the page.
const READ_MS = 9_973;
const PROBLEMS = ['lostWrites', 'notReplicated'];

class ServerView {
  #isBeside;
  #Storage;
  #server;
  #reader;
  #watch;
  advice = SERVER_ADVICE;
  problems = PROBLEMS;
  kind;

  /** `server` is `{ url, schema }`. With `isBeside`, the bot is another process, and `storage` is for reading. */
  constructor({ storage, Storage, server, isBeside }, changed) {
    this.#isBeside = isBeside;
    this.#Storage = Storage;
    this.#server = server;
    if (isBeside) this.#reader = storage;
    this.kind = isBeside ? 'server beside' : 'server';
    this.#watch = new Watch({ server, reader: () => this.#readerNow(), changed });
  }

  #readerNow() {
    this.#reader ??= new this.#Storage({ ...this.#server, timeoutMs: READ_MS, logger: null });
    return this.#reader;
  }

  totals(metrics) {
    const { batches, ack, commit, read, queueCalls, residentBytes } = metrics;
    const { roundTrips, conflicts, retries, repeats, connections, timeouts } = metrics;
    const { said, sessions, counted } = this.#watch;
    return {
      ...{ calls: batches.calls, batches: batches.count, ack, commit, read },
      ...{ roundTrips, conflicts, retries: retries + repeats, connections, timeouts },
      shown: {
        size: said?.tablesBytes ?? null,
        stored: said?.databaseBytes ?? null,
        sessions: sessions?.count ?? null,
        ...(!this.#isBeside && { queue: queueCalls, memory: residentBytes }),
      },
      logs: counted?.logs.map(({ name, sizeBytes, perSecond }) => [name, { size: sizeBytes, perSecond }]),
    };
  }

  sample(before, totals, seconds) {
    const { shown, logs, ...after } = totals;
    if (this.#isBeside) return { perSecond: this.#watch.entriesPerSecond, ...shown, logs };
    const rate = (name, unit = 1) =>
      before && seconds > 0 ? ((after[name] - before[name]) * unit) / seconds : 0;
    const batches = before ? after.batches - before.batches : 0;
    return {
      perSecond: rate('calls'),
      perBatch: batches > 0 ? (after.calls - before.calls) / batches : null,
      ...percentiles('p', before?.ack, after.ack),
      ...percentiles('commit', before?.commit, after.commit),
      ...percentiles('read', before?.read, after.read),
      trips: rate('roundTrips'),
      conflicts: rate('conflicts', 60),
      retries: rate('retries', 60),
      reconnects: before?.connections > 0 ? rate('connections', 60) : 0,
      timeouts: rate('timeouts', 60),
      ...shown,
      logs,
    };
  }

  state(metrics) {
    const { said, away, outages, counted, sessions, players, playersError } = this.#watch;
    const collections = counted?.logs.map(({ name, keys, sizeBytes }) => ({ name, keys, sizeBytes })) ?? [];
    return { ...metrics, said, away, outages, counted, sessions, collections, players, playersError };
  }

  problem({ events }) {
    const { away } = this.#watch;
    const last = (...names) => events.findLast(({ event }) => names.includes(event));
    const lost = last('connectionLost', 'reconnect');
    if (lost?.event === 'connectionLost') return `${lost.message} (${lost.timestamp})`;
    if (away) return `No answer since ${new Date(away.since).toISOString()}: ${away.reason}`;
    const failed = events.findLast(
      ({ event, log }, at) =>
        event === 'compactionFailed' &&
        !events.slice(at).some((later) => later.event === 'compaction' && later.log === log),
    );
    return failed?.message;
  }

  async openLog(log) {
    await this.#watch.check();
    const { away, said } = this.#watch;
    if (away) throw Object.assign(new Error(away.reason), { status: 503 });
    if (!said.hasTables) return undefined;
    return { ...readerOf(this.#readerNow(), log), release() {} };
  }

  setWatched(isWatched) {
    this.#watch.setWatched(isWatched);
    // Nobody asks until the next page comes, so the server has its connections back.
    if (!isWatched) this.#closeReader().catch(() => {});
  }

  async #closeReader() {
    if (this.#isBeside) return;
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }

  check() {
    return this.#watch.check();
  }

  async stop() {
    this.#watch.stop();
    await this.#closeReader();
  }
}

module.exports = { ServerView };
