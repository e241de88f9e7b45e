// The table of the rehearsal in docs/hosting.md, between two markers. A run writes its own rows and leaves the others, each
// with the day on which it ran: so the table has only what ran, or says why it did not.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runTool } from '../tools.mjs';

const FILE = join('docs', 'hosting.md');
const [BEGIN, END] = ['<!-- rehearsal: begin -->', '<!-- rehearsal: end -->'];
export const COLUMNS = ['case', 'installed by', 'run by', 'result', 'seconds', 'version', 'day'];

/** How a case is named in the table. */
export const titleOf = ({ name, condition }) => (condition ? `${name}: ${condition}` : name);

/** The rows of the table in a document's text; throws where the markers or the table are not whole. */
export function rowsIn(text) {
  const parts = text.split(BEGIN);
  const [table, ...rest] = parts[1]?.split(END) ?? [];
  if (parts.length !== 2 || rest.length !== 1) throw new Error(`${FILE} needs ${BEGIN} and ${END} once each`);
  const [head, ruler, ...lines] = table.trim().split('\n').map(cellsOf);
  if (head.join() !== COLUMNS.join()) throw new Error(`the columns are ${head}, not ${COLUMNS}`);
  if (!ruler.every((cell) => /^-+$/.test(cell))) throw new Error('the second line of the table is no ruler');
  return lines.map((cells) => {
    if (cells.length !== COLUMNS.length) throw new Error(`${cells} has not ${COLUMNS.length} cells`);
    return Object.fromEntries(COLUMNS.map((column, at) => [column, cells[at]]));
  });
}

const cellsOf = (line) =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());

/** Puts rows into the document: in the order of `names`, each in place of its last run. */
export function writeRows(rows, names) {
  const text = readFileSync(join(root, FILE), 'utf8');
  const known = new Map(rowsIn(text).map((row) => [row.case, row]));
  for (const row of rows) known.set(row.case, row);
  const kept = names.filter((name) => known.has(name)).map((name) => known.get(name));
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  const lines = [line(COLUMNS), line(COLUMNS.map(() => '---'))];
  for (const row of kept) lines.push(line(COLUMNS.map((column) => row[column])));
  const [before, after] = [text.split(BEGIN)[0], text.split(END)[1]];
  writeFileSync(join(root, FILE), `${before}${BEGIN}\n\n${lines.join('\n')}\n\n${END}${after}`);
  runTool('biome', ['format', '--write', '--log-level=error', FILE]);
}
