// The dashboard's HTTP server: the page, its live events, older samples, keys and their history, `/metrics` and `/healthz`.
//
// Invariants:
// - With a token, every answer needs it. Only `/healthz` says `ok` or `not ok` without it.
// - Without a token, only requests whose Host is loopback are answered: a page of another site can make a browser send
//   requests under a name of its own, which resolves to this address.
// - The page's policy forbids it to load anything from elsewhere. Its addresses are relative, so a proxy can serve it
//   below any path.
// - Nothing here writes to the storage or opens a log in it.
//
// The cookie's value is a hash of the token, as a token may have characters that a cookie may not. The cookie's name
// holds the port, because a browser sends the cookies of a host to all of its ports.

const crypto = require('node:crypto');
const http = require('node:http');
const { isLoopback } = require('./options.js');
const { page } = require('./page.js');

const CLIENTS_MAX = 50;
/** A page that does not read its events is disconnected beyond this; it reconnects and gets everything again. */
const UNREAD_BYTES_MAX = 4 << 20;
const COOKIE = 'progressive_storage_token';
/** A key in an address takes up to nine bytes a character. */
const HEADER_BYTES_MAX = 48 * 1024;
/** A request must be complete after this time. */
const REQUEST_MS = 10_000;
/** `close` cuts off connections that are still open after this time. */
const CLOSE_MS = 1000;
const HEADERS = Object.entries({
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
});

const hash = (text) => crypto.createHash('sha256').update(text).digest();
const isSame = (one, other) => crypto.timingSafeEqual(hash(one), hash(other));
const cookieOf = (token) => hash(`progressive-storage dashboard cookie ${token}`).toString('hex');

/** The tokens that an address may mean, decoded and as it is. A token has no space, so `+` always means itself. */
function tokensOf(url) {
  const [, raw] = /[?&]token=([^&]*)/.exec(url.search) ?? [];
  if (raw === undefined) return [];
  try {
    return [decodeURIComponent(raw), raw];
  } catch {
    return [raw];
  }
}

class Server {
  #token;
  #isLoopback;
  #recorder;
  #clients = new Set();
  #sockets = new Set();
  #server = http.createServer(
    { connectionsCheckingInterval: REQUEST_MS / 2, maxHeaderSize: HEADER_BYTES_MAX },
    (request, response) => this.#answer(request, response),
  );
  #cookie;
  #closed;

  constructor({ token, host }, recorder) {
    this.#token = token;
    this.#isLoopback = isLoopback(host);
    this.#recorder = recorder;
    this.#server.requestTimeout = REQUEST_MS;
    this.#server.headersTimeout = REQUEST_MS;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    recorder.onNews((event, data) => this.#send(event, data));
  }

  listen(port, host) {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        const listened = this.#server.address().port;
        this.#cookie = { name: `${COOKIE}_${listened}`, value: cookieOf(this.#token ?? '') };
        resolve(listened);
      });
    });
  }

  close() {
    this.#closed ??= new Promise((resolve) => {
      const stopped = this.#recorder.stop();
      for (const client of this.#clients) client.end();
      // A client may have sent half of a request, or not read its answer.
      const cut = setTimeout(() => {
        for (const socket of this.#sockets) socket.destroy();
      }, CLOSE_MS);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve(stopped);
      });
      this.#server.closeIdleConnections?.();
    });
    return this.#closed;
  }

  #send(event, data) {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const client of this.#clients) {
      if (client.writableLength > UNREAD_BYTES_MAX) client.destroy();
      else client.write(text);
    }
  }

  /** Whether a request has the token in a header, or the page's cookie. */
  #isKnown(request) {
    const header = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '');
    if (header) return isSame(header[1], this.#token);
    const { name, value } = this.#cookie;
    const cookies = (request.headers.cookie ?? '').split(/; */);
    const given = cookies.find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
    return given !== undefined && isSame(given, value);
  }

  #answer(request, response) {
    for (const [name, value] of HEADERS) response.setHeader(name, value);
    const fail = (status, text) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`);
    };
    let url;
    try {
      url = new URL(request.url, 'http://dashboard');
    } catch {
      return fail(400, 'This is not a valid address.');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return fail(405, 'Only GET is allowed.');
    // Another site that is open in the browser cannot read the answer, but the question would be work.
    if (request.headers['sec-fetch-site'] === 'cross-site' && url.pathname !== '/')
      return fail(403, 'Another site may not ask this dashboard.');
    if (this.#token === undefined && this.#isLoopback) {
      const name = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
      if (!isLoopback(name)) return fail(421, 'This dashboard answers only to localhost.');
    }
    const isKnown = this.#token === undefined || this.#isKnown(request);
    if (url.pathname === '/healthz') return this.#health(fail, { isKnown });
    if (isKnown) return this.#route({ url, request, response, fail });
    const isEntry = url.pathname === '/' && tokensOf(url).some((given) => isSame(given, this.#token));
    if (isEntry) return this.#enter(response);
    response.setHeader('www-authenticate', 'Bearer');
    fail(401, 'A token is needed: open /?token=… once, or send "Authorization: Bearer …".');
  }

  /** Gives the page its cookie, and removes the token from the address. */
  #enter(response) {
    // The cookie has no path of its own, so it holds for the path below which a proxy serves this.
    const cookie = `${this.#cookie.name}=${this.#cookie.value}; HttpOnly; SameSite=Strict`;
    response.writeHead(303, { location: './', 'set-cookie': cookie });
    response.end();
  }

  /** A problem names paths and keys, so only a client with the token sees it. */
  async #health(fail, { isKnown }) {
    await this.#recorder.check();
    const problem = this.#recorder.problem();
    return problem ? fail(503, isKnown ? problem : 'not ok') : fail(200, 'ok');
  }

  #route({ url, request, response, fail }) {
    if (url.pathname === '/') return this.#page(response);
    if (url.pathname === '/events') return this.#events(request, response, fail);
    if (url.pathname === '/series') return this.#series(url, response, fail);
    if (url.pathname === '/keys' || url.pathname === '/key') return this.#read(url, response, fail);
    if (url.pathname === '/metrics') return this.#metrics(response, fail);
    fail(404, 'There is nothing here.');
  }

  #metrics(response, fail) {
    let text;
    try {
      text = this.#recorder.metricsText();
    } catch (error) {
      return fail(503, error.message);
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(text);
  }

  #page(response) {
    const nonce = crypto.randomBytes(16).toString('base64');
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': [
        "default-src 'none'",
        `script-src 'nonce-${nonce}'`,
        `style-src 'nonce-${nonce}'`,
        "connect-src 'self'",
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
    });
    response.end(page({ nonce, kind: this.#recorder.kind }));
  }

  #events(request, response, fail) {
    if (this.#clients.size >= CLIENTS_MAX) return fail(503, 'Too many pages are connected already.');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (request.method === 'HEAD') return response.end();
    response.write(`retry: 2000\nevent: hello\ndata: ${JSON.stringify(this.#recorder.all())}\n\n`);
    this.#clients.add(response);
    this.#recorder.setWatched(true);
    request.on('close', () => {
      this.#clients.delete(response);
      this.#recorder.setWatched(this.#clients.size > 0);
    });
  }

  #series(url, response, fail) {
    const asked = url.searchParams;
    const seconds = asked.has('seconds') ? Number(asked.get('seconds')) : undefined;
    if (seconds !== undefined && !(seconds > 0)) return fail(400, 'Give seconds above 0, or none for all.');
    this.#json(response, this.#recorder.series({ seconds, log: asked.get('log') ?? undefined }));
  }

  async #read(url, response, fail) {
    const asked = url.searchParams;
    const log = asked.get('log');
    const isKey = url.pathname === '/key';
    if (log === null || (isKey && !asked.has('key')))
      return fail(400, isKey ? 'Give log and key.' : 'Give log.');
    const before = asked.has('before') ? Number(asked.get('before')) : undefined;
    if (before !== undefined && !(Number.isSafeInteger(before) && before >= 0))
      return fail(400, 'Give the number of a step in before.');
    try {
      const found = await (isKey
        ? this.#recorder.readKey({ log, key: asked.get('key'), before })
        : this.#recorder.readKeys({
            ...{ log, how: asked.get('how') ?? undefined, text: asked.get('text') ?? undefined },
            ...{ cursor: asked.get('after'), isGone: () => response.destroyed },
          }));
      if (!found) return fail(404, 'There is no such log.');
      this.#json(response, found);
    } catch (error) {
      fail(error.status ?? (error instanceof TypeError ? 400 : 500), error.message);
    }
  }

  #json(response, value) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  }
}

module.exports = { Server };
