/**
 * Measures answers that hold a whole state, beside V8's own `JSON.parse` of the same text:
 *
 *     node bench/large-answers.mjs [--players=10000] [--rounds=9] [--package=FOLDER]
 *
 * A folder of players with 50 games of history each. In turn: `JSON.parse` of all players as one text, `loadPlayers()`, and
 * `entries()`; medians. Before that, in a process of its own, one `loadPlayers()`, and what the process took at the highest.
 * `--package`: a checkout of another version, built.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeFixture } from './support/fixture.mjs';
import { machineLine } from './support/machine.mjs';
import { REPOSITORY } from './support/package.mjs';
import { median } from './support/stats.mjs';

const { values } = parseArgs({
  options: {
    players: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '9' },
    package: { type: 'string', default: REPOSITORY },
    once: { type: 'string' },
  },
});
const { Storage } = createRequire(import.meta.url)(path.resolve(values.package, 'index.js'));

if (values.once) {
  const storage = new Storage({ dataDir: values.once });
  await storage.loadPlayers();
  process.stdout.write(String(process.resourceUsage().maxRSS));
  await storage.close();
} else {
  await measure();
}

async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function measure() {
  const root = path.join(REPOSITORY, 'target', 'bench');
  fs.mkdirSync(root, { recursive: true });
  const folder = fs.mkdtempSync(path.join(root, 'large-answers-'));
  writeFixture(folder, Number(values.players));
  const script = fileURLToPath(import.meta.url);
  const once = [script, `--once=${folder}`, `--package=${values.package}`];
  const peakKb = Number(execFileSync(process.execPath, once, { encoding: 'utf8' }));
  const storage = new Storage({ dataDir: folder });
  const text = JSON.stringify(await storage.loadPlayers());
  const times = { parse: [], loadPlayers: [], entries: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    times.parse.push(await timed(() => JSON.parse(text)));
    times.loadPlayers.push(await timed(() => storage.loadPlayers()));
    times.entries.push(await timed(() => storage.collection('players').entries()));
  }
  await storage.close();
  fs.rmSync(folder, { recursive: true });
  const parseMs = median(times.parse);
  const line = (name) => {
    const tookMs = median(times[name]);
    return `${name}  ${tookMs.toFixed(0)} ms, ${(tookMs / parseMs).toFixed(2)} x JSON.parse\n`;
  };
  process.stdout.write(`${machineLine(root)}\n${(text.length / 1e6).toFixed(1)} MB of JSON\n`);
  process.stdout.write(`JSON.parse  ${parseMs.toFixed(0)} ms\n${line('loadPlayers')}${line('entries')}`);
  process.stdout.write(
    `one loadPlayers in a process of its own: ${(peakKb / 1000).toFixed(0)} MB at the highest\n`,
  );
}
