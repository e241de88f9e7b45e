/**
 * Saves a run (`--save`): the tables in README.md of this folder, the charts in docs/performance.md. Each part is
 * between `<!-- name -->` and `<!-- /name -->`, and says when, on which machine and with which command it was
 * measured.
 */

import fs from 'node:fs';
import path from 'node:path';
import { charts } from './charts.mjs';
import { comparisonTable } from './compare.mjs';
import { PEERS } from './peers/index.mjs';
import { BENCH, REPOSITORY } from './support/package.mjs';
import { textTable } from './support/table.mjs';

export function saveReport(results) {
  const { date, machine, loadBefore, command, budgets, peers, lines, server } = results;
  const heading = `Measured on ${date.slice(0, 10)} by \`${command}\`: ${machine} · load average ${loadBefore} at the start.`;
  const readme = path.join(BENCH, 'README.md');
  if (budgets) replacePart(readme, 'table', [heading, fenced(textTable(budgets.rows))]);
  if (server) {
    const onServer = `${heading} PostgreSQL ${server.server}, which syncs each commit, on the same machine.`;
    replacePart(readme, 'server', [onServer, fenced(textTable(server.rows))]);
  }
  if (!peers) return;
  const names = PEERS.filter(({ id }) => peers.stores[id]);
  replacePart(readme, 'comparison', [
    heading,
    fenced(comparisonTable(lines, peers.stores)),
    ...(peers.failures.length > 0 ? [`Not measured:\n\n${list(peers.failures)}`] : []),
    'What a resolved promise means:',
    list(names.map(({ id, title }) => `${title}: ${peers.stores[id].durability}.`)),
  ]);
  const folder = path.join(BENCH, 'charts');
  fs.mkdirSync(folder, { recursive: true });
  const drawn = charts(lines, [
    `${date.slice(0, 10)} · ${command} · load average ${loadBefore} at the start`,
    machine,
  ]);
  for (const { file, svg } of drawn) fs.writeFileSync(path.join(folder, file), svg);
  replacePart(path.join(REPOSITORY, 'docs', 'performance.md'), 'charts', [
    heading,
    ...drawn.map(({ file, title }) => `![${title}](../bench/charts/${file})`),
  ]);
  const kept = { date, machine, loadBefore, command, budgets: budgets?.rows, lines, stores: peers.stores };
  fs.writeFileSync(path.join(folder, 'figures.json'), `${JSON.stringify(kept, null, 2)}\n`);
}

const fenced = (text) => `\`\`\`text\n${text}\n\`\`\``;
const list = (items) => items.map((item) => `- ${item}`).join('\n');

function replacePart(file, name, paragraphs) {
  const text = fs.readFileSync(file, 'utf8');
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const begin = text.indexOf(from);
  const end = text.indexOf(to);
  if (begin < 0 || end < begin) throw new Error(`${file} has no part between ${from} and ${to}`);
  fs.writeFileSync(
    file,
    `${text.slice(0, begin)}${[from, ...paragraphs].join('\n\n')}\n\n${text.slice(end)}`,
  );
}
