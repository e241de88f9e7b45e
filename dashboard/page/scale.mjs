// The vertical axis of a chart: linear, or logarithmic where outliers would flatten the rest.

const OUTLIER = 20;
const VALUES_MIN = 8;

/** Whether the largest value is so far above the median that a linear axis would hide the others. */
export function hasOutliers(values) {
  const positive = values.filter((value) => value > 0).sort((one, other) => one - other);
  if (positive.length < VALUES_MIN) return false;
  return positive.at(-1) > OUTLIER * positive[Math.floor((positive.length - 1) / 2)];
}

/** Round steps from 0 to above the largest value. */
function linearTicks(peak, base) {
  if (!(peak > 0)) return [0, 1];
  const rough = peak / 3;
  const power = base ** Math.floor(Math.log(rough) / Math.log(base));
  const steps = base === 10 ? [1, 2, 5, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  const step = power * steps.find((each) => each * power >= rough * 0.999);
  const ticks = [];
  for (let at = 0; at < peak + step * 0.999; at += step) ticks.push(at);
  return ticks;
}

function logarithmicTicks(low, high) {
  const [from, to] = [
    Math.floor(Math.log10(low)),
    Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1),
  ];
  const step = Math.ceil((to - from) / 4);
  const ticks = [];
  for (let power = from; power < to + step; power += step) ticks.push(10 ** power);
  return ticks;
}

/** `{ isLog, ticks, at }`; `at(value)` is its place from 0 (bottom) to 1. `choice` is auto, linear or log. */
export function scaleOf(values, choice, base = 10) {
  const positive = values.filter((value) => value > 0);
  const isLog = positive.length > 0 && (choice === 'log' || (choice === 'auto' && hasOutliers(values)));
  // No spread of arguments: there may be many values.
  const peak = values.reduce((one, other) => Math.max(one, other), 0);
  if (!isLog) {
    const ticks = linearTicks(peak, base);
    return { isLog, ticks, at: (value) => Math.max(0, value) / ticks.at(-1) };
  }
  const ticks = logarithmicTicks(
    positive.reduce((one, other) => Math.min(one, other)),
    peak,
  );
  const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
  // A zero has no place on it: it is at the bottom.
  return { isLog, ticks, at: (value) => (value > ticks[0] ? (Math.log10(value) - low) / (high - low) : 0) };
}
