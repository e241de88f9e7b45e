/**
 * The charts: a group of horizontal bars for each kind of work, a bar for each store. The scale is logarithmic, because
 * stores are up to ten thousand times apart. The colours suit a light and a dark page.
 */

import { PEERS } from './peers/index.mjs';

const WIDTH = 860;
const LEFT = 130;
const RIGHT = 110;
const BAR = 15;
const GAP = 4;
const GROUP = 26;
const TOP = 66;

const CHARTS = [
  {
    file: 'one-update.svg',
    title: 'One awaited update, 50 games of history each (milliseconds; shorter is better)',
    match: /^One awaited update/,
  },
  {
    file: 'in-flight.svg',
    title: '1,000 calls in flight (calls a second; longer is better)',
    match: /in flight(, 1,000 players)?$/,
    not: /^ |Memory|Event/,
  },
  {
    file: 'start.svg',
    title: 'Open and load all (milliseconds; shorter is better)',
    match: /^Open and load/,
  },
  {
    file: 'compaction-and-loop.svg',
    title: 'While compacting: updates, and the event loop (milliseconds; shorter is better)',
    match: /while compacting/i,
  },
];

/** `{ file, title, svg }` of each chart that has figures, with the lines of `captions` below it. */
export function charts(lines, captions) {
  return CHARTS.flatMap(({ file, title, match, not }) => {
    const shown = lines.filter((line) => match.test(line.title) && !not?.test(line.title));
    return shown.length > 0 ? [{ file, title, svg: chart(title, shown, captions) }] : [];
  });
}

function chart(title, lines, captions) {
  const values = lines.flatMap(({ cells }) => Object.values(cells).map(({ value }) => value));
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const scale = (value) =>
    ((Math.log10(value) - Math.log10(low)) / Math.max(1, Math.log10(high / low))) * (WIDTH - LEFT - RIGHT);

  const { parts, end } = bars(lines, scale);
  const ticks = [];
  for (let value = low; value <= high; value *= 10) {
    const x = (LEFT + scale(value)).toFixed(1);
    ticks.push(`<line class="tick" x1="${x}" y1="${TOP}" x2="${x}" y2="${end - GROUP}"/>`);
  }
  const height = end + 10 + 16 * captions.length;
  return page({
    title,
    height,
    content: [...ticks, ...parts],
    captions: captions.map((caption, number) => text(12, end + 8 + 16 * number, 'note', caption)),
  });
}

/** The bars of all groups, and the y at which they end. */
function bars(lines, scale) {
  const parts = [];
  let y = TOP;
  for (const { title: work, cells } of lines) {
    parts.push(text(12, y + 12, 'work', work.trim()));
    y += 20;
    for (const { id, title: name, isDurable } of PEERS) {
      const cell = cells[id];
      if (cell === undefined) continue;
      const length = Math.max(2, scale(cell.value));
      const kind = id === 'this-package' ? 'ours' : id === 'bare-disk' ? 'disk' : isDurable ? 'peer' : 'weak';
      parts.push(text(LEFT - 8, y + 12, 'name', name));
      parts.push(
        `<rect class="${kind}" x="${LEFT}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="2"/>`,
      );
      parts.push(text(LEFT + length + 6, y + 12, 'figure', cell.text));
      y += BAR + GAP;
    }
    y += GROUP - GAP;
  }
  return { parts, end: y };
}

function page({ title, height, content, captions }) {
  const legend =
    'Blue: this package. Grey: the bare disk. Green: survives a power cut. Hatched: does not. The scale is logarithmic.';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .work { font-weight: 600 } .name { text-anchor: end }
.note { font-size: 11px; fill: #59636e } .tick { stroke: #8c959f; stroke-opacity: .35 }
.page { fill: #ffffff } .ours { fill: #0969da } .disk { fill: #8c959f } .peer { fill: #2da44e } .weak { fill: url(#hatch) }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .note { fill: #9198a1 } .page { fill: #0d1117 } .ours { fill: #4493f8 } .peer { fill: #3fb950 }
}
</style>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#d4a72c" fill-opacity=".35"/><rect width="3" height="6" fill="#d4a72c"/></pattern></defs>
<rect class="page" width="${WIDTH}" height="${height}"/>
${text(12, 24, 'title', title)}
${text(12, 44, 'note', legend)}
${content.join('\n')}
${captions.join('\n')}
</svg>
`;
}

const escaped = (value) =>
  String(value)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

function text(x, y, kind, content) {
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escaped(content)}</text>`;
}
