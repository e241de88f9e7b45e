// What the page knows of a server: facts, times without an answer, logs and the connections of bots.

import { $, element, named, setText, table } from './text.mjs';
import { bytes, duration, number, plural, time } from './units.mjs';

const fact = (name, value, className = '') =>
  element('div', {}, element('dt', {}, name), element('dd', { className }, value));
const big = (name, value) => fact(name, value, 'big');

export function showServer(now, isBeside) {
  const { said, counted } = now;
  showFigures(now, isBeside);
  $('server').replaceChildren(
    ...(said ? factsOf(said) : [fact('State', now.away ? 'no answer yet' : 'asked')]),
  );
  const outages = (now.outages ?? []).slice().reverse();
  $('outages').replaceChildren(
    ...outages.map(({ since, until, reason }) => {
      const length = until ? `no answer for ${duration(until - since)}` : 'no answer since then';
      return element('li', { className: until ? '' : 'bad' }, `${time(since)}: ${length} (${reason})`);
    }),
  );
  showSessions(now);
  const heads = ['~Log', '#Keys', '#Entries', '#Entries a second', '#Size', '#Live', '#Newest entry'];
  const rows = (counted?.logs ?? []).map((log) => [
    ...[named(log.name), number(log.keys), number(log.entries), number(log.perSecond), bytes(log.sizeBytes)],
    ...[bytes(log.liveBytes), log.newestMs === null ? '–' : time(log.newestMs)],
  ]);
  table($('logs'), heads, rows, counted ? 'There are no logs yet.' : 'They were not counted yet.');
  const failed = counted?.error ? `. The last count failed: ${counted.error}` : '';
  setText(
    $('counted'),
    counted ? `Counted ${time(counted.at)}${failed}` : '',
    failed ? 'bad of-server' : 'quiet of-server',
  );
}

function showFigures(now, isBeside) {
  const logs = now.counted?.logs ?? [];
  const sum = (of) => (now.counted ? logs.reduce((total, log) => total + of(log), 0) : null);
  const perBatch = now.batches.count ? now.batches.calls / now.batches.count : null;
  $('figures').replaceChildren(
    big('Keys', number(sum((log) => log.keys))),
    big('Entries', number(sum((log) => log.entries))),
    ...(isBeside
      ? [
          big('Size of the entries', bytes(sum((log) => log.sizeBytes))),
          big('Live', bytes(sum((log) => log.liveBytes))),
        ]
      : [
          big('Waiting', number(now.queueCalls)),
          big('Calls a batch', number(perBatch)),
          big('Round trips', number(now.roundTrips)),
          big('Conflicts', number(now.conflicts)),
          big('Retries', number(now.retries + now.repeats)),
          big('Reconnects', number(Math.max(0, now.connections - 1))),
          big('Timeouts', number(now.timeouts)),
          big('Memory', now.residentBytes ? bytes(now.residentBytes) : '–'),
        ]),
    big('Watching for', duration(now.upMs)),
  );
}

function factsOf(said) {
  const standby = ({ name, state, sync }) =>
    `${name || '(no name)'} (${[state, sync].filter(Boolean).join(', ')})`;
  const role = said.isStandby
    ? ['standby: takes no writes', 'second']
    : said.isReadOnly
      ? ['primary, but read only', 'second']
      : ['primary'];
  const connection = said.tls
    ? [`encrypted (${said.tls})`]
    : said.isLocal
      ? ['not encrypted, on one machine']
      : ['not encrypted', 'second'];
  const commits = `synchronous_commit ${said.synchronousCommit}${said.fsync ? '' : ', fsync off'}`;
  const standbys =
    said.standbys === null ? 'not visible to this role' : said.standbys.map(standby).join(', ') || 'none';
  return [
    fact('Version', `PostgreSQL ${said.version}`),
    fact('Role', ...role),
    fact('Connection', ...connection),
    fact('Commits', commits, said.fsync ? '' : 'second'),
    fact('Standbys', standbys),
    fact('Tables', said.hasTables ? bytes(said.tablesBytes) : 'none yet'),
    fact('Database', bytes(said.databaseBytes)),
    fact('Answered last', time(said.at)),
  ];
}

function showSessions({ sessions, said }) {
  if (!sessions) {
    setText(
      $('sessions-count'),
      said
        ? 'This role may not see connections, or they were not asked yet.'
        : 'The server was not asked yet.',
      'quiet',
    );
    return $('sessions').replaceChildren();
  }
  const { count, hidden, listed } = sessions;
  const seen = count - hidden;
  const texts = [`${plural(count, 'session')} in this database, those of this page among them.`];
  if (hidden)
    texts.push(`This role may not see host and state of ${hidden === count ? 'any' : hidden} of them.`);
  const hosts = new Map();
  for (const { address } of listed) hosts.set(address, (hosts.get(address) ?? 0) + 1);
  if (listed.length > 0)
    texts.push(`By host: ${[...hosts].map(([host, each]) => `${host} ${each}`).join(', ')}.`);
  if (listed.length < seen) texts.push(`The newest ${listed.length}:`);
  setText($('sessions-count'), texts.join(' '), '');
  const rows = listed.map(({ address, state, sinceMs, openedMs }) => [
    ...[address, state ?? '–', sinceMs === null ? '–' : time(sinceMs), time(openedMs)],
  ]);
  table($('sessions'), ['~Host', 'State', 'Since', 'Opened'], rows, '');
}
