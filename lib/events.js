// Listeners and loggers of this thread. Native code brings the events of the hubs that want them; a hub is a folder
// with its options, and has a number.
//
// Listeners of the module's functions belong to whichever folder the default storage has, also before it is opened.

const native = require('./addon.js');
const { checkFunction, quote, wrongType, wrongValue } = require('./check.js');

// A test may put others in their place.
const { parse } = JSON;

const EVENTS = native.eventNames();
/** Stands for the hub of the default storage, whichever that is. */
const DEFAULT = 0;

/** `{ hub, event, listener, isOnce, isObserver }`, in the order in which they were added. */
let listeners = [];
/** Of each hub that has one: a logger, or null for none. */
const loggers = new Map();
let defaultHub;
/** `{ logger }`, as `configure` gave it before the default storage was opened. */
let pending;

// --- Adding and removing ---

function eventNumber(name) {
  if (typeof name !== 'string') throw wrongType("The argument 'event'", 'a string', name);
  const number = EVENTS.indexOf(name);
  if (number < 0) throw wrongValue(`There is no event ${quote(name)}; the events are ${EVENTS.join(', ')}`);
  return number;
}

function observes(options) {
  if (options === undefined) return false;
  if (typeof options !== 'object' || options === null) {
    throw wrongType("The argument 'options'", 'an object', options);
  }
  return Boolean(options.observe);
}

function add(hub, { event, listener, options, isOnce }) {
  const number = eventNumber(event);
  checkFunction(listener, 'listener');
  listeners.push({ hub, event: number, listener, isOnce, isObserver: observes(options) });
  publish(hub);
}

const addListener = (hub, event, listener, options) => add(hub, { event, listener, options, isOnce: false });
const addOnce = (hub, event, listener, options) => add(hub, { event, listener, options, isOnce: true });

/** Removes the listener that was added last with this function. */
function removeListener(hub, event, listener) {
  const number = eventNumber(event);
  checkFunction(listener, 'listener');
  const at = listeners.findLastIndex(
    (known) => known.hub === hub && known.event === number && known.listener === listener,
  );
  if (at < 0) return;
  listeners.splice(at, 1);
  publish(hub);
}

const isOf = (hub) => (known) => (known.hub || defaultHub) === hub;

/** Makes known what this thread wants of a hub. */
function publish(given) {
  const hub = given || defaultHub;
  if (hub === undefined) return;
  let wanted = 0;
  let heard = 0;
  for (const { event, isObserver } of listeners.filter(isOf(hub))) {
    wanted |= 1 << event;
    if (!isObserver) heard |= 1 << event;
  }
  const logger = loggers.get(hub);
  native.publish(hub, wanted, heard, logger === undefined ? undefined : logger !== null);
}

// --- Loggers, and what happens to storages ---

/** `logger`: undefined for the default, null for none. */
function setLogger(hub, logger) {
  if (logger === undefined) loggers.delete(hub);
  else loggers.set(hub, logger);
  publish(hub);
}

function setDefaultLogger(logger) {
  if (defaultHub === undefined) pending = { logger };
  else setLogger(defaultHub, logger);
}

/** The default storage was opened in the folder of this hub. */
function defaultOpened(hub) {
  const before = defaultHub;
  defaultHub = hub;
  if (before !== undefined && before !== hub) publish(before);
  if (pending) setLogger(hub, pending.logger);
  else publish(hub);
  pending = undefined;
}

/** The default storage was closed: its logger is kept for when it is opened again, there or elsewhere. */
function defaultClosed() {
  const hub = defaultHub;
  defaultHub = undefined;
  if (loggers.has(hub)) pending = { logger: loggers.get(hub) };
  setLogger(hub, undefined);
}

// --- What native code calls ---

function run(call) {
  try {
    call();
  } catch (error) {
    native.raise(error);
  }
}

function log(logger, kind, text) {
  if (typeof logger[kind] === 'function') logger[kind](text);
  else if (kind === 'warn') logger.warn(text);
}

/** An event of a hub has arrived: the logger gets the text, and each listener an object of its own. */
function heard(hub, event, payload, kind, text) {
  const logger = loggers.get(hub);
  if (logger) run(() => log(logger, kind, text));
  const isDue = (known) => known.event === event && isOf(hub)(known);
  const due = listeners.filter(isDue);
  if (due.some(({ isOnce }) => isOnce)) {
    listeners = listeners.filter((known) => !(known.isOnce && isDue(known)));
    publish(hub);
  }
  for (const { listener } of due) run(() => listener.call(undefined, parse(payload)));
}

/** A problem that nobody hears. */
function warn(code, message) {
  process.emitWarning(message, { type: 'ProgressiveStorageWarning', code });
}

let isDefaultOpen = () => false;
let notifyClosed = () => {};
let notifyWatched = () => {};

/** Calls this when a storage was closed. */
function whenClosed(call) {
  notifyClosed = call;
}

/** Calls this with the id of a watch for which there is something new. */
function whenWatched(call) {
  notifyWatched = call;
}

/** A storage in the folder of this hub was closed; `isLast` where it was this thread's only one there. */
function closed(hub, isLast) {
  notifyClosed();
  if (hub === defaultHub && !isDefaultOpen()) defaultClosed();
  if (!isLast) return;
  listeners = listeners.filter((known) => known.hub !== hub);
  setLogger(hub, undefined);
}

/** Starts to take events; `isOpen` says whether the default storage is open. */
function connect(isOpen) {
  isDefaultOpen = isOpen;
  const offsetMs = (timeZone, at) => require('./time-zone.js').offsetMs(timeZone, at);
  const watched = (id, isToLook) => notifyWatched(id, isToLook);
  native.connect({ heard, watched, warn, closed, offsetMs, ...require('./several-keys.js') });
}

module.exports = {
  DEFAULT,
  addListener,
  addOnce,
  connect,
  defaultOpened,
  removeListener,
  setDefaultLogger,
  setLogger,
  whenClosed,
  whenWatched,
};
