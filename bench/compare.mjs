/**
 * The comparison table, from the results of the stores.
 *
 * A line is one kind of work: `{ title, cells: { store: { value, text, spread } }, toDisk, best, toBest, isAhead }`.
 * `value` is the median of the rounds; `spread` is half the distance between lowest and highest, as a share of it.
 * `best` is the best other store whose acknowledged updates survive a power cut. `toBest` above 1 means that this
 * package is better.
 */

import { PEERS } from './peers/index.mjs';
import { median } from './support/stats.mjs';
import { megabytes, ms, whole } from './support/table.mjs';

const OURS = 'this-package';
const DISK = 'bare-disk';
const players = (count) => `${whole(count)} players`;
const SIZES = [100, 1000, 10_000, 100_000];

/** The lines: where each is in the results, its title and unit, and whether more is better. */
const LINES = [
  ...SIZES.map((size) =>
    line('update', size, `One awaited update, ${players(size)}`, (run) => run.update.median),
  ),
  line('update', 10_000, '  its 99th percentile, 10,000 players', (run) => run.update.p99),
  rate('updates', 1000, '1,000 updates in flight, 1,000 players'),
  rate('appends', 1000, '1,000 small appends in flight'),
  ...[10_000, 100_000].map((size) =>
    line('open', size, `Open and load all, ${players(size)}`, (run) => run.allMs),
  ),
  line('replay', 1000, 'Open and load after 1,000,000 changes of 1,000 keys', (run) => run.allMs),
  ...[10_000, 100_000].flatMap((size) => [
    line('open', size, `One player of ${whole(size)}`, (run) => run.one),
    line('open', size, `Leaderboard, 10 of ${whole(size)}`, (run) => run.top),
    line('open', size, `Rank of one of ${whole(size)}`, (run) => run.rank),
  ]),
  line(
    'compaction',
    10_000,
    'Updates while compacting, 10,000 players: 99th percentile',
    (run) => run.during.p99,
  ),
  line('compaction', 10_000, '  the compaction', (run) => run.compactionMs),
  line('update', 10_000, 'Event loop, longest delay: awaited updates', (run) => run.loop.max),
  line('updates', 1000, '  1,000 updates in flight', (run) => run.loop.max),
  line('appends', 1000, '  1,000 small appends in flight', (run) => run.loop.max),
  line('open', 10_000, '  open and load, 10,000 players', (run) => run.loop.max),
  line('compaction', 10_000, '  updates while compacting', (run) => run.loop.max),
  bytes('open', 10_000, 'Memory beyond Node.js: open and load, 10,000 players', (run) => run.memoryBytes),
  bytes('open', 100_000, '  100,000 players', (run) => run.memoryBytes),
  bytes('updates', 1000, 'Memory of the process: 1,000 updates in flight', (run) => run.memoryBytes),
  bytes('disk', 10_000, 'Size on disk, 10,000 players', (run) => run.bytes),
  line('updates', 1000, 'From the last answer to the end of the process', (run) => run.closeMs + run.exitMs),
];

function line(work, size, title, value) {
  return { work, size, title, value, show: ms, isMoreBetter: false };
}

function rate(work, size, title) {
  return {
    work,
    size,
    title,
    value: (run) => run.perSecond,
    show: (value) => `${whole(value)}/s`,
    isMoreBetter: true,
  };
}

function bytes(work, size, title, value) {
  return { work, size, title, value, show: megabytes, isMoreBetter: false };
}

export function comparison({ results }) {
  return LINES.flatMap(({ work, size, title, value, show, isMoreBetter }) => {
    const cells = {};
    for (const found of results.filter((each) => each.work === work && each.players === size)) {
      const values = found.runs.map(value).filter((each) => typeof each === 'number');
      if (values.length === 0) continue;
      const middle = median(values);
      cells[found.store] = {
        value: middle,
        text: show(middle),
        spread: (Math.max(...values) - Math.min(...values)) / 2 / middle,
      };
    }
    if (cells[OURS] === undefined) return [];
    const better = (a, b) => (isMoreBetter ? a / b : b / a);
    const rivals = PEERS.filter(({ id, isDurable }) => isDurable && ![OURS, DISK].includes(id) && cells[id]);
    const best = rivals.reduce(
      (winner, { id }) => (winner && better(cells[winner].value, cells[id].value) >= 1 ? winner : id),
      undefined,
    );
    const toBest = best && better(cells[OURS].value, cells[best].value);
    const toDisk = cells[DISK] && cells[OURS].value / cells[DISK].value;
    return [{ title, cells, toDisk, best, toBest, isAhead: toBest === undefined || toBest >= 1 }];
  });
}

/** The table as text: a column for each store, then this package compared with the disk and the best durable store. */
export function comparisonTable(lines, stores) {
  const shown = PEERS.filter(({ id }) => stores[id] !== undefined);
  const spread = (cell) => (cell.spread >= 0.005 ? ` ±${(cell.spread * 100).toFixed(0)}%` : '');
  const times = (value) =>
    value === undefined ? '' : `${value >= 100 ? whole(value) : value.toPrecision(2)} ×`;
  const header = [
    '',
    ...shown.map(({ title, isDurable }) => (isDurable ? title : `(${title})`)),
    'of disk',
    'to best',
  ];
  const body = lines.map(({ title, cells, toDisk, best, toBest, isAhead }) => [
    title,
    ...shown.map(({ id }) => (cells[id] ? cells[id].text + spread(cells[id]) : '–')),
    times(toDisk),
    toBest === undefined ? '' : `${times(toBest)}${isAhead ? '' : ` behind ${best}`}`,
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...body].map((row) => row[column].length)));
  const put = (row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  return [header, ...body].map(put).join('\n');
}
