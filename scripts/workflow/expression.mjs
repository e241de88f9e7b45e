// The expressions of GitHub's workflows, `${{ … }}` and those of `if:`, as far as this project uses them: names of contexts,
// texts, numbers, `!`, `==`, `!=`, `&&`, `||`, parentheses, and a few functions. Anything else is refused: an expression
// is never guessed.

const TOKEN = /\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(&&|\|\||==|!=|[!().,[\]*]))/y;

const FUNCTIONS = {
  success: ({ failed }) => !failed,
  failure: ({ failed }) => failed,
  always: () => true,
  cancelled: () => false,
  contains: (_, all, one) => textOf(all).toLowerCase().includes(textOf(one).toLowerCase()),
  startsWith: (_, all, one) => textOf(all).toLowerCase().startsWith(textOf(one).toLowerCase()),
  endsWith: (_, all, one) => textOf(all).toLowerCase().endsWith(textOf(one).toLowerCase()),
};
const OF_STATUS = /\b(success|failure|always|cancelled)\(\)/;

/** The text that a value becomes inside another text. */
export function textOf(value) {
  return value === null || value === undefined ? '' : String(value);
}

function tokensOf(source) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  const end = source.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(source);
    if (!found) throw new Error(`The expression '${source}' has something unknown at character ${at + 1}.`);
    const [, text, number, name, sign] = found;
    if (text !== undefined) tokens.push({ value: text.slice(1, -1).replaceAll("''", "'") });
    else if (number !== undefined) tokens.push({ value: Number(number) });
    else tokens.push(name === undefined ? { sign } : { name });
  }
  return tokens;
}

// GitHub ignores the case of texts, and compares values of two types as numbers.
function isEqual(one, other) {
  if (typeof one === 'string' && typeof other === 'string') return one.toLowerCase() === other.toLowerCase();
  if (typeof one === typeof other) return one === other;
  const number = (value) => (value === '' || value == null ? 0 : Number(value));
  return number(one) === number(other);
}

/** Reads tokens by recursive descent; `contexts` has an object for each name: `github`, `matrix`, … */
class Reader {
  constructor(source, contexts, status) {
    Object.assign(this, { source, contexts, status, tokens: tokensOf(source), at: 0 });
  }

  isSign(sign) {
    return this.tokens[this.at]?.sign === sign;
  }

  take(sign) {
    if (!this.isSign(sign)) return false;
    this.at += 1;
    return true;
  }

  expect(sign) {
    if (!this.take(sign)) throw new Error(`The expression '${this.source}' lacks '${sign}'.`);
  }

  whole() {
    const value = this.either();
    if (this.at < this.tokens.length)
      throw new Error(`The expression '${this.source}' goes on unexpectedly.`);
    return value;
  }

  either() {
    let value = this.both();
    while (this.take('||')) {
      const other = this.both();
      value = value || other;
    }
    return value;
  }

  both() {
    let value = this.comparison();
    while (this.take('&&')) {
      const other = this.comparison();
      value = value && other;
    }
    return value;
  }

  comparison() {
    const value = this.single();
    if (this.take('==')) return isEqual(value, this.single());
    if (this.take('!=')) return !isEqual(value, this.single());
    return value;
  }

  single() {
    if (this.take('!')) return !this.single();
    if (this.take('(')) {
      const value = this.either();
      this.expect(')');
      return value;
    }
    const token = this.tokens[this.at];
    this.at += 1;
    if (token && 'value' in token) return token.value;
    if (!token?.name) throw new Error(`The expression '${this.source}' lacks a value.`);
    if (this.take('(')) return this.call(token.name);
    return this.path(token.name);
  }

  call(name) {
    if (!(name in FUNCTIONS))
      throw new Error(`The function '${name}' of '${this.source}' is not known here.`);
    const values = [];
    while (!this.isSign(')')) {
      values.push(this.either());
      if (!this.take(',')) break;
    }
    this.expect(')');
    return FUNCTIONS[name](this.status, ...values);
  }

  path(name) {
    if (['true', 'false', 'null'].includes(name)) return JSON.parse(name);
    if (!(name in this.contexts)) {
      throw new Error(`The context '${name}' of '${this.source}' is not known here.`);
    }
    let value = this.contexts[name];
    while (this.take('.')) {
      const key = this.tokens[this.at]?.name;
      this.at += 1;
      if (key === undefined) throw new Error(`The expression '${this.source}' lacks a name behind a dot.`);
      value = value?.[key];
    }
    return value ?? null;
  }
}

/** The value of an expression. Whoever needs a name that GitHub has and this has not gets an error. */
export function evaluate(source, contexts, status = { failed: false }) {
  return new Reader(source, contexts, status).whole();
}

/** A text with the values of its `${{ … }}`. */
export function filled(text, contexts) {
  return text.replace(/\$\{\{(.*?)\}\}/gs, (_, source) => textOf(evaluate(source, contexts)));
}

/** Whether a step or job with this `if` runs. Without a function of the status, a failure before it prevents it. */
export function isWanted(condition, contexts, status = { failed: false }) {
  const source = textOf(condition).trim();
  const bare = /^\$\{\{(.*)\}\}$/s.exec(source)?.[1] ?? source;
  if (status.failed && !OF_STATUS.test(bare)) return false;
  return bare === '' || Boolean(evaluate(bare, contexts, status));
}
