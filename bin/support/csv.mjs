// Comma-separated values (RFC 4180): writes and reads them.
//
// A spreadsheet runs a cell as a formula when it begins with = + - @ (or their wide forms), a tab or a line break.
// Such a text gets a ' in front, as spreadsheets do it; a number below zero is no formula and stays. A text that
// already begins with such a ' gets one more, because reading removes exactly one.

const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const GUARDED = /^'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

export function csvLine(cells) {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(value) {
  let text =
    value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  if (FORMULA.test(text) && !NUMBER.test(text)) text = `'${text}`;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Rows of cells; null where the text ends inside quotes: it was probably cut short.
export function parseCsv(text) {
  const rows = [];
  let row = [];
  let cell = '';
  let isQuoted = false;
  let isAnything = false;
  const endCell = () => {
    row.push(GUARDED.test(cell) ? cell.slice(1) : cell);
    cell = '';
  };
  const endRow = () => {
    if (isAnything) {
      endCell();
      rows.push(row);
    }
    row = [];
    isAnything = false;
  };
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else isQuoted = false;
    } else if (character === '"' && cell === '') {
      isQuoted = true;
      isAnything = true;
    } else if (character === ',') {
      endCell();
      isAnything = true;
    } else if (character === '\n') endRow();
    else if (character !== '\r') {
      cell += character;
      isAnything = true;
    }
  }
  if (isQuoted) return null;
  endRow();
  return rows;
}
