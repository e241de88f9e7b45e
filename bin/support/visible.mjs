// Text of others (keys, names, paths, messages), safe for a terminal.
//
// A terminal obeys control sequences: `ESC ]` changes its title, `ESC [` or U+009B moves the cursor, U+202E reverses
// the line, and a line break forges a line of output. So each such character is shown as an escape: `\n`, `\t`,
// `\u001b`.
//
// Invariant: the result has no control character (C0, DEL, C1), no line separator, no bidirectional control, no
// invisible character that only hides something, and no half of a surrogate pair. All other text is unchanged.

const UNSAFE =
  /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Surrogate}\u00ad\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
const SHORT = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

export function visible(text) {
  return String(text).replace(UNSAFE, (character) => SHORT[character] ?? escaped(character));
}

// The same JSON with escapes in its strings; `space` as in JSON.stringify.
export function visibleJson(value, space) {
  const text = JSON.stringify(value, null, space);
  // Every line break here is between strings: JSON.stringify escapes those inside.
  return text?.replace(UNSAFE, (character) => (character === '\n' ? character : escaped(character)));
}

// East Asian wide and full-width characters, and emoji. The letters of flags are narrow: two of them make one flag.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1f1e5}\u{1f200}-\u{1faff}\u{20000}-\u{3fffd}]|(?!\p{Regional_Indicator})\p{Emoji_Presentation}/u;
const WITHOUT_WIDTH = /\p{Mn}|\p{Me}|\u200c|\u200d/u;
// It makes an emoji of the character before it, such as U+2764.
const AS_EMOJI = '\ufe0f';
const PLAIN = /^[\x20-\x7e]*$/;

// Terminals differ in sequences of emoji that are joined to one. The sum of the parts is the most that any of them takes.
function widthOf(cluster) {
  let columns = 0;
  for (const character of cluster) {
    if (!WITHOUT_WIDTH.test(character)) columns += WIDE.test(character) ? 2 : 1;
  }
  return columns === 1 && cluster.includes(AS_EMOJI) ? 2 : columns;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

// What a reader takes for one character: a letter with its accents, an emoji with its parts.
function* clustersOf(text) {
  for (const { segment } of segmenter.segment(text)) yield segment;
}

// How many columns of a terminal a text takes.
export function columnsOf(text) {
  if (PLAIN.test(text)) return text.length;
  let columns = 0;
  for (const cluster of clustersOf(text)) columns += widthOf(cluster);
  return columns;
}

// The text, cut to so many columns: `…` at its end shows the cut. Nothing after the cut is read.
export function fit(text, columnsMax) {
  if (columnsMax === Number.POSITIVE_INFINITY) return text;
  if (text.length <= columnsMax && PLAIN.test(text)) return text;
  let columns = 0;
  let end = 0;
  let isCut = false;
  for (const cluster of clustersOf(text)) {
    columns += widthOf(cluster);
    if (columns > columnsMax) return `${text.slice(0, end)}…`;
    if (columns < columnsMax && !isCut) end += cluster.length;
    else isCut = true;
  }
  return text;
}
