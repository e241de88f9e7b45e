/**
 * The dashboard's browser of data in a real browser: by keyboard alone from a collection to a key's history; searches, pages and
 * addresses; hostile keys as text; commands that are copied, run in a shell and do what they say; widths, light and dark.
 * Skipped without Chromium.
 *
 * SCREENSHOTS=folder keeps pictures.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { PAGE_KEYS } from '../../dashboard/key-pages.js';
import { STEPS } from '../../dashboard/key-steps.js';
import { fitsInWidth, noBrowser, openBrowser, WAIT, withoutReloads } from '../support/browser.mjs';
import { ps, range, scene } from '../support/durability.mjs';
import { repositoryRoot } from '../support/temp.mjs';

const skip = noBrowser;
const MARKUP = '<img src=x onerror="document.title=1">';
const HIDDEN = 'turned\u202egnp.exe\u001b[31m';
const SHELL = 'it\'s $(touch "$HOME/ran") `touch ran` \\ "q" %s\nnext\n';
const HOSTILE = [MARKUP, HIDDEN, SHELL, '__proto__', '-n', 'x'.repeat(300)];

/** A storage with some collections, its dashboard, and a page of it. */
async function openData(t, options) {
  const place = scene(t);
  const storage = place.open({ logger: null });
  const guilds = storage.collection('guilds');
  const names = range(PAGE_KEYS + 10).map((number) => `guild-${number}`);
  await guilds.setMany(
    names.map((key, at) => [key, { name: `Guild ${at}`, language: at % 2 ? 'en' : 'de' }]),
  );
  for (const key of HOSTILE) {
    await guilds.set(key, { name: key, level: 1 });
    await guilds.set(key, { name: key, level: 2, [key]: [key] });
  }
  await storage.updatePlayerStats('1', 'Ada', 5);
  const dashboard = await ps.startDashboard({ port: 0, storage });
  place.beforeEnd(() => dashboard.close());
  const opened = await openBrowser((close) => place.beforeEnd(close), options);
  await opened.page.goto(`${dashboard.url}#data`);
  await opened.page.getByText('all is well').waitFor(WAIT);
  return { place, storage, guilds, dashboard, ...opened };
}

const addressOf = (dashboard, parts) => `${dashboard.url}#data?${new URLSearchParams(parts)}`;

async function keepPicture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await page.evaluate(() => {
    document.querySelector('#folder').textContent = '/srv/bot/data';
  });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

/** Presses Tab until the focused element is this one. */
async function tabTo(page, selector) {
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  assert.fail(`Tab does not reach ${selector}`);
}

test('by keyboard alone: a collection, a search, a key, its history and a command', { skip }, async (t) => {
  const { page, problems } = await openData(t);
  await tabTo(page, '#skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  assert.match(page.url(), /#data$/, 'the view is still there');
  await tabTo(page, '#log-list a[href*="guilds"]');
  // The focus is visible.
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
  await page.keyboard.press('Enter');
  await page.getByText(`1 to ${PAGE_KEYS} of`).waitFor(WAIT);
  await tabTo(page, '#how');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await tabTo(page, '#text');
  await page.keyboard.type('language=en');
  await page.keyboard.press('Enter');
  await page.getByText(/^30 found on this page/).waitFor(WAIT);
  await tabTo(page, '#key-list a[href$="key=guild-3"]');
  await page.keyboard.press('Enter');
  await page.locator('#h-key', { hasText: 'guild-3' }).waitFor(WAIT);
  await page.locator('#value', { hasText: '"Guild 3"' }).waitFor(WAIT);
  for (const control of ['#again', '#value', '.step summary', '.step code', '.step .copy'])
    await tabTo(page, control);
  await page.keyboard.press('Enter');
  await page.locator('.copy', { hasText: 'Copied' }).waitFor(WAIT);
  // The page's way back is the browser's.
  await page.goBack();
  await page.getByText('Choose a key').waitFor(WAIT);
  assert.equal(await page.locator('#text').inputValue(), 'language=en');
  assert.deepEqual(problems, []);
});

test('pages and searches are addresses; a reload and a link show the same', { skip }, async (t) => {
  const { page, dashboard, guilds, problems } = await openData(t);
  await page.goto(addressOf(dashboard, { log: 'guilds' }));
  await page.locator('#next').click();
  const total = PAGE_KEYS + 10 + HOSTILE.length;
  const second = page.getByText(`${PAGE_KEYS + 1} to ${total} of ${total} keys`);
  await second.waitFor(WAIT);
  await page.reload();
  await second.waitFor(WAIT);
  await page.getByRole('link', { name: 'First page' }).click();
  await page.getByText(`1 to ${PAGE_KEYS} of`).waitFor(WAIT);
  await page.getByLabel('For', { exact: true }).fill('GUILD-5');
  await page.keyboard.press('Enter');
  await page.getByText(/^11 found/).waitFor(WAIT);
  await page.getByLabel('Search', { exact: true }).selectOption('begins');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText(/^Nothing found/).waitFor(WAIT);
  await page.getByLabel('Search', { exact: true }).selectOption('field');
  await page.getByLabel('For', { exact: true }).fill('name');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.locator('#keys-note.bad', { hasText: 'Give FIELD=VALUE' }).waitFor(WAIT);
  // The same search again asks again.
  await page.getByLabel('For', { exact: true }).fill('name=new');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText(/^Nothing found/).waitFor(WAIT);
  await guilds.set('fresh', { name: 'new' });
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: /^fresh/ }).waitFor(WAIT);
  await page.goto(addressOf(dashboard, { log: 'nope' }));
  await page.getByText('There is no such log.').waitFor(WAIT);
  // The browser itself notes what was refused.
  assert.deepEqual(
    withoutReloads(problems).filter((text) => !/status of 40[04]/.test(text)),
    [],
  );
});

test('a history as differences, older steps on demand', { skip }, async (t) => {
  const { page, dashboard, guilds, problems } = await openData(t);
  for (const level of range(STEPS + 3)) await guilds.set('many', { level, same: true });
  await guilds.set('many', { name: 'Many', same: true, tags: ['a'] }, { expiresAt: Date.now() + 3_600_000 });
  await guilds.set('many', { name: 'Many', same: true, tags: ['a', 'b'] });
  await guilds.delete('many');
  await page.goto(addressOf(dashboard, { log: 'guilds', key: 'many' }));
  const step = (at) => page.locator('.step').nth(at);
  await step(0).getByText('− removed').waitFor(WAIT);
  await page.locator('#value', { hasText: 'It was removed.' }).waitFor(WAIT);
  const changes = (at) => step(at).locator('.changes dt, .changes dd span').allTextContents();
  assert.deepEqual(await changes(1), ['tags', '+ "b"']);
  assert.deepEqual(await changes(2), [
    ...['level removed', `− ${STEPS + 2}`, 'name added', '+ "Many"', 'tags added', '+ ["a"]'],
  ]);
  assert.match(await step(2).textContent(), /until /);
  assert.deepEqual(await changes(3), ['level', `− ${STEPS + 1}`, `+ ${STEPS + 2}`]);
  await page.getByRole('button', { name: '6 older values' }).click();
  await page.getByText('+ added').waitFor(WAIT);
  assert.equal(await page.locator('.step').count(), STEPS + 6);
  const link = await page.locator('#log-list a', { hasText: 'guilds' }).elementHandle();
  const countsBefore = await link.textContent();
  await guilds.set('many', { again: 1 });
  await page.waitForFunction(
    ([one, text]) => one.isConnected && one.textContent !== text,
    [link, countsBefore],
    WAIT,
  );
  await page.getByRole('button', { name: 'Read again' }).click();
  await page.locator('#value', { hasText: '"again": 1' }).waitFor(WAIT);
  assert.deepEqual(problems, []);
});

test('hostile keys and names are only text, at each width, light and dark', { skip }, async (t) => {
  const { page, dashboard, storage, problems } = await openData(t);
  await storage.updatePlayerStats(MARKUP, HIDDEN, 9);
  for (const width of [390, 1280, 1920]) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.goto(addressOf(dashboard, { log: 'guilds', how: 'field', text: 'level=2' }));
      await page.getByText(`${HOSTILE.length} found on this page`).waitFor(WAIT);
      await page.locator('#key-list .name', { hasText: 'turned\\u202egnp.exe\\u001b[31m' }).waitFor(WAIT);
      assert.ok(await fitsInWidth(page), `${width} ${colorScheme}: list`);
      for (const key of HOSTILE) {
        await page.goto(addressOf(dashboard, { log: 'guilds', how: 'field', text: 'level=2', key }));
        await page.locator('.step').nth(1).waitFor(WAIT);
        assert.ok(await fitsInWidth(page), `${width} ${colorScheme}: ${key}`);
        if (key === HIDDEN) await keepPicture(page, `data-${width}-${colorScheme}`);
        const text = await page.locator('main').textContent();
        assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Bidi_Control}]/u);
      }
    }
  }
  await page.goto(`${dashboard.url}#overview`);
  await page.locator('#players td', { hasText: 'turned\\u202egnp.exe' }).waitFor(WAIT);
  assert.equal(await page.locator('img').count(), 0);
  assert.match(await page.title(), /^progressive-storage/);
  assert.equal(await page.evaluate(() => Object.prototype.level), undefined);
  assert.deepEqual(problems, []);
});

/** Runs a command in a shell, as a person would: npx is the program of this repository, and says yes. */
function runInShell(command, cwd) {
  const bin = path.join(cwd, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  const program = path.join(repositoryRoot, 'bin', 'progressive-storage.mjs');
  // A program that Deno runs has no rights by itself.
  const rights = globalThis.Deno ? 'run --allow-all' : '';
  const script = `#!/bin/sh\nshift\nname=$1\nshift\nexec '${process.execPath}' ${rights} '${program}' "$name" --yes "$@"\n`;
  fs.writeFileSync(path.join(bin, 'npx'), script, { mode: 0o755 });
  const env = { ...process.env, HOME: cwd, PATH: `${bin}:${process.env.PATH}` };
  return spawnSync('sh', ['-c', command], { cwd, env, encoding: 'utf8' });
}

test('a copied command does what it says, whatever the key holds', {
  skip: skip || (process.platform === 'win32' && 'there is no POSIX shell'),
}, async (t) => {
  const { page, dashboard, place, guilds, problems } = await openData(t, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const copied = async (label) => {
    await page
      .getByRole('button', { name: `Copy the command: ${label}` })
      .first()
      .click();
    await page.locator('.copy', { hasText: 'Copied' }).first().waitFor(WAIT);
    return page.evaluate(() => navigator.clipboard.readText());
  };
  for (const key of HOSTILE) {
    await page.goto(addressOf(dashboard, { log: 'guilds', key }));
    await page.locator('.step').nth(1).waitFor(WAIT);
    const restore = await copied('All of the log as it was then');
    const undo = await copied('Undo this change');
    const undone = runInShell(undo, place.root);
    assert.equal(undone.status, 0, undone.stderr);
    assert.deepEqual(await guilds.get(key), { name: key, level: 1 });
    const restored = runInShell(restore, place.root);
    assert.equal(restored.status, 0, restored.stderr);
    const [, folder] = /--into=(\S+)/.exec(restore);
    const then = JSON.parse(fs.readFileSync(path.join(place.root, folder, 'guilds.json'), 'utf8'));
    assert.deepEqual(Object.getOwnPropertyDescriptor(then, key).value.level, 2);
    fs.rmSync(path.join(place.root, folder), { recursive: true });
    // Back to the second value by its time.
    await page.getByRole('button', { name: 'Read again' }).click();
    await page.locator('.step').nth(2).waitFor(WAIT);
    await page.locator('.step').nth(1).getByText('Commands').click();
    const again = runInShell(await copied('Give the key this value again'), place.root);
    assert.equal(again.status, 0, again.stderr);
    assert.equal((await guilds.get(key)).level, 2);
  }
  // The runtime may keep its cache in this home, in a folder with a dot.
  const left = fs.readdirSync(place.root).filter((name) => !name.startsWith('.'));
  assert.deepEqual(left.sort(), ['bin', 'data'], 'no shell ran a part of a key');
  assert.deepEqual(problems, []);
});
