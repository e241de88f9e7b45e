// Progress bars for work that takes longer than a second: amount, rate, and time left.
//
// Invariant: with --json nothing is shown. Where stderr is no terminal, only --progress shows something: a line a
// second from the beginning, and one at the end.

import { readFileSync } from 'node:fs';
import { count, duration } from './format.mjs';
import { visible } from './visible.mjs';

const AFTER_MS = 1000;
const EVERY_MS = 100;
const MEASURE_MS = 500;
const BAR_WIDTH = 24;
// A shorter time is over before anybody has read it.
const LEFT_MS_MIN = 500;

export class Progress {
  #terminal;
  #isLines;
  #isShown;
  #label;
  #total;
  #unit;
  #measure;
  #timer;
  #done = 0;
  #startedAt = Date.now();
  #drawnAt = 0;

  constructor(terminal, { label, total, unit, measure }) {
    this.#terminal = terminal;
    this.#label = visible(label);
    this.#total = total;
    this.#unit = unit;
    this.#measure = measure;
    const isTerminal = terminal.stderr.isTTY === true;
    this.#isLines = !isTerminal;
    this.#isShown = !terminal.json && (isTerminal || terminal.isProgressAsked);
    if (!this.#isShown) return;
    this.#timer = setInterval(() => this.to(this.#measure?.() ?? this.#done), MEASURE_MS);
    this.#timer.unref();
  }

  add(amount) {
    this.to(this.#done + amount);
  }

  to(done) {
    this.#done = done;
    const now = Date.now();
    const after = this.#terminal.isProgressAsked ? 0 : AFTER_MS;
    const every = this.#isLines ? AFTER_MS : EVERY_MS;
    if (this.#isShown && now - this.#startedAt >= after && now - this.#drawnAt >= every) this.#draw(now);
  }

  end() {
    clearInterval(this.#timer);
    if (!this.#isShown) return;
    if (this.#terminal.isProgressAsked) {
      this.#done = this.#measure?.() ?? this.#done;
      this.#draw(Date.now());
    }
    if (this.#drawnAt > 0 && !this.#isLines) this.#terminal.stderr.write('\r\u001b[2K');
    this.#isShown = false;
  }

  #draw(now) {
    this.#drawnAt = now;
    const text = progressText(this.#label, this.#done, this.#total, now - this.#startedAt, this.#unit);
    this.#terminal.stderr.write(this.#isLines ? `${text}\n` : `\r\u001b[2K${text}`);
  }
}

// `label [####····] 42 % 12 MiB · 3 MiB/s · 4 s left`; unknown parts are left out. `total` may be an estimate: work
// that goes beyond it has no bar, because its share is unknown then.
export function progressText(label, done, total, elapsedMs, unit = count) {
  const rate = elapsedMs > 0 ? done / (elapsedMs / 1000) : 0;
  if (done === 0) return `${label} … ${duration(elapsedMs)}`;
  const parts = [`${unit(done)}`, `${unit(Math.round(rate))}/s`];
  let bar = '';
  if (total > 0 && done <= total) {
    const share = done / total;
    const full = Math.round(share * BAR_WIDTH);
    bar = ` [${'#'.repeat(full)}${'·'.repeat(BAR_WIDTH - full)}] ${Math.floor(share * 100)} %`;
    const leftMs = ((total - done) / rate) * 1000;
    if (leftMs >= LEFT_MS_MIN) parts.push(`${duration(leftMs)} left`);
  }
  return `${label}${bar} ${parts.join(' · ')}`;
}

// Bytes that this process has read and written so far; null where that is unknown (only Linux counts them).
export function movedBytes() {
  try {
    const text = readFileSync('/proc/self/io', 'utf8');
    return Number(/^rchar: (\d+)/m.exec(text)[1]) + Number(/^wchar: (\d+)/m.exec(text)[1]);
  } catch {
    return null;
  }
}

// For long loops: reports progress, and lets the event loop handle signals and output now and then.
export async function breathe(done, progress) {
  if (done % 1000 !== 0) return;
  progress.to(done);
  await new Promise((resolve) => setImmediate(resolve));
}

// Calls `take` with each of `items`, and shows progress.
export async function eachWithProgress(terminal, { name, items, total, take }) {
  const progress = terminal.progress(`Writing ${name}`, total);
  let done = 0;
  for (const item of items) {
    take(item);
    await breathe(++done, progress);
  }
  progress.to(done);
  progress.end();
}
