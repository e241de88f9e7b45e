// The options of `configure` and `new Storage`: checked in the order in which they are given. Native code gets all of
// them, with their defaults.

const { Settings } = require('./addon.js');
const { isObject, numberText, quote, wrongType, wrongValue } = require('./check.js');
const { offsetMs } = require('./time-zone.js');

const LIMIT_BYTES = 2 ** 50;
const FSYNC_INTERVAL_MS_MAX = 3_600_000;
/** The most backups and archives of a log. */
const COUNT_MAX = 100_000;
const FSYNC = ['always', 'interval', 'never'];
const ON_CORRUPTION = ['salvage', 'refuse'];

/** How each option is checked; gives the value to use. */
const OPTIONS = {
  dataDir: text,
  fsync: text,
  fsyncIntervalMs: number,
  onCorruption: text,
  logger,
  backups: (value, name) => wholeNumber(value, name, 1, COUNT_MAX),
  compressBackups: trueOrFalse,
  rotation,
  archives: (value, name) => wholeNumber(value, name, 0, COUNT_MAX),
  oldLogsLimitBytes: (value, name) => wholeNumber(value, name, 0, LIMIT_BYTES),
};

const DEFAULTS = {
  fsync: 'always',
  fsyncIntervalMs: 1000,
  onCorruption: 'salvage',
  backups: 3,
  compressBackups: true,
  archives: 12,
};

const wrongOption = (name, wanted, value) => wrongType(`The option '${name}'`, wanted, value);

function text(value, name) {
  if (typeof value !== 'string') throw wrongOption(name, 'a string', value);
  return value;
}

function number(value, name) {
  if (typeof value !== 'number') throw wrongOption(name, 'a number', value);
  return value;
}

function trueOrFalse(value, name) {
  if (typeof value !== 'boolean') throw wrongOption(name, 'true or false', value);
  return value;
}

function wholeNumber(value, name, from, to) {
  number(value, name);
  if (Number.isInteger(value) && !Object.is(value, -0) && value >= from && value <= to) return value;
  throw wrongValue(`The option '${name}' is ${numberText(value)}; give a whole number from ${from} to ${to}`);
}

function oneOf(value, name, choices, inWords) {
  if (!choices.includes(value)) throw wrongValue(`The option '${name}' is ${quote(value)}; give ${inWords}`);
}

/** A logger, or null for none. */
function logger(value) {
  if (value === null || value === false) return null;
  if (typeof value === 'object' && typeof value.warn === 'function') return value;
  throw wrongOption('logger', "an object with a method 'warn', such as console, or null for none", value);
}

// --- The option `rotation` ---

const ROTATION = ['sizeBytes', 'every', 'hour', 'weekday', 'timeZone'];

const wrongRotation = (what) => wrongValue(`The option 'rotation' ${what}`);

function rotation(value) {
  if (!isObject(value)) throw wrongOption('rotation', 'an object', value);
  const unknown = Object.keys(value).find((name) => !ROTATION.includes(name));
  if (unknown !== undefined) throw wrongRotation(`has no ${quote(unknown)}; it has ${ROTATION.join(', ')}`);
  const read = (name, check, ...bounds) => {
    const member = value[name];
    return member === undefined ? undefined : check(member, `rotation.${name}`, ...bounds);
  };
  const sizeBytes = read('sizeBytes', wholeNumber, 1, LIMIT_BYTES);
  const hour = read('hour', wholeNumber, 0, 23);
  const weekday = read('weekday', wholeNumber, 0, 6);
  const every = read('every', text);
  const timeZone = read('timeZone', text);
  checkCalendar({ every, hour, weekday, timeZone });
  if (every === undefined && sizeBytes === undefined) {
    throw wrongRotation("is empty; give 'every', 'sizeBytes', or both");
  }
  checkTimeZone(timeZone);
  return {
    sizeBytes,
    hour: every && (hour ?? 4),
    weekday: every === 'week' ? (weekday ?? 1) : undefined,
    timeZone,
  };
}

function checkCalendar({ every, hour, weekday, timeZone }) {
  if (every === undefined) {
    if ([hour, weekday, timeZone].every((given) => given === undefined)) return;
    throw wrongRotation("has 'hour', 'weekday' or 'timeZone', which need 'every'");
  }
  if (every === 'day' && weekday !== undefined) {
    throw wrongRotation("has 'weekday', which needs every: 'week'");
  }
  if (every !== 'day' && every !== 'week') {
    throw wrongRotation(`has every: ${quote(every)}; give 'day' or 'week'`);
  }
}

/** What passes never fails later: a time zone is tried when it is given. */
function checkTimeZone(timeZone) {
  try {
    offsetMs(timeZone, 0);
  } catch {
    throw wrongRotation(
      `has timeZone: ${quote(timeZone ?? '')}, which is not known here; give one such as 'Europe/Berlin'`,
    );
  }
}

// --- All of them ---

function readGiven(options) {
  const given = {};
  if (options === undefined) return given;
  if (!isObject(options)) throw wrongType('The options', 'an object', options);
  for (const name of Object.keys(options)) {
    const value = options[name];
    if (!Object.hasOwn(OPTIONS, name)) {
      const names = Object.keys(OPTIONS).join(', ');
      throw wrongValue(`There is no option ${quote(name)}; the options are ${names}`);
    }
    if (value !== undefined) given[name] = OPTIONS[name](value, name);
  }
  return given;
}

function checkChoices({ fsync, fsyncIntervalMs, onCorruption, dataDir }) {
  if (!(fsyncIntervalMs >= 1 && fsyncIntervalMs <= FSYNC_INTERVAL_MS_MAX)) {
    const shown = numberText(fsyncIntervalMs);
    throw wrongValue(`The option 'fsyncIntervalMs' is ${shown}; give milliseconds from 1 to 3600000`);
  }
  oneOf(fsync, 'fsync', FSYNC, "'always', 'interval' or 'never'");
  oneOf(onCorruption, 'onCorruption', ON_CORRUPTION, "'salvage' or 'refuse'");
  if (dataDir === '' || dataDir?.includes('\0')) {
    throw wrongValue("The option 'dataDir' is empty or holds a NUL character");
  }
}

/** `settings` for native code, and `logger`: undefined where none is given, null for none. */
function readOptions(options) {
  const { logger, ...given } = readGiven(options);
  const chosen = { ...DEFAULTS, ...given };
  checkChoices(chosen);
  chosen.dataDir ??= process.env.PROGRESSIVE_STORAGE_DIR || 'data';
  return { settings: new Settings(chosen), logger };
}

module.exports = { readOptions };
