// Writes logs as JSON, JSON lines or CSV.

import { isRecord } from '../../lib/values.mjs';
import { csvLine } from '../support/csv.mjs';
import { bytes } from '../support/format.mjs';
import { eachWithProgress } from '../support/progress.mjs';
import { visibleJson } from '../support/visible.mjs';
import { fieldsOf } from './records.mjs';

// About what a line has beyond its entry: `,"_crc":"12345678"`.
const CHECKSUM_BYTES = 18;

// Calls `write` with each piece of the text. Returns how many rows of each log it wrote. `read(log)` gives the entries of a log
// with the ends of its keys, which are written with `expires`.
export async function writeText(terminal, { storage, logs, format, ofEntries, read, expires }, write) {
  if (ofEntries) return writeEntries(terminal, storage, logs[0], write);
  const counts = {};
  const isMany = logs.length > 1;
  if (format === 'json' && isMany) write('{');
  for (const [index, log] of logs.entries()) {
    const { name } = log;
    const entries = await read(log);
    counts[name] = entries.length;
    if (format === 'json' && isMany) write(`${index > 0 ? ',' : ''}\n${visibleJson(name)}: `);
    const texts = { jsonl: lineTexts, csv: csvTexts, json: memberTexts }[format](entries, expires);
    await eachWithProgress(terminal, { name, items: texts, total: entries.length, take: write });
    if (format === 'json') write(entries.length > 0 ? '\n}' : '{}');
    if (format === 'json' && !isMany) write('\n');
  }
  if (format === 'json' && isMany) write('\n}\n');
  return counts;
}

async function writeEntries(terminal, storage, { name, log }, write) {
  let rows = 0;
  const progress = terminal.progress(`Writing ${name}`, log?.sizeBytes ?? 0, { unit: bytes });
  for await (const entry of storage.streamLogEntries(name)) {
    const text = `${visibleJson(entry)}\n`;
    write(text);
    rows += 1;
    progress.add(Buffer.byteLength(text) + CHECKSUM_BYTES);
  }
  progress.end();
  return { [name]: rows };
}

// JSON leaves out what is undefined.
function* lineTexts(entries, expires) {
  for (const [key, value, end] of entries)
    yield `${visibleJson({ key, value, expiresAt: expires ? end : undefined })}\n`;
}

// Member by member: the whole text may be longer than V8's longest string.
function* memberTexts(entries, expires) {
  let before = '{';
  for (const [key, value, expiresAt] of entries) {
    const member = expires ? { value, expiresAt } : value;
    yield `${before}\n  ${visibleJson(key)}: ${visibleJson(member, 2).replaceAll('\n', '\n  ')}`;
    before = ',';
  }
}

function* csvTexts(entries, expires) {
  const fields = fieldsOf(entries);
  const hasPlain = entries.some(([, value]) => !isRecord(value));
  yield csvLine(['key', ...(expires ? ['expiresAt'] : []), ...(hasPlain ? ['value'] : []), ...fields]);
  for (const [key, value, end] of entries) {
    const cells = fields.map((field) =>
      isRecord(value) && Object.hasOwn(value, field) ? value[field] : undefined,
    );
    yield csvLine([
      key,
      ...(expires ? [end] : []),
      ...(hasPlain ? [isRecord(value) ? undefined : value] : []),
      ...cells,
    ]);
  }
}
