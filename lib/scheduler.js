// `CompactionScheduler`: an interval of JavaScript, so that it keeps the process alive as any interval does.

const native = require('./addon.js');
const { checkFinite, numberText, wrongValue } = require('./check.js');
const { standard } = require('./standard.js');

const INTERVAL_MS_DEFAULT = 3_600_000;
/** `setInterval` fires at once for longer intervals. */
const INTERVAL_MS_MAX = 2_147_483_647;

function checkInterval(intervalMs = INTERVAL_MS_DEFAULT) {
  checkFinite(intervalMs, 'intervalMs');
  if (intervalMs >= 1 && intervalMs <= INTERVAL_MS_MAX) return intervalMs;
  const shown = numberText(intervalMs);
  throw wrongValue(`The argument 'intervalMs' is ${shown}; give milliseconds from 1 to ${INTERVAL_MS_MAX}`);
}

let schedulerOf;

class CompactionScheduler {
  #storage = standard;
  #intervalMs;
  #timer;

  static {
    schedulerOf = (storage, intervalMs) => {
      const scheduler = new CompactionScheduler(intervalMs);
      scheduler.#storage = storage;
      return scheduler;
    };
  }

  constructor(intervalMs) {
    this.#intervalMs = checkInterval(intervalMs);
  }

  get intervalMs() {
    return this.#intervalMs;
  }

  set intervalMs(intervalMs) {
    this.#intervalMs = checkInterval(intervalMs);
  }

  get isRunning() {
    return this.#timer !== undefined;
  }

  start(logNames) {
    const names = native.checkLogNames(logNames);
    if (this.isRunning) return;
    this.#timer = setInterval(() => native.compactWhereDue(this.#storage, names), this.#intervalMs);
  }

  stop() {
    if (!this.isRunning) return;
    const timer = this.#timer;
    this.#timer = undefined;
    clearInterval(timer);
  }
}

function startScheduler(storage, intervalMs, logNames) {
  const scheduler = schedulerOf(storage, intervalMs);
  scheduler.start(logNames);
  return scheduler;
}

module.exports = { CompactionScheduler, startScheduler };
