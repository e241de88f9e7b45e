// What the charts show: of a folder and of a server, in the bot and beside it.

import { bytes, growthText, ms, number } from './units.mjs';

export const OTHER_PROCESS =
  'Only the bot’s own process knows this. To see it, call startDashboard() in the bot.';

const of = (name) => (sample) => sample[name];
const one = (name) => [{ of: of(name) }];
const pair = (name) => [
  { name: 'p50', of: of(`${name}50`) },
  { name: 'p99', of: of(`${name}99`) },
];
const QUEUE = [
  { name: 'waiting', of: of('queue') },
  { name: 'a batch', of: of('perBatch') },
];
const TROUBLE = ['conflicts', 'retries', 'reconnects', 'timeouts'].map((name) => ({ name, of: of(name) }));
const SIZES = { format: bytes, base: 1024 };
const OF_LOG = { isOfLog: true };

/** `why` is what an empty panel says; `note(samples, now)` a line below a chart. */
const panel = (id, title, format, curves, why, more = {}) => ({ id, title, format, curves, why, ...more });

const writtenText = (samples) => {
  const { bytesPerSecond } = samples.at(-1);
  return bytesPerSecond === undefined ? '' : `${bytes(bytesPerSecond)} a second now.`;
};

/** The growth of all that is kept, backups too; of one log there is only its size. */
function growthNote(samples, now) {
  const known = samples
    .map(({ at, stored, size }) => ({ at, stored: (now.server ? undefined : stored) ?? size }))
    .filter(({ stored }) => stored !== null && stored !== undefined);
  const text = growthText(known[0], known.at(-1), now.disk?.freeBytes);
  return now.server ? `${text} How much room the server’s disk has, PostgreSQL does not say.` : text;
}

function diskNote(_, { disk }) {
  return disk ? `${number((disk.freeBytes / disk.totalBytes) * 100)} % of ${bytes(disk.totalBytes)}.` : '';
}

/** The panels of a kind of place; those that only the bot can fill come last. */
export function panelsOf(kind) {
  const all = allPanels(kind);
  const isOfBot = ({ why }) => why === OTHER_PROCESS;
  return [...all.filter((one) => !isOfBot(one)), ...all.filter(isOfBot)];
}

function allPanels({ isServer, isBeside }) {
  const bySelf = (text) => (isBeside ? OTHER_PROCESS : text);
  const nothing = 'Nothing was recorded in this time.';
  const ack = 'Time until a call is acknowledged';
  const updates = [
    panel('rate', 'Updates a second', number, one('perSecond'), 'The entries were not counted yet.', {
      ...OF_LOG,
      note: writtenText,
    }),
    panel(
      'ack',
      ack,
      ms,
      pair('p'),
      bySelf('No call was acknowledged in this time.'),
      isServer ? {} : OF_LOG,
    ),
  ];
  const queue = panel('queue', 'Calls waiting, and calls a batch', number, QUEUE, bySelf(nothing));
  const memory = panel(
    'memory',
    'Memory of the process',
    bytes,
    one('memory'),
    bySelf('This system does not say.'),
    SIZES,
  );
  const size = (title, why) =>
    panel('size', title, bytes, one('size'), why, { ...SIZES, ...OF_LOG, note: growthNote });
  if (isServer) {
    return [
      ...updates,
      panel(
        'commits',
        'Round trip of a commit',
        ms,
        pair('commit'),
        bySelf('Nothing was committed in this time.'),
      ),
      panel('reads', 'Round trip of a read', ms, pair('read'), bySelf('Nothing was read in this time.')),
      panel('trips', 'Round trips a second', number, one('trips'), bySelf(nothing)),
      panel('trouble', 'Trouble a minute', number, TROUBLE, bySelf(nothing)),
      panel(
        'connections',
        'Connections of bots at the server',
        number,
        one('sessions'),
        'This role may not see connections, or the server was not asked yet.',
      ),
      queue,
      size('Size of the tables', 'The server did not say yet.'),
      panel('database', 'Size of the database', bytes, one('stored'), 'The server did not say yet.', SIZES),
      memory,
    ];
  }
  const noDisk = 'The disk did not say. Node.js can ask it from 18.15 on.';
  return [
    ...updates,
    panel('sync', 'Time of a sync', ms, pair('sync'), bySelf('Nothing was synced in this time.'), OF_LOG),
    queue,
    size('Size of the logs', 'A size is known once a log was read.'),
    panel('disk', 'Free disk', bytes, one('free'), noDisk, { ...SIZES, note: diskNote }),
    memory,
  ];
}
