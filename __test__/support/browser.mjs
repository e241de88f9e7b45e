/** A page in a real browser, with all that its console and its requests complain about. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

const executablePath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((file) => file && fs.existsSync(file) && spawnSync(file, ['--version']).status === 0);
const isTooOld = Number(process.versions.node.split('.')[0]) < 20;

/** Why a test that needs a browser is skipped; false where it runs. */
export const noBrowser =
  (isTooOld && 'Playwright, which drives the browser, needs Node 20') ||
  (!executablePath && 'there is no Chromium here; set CHROMIUM to its path');
export const WAIT = { timeout: 30_000 };

/** `{ page, problems }`; `atEnd` is given what closes the browser, `options` are those of a context of Playwright. */
export async function openBrowser(atEnd, options) {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  atEnd(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, ...options });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('requestfailed', (request) => problems.push(`${request.url()} ${request.failure().errorText}`));
  return { page, problems };
}

/** The problems without those that a reload makes: it ends the live events. */
export const withoutReloads = (problems) =>
  problems.filter((text) => !/\/events net::ERR_ABORTED$/.test(text));

/** Whether nothing on the page is wider than the window. */
export async function fitsInWidth(page) {
  const [wide, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    globalThis.innerWidth,
  ]);
  return wide <= window;
}
