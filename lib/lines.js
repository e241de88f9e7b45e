// `readLogLines`: its arguments, checked.

const native = require('./addon.js');
const { checkFinite, wrongType, wrongValue } = require('./check.js');

const isAnyObject = (value) => typeof value === 'object' && value !== null;

function checkFile(file) {
  if (typeof file !== 'string') throw wrongType("The argument 'file'", 'a string', file);
  if (file === '' || file.includes('\0')) {
    throw wrongValue("The argument 'file' is empty or holds a NUL character");
  }
}

function wholeNumber(given, name, least) {
  const { [name]: value = least } = given;
  checkFinite(value, `from.${name}`);
  if (value >= least && Number.isInteger(value)) return value;
  throw wrongValue(`The argument 'from.${name}' must be a whole number from ${least} on, not ${value}`);
}

function readPlace(from) {
  if (from === undefined) return { offset: 0, line: 1 };
  if (!isAnyObject(from)) throw wrongType("The argument 'from'", 'an object', from);
  return { offset: wholeNumber(from, 'offset', 0), line: wholeNumber(from, 'line', 1) };
}

function trueOrFalse(given, name, standard) {
  const { [name]: value = standard } = given;
  if (typeof value !== 'boolean') throw wrongType(`The option '${name}'`, 'true or false', value);
  return value;
}

function readChoices(options = {}) {
  if (!isAnyObject(options)) throw wrongType("The argument 'options'", 'an object', options);
  return {
    entries: trueOrFalse(options, 'entries', true),
    changes: trueOrFalse(options, 'changes', false),
  };
}

function readLogLines(file, from, options) {
  checkFile(file);
  const place = readPlace(from);
  return native.describeLogLines(file, place, readChoices(options));
}

module.exports = { readLogLines };
