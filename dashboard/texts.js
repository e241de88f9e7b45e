// Values as JSON text of bounded length.

/** Deeper levels are not moved further to the right. */
const INDENT_MAX = 40;

const jsonOf = (value) => {
  try {
    return JSON.stringify(value);
  } catch {
    // Nested deeper than the stack of this thread.
    return undefined;
  }
};

/** `{ text, bytes, isCut }`: at most `max` characters of the value's JSON, its whole size, and whether there is more. */
function textOf(value, max, { isLaidOut = false } = {}) {
  if (value === undefined) return undefined;
  const json = jsonOf(value);
  if (json === undefined) return { text: '(nested too deeply to be shown)', bytes: null, isCut: true };
  const text = isLaidOut ? layOut(json, max) : json;
  return { text: cut(text, max), bytes: Buffer.byteLength(json), isCut: text.length > max };
}

/** JSON with line breaks, as `JSON.stringify(value, null, 2)` has them; ends soon after `max` characters. */
function layOut(json, max) {
  let [out, depth, at] = ['', 0, 0];
  const line = () => `\n${'  '.repeat(Math.min(depth, INDENT_MAX))}`;
  while (at < json.length && out.length <= max) {
    const character = json[at];
    let end = at + 1;
    if (character === '"') {
      end = endOfString(json, at, max);
      out += json.slice(at, end);
    } else if (character === '{' || character === '[') {
      const isEmpty = json[end] === '}' || json[end] === ']';
      if (isEmpty) out += character + json[end++];
      else {
        depth++;
        out += character + line();
      }
    } else if (character === '}' || character === ']') {
      depth--;
      out += line() + character;
    } else if (character === ',') out += character + line();
    else if (character === ':') out += ': ';
    else out += character;
    at = end;
  }
  return out;
}

/** The place behind a string that begins at `from`, or one that is far enough. */
function endOfString(json, from, max) {
  let at = from + 1;
  while (at < json.length && json[at] !== '"' && at - from <= max) at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The text, at most `max` characters of it, and no half of a pair at its end. */
function cut(text, max) {
  if (text.length <= max) return text;
  const isPair = /[\ud800-\udbff]/.test(text[max - 1]) && /[\udc00-\udfff]/.test(text[max]);
  return text.slice(0, isPair ? max - 1 : max);
}

/** Lets the event loop have its turn where the last one was some time ago. */
function turns(sliceMs = 5) {
  let begun = Date.now();
  return async () => {
    if (Date.now() - begun < sliceMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    begun = Date.now();
  };
}

module.exports = { cut, jsonOf, textOf, turns };
