/**
 * The dashboard of a server in a real browser: on a phone and on a desk, light and dark, every panel of a server and none of a
 * folder; a server that stops and starts while the page is open; hostile names; no error in the console. Skipped without
 * Chromium.
 *
 * SCREENSHOTS=folder keeps pictures.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { startServer, whyNoServer } from '../../scripts/postgres/index.mjs';
import { fitsInWidth, noBrowser, openBrowser, WAIT } from '../support/browser.mjs';
import { startedDashboard } from '../support/dashboard.mjs';
import { ps } from '../support/durability.mjs';
import { newSchema, opened, started } from '../support/server-scene.mjs';
import { atEnd } from '../support/temp.mjs';

const skip = whyNoServer() || noBrowser;
const server = skip ? null : await startServer();
after(() => server?.remove());

const NAMES = [
  'Ada',
  'Grace',
  'Alan',
  'Edsger',
  'Barbara',
  'Donald',
  'Margaret',
  'Joan of a name that is longer than a phone is wide',
];

async function playEvening(storage) {
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      NAMES.map((name, at) => storage.updatePlayerStats(`${1000 + at}`, name, at * 10 + round)),
    );
    await storage.saveGameState('lounge', { round, question: `Question ${round}` });
  }
}

/** A storage after an evening, and its dashboard in the bot. */
async function scene(t, at = server) {
  const schema = newSchema();
  const { storage } = opened(t, { url: at.ownerUrl, schema });
  await playEvening(storage);
  const dashboard = await ps.startDashboard({ port: 0, storage });
  atEnd(t, () => dashboard.close());
  return { storage, schema, url: dashboard.url };
}

async function open(t, url, options) {
  const opening = await openBrowser((close) => atEnd(t, close), options);
  await opening.page.goto(url);
  await opening.page.getByText('all is well').waitFor(WAIT);
  await opening.page.locator('#logs td', { hasText: 'players' }).first().waitFor(WAIT);
  await opening.page.locator('#players td', { hasText: 'Joan' }).first().waitFor(WAIT);
  return opening;
}

async function keepPicture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

const TITLES = [
  'Calls waiting, and calls a batch',
  'Compactions',
  'Connections of bots at the server',
  'Logs',
  'Memory of the process',
  'Round trip of a commit',
  'Round trip of a read',
  'Round trips a second',
  'Server',
  'Sessions of bots',
  'Size of the database',
  'Size of the tables',
  'Time until a call is acknowledged',
  'Top players',
  'Trouble a minute',
  'Updates a second',
];

/** Opens a key in the browser of data, as a person does from the overview. */
async function openKey(page, log, key) {
  await page.getByRole('link', { name: 'Data' }).click();
  await page.locator('#log-list a', { hasText: log }).click();
  await page.locator('#key-list a', { hasText: key }).first().click();
}

const titles = async (page) => (await page.locator('h2:visible').allTextContents()).sort();

test('in the bot, on a phone and on a desk, light and dark', { skip }, async (t) => {
  const { storage, url } = await scene(t);
  await storage.compactLog('players');
  for (const width of [390, 1280]) {
    const { page, problems } = await open(t, url, { viewport: { width, height: 900 }, colorScheme: 'light' });
    await playEvening(storage);
    await storage.compactLog('players');
    await page
      .locator('#compactions li', { hasText: /players in \d+ ms/ })
      .first()
      .waitFor(WAIT);
    for (const panel of [
      'rate',
      'ack',
      'commits',
      'reads',
      'trips',
      'trouble',
      'connections',
      'queue',
      'size',
      'memory',
    ]) {
      await page
        .locator(`#${panel} path.curve`)
        .first()
        .waitFor({ state: 'attached', ...WAIT });
    }
    assert.deepEqual(await titles(page), TITLES);
    assert.doesNotMatch(
      (await page.locator('#overview > :visible').allTextContents()).join('\n'),
      /JSON file|Syncs|Backups|Damaged|undefined|NaN|null/,
    );
    await page.locator('#server').getByText('PostgreSQL').waitFor(WAIT);
    await page.locator('#server').getByText('primary').waitFor(WAIT);
    await page
      .locator('#sessions-count', { hasText: /^([2-9]|\d\d) sessions in this database/ })
      .waitFor(WAIT);
    await page.locator('#sessions td', { hasText: '127.0.0.1' }).first().waitFor(WAIT);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      assert.ok(await fitsInWidth(page), `${width} ${colorScheme}`);
      await keepPicture(page, `server-${width}-${colorScheme}`);
    }
    await openKey(page, 'players', '1001');
    await page.locator('#value', { hasText: 'Grace' }).waitFor(WAIT);
    await page.locator('.step dt', { hasText: 'totalScore' }).first().waitFor(WAIT);
    await page
      .locator('.step .head', { hasText: /in entry \d+$/ })
      .first()
      .waitFor(WAIT);
    await page.locator('.step code', { hasText: 'undo --url env --schema=' }).first().waitFor(WAIT);
    assert.ok(await fitsInWidth(page), `${width}: a key`);
    await keepPicture(page, `server-key-${width}`);
    assert.deepEqual(problems, []);
  }
});

test('the program’s page says what it knows, and what it cannot know', { skip }, async (t) => {
  const { schema } = await scene(t);
  const env = { PROGRESSIVE_STORAGE_URL: server.ownerUrl };
  const program = await startedDashboard(t, ['--schema', schema], { env });
  atEnd(t, async () => {
    program.child.kill('SIGKILL');
    await program.ended;
  });
  for (const width of [390, 1280]) {
    const { page, problems } = await open(t, program.url, { viewport: { width, height: 900 } });
    await page.locator('#ack', { hasText: 'Only the bot’s own process knows' }).waitFor(WAIT);
    assert.deepEqual(await titles(page), TITLES);
    await page
      .locator('#connections path.curve')
      .first()
      .waitFor({ state: 'attached', ...WAIT });
    assert.doesNotMatch(
      (await page.locator('#overview > :visible').allTextContents()).join('\n'),
      /undefined|NaN|null/,
    );
    assert.ok(await fitsInWidth(page));
    await keepPicture(page, `server-beside-${width}`);
    assert.deepEqual(problems, []);
  }
});

test('a role that may not see the sessions of others learns how many there are', { skip }, async (t) => {
  const { schema } = await scene(t);
  const { storage } = opened(t, { url: server.url, schema });
  const dashboard = await ps.startDashboard({ port: 0, storage });
  atEnd(t, () => dashboard.close());
  const { page, problems } = await openBrowser((close) => atEnd(t, close), {
    viewport: { width: 390, height: 900 },
  });
  await page.goto(dashboard.url);
  const said = /^\d+ sessions? in this database, .* may not see host and state of (any|\d+) of them\.$/;
  await page.locator('#sessions-count', { hasText: said }).waitFor(WAIT);
  assert.ok(await fitsInWidth(page));
  assert.deepEqual(problems, []);
});

test('a server that stops and starts while the page is open', { skip }, async (t) => {
  const own = await started(t, startServer());
  const { storage, url } = await scene(t, own);
  const { page, problems } = await open(t, url, { viewport: { width: 390, height: 900 } });
  await own.stop('immediate');
  const call = storage.updatePlayerStats('1000', 'Ada', 1);
  await page
    .locator('#health.bad', { hasText: new RegExp(`no answer from the server since .*:\\d\\d.*${own.port}`) })
    .waitFor(WAIT);
  await page.locator('#problems li', { hasText: 'connectionLost' }).waitFor(WAIT);
  await page.locator('#outages li.bad', { hasText: 'no answer since then' }).waitFor(WAIT);
  await page.locator('#logs td', { hasText: 'players' }).first().waitFor(WAIT);
  assert.ok(await fitsInWidth(page));
  await keepPicture(page, 'server-away');
  await page.getByRole('link', { name: 'Data' }).click();
  await page.locator('#log-list a', { hasText: 'players' }).click();
  await page.locator('#keys-note.bad', { hasText: String(own.port) }).waitFor(WAIT);
  await page.getByRole('link', { name: 'Overview' }).click();
  await own.start();
  await call;
  await page.getByText('all is well').waitFor(WAIT);
  await page.locator('#problem-panel').waitFor({ state: 'hidden', ...WAIT });
  await page.locator('#outages li', { hasText: /no answer for \d/ }).waitFor(WAIT);
  await keepPicture(page, 'server-back');
  // The browser itself notes that the look-up was refused.
  assert.deepEqual(
    problems.filter((text) => !/status of 503/.test(text)),
    [],
  );
});

test('hostile names of logs, keys and players are only text', { skip }, async (t) => {
  const { storage, schema, url } = await scene(t);
  const markup = '<img src=x onerror="document.title=1">';
  const hidden = 'turned\u202egnp.exe\u001b[31m';
  for (const name of [markup, hidden]) {
    await storage.updatePlayerStats(name, name, 9000);
    await storage.collection('guilds').set(name, { [name]: name });
  }
  // A log may have any name where somebody else writes to the tables.
  await server.psql(`INSERT INTO ${schema}.entry (log, seq, part, op, value, change)
    VALUES ('${markup}', 1000000, 1, 'ENTRY', '{}', gen_random_uuid())`);
  const { page, problems } = await open(t, url, { viewport: { width: 390, height: 900 } });
  await page.locator('#players td', { hasText: markup }).first().waitFor(WAIT);
  await page.locator('#players td', { hasText: 'turned\\u202egnp.exe\\u001b[31m' }).first().waitFor(WAIT);
  await page.locator('#logs td', { hasText: markup }).first().waitFor(WAIT);
  await openKey(page, 'guilds', markup);
  await page.locator('#value', { hasText: 'onerror' }).waitFor(WAIT);
  assert.equal(await page.locator('img').count(), 0);
  assert.match(await page.title(), /^progressive-storage/);
  assert.ok(await fitsInWidth(page));
  assert.deepEqual(problems, []);
});
