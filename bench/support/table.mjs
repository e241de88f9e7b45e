/**
 * The report as text in columns. A row is `{ section, what, figure, budget, met }`; `met` is null where there is no
 * budget.
 */

const word = (met) => (met === null ? '' : met ? 'yes' : 'NO');

export function textTable(rows) {
  const cells = rows.map(({ what, figure, budget, met }) => [what, figure, budget ?? '', word(met)]);
  const names = ['', 'measured', 'budget', 'met'];
  const widths = names.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => row[column].length)),
  );
  const put = (row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  const lines = [`  ${put(names)}`];
  let section = null;
  rows.forEach((row, index) => {
    if (row.section !== section) {
      section = row.section;
      lines.push('', section);
    }
    lines.push(`  ${put(cells[index])}`);
  });
  return lines.join('\n');
}

export function ms(value) {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 100) return `${value.toFixed(0)} ms`;
  return `${value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3)} ms`;
}

export function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

export function megabytes(bytes) {
  return `${whole(bytes / 1e6)} MB`;
}

export function megabytesPerSecond(bytes) {
  return `${whole(bytes / 1e6)} MB/s`;
}

export function percent(share) {
  return `${(share * 100).toFixed(0)} %`;
}
