// One chart: curves over time, the values at a time under the pointer or by the arrow keys.
//
// The parts are made once and changed afterwards, so that the focus stays where it is.

import { scaleOf } from './scale.mjs';
import { drawn, element, setText, shown } from './text.mjs';
import { clock } from './units.mjs';

const [WIDTH, HEIGHT] = [600, 120];
const SPAN_MIN_MS = 60_000;

export class Chart {
  #spec;
  #samples = [];
  #events = [];
  #from = 0;
  #span = SPAN_MIN_MS;
  #onCursor;
  #cursorAt = null;
  #note = element('p', { className: 'note' });
  #legend = element('p', { className: 'latest' });
  #reason = element('p', { className: 'quiet reason' });
  #svg = drawn('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  #line = element('div', { className: 'cursor', hidden: true });
  #ticks = element('div', { className: 'ticks', ariaHidden: 'true' });
  #times = element('p', { className: 'axis', ariaHidden: 'true' });
  #plot = element('div', { className: 'plot', tabIndex: 0, role: 'slider' });
  #body = element('div', { className: 'chart' });

  /** `spec` is `{ title, curves: [{ name?, of }], format, base?, why, note }`; `onCursor(at)` says where the pointer is. */
  constructor(place, spec, onCursor) {
    this.#spec = spec;
    this.#onCursor = onCursor;
    this.#plot.append(this.#svg, this.#line);
    this.#plot.setAttribute('aria-label', `${spec.title} over time`);
    this.#body.append(this.#ticks, this.#plot, this.#times);
    place.append(this.#legend, this.#body, this.#reason, this.#note);
    this.#listen();
  }

  show({ samples, events, choice }) {
    const { curves, base } = this.#spec;
    this.#samples = samples;
    const values = curves.flatMap(({ of }) => samples.map(of)).filter(isNumber);
    const isEmpty = values.length === 0;
    this.#body.hidden = isEmpty;
    this.#legend.hidden = isEmpty;
    setText(this.#reason, isEmpty ? this.#spec.why : '');
    setText(this.#note, isEmpty ? '' : this.#spec.note(samples));
    if (isEmpty) return;
    const end = samples.at(-1).at;
    this.#span = Math.max(SPAN_MIN_MS, end - samples[0].at);
    this.#from = end - this.#span;
    this.#events = events.filter(({ at }) => at >= this.#from && at <= end);
    this.#draw(scaleOf(values, choice, base));
    this.#showCursor();
  }

  /** Shows the values at a time; null for the newest. */
  setCursor(at) {
    this.#cursorAt = at;
    if (!this.#body.hidden) this.#showCursor();
  }

  #x(at) {
    return ((at - this.#from) / this.#span) * WIDTH;
  }

  #draw(scale) {
    const y = (value) => HEIGHT - scale.at(value) * HEIGHT;
    const parts = scale.ticks.map((tick) =>
      drawn('line', { class: 'grid', x1: 0, x2: WIDTH, y1: y(tick), y2: y(tick) }),
    );
    for (const { at, isBad } of this.#events) {
      const x = this.#x(at).toFixed(1);
      parts.push(drawn('line', { class: isBad ? 'event bad' : 'event', x1: x, x2: x, y1: 0, y2: HEIGHT }));
    }
    for (const [index, { of }] of this.#spec.curves.entries()) parts.push(...this.#curve(of, y, index));
    this.#svg.replaceChildren(...parts);
    this.#ticks.replaceChildren(
      ...scale.ticks.map((tick) => {
        const label = element('span', {}, this.#spec.format(tick));
        label.style.top = `${(1 - scale.at(tick)) * 100}%`;
        return label;
      }),
    );
    const middle = this.#from + this.#span / 2;
    const times = [this.#from, middle, this.#from + this.#span].map((at) => clock(at, this.#span));
    this.#times.replaceChildren(...times.map((text) => element('span', {}, text)));
    this.#body.classList.toggle('log', scale.isLog);
  }

  /**
   * The line of a curve, and what is below the first one. It ends where there is no value, and goes on behind it; a value
   * alone is a point.
   */
  #curve(of, y, index) {
    let [line, area, points] = ['', '', ''];
    let length = 0;
    let last;
    for (const sample of [...this.#samples, undefined]) {
      const value = sample && of(sample);
      if (!isNumber(value)) {
        if (last !== undefined) area += `V${HEIGHT}Z`;
        if (length === 1) points += `M${last}h0`;
        last = undefined;
        length = 0;
        continue;
      }
      const place = `${this.#x(sample.at).toFixed(1)} ${y(value).toFixed(1)}`;
      line += `${last === undefined ? 'M' : 'L'}${place}`;
      length++;
      area += `${last === undefined ? `M${this.#x(sample.at).toFixed(1)} ${HEIGHT}` : ''}L${place}`;
      last = place;
    }
    const parts = index === 0 ? [drawn('path', { class: 'area', d: area })] : [];
    if (points) parts.push(drawn('path', { class: `point c${index}`, d: points }));
    return [...parts, drawn('path', { class: `curve c${index}`, d: line })];
  }

  #showCursor() {
    const isNow = this.#cursorAt === null;
    const at = isNow ? this.#newest() : this.#indexAt(this.#cursorAt);
    const sample = this.#samples[at];
    const values = this.#spec.curves.map(({ name, of }) => {
      const value = of(sample);
      return `${name ? `${name} ` : ''}${isNumber(value) ? this.#spec.format(value) : '–'}`;
    });
    this.#line.hidden = isNow;
    this.#line.style.left = `${(this.#x(sample.at) / WIDTH) * 100}%`;
    const near = isNow
      ? []
      : this.#events.filter((event) => Math.abs(event.at - sample.at) <= this.#span / 100);
    const texts = near.map(({ text }) => text);
    const when = at === this.#samples.length - 1 && isNow ? 'now' : clock(sample.at, 0);
    this.#legend.replaceChildren(
      element('span', { className: 'quiet when' }, when),
      ...values.map((text, index) => element('span', { className: `key c${index}` }, text)),
      ...texts.slice(0, 2).map((text) => element('span', { className: 'quiet' }, text)),
    );
    const attributes = {
      'aria-valuemin': 0,
      'aria-valuemax': this.#samples.length - 1,
      'aria-valuenow': at,
      'aria-valuetext': shown([`${when}: ${values.join(', ')}`, ...texts].join(', ')),
    };
    for (const [name, value] of Object.entries(attributes)) this.#plot.setAttribute(name, value);
  }

  /** The place of the newest sample with a value. */
  #newest() {
    const hasValue = (sample) => this.#spec.curves.some(({ of }) => isNumber(of(sample)));
    return this.#samples.findLastIndex(hasValue);
  }

  /** The place of the sample nearest to a time. */
  #indexAt(at) {
    if (at === null) return this.#samples.length - 1;
    let [low, high] = [0, this.#samples.length - 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#samples[middle].at < at) low = middle + 1;
      else high = middle;
    }
    const before = this.#samples[low - 1];
    return before && at - before.at < this.#samples[low].at - at ? low - 1 : low;
  }

  #listen() {
    const point = (event) => {
      const { left, width } = this.#plot.getBoundingClientRect();
      this.#onCursor(this.#from + ((event.clientX - left) / width) * this.#span);
    };
    this.#plot.addEventListener('pointerdown', point);
    this.#plot.addEventListener('pointermove', point);
    this.#plot.addEventListener('pointerleave', () => this.#onCursor(null));
    this.#plot.addEventListener('blur', () => this.#onCursor(null));
    this.#plot.addEventListener('keydown', (event) => {
      const last = this.#samples.length - 1;
      const at = this.#indexAt(this.#cursorAt);
      const page = Math.max(1, Math.round(last / 10));
      const targets = {
        ...{ ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1 },
        ...{ PageUp: at - page, PageDown: at + page, Home: 0, End: last },
      };
      if (event.key === 'Escape') this.#onCursor(null);
      if (!Object.hasOwn(targets, event.key)) return;
      event.preventDefault();
      this.#onCursor(this.#samples[Math.min(last, Math.max(0, targets[event.key]))].at);
    });
  }
}

const isNumber = (value) => value !== null && value !== undefined;
