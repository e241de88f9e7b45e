// What a value is, values as short text for people, and what differs between two.

const WIDTH_MAX = 70;

export const isRecord = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// JSON text of at most `width` characters; `nothing` for a missing key.
export function short(value, width = WIDTH_MAX) {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

// Equal as JSON, whatever the order of properties.
export function equal(one, other) {
  if (one === other) return true;
  if (one === null || other === null || typeof one !== 'object' || typeof other !== 'object') return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && equal(one[key], other[key]));
}

// What differs between two values: the properties where both are objects, else the values themselves.
export function differences(one, other) {
  if (!isRecord(one) || !isRecord(other))
    return equal(one, other) ? [] : [{ field: null, from: one, to: other }];
  const fields = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return fields
    .filter((field) => !equal(one[field], other[field]))
    .map((field) => ({ field, from: one[field], to: other[field] }));
}

export function describeDifferences(one, other, width = 24) {
  if (one === undefined) return `added ${short(other)}`;
  if (other === undefined) return `removed, was ${short(one)}`;
  return differences(one, other)
    .map(({ field, from, to }) => {
      const isLists = Array.isArray(from) && Array.isArray(to) && from.length !== to.length;
      const what = isLists
        ? `${from.length} → ${to.length} items`
        : `${short(from, width)} → ${short(to, width)}`;
      return field === null ? what : `${field}: ${what}`;
    })
    .join(', ');
}
