// Records what the dashboard shows: samples of the metrics, the newest events, and the state of the place, as a view gives it
// (`folder-view.js`, `server-view.js`).
//
// Invariants: memory is bounded by the constants below. The recorder only reads.

const { Gate } = require('./gate.js');
const { pageOf } = require('./key-pages.js');
const { keyOf } = require('./key-steps.js');
const { Series } = require('./series.js');

const SAMPLE_MS = 2000;
/** What a page is given at its start. */
const START_SECONDS = 15 * 60;
const EVENTS_MAX = 100;
/** An event of those that the view names is a problem for this long. */
const PROBLEM_MS = 60 * 60 * 1000;

class Recorder {
  #storage;
  #view;
  #series;
  #gate = new Gate({ atOnce: 2, waiting: 20 });
  #events = [];
  #listeners = [];
  #notify = () => {};
  #now;
  #timer;
  #startedAt = Date.now();

  /** `viewOf` makes the view; what it is given is to be called when the view has news. */
  constructor(storage, viewOf) {
    this.#storage = storage;
    this.#view = viewOf(() => this.#sample());
    this.#series = new Series((...totals) => this.#view.sample(...totals));
    for (const event of Object.keys(this.#view.advice)) {
      const listener = (happened) => this.#addEvent(happened);
      storage.on(event, listener, { observe: true });
      this.#listeners.push([event, listener]);
    }
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    // The server keeps the process alive; the timer must not.
    this.#timer.unref();
  }

  /** What is shown, in the words of the page: `folder` or `server`, and `beside` where another process is the bot. */
  get kind() {
    return this.#view.kind;
  }

  /** Calls `notify(event, data)` for each sample, event and change of the state. */
  onNews(notify) {
    this.#notify = notify;
  }

  /** Whether a page is open. */
  setWatched(isWatched) {
    this.#view.setWatched(isWatched);
  }

  /** Resolves when `problem` is of the last seconds. */
  check() {
    return this.#view.check();
  }

  /** Resolves when what was opened for the view is closed. */
  stop() {
    clearInterval(this.#timer);
    for (const [event, listener] of this.#listeners.splice(0)) this.#storage.off(event, listener);
    return this.#view.stop();
  }

  metricsText() {
    return this.#storage.metricsText();
  }

  all() {
    return { samples: this.series({ seconds: START_SECONDS }), events: this.#events, now: this.#now };
  }

  /** The samples of the newest `seconds`, or all: of everything, or of one log. */
  series({ seconds, log }) {
    const samples = this.#series.newest(seconds);
    if (log === undefined) return samples.map(({ logs, ...sample }) => sample);
    return samples.map(({ at, logs }) => ({ at, ...logs?.find(([name]) => name === log)?.[1] }));
  }

  /** What is wrong now, in a line; undefined when all is well. */
  problem() {
    if (this.#now?.error) return this.#now.error;
    const problem = this.#view.problem({ now: this.#now, events: this.#events });
    if (problem !== undefined) return problem;
    const since = Date.now() - PROBLEM_MS;
    const found = this.#events.findLast(
      ({ event, timestamp }) => this.#view.problems.includes(event) && Date.parse(timestamp) > since,
    );
    return found?.message;
  }

  /** A page of a log's keys, see `key-pages.js`; undefined where there is no such log. */
  readKeys({ log, ...asked }) {
    return this.#reading(log, (opened) => pageOf(opened, asked));
  }

  /** A key's value and its history, see `key-steps.js`; undefined where there is no such log. */
  readKey({ log, ...asked }) {
    return this.#reading(log, (opened) => keyOf(opened, asked));
  }

  #reading(log, work) {
    return this.#gate.run(async () => {
      const opened = await this.#view.openLog(log);
      if (!opened) return undefined;
      try {
        return await work(opened);
      } finally {
        opened.release();
      }
    });
  }

  #addEvent(event) {
    const shown = { ...event, advice: this.#view.advice[event.event] };
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
    const totals = { at: Date.now(), ...this.#view.totals(metrics) };
    this.#addSample(totals);
    this.#setNow(metrics, totals);
  }

  #addSample(totals) {
    const sample = this.#series.add(totals);
    if (sample) this.#notify('sample', sample);
  }

  #setNow(metrics, totals) {
    const { at } = totals;
    const kind = this.#view.kind;
    this.#now = {
      at,
      upMs: at - this.#startedAt,
      kind,
      ...this.#view.state(metrics, totals),
      health: undefined,
    };
    this.#now.health = this.problem() ?? null;
    this.#notify('now', this.#now);
  }
}

module.exports = { Recorder };
