/**
 * The table of a run on a server: figures of this package beside those of the others, and the budgets. A budget is a
 * ratio of two figures that were measured in turn.
 */

import { megabytes, ms, percent, whole } from '../support/table.mjs';

export const SERVER_BUDGETS = {
  toUpsertMax: 1.5,
  toSameStatementMax: 1.1,
  toKeyvMax: 0.7,
  toPoolMin: { large: 2, small: 3 },
  inFlightToKeyvMin: 5,
  failOverBeyondMsMax: 1000,
};
const B = SERVER_BUDGETS;
const SIZES = { large: '5 KB', small: '150 bytes' };
const OTHERS = {
  'same-statement': 'the same statement by a bare client',
  'unnamed-statement': 'the same, planned each time',
  upsert: 'a bare prepared upsert',
  pool: 'a pool of ten with bare upserts',
  keyv: 'Keyv',
  prisma: 'Prisma',
  'row-lock': 'a pool of ten with row locks',
};

const times = (value) => `${value.toPrecision(2)} ×`;
const timed = ({ median, p99 }) => `${ms(median)} (99th ${ms(p99)})`;
const rate = (value) => `${whole(value)}/s`;

export function serverRows(results) {
  return ['large', 'small']
    .flatMap((kind) => (results[`updates ${kind}`] ? updateRows(kind, results[`updates ${kind}`]) : []))
    .concat(
      ['shared', 'own'].flatMap((keys) =>
        results[`processes ${keys}`] ? processRows(keys, results[`processes ${keys}`]) : [],
      ),
    )
    .concat(results.reads ? readRows('10,000 players of 5 KB', results.reads) : [])
    .concat(results.million ? readRows('1,000,000 players of 110 bytes', results.million) : [])
    .concat(results.failover ? failOverRows(results.failover) : [])
    .concat(results.memory ? memoryRows(results.memory) : []);
}

function updateRows(kind, { awaited, atOnce }) {
  const ours = awaited['this-package'];
  const limits = { upsert: B.toUpsertMax, 'same-statement': B.toSameStatementMax, keyv: B.toKeyvMax };
  const one = `One awaited update of a value seen before, ${SIZES[kind]}`;
  const rows = [row(one, 'this package', timed(ours))];
  for (const [id, found] of Object.entries(awaited).filter(([id]) => id !== 'this-package')) {
    const ratio = ours.median / found.median;
    rows.push(row(one, OTHERS[id], timed(found)));
    rows.push(
      row(
        one,
        '  this package',
        `${times(ratio)} its time`,
        limits[id] && `at most ${limits[id]} ×`,
        limits[id] && ratio <= limits[id],
      ),
    );
  }
  const many = `1,000 updates at once, ${SIZES[kind]}`;
  const flight = atOnce['this-package'];
  const least = { pool: B.toPoolMin[kind], keyv: B.inFlightToKeyvMin };
  const show = ({ perSecond, activeMs, share }) =>
    `${rate(perSecond)}; event loop ${ms(activeMs)}, ${percent(share)} of the time`;
  rows.push(row(many, 'this package', show(flight)));
  for (const id of Object.keys(atOnce).filter((id) => id !== 'this-package')) {
    const ratio = flight.perSecond / atOnce[id].perSecond;
    rows.push(row(many, OTHERS[id], show(atOnce[id])));
    rows.push(
      row(
        many,
        '  this package',
        `${times(ratio)} as many`,
        least[id] && `at least ${least[id]} ×`,
        least[id] && ratio >= least[id],
      ),
    );
  }
  return rows;
}

function processRows(keys, found) {
  const section = `Four processes, 20 calls under way in each, ${keys === 'shared' ? 'the same 10 keys' : '50 keys of its own each'}`;
  return Object.entries(found).map(([id, { perSecond, called, counted }]) => {
    const counts = `${rate(perSecond)}; ${whole(counted)} of ${whole(called)} count`;
    return id === 'this-package'
      ? row(section, 'this package', counts, 'all count', counted === called)
      : row(section, OTHERS[id], counts);
  });
}

function readRows(section, found) {
  const names = { one: 'one player', top: 'leaderboard, the best 10', rank: 'rank of one', load: 'load all' };
  return Object.entries(names).map(([id, name]) =>
    row(section, name, `${ms(found[id])}; a bare client ${ms(found[`bare ${id}`])}`),
  );
}

function failOverRows({ longestMs, promotionMs, beyondMs, acked, there, rounds }) {
  const section = 'Fail-over to a synchronous standby under awaited updates';
  return [
    row(section, `longest call, median of ${rounds}`, ms(longestMs)),
    row(section, '  from the kill to the promoted standby', ms(promotionMs)),
    row(
      section,
      '  beyond that',
      beyondMs > 0 ? ms(beyondMs) : 'none: shorter than the promotion',
      `at most ${ms(B.failOverBeyondMsMax)}`,
      beyondMs <= B.failOverBeyondMsMax,
    ),
    row(
      section,
      'acknowledged, and there afterwards',
      `${whole(acked)}, ${whole(there)}`,
      'the same',
      acked === there,
    ),
  ];
}

function memoryRows(found) {
  const section = 'Memory of the process beyond Node.js and the values: bursts of 1,000 updates, 5 KB';
  return Object.entries(found).map(([id, bytes]) =>
    row(section, id === 'this-package' ? 'this package' : OTHERS[id], megabytes(bytes)),
  );
}

function row(section, what, figure, budget, met = null) {
  return { section, what, figure, budget: budget ?? null, met: budget ? met : null };
}
