// Metrics of a server place: each commit and each read is timed once, object and text say the same, and Prometheus accepts the
// text. The examples for Grafana and Prometheus use only metrics that exist.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { parsePrometheus } from '../support/prometheus.mjs';
import { countUp, newSchema, opened } from '../support/server-scene.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const skip = whyNoServer();
const server = skip ? null : await startServer();
after(() => server?.remove());

test('each commit and each read is timed once', { skip }, async (t) => {
  const { storage, counts } = opened(t, { url: server.url });
  const counted = () => {
    const { commit, read } = storage.metrics();
    return { commits: commit.count, reads: read.count };
  };
  await counts.set('a', 1);
  await counts.get('a');
  for (const [what, call, expected] of [
    ['a write', () => counts.set('a', 2), { commits: 1, reads: 0 }],
    ['a read of a key', () => counts.get('a'), { commits: 0, reads: 1 }],
    ['a whole log', () => counts.entries(), { commits: 0, reads: 1 }],
    ['an update', () => countUp(counts, 'a'), { commits: 1, reads: 0 }],
    ['a compaction', () => storage.compactLog('counts'), { commits: 0, reads: 0 }],
  ]) {
    const before = counted();
    await call();
    const now = counted();
    assert.deepEqual(
      { commits: now.commits - before.commits, reads: now.reads - before.reads },
      expected,
      what,
    );
  }
});

test('a conflict is a commit, and a read of what the key has', { skip }, async (t) => {
  const schema = newSchema();
  const { storage, counts } = opened(t, { url: server.url, schema });
  const other = opened(t, { url: server.url, schema, timeoutMs: 20_000 });
  await countUp(counts, 'a');
  await countUp(other.counts, 'a');
  const before = storage.metrics();
  assert.equal(await countUp(counts, 'a'), 3);
  const now = storage.metrics();
  assert.equal(now.conflicts - before.conflicts, 1);
  assert.equal(now.commit.count - before.commit.count, 2);
  assert.equal(now.read.count - before.read.count, 1);
});

test('the text says the same as the object', { skip }, async (t) => {
  const { storage, counts } = opened(t, { url: server.url });
  await counts.set('a', 1);
  await counts.entries();
  const families = parsePrometheus(storage.metricsText());
  for (const name of ['ack', 'commit', 'read']) {
    const durations = storage.metrics()[name];
    const family = `progressive_storage_server_${name}_seconds`;
    const { samples, type } = families.get(family);
    const value = (suffix, le) =>
      samples.find((one) => one.name === family + suffix && (le === undefined || one.labels.le === le))
        ?.value;
    assert.equal(type, 'histogram');
    assert.ok(durations.count > 0 && durations.sumMs > 0, name);
    assert.equal(value('_count'), durations.count);
    assert.ok(Math.abs(value('_sum') - durations.sumMs / 1000) < 1e-9);
    for (const [bound, count] of durations.buckets) {
      assert.equal(value('_bucket', String(bound / 1000)), count, `${name} ${bound}`);
    }
  }
});

test('the examples use metrics of a server that exist', { skip }, async (t) => {
  const { storage, counts } = opened(t, { url: server.url });
  await counts.set('a', 1);
  const families = parsePrometheus(storage.metricsText());
  const folder = path.join(repositoryRoot, 'examples', 'monitoring');
  const texts = ['alerts.yml', 'grafana-dashboard.json'].map((name) =>
    fs.readFileSync(path.join(folder, name), 'utf8'),
  );
  const asked = texts.join('').match(/progressive_storage_server_[a-z_]+/g) ?? [];
  assert.ok(asked.length > 5);
  for (const name of asked) {
    assert.ok(families.has(name) || families.has(name.replace(/_(bucket|sum|count)$/, '')), name);
  }
});
