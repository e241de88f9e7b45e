/**
 * The dashboard's server: its pages, metrics and health, and that it only reads. Also the colours of its page, which the
 * test reads from the page itself.
 */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { named, shown } from '../../dashboard/page/text.mjs';
import { contentsOf } from '../support/cli.mjs';
import { ask, lookUp, start, TOKEN } from '../support/dashboard.mjs';
import { listenForWarnings, plain, ps, scene, set, waitFor } from '../support/durability.mjs';
import { parsePrometheus } from '../support/prometheus.mjs';

test('the page, metrics and health are there, and nothing else is', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  await storage.updatePlayerStats('ann', 'Ann', 5);
  const page = await ask(dashboard.url);
  assert.equal(page.status, 200);
  const policy = page.headers['content-security-policy'];
  const [, nonce] = /script-src 'nonce-([^']+)'/.exec(policy);
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  assert.equal(page.text.split(`nonce="${nonce}"`).length, 3, 'the style and the script');
  assert.notEqual((await ask(dashboard.url)).headers['content-security-policy'], policy, 'another each time');
  assert.doesNotMatch(page.text, /https?:\/\/(?!www\.w3\.org\/2000\/svg)/, 'no address of elsewhere');
  assert.doesNotMatch(page.text, /innerHTML|document\.write|eval\(| style=/);

  const metrics = await ask(`${dashboard.url}metrics`);
  assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.ok(parsePrometheus(metrics.text).has('progressive_storage_entries_total'));
  assert.deepEqual((await ask(`${dashboard.url}healthz`)).text, 'ok\n');
  for (const wrong of [
    'x',
    '../package.json',
    '%2e%2e/package.json',
    'page.html',
    'page/main.mjs',
    'style.css',
    'server.js',
    'events/',
    'key/x',
    'keys/x',
    'series/x',
  ]) {
    assert.equal((await ask(dashboard.url + wrong)).status, 404, wrong);
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    assert.equal((await ask(dashboard.url, { method })).status, 405);
  }
});

test('a key with its history; wrong keys are refused', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  const coins = storage.collection('coins');
  await coins.set('ann', 1);
  await storage.compactLog('coins');
  await coins.set('ann', 2);
  const look = (query) => lookUp(dashboard.url, query);
  const { found, value, records, history } = await look({ log: 'coins', key: 'ann' });
  assert.deepEqual([found, value, records], [true, 2, 2]);
  assert.deepEqual(
    history.map((record) => record.value),
    [2, 1],
  );
  assert.equal((await look({ log: 'coins', key: 'nobody' })).records, 0);
  // An edit by hand counts at once, and the next write logs it.
  fs.writeFileSync(place.file('coins.json'), '{"ann":7,"ben":3}');
  const edited = async (key) => {
    const told = await look({ log: 'coins', key });
    return [told.found, told.value, told.records];
  };
  assert.deepEqual(
    [await edited('ann'), await edited('ben')],
    [
      [true, 7, 2],
      [true, 3, 0],
    ],
  );
  for (const query of [{ log: 'coins' }, { key: 'a' }, {}]) assert.equal((await look(query)).status, 400);
  for (const log of ['../x', '', 'coin', 'coins.log', 'package', '__proto__', 'constructor']) {
    assert.equal((await look({ log, key: 'a' })).status, 404, log);
  }
});

test('it only reads: no request opens, converts or creates a log', async (t) => {
  const place = scene(t);
  // A bot used several logs, and only some of them are open now.
  const before = place.open();
  await before.collection('coins').set('ann', 1);
  await before.compactLog('coins');
  await before.collection('coins').set('ann', 2);
  await before.appendLogEntry('events', { op: 'SET', key: 'ann', value: 'came' });
  await before.appendLogEntry('open', { op: 'SET', key: 'ann', value: 'opened' });
  await before.updatePlayerStats('ann', 'Ann', 5);
  await before.close();
  // Somebody else's file, with the name of a plain log.
  fs.writeFileSync(place.file('events.json'), '{"ann":"secret"}');
  fs.writeFileSync(place.file('other.json'), '{"ann":"secret"}');
  const files = await contentsOf(place.data);
  const { storage, dashboard } = await start(place);
  assert.equal((await storage.readLogEntries('open')).length, 1);
  const look = async (log, key = 'ann') => {
    const told = await lookUp(dashboard.url, { log, key });
    return told.status === 200 ? told : told.status;
  };
  const series = (await ask(`${dashboard.url}metrics`)).text;
  for (let i = 0; i < 50; i++) assert.equal(await look(`junk${i}`), 404);
  assert.equal(await look('other'), 404);
  const coins = await look('coins');
  assert.deepEqual([coins.found, coins.value, coins.records], [true, 2, 2]);
  assert.match(coins.history[1].source, /^coins\.log\.backup\.\d+$/);
  for (const [log, value] of [
    ['events', 'came'],
    ['open', 'opened'],
  ]) {
    assert.deepEqual([(await look(log)).value, (await look(log)).records], [value, 1], log);
  }
  assert.equal((await look('players')).value.totalScore, 5);
  assert.deepEqual((await look('events', 'nobody')).records, 0);
  // An edit by hand in a collection that is not open.
  fs.writeFileSync(place.file('coins.json'), '{"ann":7}');
  assert.equal((await look('coins')).value, 7);
  fs.writeFileSync(place.file('coins.json'), '[');
  assert.equal((await look('coins')).value, 2);
  fs.writeFileSync(place.file('coins.json'), fs.readFileSync(place.file('coins.json')));

  assert.deepEqual(Object.keys(storage.metrics().logs), ['open']);
  const names = (text) => [...parsePrometheus(text).keys()].sort();
  const now = (await ask(`${dashboard.url}metrics`)).text;
  assert.deepEqual(names(now), names(series));
  assert.deepEqual([...new Set(now.match(/log="[^"]*"/g))], ['log="open"']);
  const { 'coins.json': edited, ...others } = await contentsOf(place.data);
  const { 'coins.json': was, ...same } = files;
  assert.notEqual(edited, was);
  assert.deepEqual(others, same, 'nothing was written');
});

test('it works below a path of a proxy', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place, { token: TOKEN });
  await storage.updatePlayerStats('ann', 'Ann', 5);
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith('/bot/')) return response.writeHead(404).end();
    const { headers, method } = request;
    const forwarded = http.request(
      dashboard.url.slice(0, -1) + request.url.slice(4),
      { headers, method },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    forwarded.end();
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  place.beforeEnd(() => new Promise((resolve) => proxy.close(resolve)));
  const base = `http://127.0.0.1:${proxy.address().port}/bot/`;
  const entered = await ask(`${base}?token=${TOKEN}`);
  const page = new URL(entered.headers.location, `${base}?token=${TOKEN}`);
  assert.equal(page.href, base);
  const headers = { cookie: entered.headers['set-cookie'][0].split(';')[0] };
  const { text } = await ask(page, { headers });
  const addresses = [...text.matchAll(/(?:fetch|ask|EventSource)\([`'"]([^`'"?$]+)/g)].map(
    ([, address]) => address,
  );
  assert.deepEqual([...new Set(addresses)].sort(), ['events', 'key', 'keys', 'series']);
  assert.equal((await ask(new URL('key?log=players&key=ann', page), { headers })).status, 200);
  assert.doesNotMatch(text, /(?:href|src|action)="\//);
});

test('half of a request does not hold up close()', async (t) => {
  const place = scene(t);
  const { dashboard } = await start(place);
  let said = '';
  const half = net.connect(dashboard.port, '127.0.0.1', () => half.write('GET / HTTP/1.1\r\nHost: '));
  half.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  half.on('error', () => {});
  const ended = new Promise((resolve) => half.on('close', resolve));
  // Once another request is answered, these bytes have arrived.
  await ask(dashboard.url);
  await dashboard.close();
  await ended;
  assert.equal(said, '', 'it was cut off, not waited for until its time was over');
});

test('a port that is taken is an ordinary error, and close ends all', async (t) => {
  const place = scene(t);
  const { storage, dashboard } = await start(place);
  await assert.rejects(ps.startDashboard({ port: dashboard.port, storage }), { code: 'EADDRINUSE' });
  const live = await fetch(`${dashboard.url}events`);
  await dashboard.close();
  await dashboard.close();
  assert.match(await live.text(), /^retry: 2000\nevent: hello\n/);
  await assert.rejects(ask(dashboard.url), { code: 'ECONNREFUSED' });
});

test('a page that reads nothing does not fill the memory', async (t) => {
  const place = scene(t);
  const listeners = [];
  const storage = {
    on: (_, listener) => listeners.push(listener),
    off() {},
    metrics: () => ({ dataDir: place.data, logs: {}, much: 'x'.repeat(1 << 20) }),
  };
  const dashboard = await ps.startDashboard({ port: 0, storage });
  place.beforeEnd(() => dashboard.close());
  const idle = net.connect(dashboard.port, '127.0.0.1', () => {
    idle.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  });
  idle.pause();
  let isLetGo = false;
  idle
    .on('error', () => {})
    .on('close', () => {
      isLetGo = true;
    });
  place.beforeEnd(() => idle.destroy());
  let [text, taken] = ['', 0];
  const request = http.get(`${dashboard.url}events`, (response) => {
    response.setEncoding('utf8').on('data', (piece) => {
      text = text.slice(-100) + piece;
      for (const [, news] of text.matchAll(/"news (\d+)"/g)) taken = Number(news);
    });
  });
  request.on('error', () => {});
  place.beforeEnd(() => request.destroy());
  await waitFor(() => text !== '', 'the other page to be told');
  // The server keeps at most a few of these for each page.
  const told = 100;
  for (let news = 1; news <= told; news++) {
    listeners[0]({ event: 'backup', message: `news ${news}` });
    await waitFor(() => taken === news, 'the news to be taken');
  }
  // The server has closed the connection of the idle page, which it learns once it reads.
  idle.resume();
  await waitFor(() => isLetGo, 'the connection to be over');
  // The other page continues, and a HEAD request is no page.
  assert.equal((await ask(`${dashboard.url}events`, { method: 'HEAD' })).status, 200);
});

test('after a failed compaction it is unwell until one succeeds, and watching hides no warning', async (t) => {
  const place = scene(t);
  place.writeLog(`${plain(set('a', 1))}\n{"torn`, 'coins');
  const warned = listenForWarnings('PS_TORN_TAIL');
  const { storage, dashboard } = await start(place);
  assert.equal(await storage.collection('coins').get('a'), 1);
  await waitFor(async () => (await warned()).length === 1, 'the warning');
  await storage.updatePlayerStats('ann', 'Ann', 1);
  const aside = place.file('logs', 'aside');
  fs.renameSync(place.log(), aside);
  fs.mkdirSync(place.log());
  await assert.rejects(storage.compactLog('players'), { code: 'EISDIR' });
  const health = () => ask(`${dashboard.url}healthz`);
  await waitFor(async () => (await health()).status === 503, 'bad health');
  assert.match((await health()).text, /compaction of 'players' failed/);
  fs.rmdirSync(place.log());
  fs.renameSync(aside, place.log());
  await storage.compactLog('players');
  await waitFor(async () => (await health()).status === 200, 'good health');
});

test('the page shows hidden characters in names', () => {
  assert.equal(
    shown('a\u202eb\u001b\u009b\u2028\u200b\ud800'),
    'a\\u202eb\\u001b\\u009b\\u2028\\u200b\\ud800',
  );
  assert.equal(shown('Bén 😀\n{ }'), 'Bén 😀\n{ }');
  assert.equal(named('a\nb'), 'a\\nb');
});

test('text is readable: contrast is that of WCAG AA, light and dark', () => {
  const page = fs.readFileSync(new URL('../../dashboard/page/style.css', import.meta.url), 'utf8');
  const [light, dark] = [...page.matchAll(/:root \{([^}]+)\}/g)].map(([, text]) =>
    Object.fromEntries(
      [...text.matchAll(/--(\w+): (#[0-9a-f]{6})/g)].map(([, name, colour]) => [name, colour]),
    ),
  );
  const luminance = (colour) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  for (const colours of [light, dark]) {
    const against = (one, other) => {
      const [high, low] = [luminance(colours[one]), luminance(colours[other])].sort((a, b) => b - a);
      return (high + 0.05) / (low + 0.05);
    };
    for (const [text, ground] of [
      ...['text', 'quiet', 'good', 'bad', 'second', 'third', 'accent'].map((name) => [name, 'panel']),
      ...['text', 'quiet', 'good', 'bad', 'accent'].map((name) => [name, 'ground']),
      ...['text', 'quiet', 'bad'].map((name) => [name, 'badground']),
      ['good', 'goodground'],
      ['panel', 'accent'],
    ]) {
      assert.ok(against(text, ground) >= 4.5, `${text} on ${ground}: ${against(text, ground).toFixed(2)}`);
    }
  }
});
