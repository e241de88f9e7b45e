/**
 * A strict reader of Prometheus' text format 0.0.4, with the naming rules that promtool checks: every metric has its
 * HELP and TYPE in front, once; counters end with `_total`; units are base units; buckets grow and end with `+Inf`,
 * which is the count.
 */
import assert from 'node:assert/strict';

const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"/g;

const numberOf = (text) => (text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text));

/** Families by name: { type, help, samples: [{ name, labels, value }] }. */
export function parsePrometheus(text) {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const families = new Map();
  let open;
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP ([a-z_]+) (.+)$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (help) {
      assert.ok(!families.has(help[1]), `${help[1]} comes once`);
      open = { name: help[1], help: help[2], samples: [] };
      families.set(open.name, open);
    } else if (type) {
      assert.equal(type[1], open.name, 'TYPE follows its HELP');
      assert.equal(open.type, undefined);
      open.type = type[2];
    } else {
      const sample = SAMPLE.exec(line);
      assert.ok(sample, `a sample: ${line}`);
      const [, name, labelText = '', value] = sample;
      const suffix = open.type === 'histogram' ? '(_bucket|_sum|_count)' : '';
      assert.match(name, new RegExp(`^${open.name}${suffix}$`), `${name} stands under its own TYPE`);
      const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map((label) => [label[1], label[2]]));
      assert.ok(!Number.isNaN(numberOf(value)), line);
      open.samples.push({ name, labels, value: numberOf(value) });
    }
  }
  for (const family of families.values()) check(family);
  return families;
}

function check({ name, type, samples }) {
  assert.ok(type, `${name} has a type`);
  assert.ok(samples.length > 0, `${name} has samples`);
  assert.equal(name.endsWith('_total'), type === 'counter', `${name} is named as a counter or is none`);
  assert.doesNotMatch(name, /_(ms|milliseconds|us|kilobytes|mb|percent)(_|$)/, 'base units');
  const seen = samples.map((sample) => sample.name + JSON.stringify(sample.labels));
  assert.equal(new Set(seen).size, seen.length, `${name} has no sample twice`);
  for (const { value } of samples) assert.ok(value >= 0, `${name} is not negative`);
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name, samples) {
  const groups = new Map();
  for (const sample of samples) {
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    const group = groups.get(key) ?? { buckets: [] };
    groups.set(key, group);
    if (sample.name === `${name}_bucket`) group.buckets.push([numberOf(le), sample.value]);
    else group[sample.name.slice(name.length + 1)] = sample.value;
  }
  for (const { buckets, count, sum } of groups.values()) {
    for (let i = 1; i < buckets.length; i++) {
      assert.ok(buckets[i][0] > buckets[i - 1][0], `${name}: bounds grow`);
      assert.ok(buckets[i][1] >= buckets[i - 1][1], `${name}: counts grow`);
    }
    assert.deepEqual(buckets.at(-1), [Number.POSITIVE_INFINITY, count], `${name}: the last bucket has all`);
    assert.ok(Number.isFinite(sum), `${name} has a sum`);
  }
}
