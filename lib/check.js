// Checks of what callers give, and the errors for what does not pass: with a code, and in words that name the argument.

/** What a value is, for messages. */
function describe(value) {
  if (value === undefined) return 'undefined';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'bigint') return 'a BigInt';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A text in quotes, with nothing in it that a terminal would obey. */
function quote(text) {
  return JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0).toString(16)}}`,
  );
}

/** A number as it was given: `-0` is not 0. */
const numberText = (number) => (Object.is(number, -0) ? '-0' : String(number));

const typeError = (code, message) => Object.assign(new TypeError(message), { code });

const wrongType = (what, wanted, value) =>
  typeError('ERR_INVALID_ARG_TYPE', `${what} must be ${wanted}, not ${describe(value)}`);

const wrongValue = (message) => typeError('ERR_INVALID_ARG_VALUE', message);

/** A finite number. */
function checkFinite(value, argument) {
  if (typeof value !== 'number') throw wrongType(`The argument '${argument}'`, 'a number', value);
  if (!Number.isFinite(value)) {
    throw wrongValue(`The argument '${argument}' must be a finite number, not ${value}`);
  }
}

function checkFunction(value, argument) {
  if (typeof value !== 'function') throw wrongType(`The argument '${argument}'`, 'a function', value);
}

/** Whether a value is an object, no array and no function. */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

module.exports = { checkFinite, checkFunction, isObject, numberText, quote, wrongType, wrongValue };
