/**
 * The terminal: headings, facts, tables, and checks that passed or failed.
 *
 * Colours are used on a terminal without NO_COLOR; the text says the same without them.
 */

const COLOURS = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (code) => (text) => (COLOURS ? `\u001b[${code}m${text}\u001b[0m` : String(text));

export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);
export const cyan = paint(36);

const LABEL_WIDTH = 16;

export function line(text = '') {
  process.stdout.write(`${text}\n`);
}

export function title(text) {
  line();
  line(bold(text));
  line(dim('─'.repeat(text.length)));
}

export function section(number, text) {
  line();
  line(bold(cyan(`${number}  ${text}`)));
}

/** A label and its text; further lines are below the text. */
export function fact(label, ...texts) {
  texts.forEach((text, index) => {
    line(`   ${dim((index === 0 ? label : '').padEnd(LABEL_WIDTH))}${text}`);
  });
}

/** Prints checks and returns how many failed. */
export function showChecks(checks) {
  for (const { ok, text, details } of checks) {
    line(`   ${ok ? green('✔') : red('✘')} ${ok ? text : red(text)}`);
    for (const detail of details.slice(0, 5)) line(`       ${detail}`);
    if (details.length > 5) line(`       … and ${details.length - 5} more`);
  }
  return checks.filter(({ ok }) => !ok).length;
}

/** A text in lines of at most `width` characters, broken at spaces. */
export function wrapped(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/**
 * A table. `columns` are `{ name, left }`: a column is aligned to the right, or with `left` to the left. A cell is a
 * string or a number.
 */
export function table(columns, rows) {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? count(cell) : cell)));
  const widths = columns.map(({ name }, index) =>
    Math.max(name.length, ...texts.map((row) => row[index].length)),
  );
  const set = (cell, index) =>
    columns[index].left ? cell.padEnd(widths[index]) : cell.padStart(widths[index]);
  const put = (row) => row.map(set).join('  ').trimEnd();
  line();
  line(`   ${dim(put(columns.map(({ name }) => name)))}`);
  for (const row of texts) line(`   ${put(row)}`);
}

/** A line that the next one overwrites; only on a terminal. */
export function progress(text) {
  if (COLOURS) process.stdout.write(`\r\u001b[2K   ${dim(text)}`);
}

export function progressDone() {
  if (COLOURS) process.stdout.write('\r\u001b[2K');
}

export function count(number) {
  return number.toLocaleString('en-US');
}

export function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

export function bytes(number) {
  if (number < 1024) return `${number} B`;
  if (number < 1024 ** 2) return `${(number / 1024).toFixed(1)} KiB`;
  return `${(number / 1024 ** 2).toFixed(1)} MiB`;
}

/** The value below which `share` of the values lie (nearest rank). */
export function percentile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
