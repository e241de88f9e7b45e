/**
 * The dashboard in a real browser: every panel with real data, live; a problem after a failed compaction; a phone's width,
 * the keyboard, light and dark; and no error in the console. Skipped without Chromium.
 *
 * SCREENSHOTS=folder keeps pictures.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fitsInWidth, noBrowser, openBrowser, WAIT } from '../support/browser.mjs';
import { ps, range, scene } from '../support/durability.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const skip = noBrowser;
const open = (place, options) => openBrowser((close) => place.beforeEnd(close), options);

async function keepPicture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await page.evaluate(() => {
    document.querySelector('#folder').textContent = '/srv/bot/data';
  });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
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
  for (const panel of ['rate', 'ack', 'size']) {
    await page
      .locator(`#${panel} path.curve`)
      .first()
      .waitFor({ state: 'attached', ...WAIT });
  }

  // With the keyboard alone: to the field, the key, Enter.
  await page.locator('#key').focus();
  await page.keyboard.type('1001');
  await page.keyboard.press('Enter');
  await page.locator('#found pre', { hasText: 'Grace' }).waitFor(WAIT);
  assert.ok((await page.locator('#key-history tbody tr').count()) > 10);
  // Shows the changes, since the values look alike.
  await page
    .locator('#key-history tbody tr', { hasText: /totalScore: \d+ → \d+/ })
    .first()
    .waitFor(WAIT);
  await keepPicture(page, 'dashboard-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await keepPicture(page, 'dashboard-dark');

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

test('a phone needs no sideways scrolling, and Tab reaches all controls', {
  skip,
}, async (t) => {
  const place = scene(t);
  const storage = place.open({ logger: null });
  await playEvening(storage);
  await storage.compactLog('players');
  const token = 'a-token-of-the-test-0123456789';
  const dashboard = await ps.startDashboard({ port: 0, storage, token });
  place.beforeEnd(() => dashboard.close());
  const { page, problems } = await open(place, {
    viewport: { width: 360, height: 740 },
    colorScheme: 'dark',
  });
  await page.goto(`${dashboard.url}?token=${token}`);
  assert.equal(page.url(), dashboard.url, 'the token is gone from the address');
  await page.getByText('all is well').waitFor(WAIT);
  await page.locator('#backups td').first().waitFor(WAIT);
  await page.locator('#players td', { hasText: 'Joan' }).first().waitFor(WAIT);
  await page.locator('#key').fill('1010');
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.locator('#key-history td').first().waitFor(WAIT);
  assert.ok(await fitsInWidth(page));
  await keepPicture(page, 'dashboard-phone');
  await page.evaluate(() => document.activeElement.blur());
  const reached = new Set();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press('Tab');
    reached.add(
      await page.evaluate(() => {
        const { id, ariaLabel, textContent } = document.activeElement;
        return id || ariaLabel || textContent.trim();
      }),
    );
  }
  // The keyboard can scroll too.
  for (const control of ['log', 'key', 'Look up', 'To the panels', 'Value', 'History']) {
    assert.ok(reached.has(control), `${control} among ${[...reached]}`);
  }
  assert.deepEqual(problems, []);
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
  await page.getByText('Only the bot’s own process knows').waitFor(WAIT);
  await page.locator('#compactions li', { hasText: 'kept as players.log.backup.' }).waitFor(WAIT);
  await page.locator('#players td', { hasText: 'Ada' }).first().waitFor(WAIT);
  const figure = () => page.locator('#figures dd').first().textContent();
  assert.equal(await figure(), '0');
  await playEvening(storage);
  await page.waitForFunction(() => document.querySelector('#figures dd').textContent !== '0', null, WAIT);
  await page.waitForFunction(
    () => /at most [1-9]/.test(document.querySelector('#rate svg').getAttribute('aria-label')),
    null,
    WAIT,
  );
  await page.getByRole('textbox', { name: 'Key' }).fill('1000');
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.locator('#key-history td').first().waitFor(WAIT);
  assert.deepEqual(problems, []);
});
