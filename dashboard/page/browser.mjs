// The view "Data": collections, their keys by pages and searches, one key with its value and its history.
//
// The address has all of it: `#data?log=players&how=contains&text=ann&after=…&key=…`. A list is asked for again only
// where its part of the address changed.

import { commandsOf } from './commands.mjs';
import { $, element, named, quiet, setText } from './text.mjs';
import { bytes, number, plural, time } from './units.mjs';

const KEY_SHOWN = 200;

let place = {};
let collections;
let shownList = '';
let shownKey = '';

/** An address of this view; empty parts are left out. */
export const addressOf = (parts) =>
  `#data?${new URLSearchParams(Object.entries(parts).filter(([, part]) => part))}`;

const partsOf = (params) =>
  Object.fromEntries(['log', 'how', 'text', 'after', 'key'].map((name) => [name, params.get(name) ?? '']));

async function ask(path, parts) {
  const response = await fetch(`${path}?${new URLSearchParams(parts)}`).catch(({ message }) => ({
    ok: false,
    text: async () => message,
  }));
  if (response.ok) return response.json();
  throw new Error((await response.text()).trim());
}

const cutName = (text) => (text.length > KEY_SHOWN ? `${named(text.slice(0, KEY_SHOWN))}…` : named(text));

/** The state of the page, for the names of the collections and the commands. */
export function knowCollections(now) {
  place = now.dataDir ? { dataDir: now.dataDir } : { schema: now.server?.schema };
  const fresh = JSON.stringify(now.collections);
  if (fresh === collections) return false;
  collections = fresh;
  return true;
}

export function showCollections(params) {
  const all = JSON.parse(collections ?? '[]');
  const { log } = partsOf(params);
  // A link that is replaced loses the focus, and a click that has begun on it: so links stay, and their texts change.
  const links = new Map([...$('log-list').querySelectorAll('a')].map((link) => [link.dataset.log, link]));
  const items = all.map(({ name, keys, sizeBytes }) => {
    const link = links.get(name) ?? collectionLink(name);
    const counts = `${keys === null ? '' : `${plural(keys, 'key')}, `}${bytes(sizeBytes)}`;
    setText(link.lastChild, counts);
    if (name === log) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
    return link.parentNode ?? element('li', {}, link);
  });
  const old = [...$('log-list').children];
  if (items.length !== old.length || items.some((item, at) => item !== old[at]))
    $('log-list').replaceChildren(...items);
  setText($('logs-none'), all.length > 0 ? '' : 'There are no collections yet.');
}

function collectionLink(name) {
  const parts = [element('span', {}, cutName(name)), element('span', { className: 'quiet' })];
  const link = element('a', { href: addressOf({ log: name }) }, ...parts);
  link.dataset.log = name;
  return link;
}

/** Shows what the address says; with `isAgain` also what it shows already. */
export function showData(params, { isAgain = false } = {}) {
  const parts = partsOf(params);
  document.body.classList.toggle('has-key', parts.key !== '' && parts.log !== '');
  showCollections(params);
  const list = JSON.stringify([parts.log, parts.how, parts.text, parts.after]);
  if (list !== shownList || isAgain) {
    shownList = list;
    showKeys(parts);
  } else markKey(parts.key);
  const key = JSON.stringify([parts.log, parts.key]);
  if (key !== shownKey || isAgain) {
    shownKey = key;
    showKey(parts);
  }
}

function markKey(key) {
  for (const link of $('key-list').querySelectorAll('a')) {
    if (link.dataset.key === key) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}

async function showKeys(parts) {
  const { log, how, text, after } = parts;
  setText($('h-keys'), log ? `Keys of ${cutName(log)}` : 'Keys');
  $('search').hidden = log === '';
  $('how').value = how || 'contains';
  $('text').value = text;
  const asked = shownList;
  const show = (note, className, keys = [], pages = []) => {
    setText($('keys-note'), note, className);
    $('key-list').replaceChildren(...keys);
    $('pages').replaceChildren(...pages);
    markKey(parts.key);
  };
  if (!log) return show('Choose a collection.', 'quiet');
  setText($('keys-note'), 'Reading…', 'quiet');
  let found;
  try {
    const asking = { log, how: how || 'contains', text, ...(after && { after }) };
    found = await ask('keys', asking);
  } catch (error) {
    if (asked === shownList) show(error.message, 'bad');
    return;
  }
  if (asked !== shownList) return;
  const pages = [];
  if (after) pages.push(element('a', { href: addressOf({ ...parts, after: '', key: '' }) }, 'First page'));
  if (found.next) {
    const label = text ? 'Search on' : 'Next page';
    pages.push(
      element('a', { href: addressOf({ ...parts, after: found.next, key: '' }), id: 'next' }, label),
    );
  }
  show(
    noteOf(found, text),
    'quiet',
    found.keys.map((each) => keyItem(parts, each)),
    pages,
  );
}

function noteOf({ keys, scanned, total, next }, text) {
  if (total === 0) return 'This collection has no keys.';
  if (!text)
    return keys.length === 0
      ? 'There are no more keys.'
      : `${number(scanned - keys.length + 1)} to ${number(scanned)} of ${plural(total, 'key')}`;
  const read = next ? `the first ${number(scanned)} of ${plural(total, 'key')}` : plural(total, 'key');
  return `${keys.length === 0 ? 'Nothing' : number(keys.length)} found on this page; searched ${read}`;
}

function keyItem(parts, { key, isLong, length, text, isCut, bytes: size }) {
  const name = element(
    'span',
    { className: 'name' },
    cutName(key) + (isLong ? `… (${number(length)} characters)` : ''),
  );
  const value = element(
    'span',
    { className: 'quiet preview' },
    `${bytes(size)}  ${named(text)}${isCut ? '…' : ''}`,
  );
  if (isLong)
    return element(
      'li',
      { className: 'long-key', title: 'Too long for an address: use the command get.' },
      name,
      value,
    );
  const link = element('a', { href: addressOf({ ...parts, key }) }, name, value);
  link.dataset.key = key;
  return element('li', {}, link);
}

async function showKey(parts) {
  const { log, key } = parts;
  const asked = shownKey;
  if (!log || !key) {
    $('pane-key').replaceChildren(
      element('h2', { id: 'h-key' }, 'Key'),
      quiet('Choose a key to see its value and its history.'),
    );
    return;
  }
  const heading = element('h2', { id: 'h-key', tabIndex: -1 }, cutName(key));
  const back = element(
    'a',
    { className: 'back', href: addressOf({ ...parts, key: '' }) },
    `All keys of ${cutName(log)}`,
  );
  $('pane-key').replaceChildren(back, heading, quiet('Reading…'));
  try {
    const found = await ask('key', { log, key });
    if (asked !== shownKey) return;
    $('pane-key').replaceChildren(back, heading, ...keyParts(found, { log, key }));
    // On a narrow page the lists are hidden now, with the link that had the focus.
    if (document.activeElement === document.body) heading.focus({ preventScroll: true });
  } catch (error) {
    if (asked === shownKey)
      $('pane-key').replaceChildren(back, heading, element('p', { className: 'bad' }, error.message));
  }
}

const keyFact = (name, value) => element('div', {}, element('dt', {}, name), element('dd', {}, value));

function keyParts(found, about) {
  if (!found.found && found.records === 0) return [quiet('Nothing is known of this key.')];
  const { value, expiresAt, records } = found;
  const again = element('button', { type: 'button', className: 'plain', id: 'again' }, 'Read again');
  again.addEventListener('click', () => showKey(about));
  const facts = element(
    'dl',
    {},
    keyFact('Size', value ? bytes(value.bytes) : '–'),
    keyFact('Ends', expiresAt ? time(expiresAt) : 'never'),
    keyFact('Recorded values', number(records)),
    element('div', {}, again),
  );
  const text = element(
    'pre',
    { tabIndex: 0, role: 'region', id: 'value' },
    value ? value.text : 'It was removed.',
  );
  text.setAttribute('aria-label', 'Value');
  const parts = [facts, text];
  if (value?.isCut) parts.push(quiet(`Cut here: the whole value has ${bytes(value.bytes)}.`));
  if (!found.isLogged && found.found)
    parts.push(quiet('This value is only in the JSON file. The next write logs it.'));
  const steps = element('ol', { id: 'steps', className: 'steps' });
  parts.push(element('h3', {}, 'History'), steps);
  if (records === 0) parts.push(quiet('No file has an older value.'));
  addSteps(steps, found, about);
  return parts;
}

function addSteps(list, { steps, older, records }, about) {
  const made = steps.map((step) => stepItem(step, { ...about, isNewest: step.number === records - 1 }));
  list.append(...made);
  if (older === 0) return;
  const more = element('button', { type: 'button', id: 'older' }, `${plural(older, 'older value')}`);
  const item = element('li', { className: 'more' }, more);
  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      const found = await ask('key', { ...about, before: String(steps.at(-1).number) });
      item.remove();
      addSteps(list, { ...found, records }, about);
      list.children[list.children.length - found.steps.length - (found.older ? 1 : 0)]
        ?.querySelector('summary')
        ?.focus();
    } catch (error) {
      item.replaceChildren(element('p', { className: 'bad' }, error.message));
    }
  });
  list.append(item);
}

function stepItem(step, about) {
  const when = element('time', {}, step.timestamp ? time(step.timestamp) : 'no time');
  if (step.timestamp) when.dateTime = step.timestamp;
  const what = `${step.op}${step.isExternalEdit ? ', by hand' : ''}, in ${step.source}`;
  const until = step.expiresAt ? `, until ${time(step.expiresAt)}` : '';
  const head = element(
    'p',
    { className: 'head' },
    when,
    ' ',
    element('span', { className: 'quiet' }, what + until),
  );
  return element(
    'li',
    { className: 'step' },
    head,
    ...changeParts(step),
    wholeValue(step),
    commandParts(step, about),
  );
}

function changeParts(step) {
  if (step.value === null) return [element('p', { className: 'bad' }, '− removed')];
  if (step.note) return [quiet(step.note)];
  const isAlone = step.isFirst || step.changes.length === 0;
  if (isAlone) {
    const what =
      step.isFirst && step.op === 'CHECKPOINT'
        ? 'the oldest value that is known'
        : step.isFirst || step.isNew
          ? '+ added'
          : 'the same value';
    return [element('p', { className: what.startsWith('+') ? 'good' : 'quiet' }, what)];
  }
  const rows = step.changes.map(changeRow);
  const body = element('dl', { className: 'changes' }, ...rows.flat());
  return step.more > 0 ? [body, quiet(plural(step.more, 'more change'))] : [body];
}

/** A field, what it was, and what it became. */
function changeRow({ path, from, to, added, removed }) {
  const name = element('dt', {}, path === '' ? 'value' : named(path));
  const was = (text) => element('span', { className: 'was' }, `− ${named(text)}`);
  const is = (text) => element('span', { className: 'is' }, `+ ${named(text)}`);
  const parts = [];
  if (added) {
    for (const [{ count, items }, show, word] of [
      [removed, was, 'removed'],
      [added, is, 'added'],
    ]) {
      parts.push(...items.map(show));
      if (count > items.length)
        parts.push(element('span', { className: 'quiet' }, `${plural(count, 'item')} ${word}`));
    }
  } else {
    if (from !== undefined) parts.push(was(from));
    if (to !== undefined) parts.push(is(to));
    if (from === undefined) name.append(' added');
    if (to === undefined) name.append(' removed');
  }
  return [name, element('dd', {}, ...parts)];
}

function wholeValue({ value }) {
  if (value === null) return '';
  const cut = value.isCut ? [quiet(`Cut here: the whole value has ${bytes(value.bytes)}.`)] : [];
  const text = element('pre', { tabIndex: 0 }, value.text);
  return element('details', {}, element('summary', {}, `Value then, ${bytes(value.bytes)}`), text, ...cut);
}

function commandParts(step, about) {
  const { all, reason } = commandsOf({ ...about, place, step });
  if (reason) return quiet(reason);
  const rows = all.map(({ label, text }) => {
    const code = element('code', { tabIndex: 0 }, text);
    const copy = element('button', { type: 'button', className: 'copy' }, 'Copy');
    copy.setAttribute('aria-label', `Copy the command: ${label}`);
    copy.addEventListener('click', () => copyText(text, code, copy));
    return element('div', { className: 'command' }, element('p', {}, label), element('div', {}, code, copy));
  });
  const parts = [element('summary', {}, 'Commands'), ...rows];
  if (place.dataDir === undefined)
    parts.push(quiet('With the url of the server in PROGRESSIVE_STORAGE_URL.'));
  return element('details', { className: 'commands', open: about.isNewest }, ...parts);
}

async function copyText(text, code, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only a page of this machine or with TLS may use the clipboard by that call.
    getSelection().selectAllChildren(code);
    document.execCommand('copy');
  }
  setText(button, 'Copied');
  setText($('said'), 'The command is in the clipboard.');
  setTimeout(() => setText(button, 'Copy'), 2000);
}
