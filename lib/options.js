// The options of `configure` and `new Storage`: checked in the order in which they are given. Native code gets all of
// them, with their defaults.
//
// Invariant: an option counts where the object itself has it, not where it inherits it: what another package puts on
// `Object.prototype` is no option. A url, in which a password may stand, is found from its settings and storages alone, and by
// this package alone.

const { Settings } = require('./addon.js');
const { isObject, numberText, quote, wrongType, wrongValue } = require('./check.js');
const { offsetMs } = require('./time-zone.js');

const LIMIT_BYTES = 2 ** 50;
const FSYNC_INTERVAL_MS_MAX = 3_600_000;
/** The most backups and archives of a log. */
const COUNT_MAX = 100_000;
const FSYNC = ['always', 'interval', 'never'];
const TIMEOUT_MS_MAX = 3_600_000;
const ON_CORRUPTION = ['salvage', 'refuse'];
const MIRROR = ['follow', 'close'];

/** How each option is checked; gives the value to use. */
const OPTIONS = {
  dataDir: text,
  url: text,
  schema: text,
  timeoutMs: (value, name) => wholeNumber(value, name, 1, TIMEOUT_MS_MAX),
  fsync: text,
  fsyncIntervalMs: number,
  onCorruption: text,
  mirror: text,
  cacheBytes: bytesOrAll,
  logger,
  backups: (value, name) => wholeNumber(value, name, 1, COUNT_MAX),
  compressBackups: trueOrFalse,
  rotation,
  archives: (value, name) => wholeNumber(value, name, 0, COUNT_MAX),
  oldLogsLimitBytes: (value, name) => wholeNumber(value, name, 0, LIMIT_BYTES),
};

/** What is about files, and what is about a server. */
const OF_FOLDER = [
  'dataDir',
  'fsync',
  'fsyncIntervalMs',
  'onCorruption',
  'mirror',
  'cacheBytes',
  'backups',
  'compressBackups',
  'rotation',
  'archives',
  'oldLogsLimitBytes',
];
const OF_SERVER = ['schema', 'timeoutMs'];

const DEFAULTS = {
  schema: 'progressive_storage',
  timeoutMs: 30_000,
  fsync: 'always',
  fsyncIntervalMs: 1000,
  onCorruption: 'salvage',
  mirror: 'follow',
  cacheBytes: 64 * 2 ** 20,
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

function bytesOrAll(value, name) {
  if (value === 'all') return value;
  if (typeof value !== 'number') throw wrongOption(name, "a number, or 'all'", value);
  if (Number.isInteger(value) && !Object.is(value, -0) && value >= 0 && value <= LIMIT_BYTES) return value;
  throw wrongValue(
    `The option '${name}' is ${numberText(value)}; give a whole number from 0 to ${LIMIT_BYTES}, or 'all'`,
  );
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
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
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
    __proto__: null,
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
  const given = { __proto__: null };
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

function checkChoices({ fsync, fsyncIntervalMs, onCorruption, mirror, dataDir }) {
  if (!(fsyncIntervalMs >= 1 && fsyncIntervalMs <= FSYNC_INTERVAL_MS_MAX)) {
    const shown = numberText(fsyncIntervalMs);
    throw wrongValue(`The option 'fsyncIntervalMs' is ${shown}; give milliseconds from 1 to 3600000`);
  }
  oneOf(fsync, 'fsync', FSYNC, "'always', 'interval' or 'never'");
  oneOf(onCorruption, 'onCorruption', ON_CORRUPTION, "'salvage' or 'refuse'");
  oneOf(mirror, 'mirror', MIRROR, "'follow' or 'close'");
  if (dataDir === '' || dataDir?.includes('\0')) {
    throw wrongValue("The option 'dataDir' is empty or holds a NUL character");
  }
}

/** The url of a server, unless the data is kept in a folder. What was given decides, then the environment. */
function urlFor(given) {
  const url = given.url ?? (given.dataDir === undefined ? process.env.PROGRESSIVE_STORAGE_URL : undefined);
  const isServer = given.url !== undefined || Boolean(url);
  const wrong = (isServer ? OF_FOLDER : OF_SERVER).find((name) => given[name] !== undefined);
  if (wrong === undefined) return isServer ? url : undefined;
  if (!isServer) throw wrongValue(`The option '${wrong}' is about a server; give it together with 'url'`);
  const where = given.url === undefined ? 'the url in PROGRESSIVE_STORAGE_URL' : "the option 'url'";
  throw wrongValue(
    `The option '${wrong}' is about files, and ${where} keeps the data on a server; leave one of them out`,
  );
}

/** Of settings that name a server, and of the storages that were opened with them: `{ url, schema }`. */
const servers = new WeakMap();

/** Which server settings, or a storage that has them, are about; undefined for a folder. */
const serverOf = (owner) => servers.get(owner);

/** A storage is at the server of these settings, if they name one. */
function keepServer(storage, settings) {
  if (servers.has(settings)) servers.set(storage, servers.get(settings));
}

/** `settings` for native code, and `logger`: undefined where none is given, null for none. */
function readOptions(options) {
  const { logger, ...given } = readGiven(options);
  const chosen = { __proto__: null, ...DEFAULTS, ...given };
  checkChoices(chosen);
  chosen.url = urlFor(given);
  chosen.dataDir ??= process.env.PROGRESSIVE_STORAGE_DIR || 'data';
  if (chosen.cacheBytes === 'all') chosen.cacheBytes = undefined;
  const settings = new Settings(chosen);
  if (chosen.url !== undefined) servers.set(settings, { url: chosen.url, schema: chosen.schema });
  return { settings, logger };
}

module.exports = { keepServer, readOptions, serverOf };
