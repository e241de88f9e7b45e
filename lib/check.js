// Checks of what callers give, and the errors for what does not pass: with a code, and in words that name the argument.

// A test may put others in their place.
const { parse, stringify } = JSON;

/** What a value is, for messages. */
function describe(value) {
  if (value === undefined) return 'undefined';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'bigint') return 'a BigInt';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A text with nothing in it that a terminal would obey. */
function visible(text) {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0).toString(16)}}`,
  );
}

/** The same in quotes. */
const quote = (text) => visible(stringify(text));

/** A number as it was given: `-0` is not 0. */
const numberText = (number) => (Object.is(number, -0) ? '-0' : String(number));

const typeError = (code, message) => Object.assign(new TypeError(message), { code });

const wrongType = (what, wanted, value) =>
  typeError('ERR_INVALID_ARG_TYPE', `${what} must be ${wanted}, not ${describe(value)}`);

const wrongValue = (message) => typeError('ERR_INVALID_ARG_VALUE', message);

const wrongReturn = (message) => typeError('ERR_INVALID_RETURN_VALUE', message);

/** A non-empty text, as keys and names of fields are. */
function checkText(value, argument) {
  if (typeof value !== 'string') throw wrongType(`The argument '${argument}'`, 'a string', value);
  if (value === '') throw wrongValue(`The argument '${argument}' is empty; give a non-empty string`);
}

/** What is stored of a value: a copy, which the caller does not have. */
function storedCopy(value, argument) {
  let text;
  try {
    text = stringify(value);
  } catch (error) {
    throw wrongValue(`The argument '${argument}' cannot be written as JSON: ${error?.message ?? ''}`);
  }
  if (text === undefined) throw wrongType(`The argument '${argument}'`, 'a value that JSON can hold', value);
  return parse(text);
}

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

module.exports = {
  checkFinite,
  checkFunction,
  checkText,
  describe,
  isObject,
  numberText,
  quote,
  storedCopy,
  typeError,
  visible,
  wrongReturn,
  wrongType,
  wrongValue,
};
