// What a command prints: text for people, or one JSON value for scripts (`--json`), never both.
//
// Results go to stdout. Questions, progress and notes go to stderr, so a pipe gets only results. Colours are used on a
// terminal without NO_COLOR; the text says the same without them.
//
// Invariant: a line that a command prints is one line, and its only control sequences are the program's own colours.
// Until the line is written, a colour is a mark with random characters: text of others cannot contain it.

import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { bytes, count } from './format.mjs';
import { movedBytes, Progress } from './progress.mjs';
import { columnsOf, fit, visible, visibleJson } from './visible.mjs';

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

  // A line of pieces, each a text and perhaps the name of its colour, cut to the width of the terminal.
  fitted(...pieces) {
    const texts = pieces.map(([text]) => visible(text));
    const whole = fit(texts.join(''), this.width);
    let at = 0;
    const painted = pieces.map(([, colour], index) => {
      const part = whole.slice(at, at + texts[index].length);
      at += texts[index].length;
      return colour && part !== '' ? this[colour](part) : part;
    });
    this.line(painted.join(''));
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

  // Text for other programs, unchanged. On a terminal control characters are escaped, except line breaks between lines.
  // With `isRecord` the text is one record and its end of line, so every line break in it is escaped.
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

  // A check that passed or failed, with its details below it.
  check({ ok, text, details = [] }) {
    const mark = ok ? this.green('✔') : this.red('✘');
    this.line(`  ${mark} ${text}`);
    for (const detail of details) this.line(`      ${detail}`);
  }

  // `columns` are `{ name, left }`. A column is aligned to the right, or with `left` to the left.
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

  // Asks a yes-or-no question. Without a terminal the answer is no.
  async confirm(question) {
    if (process.stdin.isTTY !== true || this.stderr.isTTY !== true) return false;
    const lines = createInterface({ input: process.stdin, output: this.stderr });
    // readline handles Ctrl-C itself. The program must get it.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const answer = await new Promise((resolve) => {
      lines.question(`${visible(question)} [y/N] `, resolve);
      lines.on('close', () => resolve(''));
    });
    lines.close();
    return /^y(es)?$/i.test(answer.trim());
  }

  // Awaits `work` of the store with a progress bar. `total` estimates the bytes that it reads and writes; 0: unknown.
  async waiting(label, work, total = 0) {
    const before = movedBytes();
    const isKnown = before !== null;
    const progress = this.progress(label, isKnown ? total : 0, {
      unit: bytes,
      measure: () => (isKnown ? movedBytes() - before : 0),
    });
    try {
      return await work;
    } finally {
      progress.end();
    }
  }

  // A progress bar. `total` is 0 where it is unknown; `unit` formats amounts; `measure` returns what is done by now,
  // for work that does not report it with `to` or `add`.
  progress(label, total, { unit = count, measure } = {}) {
    return new Progress(this, { label, total, unit, measure });
  }
}

// A line as it is written: control characters escaped, our own colours inserted.
function shown(text) {
  return visible(text).replace(COLOURS, '\u001b[$1m');
}
