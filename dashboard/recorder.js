// Records what the dashboard shows: samples of the metrics, the newest events, and the state of the place, as a view gives it
// (`folder-view.js`, `server-view.js`).
//
// Invariants: memory is bounded by the constants below. The recorder only reads.

const SAMPLE_MS = 2000;
/** Ten minutes. */
const SAMPLES_MAX = 300;
const EVENTS_MAX = 100;
const HISTORY_MAX = 200;
/** An event of those that the view names is a problem for this long. */
const PROBLEM_MS = 60 * 60 * 1000;

class Recorder {
  #storage;
  #view;
  #samples = [];
  #events = [];
  #listeners = [];
  #notify = () => {};
  /** The totals at the last sample: the next one shows what came since. */
  #before;
  #now;
  #timer;
  #startedAt = Date.now();

  /** `viewOf` makes the view; what it is given is to be called when the view has news. */
  constructor(storage, viewOf) {
    this.#storage = storage;
    this.#view = viewOf(() => this.#sample());
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
    return { samples: this.#samples, events: this.#events, now: this.#now };
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

  /**
   * A key's value and its history, newest first; undefined where there is no such log. The JSON file may have a value
   * that no log has yet.
   */
  async readKey(place) {
    const read = await this.#view.readKey(place);
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

  /** Events ask for samples too: one within half of the interval is left out. */
  #addSample(totals) {
    const { at } = totals;
    const before = this.#before;
    const seconds = before ? (at - before.at) / 1000 : 0;
    if (before && seconds < SAMPLE_MS / 2000) return;
    const sample = { at, ...this.#view.sample(before, totals, seconds) };
    this.#before = totals;
    this.#samples.push(sample);
    this.#samples.splice(0, this.#samples.length - SAMPLES_MAX);
    this.#notify('sample', sample);
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
