// Samples over time, in steps that become longer the further back they reach.
//
//   every 2 seconds    15 minutes
//   every 20 seconds   2 hours
//   every 2 minutes    24 hours
//
// Each step makes its samples from the totals at its own last one, so a percentile is that of its whole time.
//
// Invariant: memory is bounded by the numbers below, and by those of a sample.

const STEPS = [
  { everyMs: 2000, max: 460 },
  { everyMs: 20_000, max: 360 },
  { everyMs: 120_000, max: 720 },
];

class Series {
  #sampleOf;
  #steps = STEPS.map((step) => ({ ...step, before: undefined, samples: [] }));

  /** `sampleOf(before, totals, seconds)` makes a sample of what came between two totals. */
  constructor(sampleOf) {
    this.#sampleOf = sampleOf;
  }

  /** Adds totals, `{ at, … }`; returns the newest sample, or undefined where the last one is too young. */
  add(totals) {
    const [newest] = this.#steps.map((step) => this.#addTo(step, totals));
    return newest;
  }

  // Totals come at other times too: one within half of the interval is left out.
  #addTo(step, totals) {
    const { before, everyMs, max, samples } = step;
    const ms = before ? totals.at - before.at : 0;
    if (before && ms < everyMs - STEPS[0].everyMs / 2) return undefined;
    const sample = { at: totals.at, ...this.#sampleOf(before, totals, ms / 1000) };
    step.before = totals;
    samples.push(sample);
    samples.splice(0, samples.length - max);
    return sample;
  }

  /** The samples of the newest `seconds`, or all, in the shortest steps that reach back so far. */
  newest(seconds = Number.POSITIVE_INFINITY, now = Date.now()) {
    const from = now - seconds * 1000;
    const reaches = ({ samples, max }) => samples.length < max || samples[0].at <= from;
    const { samples } = this.#steps.find(reaches) ?? this.#steps.at(-1);
    return samples.filter(({ at }) => at >= from);
  }
}

module.exports = { Series };
