// What a command prints: text for people, or one JSON value for scripts (`--json`), never both.
//
// Results go to stdout; questions, progress and notes go to stderr, so that a pipe gets results only.
// Colours only where a person looks at a terminal, and never with NO_COLOR; the text says the same without.
//
// Invariant: whatever a command is given to print, a line is one line, and the only control sequences are the
// program's own colours. A colour is kept as a mark that nobody can guess until the line is written.

import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { bytes, count } from './format.mjs';
import { movedBytes, Progress } from './progress.mjs';
import { columnsOf, visible, visibleJson } from './visible.mjs';

const COLOUR = `colour-${randomBytes(12).toString('hex')}-`;
const COLOURS = new RegExp(`${COLOUR}(\\d+);`, 'g');

export class Terminal {
  constructor({
    json = false,
    progress = false,
    stdout = process.stdout,
    stderr = process.stderr,
    env = process.env,
  } = {}) {
    this.json = json;
    this.isProgressAsked = progress;
    this.stdout = stdout;
    this.stderr = stderr;
    this.env = env;
    const isPlain = json || Boolean(env.NO_COLOR) || env.TERM === 'dumb';
    this.colours = stdout.isTTY === true && !isPlain;
    this.errorColours = stderr.isTTY === true && !isPlain;
    for (const [name, code] of Object.entries({
      bold: 1,
      dim: 2,
      red: 31,
      green: 32,
      yellow: 33,
      cyan: 36,
    })) {
      this[name] = (text) => (this.colours ? `${COLOUR}${code};${text}${COLOUR}0;` : String(text));
    }
  }

  // Columns of the terminal; Infinity where the text goes elsewhere.
  get width() {
    if (this.stdout.isTTY === true && this.stdout.columns > 0) return this.stdout.columns;
    return Number(this.env.COLUMNS) > 0 ? Number(this.env.COLUMNS) : Number.POSITIVE_INFINITY;
  }

  // A line for people; nothing with --json.
  line(text = '') {
    if (!this.json) this.stdout.write(`${shown(text)}\n`);
  }

  title(text) {
    this.line(this.bold(text));
  }

  // The result for scripts; nothing without --json.
  result(value) {
    if (this.json) this.stdout.write(`${visibleJson(value, 2)}\n`);
  }

  // One line of JSON, with or without --json.
  jsonLine(value) {
    return this.stdout.write(`${visibleJson(value)}\n`);
  }

  // What a command makes for other programs, as it is. A terminal gets it with escapes: JSON has them in its strings, so
  // there only the line breaks between them are left; with `isRecord`, the text is one record and its end of line.
  raw(text, { isRecord = false } = {}) {
    if (this.stdout.isTTY !== true) return this.stdout.write(text);
    if (isRecord) return this.stdout.write(`${visible(text.replace(/\r?\n$/, ''))}\n`);
    return this.stdout.write(text.split('\n').map(visible).join('\n'));
  }

  note(text) {
    this.stderr.write(`${shown(text)}\n`);
  }

  fact(label, text) {
    this.line(`  ${this.dim(label.padEnd(22))} ${text}`);
  }

  // A check that passed or failed, with what belongs to it.
  check({ ok, text, details = [] }) {
    const mark = ok ? this.green('✔') : this.red('✘');
    this.line(`  ${mark} ${text}`);
    for (const detail of details) this.line(`      ${detail}`);
  }

  // `columns` are `{ name, left }`: text is set to the left, numbers (the default) to the right.
  table(columns, rows) {
    const texts = rows.map((row) =>
      row.map((cell) => (typeof cell === 'number' ? count(cell) : visible(cell))),
    );
    const widths = columns.map(({ name }, index) =>
      Math.max(name.length, ...texts.map((row) => columnsOf(row[index]))),
    );
    const set = (cell, index) => {
      const space = ' '.repeat(widths[index] - columnsOf(cell));
      return columns[index].left ? cell + space : space + cell;
    };
    const put = (row) => `  ${row.map(set).join('  ').trimEnd()}`;
    this.line(this.dim(put(columns.map(({ name }) => name))));
    for (const row of texts) this.line(put(row));
  }

  // Asks a question that is answered with yes or no. Without a terminal the answer is no.
  async confirm(question) {
    if (process.stdin.isTTY !== true || this.stderr.isTTY !== true) return false;
    const lines = createInterface({ input: process.stdin, output: this.stderr });
    // readline takes Ctrl-C for itself; it is the program's.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const answer = await new Promise((resolve) => {
      lines.question(`${visible(question)} [y/N] `, resolve);
      lines.on('close', () => resolve(''));
    });
    lines.close();
    return /^y(es)?$/i.test(answer.trim());
  }

  // Shows how far the engine is with `work`, which reads and writes about `total` bytes (0: not known).
  async waiting(label, work, total = 0) {
    const before = movedBytes();
    const progress = this.progress(label, before === null ? 0 : total, bytes, () =>
      before === null ? 0 : movedBytes() - before,
    );
    try {
      return await work;
    } finally {
      progress.end();
    }
  }

  // A bar for work of more than a second, on a terminal or with --progress. `total` may be 0 (not known); `look`, if
  // it is given, tells what is done, and is asked now and then.
  progress(label, total, unit = count, look = undefined) {
    return new Progress(this, label, total, unit, look);
  }
}

// A line as it is written: without what a terminal would obey, but for our own colours.
function shown(text) {
  return visible(text).replace(COLOURS, '\u001b[$1m');
}
