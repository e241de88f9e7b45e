// A proxy between a client and a server that understands their messages: it cuts a connection exactly before or after a
// message, lets nothing through for a while, is late, and counts.
//
// Invariant: messages of one side pass in their order, and everything that a side did, its end included, waits its turn.

import net from 'node:net';
import { MessageReader } from './messages.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const OTHER = { client: 'server', server: 'client' };

/**
 * Resets a connection at once. `resetAndDestroy` ends it first, and when the other side resets it meanwhile, Node never
 * closes the handle: the process would live for ever. A connection that was ended already cannot be reset.
 */
function resetSocket(socket) {
  if (socket.destroyed) return;
  socket.resetAndClosing = !socket.writableEnded;
  socket.destroy();
}

/** One connection: the sockets of both sides, and what waits to be passed on. */
class Link {
  #proxy;
  #sockets;
  #waiting = { client: [], server: [] };
  #isPassing = { client: false, server: false };
  #isLoggedIn = false;
  #last = 'server';

  constructor(proxy, client, server) {
    this.#proxy = proxy;
    this.#sockets = { client, server };
    const exchange = {};
    for (const from of ['client', 'server']) this.#listen(from, new MessageReader(from, exchange));
  }

  #listen(from, reader) {
    const socket = this.#sockets[from];
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      for (const message of reader.read(bytes)) this.#queue(from, { message });
    });
    socket.on('end', () => this.#queue(from, { end: true }));
    socket.on('error', () => this.#queue(from, { reset: true }));
  }

  #queue(from, what) {
    this.#waiting[from].push({ ...what, dueAt: Date.now() + this.#proxy.delayMs });
    if (!this.#isPassing[from]) this.#pass(from);
  }

  async #pass(from) {
    this.#isPassing[from] = true;
    const waiting = this.#waiting[from];
    while (waiting.length > 0) {
      const [{ message, reset, dueAt }] = waiting;
      if (dueAt > Date.now()) await sleep(dueAt - Date.now());
      await this.#proxy.untilMoving(from);
      if (message) {
        // It may be stalled or cut here, and this message with it.
        const cut = this.#proxy.meet(message);
        if (cut === 'stalled') continue;
        waiting.shift();
        if (cut?.when !== 'before') await this.#forward(from, message);
        if (cut) this.#cutAt(from, cut);
      } else {
        waiting.shift();
        if (reset) this.reset();
        else this.#sockets[OTHER[from]].end();
      }
    }
    this.#isPassing[from] = false;
  }

  async #forward(from, message) {
    this.#count(from, message);
    const socket = this.#sockets[OTHER[from]];
    if (socket.destroyed) return;
    if (socket.write(message.bytes)) return;
    await new Promise((resolve) => {
      const go = () => {
        socket.off('drain', go).off('close', go);
        resolve();
      };
      socket.on('drain', go).on('close', go);
    });
  }

  #count(from, { type }) {
    this.#proxy.count(from, type);
    if (this.#isLoggedIn && from === 'client' && this.#last === 'server' && type !== 'Terminate') {
      this.#proxy.roundTrips++;
    }
    if (type === 'ReadyForQuery') this.#isLoggedIn = true;
    this.#last = from;
  }

  /** After a message, its receiver still gets it: the connection ends there, and is reset on the other side. */
  #cutAt(from, { when, message, resolve }) {
    if (when === 'after') {
      this.#sockets[OTHER[from]].end();
      resetSocket(this.#sockets[from]);
    } else this.reset();
    resolve(message);
  }

  get isOpen() {
    return !this.#sockets.client.destroyed;
  }

  reset() {
    this.#waiting.client.length = 0;
    this.#waiting.server.length = 0;
    for (const socket of Object.values(this.#sockets)) resetSocket(socket);
  }
}

export class PostgresProxy {
  #server;
  #target;
  #links = new Set();
  #isStalled = { client: false, server: false };
  #wake = [];
  #rules = [];

  /** How late each message is passed on. */
  delayMs = 0;
  /** How often clients waited for an answer after they had logged in: a turn from the server to the client. */
  roundTrips = 0;
  /** How many messages of each type have passed, such as `counts.client.Query`. */
  counts = { client: {}, server: {} };

  constructor(target) {
    this.#target = target;
    this.host = '127.0.0.1';
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  #accept(client) {
    const { host, port } = this.#target;
    const server = net.connect({ host, port, allowHalfOpen: true });
    const link = new Link(this, client, server);
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
  }

  /** Listens, on the same port each time. */
  async up() {
    if (this.#server.listening) return;
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(this.port ?? 0, this.host, resolve);
    });
    this.#server.unref();
    this.port = this.#server.address().port;
  }

  /** Cuts all connections and refuses new ones, until `up()`. */
  async down() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  /** Ends it. */
  async remove() {
    this.resume();
    if (this.#server.listening) await this.down();
  }

  /** The target's URL for a role, at this proxy. */
  urlOf(role, database) {
    const url = new URL(this.#target.urlOf(role, database));
    url.port = String(this.port);
    return url.href;
  }

  get url() {
    return this.urlOf('bot');
  }

  get connections() {
    return this.#links.size;
  }

  /** From now on connections go to another server. Those that are open stay where they are. */
  retarget(target) {
    this.#target = target;
  }

  // --- Faults ---

  /** Resets all connections. Returns how many. */
  cut() {
    const links = [...this.#links];
    for (const link of links) link.reset();
    return links.length;
  }

  /** Passes nothing on, of one side or of both, and keeps all connections: a network that is silent. */
  stall(from) {
    for (const side of from ? [from] : ['client', 'server']) this.#isStalled[side] = true;
  }

  resume() {
    this.#isStalled = { client: false, server: false };
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** Passes each message on that much later, in both directions. */
  delay(ms) {
    this.delayMs = ms;
  }

  /**
   * Resets the connection in which the nth message comes that the pattern fits, instead of passing it on. The pattern
   * is `{ from: 'client' | 'server', type, text, nth }`, in which `text` is a part of it or a regular expression. Resolves to
   * the message, once the connection is cut.
   */
  cutBefore(pattern) {
    return this.#rule('before', pattern);
  }

  /** The same, right after the message was passed on: its receiver gets it, and nothing after it. */
  cutAfter(pattern) {
    return this.#rule('after', pattern);
  }

  /** The same, but stalls both directions instead of cutting; the message waits until `resume()`. */
  stallBefore(pattern) {
    return this.#rule('stall', pattern);
  }

  #rule(when, { nth = 1, ...pattern }) {
    return new Promise((resolve) => this.#rules.push({ when, pattern, left: nth, resolve }));
  }

  // --- What links ask ---

  count(from, type) {
    this.counts[from][type] = (this.counts[from][type] ?? 0) + 1;
  }

  resetCounts() {
    this.counts = { client: {}, server: {} };
    this.roundTrips = 0;
  }

  /** Resolves when messages of this side may pass. */
  async untilMoving(from) {
    while (this.#isStalled[from]) await new Promise((resolve) => this.#wake.push(resolve));
  }

  /** What a message meets: nothing, `stalled`, or `{ when, message, resolve }` of a cut. */
  meet(message) {
    let met;
    for (const rule of [...this.#rules]) {
      if (!fits(rule.pattern, message) || --rule.left > 0) continue;
      this.#rules.splice(this.#rules.indexOf(rule), 1);
      if (rule.when === 'stall') {
        this.stall();
        rule.resolve(message);
        met ??= 'stalled';
      } else met = { when: rule.when, message, resolve: rule.resolve };
    }
    return met;
  }
}

function fits({ from, type, text }, message) {
  if (from && from !== message.from) return false;
  if (type && type !== message.type) return false;
  if (text === undefined) return true;
  return text instanceof RegExp ? text.test(message.text) : message.text.includes(text);
}

/** Starts a proxy in front of a server, of pgbouncer, or of `{ host, port }`. */
export async function startProxy(target) {
  const proxy = new PostgresProxy(target);
  await proxy.up();
  return proxy;
}
