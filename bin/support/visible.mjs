// Text of others (keys, names, paths, messages) as a terminal may show it.
//
// A terminal obeys what it is sent: `ESC ]` changes its title, `ESC [` moves the cursor, U+009B is the same in one
// character, U+202E turns the line around, and a line break forges a line of output. So each of these is shown as an
// escape: `\n`, `\t`, `\u001b`.
//
// Invariant: the result has no control character (C0, DEL, C1), no line separator, no bidirectional control, no
// zero-width character that only hides something, and no half of a surrogate pair. All else stays as it is.

const UNSAFE =
  /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Surrogate}\u00ad\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
const SHORT = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

export function visible(text) {
  return String(text).replace(UNSAFE, (character) => SHORT[character] ?? escaped(character));
}

// JSON text that says the same with escapes in its strings; `space` as in JSON.stringify.
export function visibleJson(value, space) {
  const text = JSON.stringify(value, null, space);
  // Between strings, line breaks are the only ones there are: JSON.stringify escapes those within.
  return text?.replace(UNSAFE, (character) => (character === '\n' ? character : escaped(character)));
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const WITHOUT_WIDTH = /\p{Mn}|\p{Me}|\u200c|\u200d/u;

function widthOf(character) {
  if (WITHOUT_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

// Columns of a terminal that a text takes.
export function columnsOf(text) {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

// The text, or as much of its beginning as fits into so many columns, with `…` at its end.
export function fit(text, columnsMax) {
  if (columnsOf(text) <= columnsMax) return text;
  let columns = 1;
  let end = 0;
  for (const character of text) {
    columns += widthOf(character);
    if (columns > columnsMax) break;
    end += character.length;
  }
  return `${text.slice(0, end)}…`;
}
