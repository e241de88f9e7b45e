// `iterate`: the members of a collection one after the other, as they were when the first was asked for.
//
// Invariant: all options are checked before anything is opened; once the storage is closed, no member is given any more.

const native = require('./addon.js');
const { isObject, numberText, quote, wrongType, wrongValue } = require('./check.js');
const { PieceStream } = require('./pieces.js');

const OPTIONS = ['prefix', 'after', 'reverse', 'limit'];

function given(options, name, type, wanted) {
  const value = Object.hasOwn(options, name) ? options[name] : undefined;
  if (value !== undefined && typeof value !== type) throw wrongType(`The option '${name}'`, wanted, value);
  return value;
}

function readLimit(options) {
  const limit = given(options, 'limit', 'number', 'a number');
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 0 && !Object.is(limit, -0)))
    return limit;
  throw wrongValue(`The option 'limit' is ${numberText(limit)}; give a whole number from 0 on`);
}

function readSelection(options = {}) {
  if (!isObject(options)) throw wrongType("The argument 'options'", 'an object', options);
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw wrongValue(`iterate() has no option ${quote(unknown)}; its options are ${OPTIONS.join(', ')}`);
  }
  const after = given(options, 'after', 'string', 'a string');
  if (after === '') throw wrongValue("The option 'after' is empty; give a key");
  return {
    prefix: given(options, 'prefix', 'string', 'a string'),
    after,
    reverse: given(options, 'reverse', 'boolean', 'true or false') ?? false,
    limit: readLimit(options),
  };
}

function iterate(collection, options) {
  // A wrong receiver is none of the options' concern.
  if (!(collection instanceof native.Collection)) throw new TypeError('Illegal invocation');
  const { prefix, after, reverse, limit } = readSelection(options);
  const reader = native.openMembers(collection, prefix, after, reverse, limit);
  return new PieceStream(reader, () => reader.checkOpen());
}

module.exports = { iterate };
