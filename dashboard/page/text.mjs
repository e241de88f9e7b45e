// Elements and texts of the page. Text of others is only ever set as text.

export const $ = (id) => document.getElementById(id);

const HIDDEN =
  /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Surrogate}\u00ad\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** Text of others, with escapes for characters that hide something or change the direction of text. */
export function shown(text) {
  return text.replace(HIDDEN, (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The name of a log or a key on one line. */
export const named = (text) => shown(text).replaceAll('\n', '\\n');

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.map((child) => (typeof child === 'string' ? shown(child) : child)));
  return made;
}

export function drawn(name, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Sets a text only where it changes, so that a screen reader reads it once. */
export function setText(place, text, className) {
  const visible = shown(text);
  if (className !== undefined && place.className !== className) place.className = className;
  if (place.textContent !== visible) place.textContent = visible;
}

export const quiet = (text) => element('p', { className: 'quiet' }, text);

/** Below a head that begins with # are numbers, below one with ~ is long text that may wrap. */
export function table(place, heads, rows, none) {
  if (rows.length === 0) return place.replaceChildren(element('caption', { className: 'quiet' }, none));
  const names = heads.map((text) => text.replace(/^[#~]/, ''));
  const row = (cells, name) =>
    element(
      'tr',
      {},
      ...cells.map((cell, at) => {
        const made = element(name, { className: { '#': 'number', '~': 'long' }[heads[at][0]] ?? '' }, cell);
        if (name === 'th') made.scope = 'col';
        else made.dataset.name = names[at];
        return made;
      }),
    );
  place.replaceChildren(
    element('thead', {}, row(names, 'th')),
    element('tbody', {}, ...rows.map((cells) => row(cells, 'td'))),
  );
}
