// The page: which view the address names, and the live events of the dashboard.
//
// The address has the view and what it shows: `#overview?range=900&log=players&axis=log`, `#data?log=players&key=42`.

import { knowCollections, showCollections, showData } from './browser.mjs';
import { makeCharts, showCharts, showEvents, showNow } from './overview.mjs';
import { $, element, named, setText } from './text.mjs';

/** What the events of the start reach back to. */
const START_SECONDS = 900;
const SAMPLES_MAX = 1500;
const EVENTS_MAX = 100;

let samples = [];
let logSamples = [];
let allEvents = [];
let latest;
let asked = 0;
const addresses = { overview: '#overview', data: '#data' };
let view;
let params = new URLSearchParams();

const rangeSeconds = () => Number(params.get('range') ?? START_SECONDS) || Number.POSITIVE_INFINITY;
const chosenLog = () => params.get('log') ?? '';

function readAddress() {
  const [, name, query] = /^#(\w+)\??(.*)$/.exec(location.hash) ?? [];
  view = name === 'data' ? 'data' : 'overview';
  params = new URLSearchParams(query);
  addresses[view] = location.hash || '#overview';
}

function showView() {
  const before = view;
  const [rangeBefore, logBefore] = [rangeSeconds(), chosenLog()];
  readAddress();
  for (const name of ['overview', 'data']) {
    $(name).hidden = name !== view;
    const link = $(`to-${name}`);
    link.href = addresses[name];
    if (name === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `progressive-storage: ${view === 'data' ? 'data' : 'overview'}`;
  if (!latest) return;
  if (view === 'data') return showData(params);
  for (const [name, normal] of [
    ['range', '900'],
    ['log', ''],
    ['axis', 'auto'],
  ])
    showChoice($(name), params.get(name) ?? normal);
  const isOther = before !== view || rangeBefore !== rangeSeconds() || logBefore !== chosenLog();
  if (isOther) askSamples();
  else redraw();
}

/** Shows what the address says, also where it names a log that is not there. */
function showChoice(select, value) {
  select.value = value;
  if (select.value === value) return;
  select.append(element('option', { value }, `${named(value)} (not there)`));
  select.value = value;
}

function redraw() {
  if (view !== 'overview') return;
  const last = samples.at(-1)?.at ?? 0;
  const from = last - rangeSeconds() * 1000;
  const within = ({ at }) => at >= from;
  showCharts({
    samples: samples.filter(within),
    logSamples: logSamples.filter(within),
    log: chosenLog(),
    choice: params.get('axis') ?? 'auto',
  });
}

/** Asks for samples that the page does not have: older ones, or those of one log. */
async function askSamples() {
  const seconds = rangeSeconds();
  const range = Number.isFinite(seconds) ? { seconds: String(seconds) } : {};
  const log = chosenLog();
  const ours = ++asked;
  const get = async (parts) => (await fetch(`series?${new URLSearchParams(parts)}`)).json();
  try {
    const isThere = seconds <= START_SECONDS && samples.length < SAMPLES_MAX && samples.isFromStart;
    const [all, ofLog] = await Promise.all([
      isThere ? samples : get(range),
      log === '' ? [] : get({ ...range, log }),
    ]);
    if (ours !== asked) return;
    if (!isThere) samples = all;
    logSamples = ofLog;
  } catch {
    // The events say that there is no connection, and bring all anew afterwards.
  }
  redraw();
}

function fillLogs() {
  const names = (latest.collections ?? []).map(({ name }) => name);
  const chosen = $('log').value;
  // Replacing the list would close it while somebody has it open.
  if ($('log').dataset.names === JSON.stringify(names)) return;
  $('log').dataset.names = JSON.stringify(names);
  $('log').replaceChildren(
    element('option', { value: '' }, 'All logs'),
    ...names.map((name) => element('option', { value: name }, named(name))),
  );
  showChoice($('log'), chosen || (view === 'overview' ? chosenLog() : ''));
}

function takeNow(state) {
  latest = state;
  showNow(state);
  fillLogs();
  if (knowCollections(state) && view === 'data') showCollections(params);
}

function takeSample({ logs, ...sample }) {
  samples.push(sample);
  const log = chosenLog();
  const ofLog = logs?.find(([name]) => name === log)?.[1];
  if (view === 'overview' && log !== '') logSamples.push({ at: sample.at, ...ofLog });
  if (samples.length > SAMPLES_MAX) {
    samples = samples.slice(-START_SECONDS / 2);
    askSamples();
  } else redraw();
}

function takeAll(all) {
  samples = Object.assign(all.samples, { isFromStart: true });
  allEvents = all.events;
  takeNow(all.now);
  showEvents(allEvents);
  view = undefined;
  showView();
}

function listen() {
  const source = new EventSource('events');
  const on = (name, take) => source.addEventListener(name, (event) => take(JSON.parse(event.data)));
  on('hello', takeAll);
  on('sample', takeSample);
  on('now', takeNow);
  on('event', (event) => {
    allEvents = [...allEvents, event].slice(-EVENTS_MAX);
    showEvents(allEvents);
    redraw();
  });
  source.onerror = () => setText($('health'), 'no connection; retrying', 'state bad');
}

function choose() {
  const parts = { range: $('range').value, log: $('log').value, axis: $('axis').value };
  location.hash = `#overview?${new URLSearchParams(Object.entries(parts).filter(([, part]) => part !== ''))}`;
}

makeCharts();
for (const name of ['range', 'log', 'axis']) $(name).addEventListener('change', choose);
$('search').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const parts = { log: params.get('log'), how: $('how').value, text: $('text').value };
  const address = `#data?${new URLSearchParams(Object.entries(parts).filter(([, part]) => part))}`;
  if (location.hash === address) showData(params, { isAgain: true });
  else location.hash = address;
});
// The address is that of the view, so the link to the content only moves the focus.
$('skip').addEventListener('click', (clicked) => {
  clicked.preventDefault();
  $('main').focus();
});
addEventListener('hashchange', showView);
showView();
listen();
