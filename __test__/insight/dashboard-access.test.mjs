/**
 * Who may use the dashboard: with and without a token, under which address, and from which site.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, start, TOKEN } from '../support/dashboard.mjs';
import { plain, ps, scene, set, waitFor } from '../support/durability.mjs';

test('without a token a caller only learns that the server is alive', async (t) => {
  const place = scene(t);
  const { dashboard } = await start(place, { token: TOKEN });
  for (const route of [
    '',
    'events',
    'metrics',
    'key?log=a&key=b',
    'keys?log=a',
    'series',
    'x',
    `?token=${TOKEN}x`,
    'metrics?token=wrong',
  ]) {
    const refused = await ask(dashboard.url + route);
    assert.equal(refused.status, 401, route);
    assert.ok(!refused.text.includes(TOKEN));
  }
  assert.deepEqual((await ask(`${dashboard.url}healthz`)).text, 'ok\n');
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await ask(`${dashboard.url}metrics`, { headers })).status, 200);
  const entered = await ask(`${dashboard.url}?token=${TOKEN}`);
  assert.deepEqual([entered.status, entered.headers.location], [303, './']);
  const [cookie] = entered.headers['set-cookie'];
  assert.match(
    cookie,
    /; HttpOnly; SameSite=Strict$/,
    'no path: it is for the one below which a proxy has it',
  );
  assert.ok(!cookie.includes(TOKEN));
  // Browsers send a host's cookies to all of its ports.
  assert.match(cookie, new RegExp(`^progressive_storage_token_${dashboard.port}=[0-9a-f]{64};`));
  assert.equal((await ask(dashboard.url, { headers: { cookie: cookie.split(';')[0] } })).status, 200);
});

test('health is one word without the token, and the problems with it', async (t) => {
  const place = scene(t);
  place.writeLog(
    `${plain(set('secret key', 1))}\n{"op":"SET","key":"secret key","value":}\n${plain(set('b', 1))}\n`,
  );
  const { storage, dashboard } = await start(place, { token: TOKEN });
  storage.on('corruption', () => {});
  await storage.loadPlayers();
  const health = (headers) => ask(`${dashboard.url}healthz`, { headers });
  await waitFor(async () => (await health()).status === 503, 'bad health');
  assert.equal((await health()).text, 'not ok\n');
  assert.equal((await health({ authorization: 'Bearer wrong' })).text, 'not ok\n');
  assert.match((await health({ authorization: `Bearer ${TOKEN}` })).text, /players\.log.*secret key/);
});

test('every token that is accepted works: in the address, in a header, as a cookie', async (t) => {
  const visibleAscii = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at)).join('');
  for (const token of [
    visibleAscii,
    'plus+plus+plus+plus+',
    'semi;colon;semi;colon',
    '%41%41%41%41%41%41%zz',
  ]) {
    const place = scene(t);
    const { dashboard } = await start(place, { token });
    const authorization = `Bearer ${token}`;
    assert.equal((await ask(`${dashboard.url}metrics`, { headers: { authorization } })).status, 200, token);
    // Percent-encoded, encoded by a form, and plain where an address allows that.
    const ways = [
      encodeURIComponent(token),
      new URLSearchParams({ token }).toString().slice('token='.length),
    ];
    if (!/[&#]/.test(token)) ways.push(token);
    for (const way of ways) {
      const entered = await ask(`${dashboard.url}?token=${way}`);
      assert.equal(entered.status, 303, way);
      const cookie = `other=1; ${entered.headers['set-cookie'][0].split(';')[0]}`;
      assert.equal((await ask(dashboard.url, { headers: { cookie } })).status, 200, way);
    }
    assert.equal((await ask(`${dashboard.url}?token=${encodeURIComponent(`${token}x`)}`)).status, 401);
  }
});

test('without a token, requests with the name of another site are refused', async (t) => {
  const place = scene(t);
  const { dashboard } = await start(place);
  for (const [host, status] of [
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost', 200],
    [`127.0.0.1:${dashboard.port}`, 200],
    ['[::1]:80', 200],
  ]) {
    for (const route of ['metrics', 'series', 'keys?log=players']) {
      const answer = await ask(dashboard.url + route, { headers: { host } });
      assert.equal(
        answer.status,
        route.startsWith('keys') && status === 200 ? 404 : status,
        `${host} ${route}`,
      );
    }
  }
});

test('another site that is open in the browser is refused, and a link to the page is not', async (t) => {
  const place = scene(t);
  const { dashboard } = await start(place);
  for (const [page, site, status] of [
    ['metrics', 'cross-site', 403],
    ['events', 'cross-site', 403],
    ['key?log=players&key=a', 'cross-site', 403],
    ['keys?log=players', 'cross-site', 403],
    ['series', 'cross-site', 403],
    ['', 'cross-site', 200],
    ['metrics', 'same-origin', 200],
    ['metrics', 'none', 200],
  ]) {
    const headers = { 'sec-fetch-site': site };
    assert.equal((await ask(`${dashboard.url}${page}`, { headers })).status, status, `${page} ${site}`);
  }
});

test('without a token it only listens on loopback, and wrong options are refused', async () => {
  for (const [options, code] of [
    [{ host: '0.0.0.0' }, 'ERR_INVALID_ARG_VALUE'],
    [{ host: '::' }, 'ERR_INVALID_ARG_VALUE'],
    [{ host: '192.168.0.1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ token: 'short' }, 'ERR_INVALID_ARG_VALUE'],
    [{ token: 'with a space in it, and long' }, 'ERR_INVALID_ARG_VALUE'],
    [{ token: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ port: '80' }, 'ERR_INVALID_ARG_TYPE'],
    [{ port: 70000 }, 'ERR_INVALID_ARG_VALUE'],
    [{ host: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ storage: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ ports: 1 }, 'ERR_INVALID_ARG_VALUE'],
  ]) {
    await assert.rejects(ps.startDashboard(options), { name: 'TypeError', code });
  }
});
