// Values as records: their properties become columns.

import { isRecord } from '../../lib/values.mjs';

// The names of all properties of the values, in order of appearance.
export function fieldsOf(entries) {
  const fields = new Set();
  for (const [, value] of entries)
    if (isRecord(value)) for (const field of Object.keys(value)) fields.add(field);
  return [...fields];
}
