// Calls on several keys: what callers give becomes a plain array for native code, and an answer a Map.
//
// Invariant: a key is any string here, also `__proto__` or `constructor`. Native code checks keys and values.

const { isObject, wrongType } = require('./check.js');

// Other code of the process may put others in their place.
const { entries, setPrototypeOf } = Object;
const { from } = Array;

const isIterable = (value) =>
  Array.isArray(value) || (isObject(value) && typeof value[Symbol.iterator] === 'function');

/** The keys that a call names, as an array: from an array, a Set, or another iterable. */
function keyList(keys) {
  if (Array.isArray(keys)) return keys;
  if (!isIterable(keys))
    throw wrongType("The argument 'keys'", 'an array or another iterable of strings', keys);
  return [...keys];
}

function checkPair(pair, index) {
  if (!Array.isArray(pair))
    throw wrongType(`The argument 'entries[${index}]'`, 'an array of a key and a value', pair);
}

/** The keys and values that a call names, one behind the other: from pairs, a Map, or an object. */
function entryList(given) {
  if (!isObject(given) && !Array.isArray(given)) {
    throw wrongType("The argument 'entries'", 'an object, a Map, or an iterable of pairs', given);
  }
  const pairs = isIterable(given) ? [...given] : entries(given);
  pairs.forEach(checkPair);
  // Of a key that is there twice, the last value counts.
  return [...new Map(pairs.map(([key, value]) => [key, value]))].flat();
}

/** The keys and values that a function returned, one behind the other; undefined for what is no object by key. */
const changeList = (changes) =>
  isObject(changes) && !isIterable(changes) ? entries(changes).flat() : undefined;

/** An object in which a key that is not there is undefined, whatever its name. */
const bare = (object) => setPrototypeOf(object, null);

/** The array of so many values that an object has by their places; undefined where it has none. */
const placeList = (byPlace, length) => from({ length }, (_, place) => byPlace[place]);

/** The Map of an answer that comes as pairs. */
const mapOf = (pairs) => pairs.then((pairs) => new Map(pairs));

module.exports = { bare, changeList, entryList, isIterable, keyList, mapOf, placeList };
