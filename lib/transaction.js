// `storage.transaction()`: what callers give becomes plain arrays for native code, and what the function returns passes the
// schemas of its collections.
//
// Invariant: all arguments are checked and copied before the method returns. Native code checks names, keys and values, and
// that no place is named twice.

const native = require('./addon.js');
const { partsOf } = require('./collection.js');
const { checkText, wrongType, wrongValue } = require('./check.js');
const { isIterable } = require('./several-keys.js');

/** A place as `{ name, key, schema }`. */
function placeIn(storage, place, index) {
  const where = `The argument 'places[${index}]'`;
  if (!Array.isArray(place)) throw wrongType(where, 'an array of a collection and a key', place);
  if (place.length !== 2)
    throw wrongValue(`${where} must be an array of a collection and a key, not of ${place.length} values`);
  const [collection, key] = place;
  checkText(key, `places[${index}][1]`);
  if (typeof collection === 'string') return { name: collection, key };
  const parts = partsOf(collection);
  if (parts === undefined) throw wrongType(`${where}[0]`, 'a collection or the name of one', collection);
  if (parts.storage !== storage)
    throw wrongValue(
      `${where}[0] is a collection of another Storage; take it from the one whose transaction it is`,
    );
  return { name: parts.name, key, schema: parts.schema };
}

async function transaction(storage, given, fn) {
  if (!isIterable(given))
    throw wrongType("The argument 'places'", 'an array of pairs of a collection and a key', given);
  const places = [...given].map((place, index) => placeIn(storage, place, index));
  const checked = (value, index) => {
    const { schema, key } = places[index];
    return value === undefined || schema === undefined ? value : schema.output(key, value);
  };
  const hasSchema = typeof fn === 'function' && places.some(({ schema }) => schema !== undefined);
  const run = (values) => {
    const returned = fn(values);
    return Array.isArray(returned) && returned.length === places.length ? returned.map(checked) : returned;
  };
  const names = places.map(({ name }) => name);
  const keys = places.map(({ key }) => key);
  return native.transact(storage, names, keys, hasSchema ? run : fn);
}

module.exports = { transaction };
