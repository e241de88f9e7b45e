// Comma-separated values (RFC 4180): quoting, and reading what others have quoted.

export function csvLine(cells) {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(value) {
  const text =
    value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Rows of cells; null where the text ends within quotes, as one that was cut short.
export function parseCsv(text) {
  const rows = [];
  let row = [];
  let cell = '';
  let isQuoted = false;
  let isAnything = false;
  const endCell = () => {
    row.push(cell);
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
