/**
 * The files in examples/monitoring: the rules and the Grafana dashboard only use metrics that exist, promtool accepts the
 * rules, every alert is explained, and an alert to Discord arrives once.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { plain, scene, set, waitFor } from '../support/durability.mjs';
import { parsePrometheus } from '../support/prometheus.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const folder = path.join(repositoryRoot, 'examples', 'monitoring');
const rules = fs.readFileSync(path.join(folder, 'alerts.yml'), 'utf8');
const dashboard = JSON.parse(fs.readFileSync(path.join(folder, 'grafana-dashboard.json'), 'utf8'));

test('rules and dashboard only use metrics that exist', async (t) => {
  const place = scene(t);
  const storage = place.open();
  await storage.updatePlayerStats('ann', 'Ann', 1);
  await storage.compactLog('players');
  const families = parsePrometheus(storage.metricsText());
  // Those of a server are tested on one: `__test__/postgres/metrics.test.mjs`.
  const asked = JSON.stringify([rules, dashboard.panels]).match(/progressive_storage_(?!server_)[a-z_]+/g);
  assert.ok(asked.length > 20);
  for (const name of asked) {
    const family = name.replace(/_(bucket|sum|count)$/, '');
    assert.ok(families.has(family) || families.has(name), name);
  }
});

test('every panel of the Grafana dashboard has a place, a unit and a data source', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { title, gridPos, targets, fieldConfig } of dashboard.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    assert.ok(fieldConfig.defaults.unit && targets.length > 0, title);
    for (const { expr } of targets) {
      assert.equal(expr.split('(').length, expr.split(')').length, expr);
      assert.match(expr, /instance=~"\$instance"/);
    }
  }
});

test('every alert is explained in the operations guide', () => {
  const guide = fs.readFileSync(path.join(repositoryRoot, 'docs', 'operations.md'), 'utf8');
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.ok(alerts.length >= 8);
  for (const name of alerts) assert.ok(guide.includes(`\`${name}\``), name);
});

test('promtool accepts the rules', (t) => {
  if (spawnSync('promtool', ['--version']).error) return t.skip('there is no promtool here');
  const checked = spawnSync('promtool', ['check', 'rules', path.join(folder, 'alerts.yml')], {
    encoding: 'utf8',
  });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
});

test('a problem is posted to Discord once, and mentions nobody', async (t) => {
  const posts = [];
  const discord = http.createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    request.on('end', () => {
      posts.push(JSON.parse(text));
      response.writeHead(204).end();
    });
  });
  await new Promise((resolve) => discord.listen(0, '127.0.0.1', resolve));
  t.after(() => discord.close());
  const place = scene(t);
  // The unchanged example, except for the name of the package, which is not installed here.
  const source = fs.readFileSync(path.join(folder, 'discord-alerts.mjs'), 'utf8');
  const copy = path.join(place.root, 'discord-alerts.mjs');
  const entry = new URL('../../index.js', import.meta.url).href;
  fs.writeFileSync(copy, source.replace("from 'progressive-storage'", `from '${entry}'`));
  const { alertDiscord } = await import(copy);
  place.writeLog(`${plain(set('a', 1))}\n{"torn @everyone`, 'coins');
  const storage = place.open({ logger: null });
  const end = alertDiscord(`http://127.0.0.1:${discord.address().port}/`, storage);
  assert.equal(await storage.collection('coins').get('a'), 1);
  await waitFor(() => posts.length === 1, 'the post');
  assert.match(posts[0].content, /^\*\*recovery\*\* coins \(20.*\)\nThe log '/);
  assert.deepEqual(posts[0].allowed_mentions, { parse: [] });
  end();
});
