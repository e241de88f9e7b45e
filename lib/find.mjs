// What FIELD=VALUE means, in the command `find` and in the dashboard.
//
// Dots in FIELD lead into inner objects and lists; a field of that whole name comes first. VALUE is JSON, or a text as it
// stands: `level=5` finds the number and the text "5".

import { equal } from './values.mjs';

// A function that says whether a value has VALUE in FIELD; undefined where the text is no FIELD=VALUE.
export function matcherOf(text) {
  const at = text.indexOf('=');
  if (at < 1) return undefined;
  const field = text.slice(0, at);
  const wanted = valuesOf(text.slice(at + 1));
  return (value) => {
    const inField = valueAt(value, field);
    return inField !== undefined && wanted.some((one) => equal(one, inField));
  };
}

// What a person may mean by it: the JSON, and the text.
function valuesOf(text) {
  try {
    return [JSON.parse(text), text];
  } catch {
    return [text];
  }
}

const own = (value, name) =>
  value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined;

function valueAt(value, field) {
  const whole = own(value, field);
  if (whole !== undefined) return whole;
  return field.split('.').reduce(own, value);
}
