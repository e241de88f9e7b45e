// Asks a server what it is and how much it holds, while a page is open.
//
//   facts         every 5 seconds; every 2 while it does not answer
//   connections   every 5 seconds, or more rarely where an answer takes long (`paced.js`)
//   logs          every 15 seconds, in the same way
//   players       every 5 seconds, in the same way
//
// Invariants: nothing is asked while nobody looks, and nothing is written. The store's own calls, which would make tables
// that are missing, are used only while the tables are there. No text here holds the url.

const { askServer } = require('../lib/server-tools.js');
const { Paced } = require('./paced.js');

const FACTS_MS = 5000;
const AWAY_MS = 2000;
const COUNT_MS = 15_000;
/** A server that says nothing for so long is away. */
const SILENCE_MS = 10_000;
const PLAYERS_MAX = 10;
const OUTAGES_MAX = 6;

/** What is shown of the facts: nobody's name, and no setting that is not needed. */
function shown(facts) {
  const { version, isStandby, isReadOnly, tls, isLocal, fsync, synchronousCommit } = facts;
  const { maySeeStandbys, standbys, hasTables, sizes, databaseBytes } = facts;
  return {
    ...{ version, isStandby, isReadOnly, tls, isLocal, fsync, synchronousCommit, hasTables, databaseBytes },
    standbys: maySeeStandbys ? standbys : null,
    tablesBytes: Object.values(sizes ?? {}).reduce((sum, size) => sum + size, 0),
  };
}

class Watch {
  #server;
  #reader;
  #changed;
  #timer;
  #isWatched = false;
  #isEnded = false;
  #asking;
  #askedAt = 0;
  #list = new Paced(() => this.#askConnections(), FACTS_MS);
  #count = new Paced(() => this.#countLogs(), COUNT_MS);
  #rank = new Paced(() => this.#readPlayers(), FACTS_MS);
  /** `{ at, … }` as the server answered last. */
  said = null;
  /** `{ since, reason }` while it does not answer. */
  away = null;
  /** The newest times without an answer, each `{ since, reason, until }`; the last one has no `until` while it lasts. */
  outages = [];
  /** `{ at, logs }` as they were counted last, and `error` where the last count failed. */
  counted = null;
  /** `{ count, hidden, listed }`: connections of bots, and how many the role may not see; null where it sees none. */
  sessions = null;
  /** Entries a second between the last two counts; null while nobody looks. */
  entriesPerSecond = null;
  players = [];
  playersError = null;

  /** `server` is `{ url, schema }`, `reader()` gives a storage there, `changed` is called after each answer. */
  constructor({ server, reader, changed }) {
    this.#server = server;
    this.#reader = reader;
    this.#changed = changed;
  }

  /** Whether a page is open. */
  setWatched(isWatched) {
    if (isWatched === this.#isWatched) return;
    this.#isWatched = isWatched;
    clearTimeout(this.#timer);
    if (isWatched) this.#look();
    else this.entriesPerSecond = null;
  }

  stop() {
    this.setWatched(false);
    this.#isEnded = true;
  }

  /** Resolves when the facts are of the last seconds. */
  async check() {
    if (Date.now() - this.#askedAt >= FACTS_MS) await this.#askFacts();
  }

  async #look() {
    await this.#askFacts();
    if (!this.#isWatched) return;
    if (!this.away) this.#list.run();
    if (!this.away && this.said.hasTables) {
      this.#count.run();
      if (!this.said.isStandby) this.#rank.run();
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), this.away ? AWAY_MS : FACTS_MS);
    // The dashboard's HTTP server keeps the process alive; the timer must not.
    this.#timer.unref();
  }

  #ask(question, ...parameters) {
    return askServer(this.#server, question, ...parameters);
  }

  #tell() {
    if (!this.#isEnded) this.#changed();
  }

  #askFacts() {
    this.#asking ??= this.#askFactsOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askFactsOnce() {
    const asked = { ...this.#server, timeoutMs: SILENCE_MS };
    try {
      const { answer } = await askServer(asked, 'facts', this.#server.schema);
      this.said = { at: Date.now(), ...shown(answer[0]) };
      if (this.away) this.away.until = Date.now();
      this.away = null;
    } catch (error) {
      this.#noAnswer(error.message);
    }
    this.#askedAt = Date.now();
    this.#tell();
  }

  #noAnswer(reason) {
    if (!this.away) {
      this.away = { since: Date.now() };
      this.outages.push(this.away);
      this.outages.splice(0, this.outages.length - OUTAGES_MAX);
    }
    this.away.reason = reason;
  }

  async #askConnections() {
    try {
      const { answer } = await this.#ask('connections');
      this.sessions = answer[0].count > 0 ? answer[0] : null;
    } catch {
      // The facts say why a server does not answer; a role that may not ask sees none.
      this.sessions = null;
    }
    this.#tell();
  }

  async #countLogs() {
    const begun = Date.now();
    try {
      const { answer } = await this.#ask('logs');
      const before = this.counted;
      const logs = answer.map(({ isCollection, ...counts }) => counts);
      this.counted = { at: begun, logs: before ? withRates(before, { at: begun, logs }) : logs };
      if (before)
        this.entriesPerSecond = this.counted.logs.reduce((sum, { perSecond }) => sum + perSecond, 0);
    } catch (error) {
      this.counted = { at: begun, logs: [], ...this.counted, error: error.message };
    }
    this.#tell();
  }

  async #readPlayers() {
    try {
      const players = await this.#reader().getLeaderboard('totalScore', PLAYERS_MAX);
      this.players = players.map(({ userId, username, totalScore, totalGames }) => ({
        ...{ userId, username, totalScore, totalGames },
      }));
      this.playersError = null;
    } catch (error) {
      this.playersError = error.message;
    }
    this.#tell();
  }
}

/** The logs with their entries a second since the count before; one that was compacted meanwhile counts nothing. */
function withRates(before, after) {
  const was = new Map(before.logs.map(({ name, entries }) => [name, entries]));
  const seconds = Math.max(1, after.at - before.at) / 1000;
  return after.logs.map((log) => ({
    ...log,
    perSecond: Math.max(0, log.entries - (was.get(log.name) ?? 0)) / seconds,
  }));
}

module.exports = { Watch };
