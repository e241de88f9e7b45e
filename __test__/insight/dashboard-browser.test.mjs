/**
 * The dashboard's overview in a real browser: every panel with real data, live; a light start; range, log and axis; the values
 * of a time; a problem after a failed compaction; widths, the keyboard, light and dark; and no error in the console. Skipped
 * without Chromium.
 *
 * SCREENSHOTS=folder keeps pictures.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fitsInWidth, noBrowser, openBrowser, WAIT, withoutReloads } from '../support/browser.mjs';
import { ps, range, scene } from '../support/durability.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const skip = noBrowser;
const open = (place, options) => openBrowser((close) => place.beforeEnd(close), options);

async function keepPicture(page, name, { fullPage = true } = {}) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await page.evaluate(() => {
    document.querySelector('#folder').textContent = '/srv/bot/data';
  });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage });
}

const NAMES = [
  'Ada',
  'Grace',
  'Alan',
  'Edsger',
  'Barbara',
  'Donald',
  'Margaret',
  'Ken',
  'Radia',
  'Tim',
  'Joan of a name that is longer than a phone is wide',
];

async function playEvening(storage) {
  for (const round of range(8)) {
    const results = NAMES.map((username, index) => ({
      userId: `${1000 + index}`,
      username,
      score: ((index * 7 + round * 3) % 11) * 10,
      isWinner: index === round,
      correctAnswers: index,
      incorrectAnswers: 2,
    }));
    await storage.updatePlayersStats(results);
    await Promise.all(
      results.map(({ userId, username, score }) => storage.updatePlayerStats(userId, username, score)),
    );
    await storage.saveGameState('lounge', { round, question: `Question ${round}` });
  }
}

/** The names of the panels that show nothing, not even why. */
const emptyPanels = (page) =>
  page.locator('#overview section:visible').evaluateAll((panels) => {
    const isShown = (part) =>
      part.tagName !== 'H2' && part.checkVisibility() && part.textContent.trim() !== '';
    const empty = panels.filter((panel) => ![...panel.children].some(isShown));
    return empty.map((panel) => panel.getAttribute('aria-labelledby'));
  });

/** A storage after an evening, and its dashboard in the browser. */
async function openAfterEvening(t) {
  const place = scene(t);
  const storage = place.open({ logger: null });
  await playEvening(storage);
  const dashboard = await ps.startDashboard({ port: 0, storage });
  place.beforeEnd(() => dashboard.close());
  const opened = await open(place, { colorScheme: 'light' });
  await opened.page.goto(dashboard.url);
  await opened.page.getByText('all is well').waitFor(WAIT);
  return { place, storage, ...opened };
}

test('every panel shows what happens', { skip }, async (t) => {
  const { storage, page, problems } = await openAfterEvening(t);
  await page.getByRole('cell', { name: 'players', exact: true }).waitFor(WAIT);
  await page.locator('#players td', { hasText: 'Ada' }).first().waitFor(WAIT);

  // Live: new data appears without a reload.
  const entries = () => page.locator('#figures dd').first().textContent();
  const before = await entries();
  const playing = playEvening(storage);
  await page.waitForFunction(
    (text) => document.querySelector('#figures dd').textContent !== text,
    before,
    WAIT,
  );
  await playing;
  await storage.compactLog('players');
  await page.locator('#compactions li', { hasText: 'players' }).first().waitFor(WAIT);
  await page.locator('#backups td', { hasText: 'players.log.backup.' }).first().waitFor(WAIT);
  // More data for the picture.
  for (let i = 0; process.env.SCREENSHOTS && i < 90; i++) {
    await playEvening(storage);
    await new Promise((resolve) => setTimeout(resolve, (i % 7) * 40));
  }
  await playEvening(storage);
  for (const panel of ['rate', 'ack', 'sync', 'queue', 'size', 'memory']) {
    await page
      .locator(`#${panel} path.curve`)
      .first()
      .waitFor({ state: 'attached', ...WAIT });
  }
  for (const name of ['p50', 'p99']) {
    for (const panel of ['ack', 'sync'])
      await page.locator(`#${panel} .latest`, { hasText: new RegExp(`${name} \\d`) }).waitFor(WAIT);
  }
  await page.locator('#disk .note', { hasText: /^[\d.]+ % of \d/ }).waitFor(WAIT);
  assert.deepEqual(await emptyPanels(page), []);
  await keepPicture(page, 'dashboard-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await keepPicture(page, 'dashboard-dark');

  await page.goto(`${page.url().split('#')[0]}#data?log=players&key=1001`);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.locator('.step dt', { hasText: 'totalScore' }).first().waitFor(WAIT);
  await keepPicture(page, 'dashboard-data', { fullPage: false });

  // No error: the page's policy blocked nothing of its own.
  assert.deepEqual(problems, []);
  assert.equal(await page.locator('#problem-panel').isVisible(), false);
});

test('a failed compaction appears with advice', { skip }, async (t) => {
  const { place, storage, page, problems } = await openAfterEvening(t);
  const aside = place.file('logs', 'aside');
  fs.renameSync(place.log(), aside);
  fs.mkdirSync(place.log());
  await assert.rejects(storage.compactLog('players'), { code: 'EISDIR' });
  await page.locator('#problems li', { hasText: 'compactionFailed' }).waitFor(WAIT);
  await page.locator('#problems li', { hasText: 'What to do: The log is as it was' }).waitFor(WAIT);
  await page.locator('#health.bad', { hasText: 'failed' }).waitFor(WAIT);
  await keepPicture(page, 'dashboard-problem');
  fs.rmdirSync(place.log());
  fs.renameSync(aside, place.log());
  await storage.compactLog('players');
  await page.getByText('all is well').waitFor(WAIT);
  await page.locator('#problem-panel').waitFor({ state: 'hidden', ...WAIT });
  await page.locator('#compactions li.bad', { hasText: 'failed (EISDIR)' }).waitFor(WAIT);
  assert.deepEqual(problems, []);
});

test('a start is two requests; range, log and axis are in the address and outlast a reload', {
  skip,
}, async (t) => {
  const { storage, page, problems } = await openAfterEvening(t);
  await storage.collection('coins').set('ann', 1);
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.reload();
  await page.getByText('all is well').waitFor(WAIT);
  await page
    .locator('#rate path.curve')
    .first()
    .waitFor({ state: 'attached', ...WAIT });
  assert.deepEqual(asked, ['/', '/events']);
  await page.locator('#log option', { hasText: 'coins' }).waitFor({ state: 'attached', ...WAIT });
  await page.getByLabel('Time', { exact: true }).selectOption('300');
  await page.getByLabel('Log', { exact: true }).selectOption('coins');
  await page.getByLabel('Axis').selectOption('log');
  await page.waitForURL(/#overview\?range=300&log=coins&axis=log$/);
  await page.locator('#memory.of-all').waitFor(WAIT);
  await page
    .locator('#rate .chart.log, #rate .reason')
    .first()
    .waitFor({ state: 'attached', ...WAIT });
  await page.reload();
  await page.getByText('all is well').waitFor(WAIT);
  for (const [label, value] of [
    ['Time', '300'],
    ['Log', 'coins'],
    ['Axis', 'log'],
  ])
    assert.equal(await page.getByLabel(label, { exact: true }).inputValue(), value);
  // Only this log: its one update, and none of the others.
  await storage.collection('coins').set('ann', 2);
  await page.locator('#size .latest', { hasText: /^now ?\d+ B$/ }).waitFor(WAIT);
  await page.goto(`${page.url().split('#')[0]}#overview?log=%3Cb%3E`);
  await page.locator('#rate .reason', { hasText: 'not counted' }).waitFor(WAIT);
  assert.deepEqual(withoutReloads(problems), []);
});

test('the values of a time: under the pointer, by the arrow keys, and for a screen reader', {
  skip,
}, async (t) => {
  const { storage, page, problems } = await openAfterEvening(t);
  await page.waitForFunction(
    () => Number(document.querySelector('#rate [role=slider]')?.getAttribute('aria-valuemax')) >= 3,
    null,
    WAIT,
  );
  await storage.compactLog('players');
  const plot = page.getByRole('slider', { name: 'Updates a second over time' });
  const valueText = () => plot.getAttribute('aria-valuetext');
  assert.match(await valueText(), /^now: /);
  await plot.focus();
  await page.keyboard.press('Home');
  assert.match(await valueText(), /^\d\d:\d\d:\d\d: /);
  assert.equal(await plot.getAttribute('aria-valuenow'), '0');
  await page.keyboard.press('ArrowRight');
  assert.equal(await plot.getAttribute('aria-valuenow'), '1');
  // All charts show the same time.
  assert.ok(await page.locator('#memory .cursor').isVisible());
  await page.keyboard.press('Escape');
  assert.match(await valueText(), /^now: /);
  const { x, y, width } = await page.locator('#ack .plot').boundingBox();
  await page.mouse.move(x + width - 2, y + 20);
  await page.locator('#ack .when', { hasText: /^\d\d:\d\d:\d\d$/ }).waitFor(WAIT);
  await page.locator('#rate .when', { hasText: /^\d\d:\d\d:\d\d$/ }).waitFor(WAIT);
  await page.mouse.move(0, 0);
  await page.locator('#memory .when', { hasText: 'now' }).waitFor(WAIT);
  assert.deepEqual(problems, []);
});

test('no sideways scrolling at any width, and Tab reaches all controls', {
  skip,
}, async (t) => {
  const place = scene(t);
  const storage = place.open({ logger: null });
  await playEvening(storage);
  await storage.compactLog('players');
  const token = 'a-token-of-the-test-0123456789';
  const dashboard = await ps.startDashboard({ port: 0, storage, token });
  place.beforeEnd(() => dashboard.close());
  for (const width of [390, 1280, 1920]) {
    for (const colorScheme of ['light', 'dark']) {
      const { page, problems } = await open(place, { viewport: { width, height: 844 }, colorScheme });
      await page.goto(`${dashboard.url}?token=${token}`);
      assert.equal(page.url(), dashboard.url, 'the token is gone from the address');
      await page.getByText('all is well').waitFor(WAIT);
      await page.locator('#backups td').first().waitFor(WAIT);
      await page.locator('#players td', { hasText: 'Joan' }).first().waitFor(WAIT);
      assert.ok(await fitsInWidth(page), `${width} ${colorScheme}`);
      if (width === 390 && colorScheme === 'dark') await keepPicture(page, 'dashboard-phone');
      const reached = new Set();
      for (let i = 0; i < 20; i++) {
        await page.keyboard.press('Tab');
        reached.add(
          await page.evaluate(() => {
            const { id, textContent } = document.activeElement;
            return id || document.activeElement.getAttribute('aria-label') || textContent.trim();
          }),
        );
      }
      for (const control of [
        'skip',
        'to-overview',
        'to-data',
        'range',
        'log',
        'axis',
        'Updates a second over time',
      ])
        assert.ok(reached.has(control), `${control} among ${[...reached]}`);
      assert.deepEqual(problems, []);
    }
  }
});

test('the program’s page of a folder says what it knows, and what it cannot know', { skip }, async (t) => {
  const place = scene(t);
  const storage = place.open({ logger: null });
  await playEvening(storage);
  await storage.compactLog('players');
  const args = ['bin/progressive-storage.mjs', 'dashboard', place.data, '--port', '0', '--json'];
  const child = spawn(process.execPath, args, { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'inherit'] });
  place.beforeEnd(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data');
  const { page, problems } = await open(place, {});
  await page.goto(JSON.parse(said).url);
  await page.getByText('all is well').waitFor(WAIT);
  await page.locator('#ack', { hasText: 'Only the bot’s own process knows' }).waitFor(WAIT);
  assert.deepEqual(await emptyPanels(page), []);
  await page.locator('#compactions li', { hasText: 'kept as players.log.backup.' }).waitFor(WAIT);
  await page.locator('#players td', { hasText: 'Ada' }).first().waitFor(WAIT);
  const figure = () => page.locator('#figures dd').first().textContent();
  assert.equal(await figure(), '0');
  await playEvening(storage);
  await page.waitForFunction(() => document.querySelector('#figures dd').textContent !== '0', null, WAIT);
  await page.waitForFunction(
    () => /now: [1-9]/.test(document.querySelector('#rate [role=slider]').getAttribute('aria-valuetext')),
    null,
    WAIT,
  );
  const other = await place.remote();
  await other.call('updatePlayerStats', '1000', 'Ada', 1);
  const program = path.basename(process.execPath);
  if (process.platform === 'linux')
    await page
      .locator('#processes tr', {
        hasText: new RegExp(`^${other.child.process.pid}${program} .*remote\\.mjs`),
      })
      .waitFor(WAIT);
  await page.getByRole('link', { name: 'Data' }).click();
  await page.getByRole('link', { name: /^players/ }).click();
  await page.getByRole('link', { name: /^1000/ }).click();
  await page.locator('#steps li').first().waitFor(WAIT);
  assert.deepEqual(problems, []);
});
