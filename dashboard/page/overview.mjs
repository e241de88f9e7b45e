// The view "Overview": charts, figures and tables of what happens.

import { Chart } from './chart.mjs';
import { showServer } from './facts.mjs';
import { OTHER_PROCESS, panelsOf } from './panels.mjs';
import { $, drawn, element, named, quiet, setText, table } from './text.mjs';
import { bytes, clock, duration, number, plural, time } from './units.mjs';

const NEWS = ['compaction', 'backup', 'reconnect'];
/** Whether the place is a `server` or a `folder`, and `beside` its bot. */
const isKind = (name) => document.body.classList.contains(name);

let now = {};
let events = [];
let charts = [];

/** Makes the charts. `onCursor(at)` is called when the pointer or a key chooses a time. */
export function makeCharts() {
  const setCursor = (at) => {
    for (const { chart } of charts) chart.setCursor(at);
  };
  charts = panelsOf({ isServer: isKind('server'), isBeside: isKind('beside') }).map((spec) => {
    const heading = element('h2', { id: `h-${spec.id}` }, spec.title);
    const panel = element('section', { id: spec.id, className: 'panel' }, heading);
    panel.setAttribute('aria-labelledby', heading.id);
    $('charts').insertBefore(panel, $('charts').querySelector('section:not(.panel)'));
    const noted = { ...spec, note: (samples) => spec.note?.(samples, now) ?? '' };
    return { ...spec, panel, chart: new Chart(panel, noted, setCursor) };
  });
}

/** `{ samples, logSamples, log, choice }`: of everything, and of the log that was chosen. */
export function showCharts({ samples, logSamples, log, choice }) {
  const marks = events.map((event) => ({
    at: Date.parse(event.timestamp),
    isBad: !NEWS.includes(event.event),
    text: `${event.event}${event.log ? ` of ${event.log}` : ''}`,
  }));
  for (const { chart, panel, isOfLog } of charts) {
    panel.classList.toggle('of-all', log !== '' && !isOfLog);
    chart.show({ samples: isOfLog && log !== '' ? logSamples : samples, events: marks, choice });
  }
}

export function showNow(state) {
  now = state;
  setText(
    $('folder'),
    now.dataDir ?? (now.server ? `schema ${now.server.schema} at ${now.server.hosts}` : ''),
  );
  const away = now.away && `no answer from the server since ${time(now.away.since)}: ${now.away.reason}`;
  const wrong = now.error ?? away ?? now.health;
  setText($('health'), wrong || 'all is well', wrong ? 'state bad' : 'state good');
  if (isKind('server')) showServer(now, isKind('beside'));
  else showFolder();
  const players = (now.players ?? []).map(({ username, userId, totalScore, totalGames }) => [
    username ?? userId ?? '–',
    number(totalScore),
    number(totalGames),
  ]);
  table($('players'), ['~Player', '#Score', '#Games'], players, now.playersError ?? 'Nobody has played yet.');
  if (now.isOfFolder) showCompactions();
}

const figure = (name, value) =>
  element('div', {}, element('dt', {}, name), element('dd', { className: 'big' }, value));

function showFolder() {
  const logs = Object.entries(now.logs ?? {});
  const sum = (of) => logs.reduce((total, [, log]) => total + of(log), 0);
  const batches = now.batches?.count ? now.batches.calls / now.batches.count : null;
  $('figures').replaceChildren(
    figure('Entries', number(now.entries)),
    figure('Written', bytes(now.bytes)),
    figure('Keys', number(sum((log) => log.keys))),
    figure('Backups and archives', bytes(sum((log) => log.backups.bytes + log.archives.bytes))),
    ...(now.isOfFolder
      ? []
      : [
          figure('Waiting', number(now.queueCalls)),
          figure('Calls a batch', number(batches)),
          figure('Syncs', number(sum((log) => log.fsync.count))),
          figure('Memory', now.residentBytes ? bytes(now.residentBytes) : '–'),
        ]),
    figure('Free disk', bytes(now.disk?.freeBytes)),
    figure('Watching for', duration(now.upMs)),
  );
  const heads = ['~Log', '#Size', '#Live', '#Dead', '#Keys', '#Damaged', 'JSON file'];
  const rows = logs.map(([name, log]) => [
    ...[named(name), bytes(log.sizeBytes), bytes(log.liveBytes), `${Math.round(log.deadShare * 100)} %`],
    ...[number(log.keys), number(log.corruptLines)],
    log.mirrorAgeMs ? `${duration(log.mirrorAgeMs)} behind` : 'current',
  ]);
  table($('logs'), heads, rows, 'No log was used yet.');
  const old = (now.oldLogs ?? [])
    .slice(0, 12)
    .map(({ at, sizeBytes, name }) => [time(at), bytes(sizeBytes), name]);
  table($('backups'), ['Made', '#Size', '~File'], old, 'There are none yet.');
  showProcesses();
}

function showProcesses() {
  const { processes } = now;
  const none = !processes
    ? 'They were not looked for yet.'
    : processes.isKnown
      ? 'No other process has the folder open.'
      : 'This system does not show which processes have a folder open.';
  const rows = (processes?.listed ?? []).map(({ pid, command, memoryBytes, shard }) => [
    ...[pid === null ? '?' : String(pid), command, shard ?? '–', bytes(memoryBytes)],
  ]);
  table($('processes'), ['#Process', '~Program', 'Shard', '#Memory'], rows, none);
  const more = (processes?.count ?? 0) - rows.length;
  setText($('processes-more'), more > 0 ? `${plural(more, 'more process', 'more processes')}.` : '');
}

export function showEvents(all) {
  events = all;
  // After a later compaction, a failed one is no longer a problem. The list of compactions still shows it. A lost
  // connection is none after the next one.
  const isOver = (problem, at) =>
    events
      .slice(at)
      .some(
        ({ event, log }) =>
          (problem.event === 'compactionFailed' && event === 'compaction' && log === problem.log) ||
          (problem.event === 'connectionLost' && event === 'reconnect'),
      );
  const problems = events.filter((event, at) => !NEWS.includes(event.event) && !isOver(event, at));
  $('problem-panel').hidden = problems.length === 0;
  $('problems').replaceChildren(
    ...problems
      .slice(-8)
      .reverse()
      .map(({ event, timestamp, message, advice }) =>
        element(
          'li',
          {},
          ...[element('strong', { className: 'bad' }, event), ` ${time(timestamp)}`],
          ...[element('p', {}, message), quiet(`What to do: ${advice}`)],
        ),
      ),
  );
  showCompactions();
}

/** The compactions: from events or, where another process makes them, from the old logs that they left. */
function compactions() {
  if (now.isOfFolder) {
    const done = now.oldLogs.map(({ at, log, kind, sizeBytes, name }) => {
      const what = kind === 'archive' ? 'rotated' : 'compacted';
      return { at, text: `${log} ${what}, ${bytes(sizeBytes)} kept as ${name}` };
    });
    return done.reverse();
  }
  return events
    .filter(({ event }) => event === 'compaction' || event === 'compactionFailed')
    .map(({ event, log, timestamp, sizeBeforeBytes, sizeAfterBytes, durationMs, reason }) => {
      const isFailed = event !== 'compaction';
      const sizes =
        sizeBeforeBytes === undefined ? '' : `, ${bytes(sizeBeforeBytes)} to ${bytes(sizeAfterBytes)}`;
      const text = isFailed ? `${log} failed (${reason})` : `${log}${sizes} in ${duration(durationMs)}`;
      return { at: Date.parse(timestamp), isFailed, text };
    });
}

function showCompactions() {
  const done = compactions().slice(-20);
  if (done.length === 0) {
    const why = isKind('beside')
      ? isKind('server')
        ? OTHER_PROCESS
        : 'There are no backups or archives of one.'
      : 'There was none since the dashboard started.';
    return $('compactions').replaceChildren(quiet(why));
  }
  const times = done.map(({ at }) => at);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const label = plural(done.length, 'compaction');
  const svg = drawn('svg', { class: 'row', viewBox: '0 0 600 24', role: 'img', 'aria-label': label });
  svg.append(drawn('line', { class: 'grid', x1: 0, x2: 600, y1: 12, y2: 12 }));
  for (const { at, isFailed } of done) {
    const cx = 10 + ((at - first) / (last - first || 1)) * 580;
    svg.append(drawn('circle', { class: isFailed ? 'mark failed' : 'mark', cx, cy: 12, r: 6 }));
  }
  const ends = times.length > 1 ? [first, last] : [first];
  const axis = element(
    'p',
    { className: 'axis' },
    ...ends.map((at) => element('span', {}, clock(at, last - first))),
  );
  const lines = done
    .slice(-6)
    .reverse()
    .map(({ at, isFailed, text }) =>
      element('li', { className: isFailed ? 'bad' : '' }, `${time(at)}: ${text}`),
    );
  $('compactions').replaceChildren(svg, axis, element('ul', {}, ...lines));
}
