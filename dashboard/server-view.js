// What the dashboard shows of a server: what it is and holds (`watch.js`), and the counts of the process that shows it.
//
// The page's own questions go over a storage of their own, so that they never hold up the bot's reads. It has a shorter time
// than the bot's calls, so that a page learns soon that the server is away.
//
// Invariants: it only reads. No text here holds the url.

const { SERVER_ADVICE } = require('./advice.js');
const { percentile } = require('./histogram.js');
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

  totals({ batches, ack, commit, read }) {
    return { calls: batches.calls, ack, commit, read, size: this.#watch.said?.tablesBytes ?? null };
  }

  sample(before, { calls, ack, commit, read, size }, seconds) {
    if (this.#isBeside) return { perSecond: this.#watch.entriesPerSecond, size };
    return {
      perSecond: before && seconds > 0 ? (calls - before.calls) / seconds : 0,
      p50: percentile(before?.ack, ack, 0.5),
      p99: percentile(before?.ack, ack, 0.99),
      commit: percentile(before?.commit, commit, 0.99),
      read: percentile(before?.read, read, 0.99),
      size,
    };
  }

  state(metrics) {
    const { said, away, outages, counted, sessions, players, playersError } = this.#watch;
    const knownLogs = counted?.logs.map(({ name }) => name) ?? [];
    return { ...metrics, said, away, outages, counted, sessions, knownLogs, players, playersError };
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

  async readKey({ log, key }) {
    await this.#watch.check();
    const { away, said } = this.#watch;
    if (away) throw Object.assign(new Error(away.reason), { status: 503 });
    if (!said.hasTables) return undefined;
    const reader = this.#readerNow();
    const history = await reader.history(log, key);
    return { history, value: await reader.collection(log).get(key) };
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
