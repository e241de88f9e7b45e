// `startDashboard`: one page, its live data, `/metrics` and `/healthz`, and nothing else.
//
// Invariants: every answer needs the token, where there is one, but for the `ok` or `not ok` of `/healthz`; without one,
// only loopback is listened on, and only requests that name loopback are answered (a page of another site cannot make a
// browser ask by a name of its own). The page loads nothing from anywhere, and its policy forbids it to; its addresses are
// relative, so it may stand below any path of a proxy. Nothing here writes to the storage, nor opens a log in it.
//
// The cookie's value is made from the token, so every token can be in one; its name has the port, as a browser sends the
// cookies of a host to all of its ports.

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Growth } = require('./growth.js');
const { Recorder } = require('./recorder.js');

const PORT = 8377;
const TOKEN_LENGTH_MIN = 16;
const CLIENTS_MAX = 50;
/** A page that does not take what it is told is let go; one that comes back begins anew. */
const UNREAD_BYTES_MAX = 4 << 20;
const COOKIE = 'progressive_storage_token';
/** A request has to be there whole after this; what is not is cut off by `close` after the other. */
const REQUEST_MS = 10_000;
const CLOSE_MS = 1000;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
const page = () => fs.readFileSync(path.join(__dirname, 'page.html'), 'utf8');

function refuse(Type, code, message) {
  throw Object.assign(new Type(message), { code });
}

function checked({ port = PORT, host = '127.0.0.1', token, storage, ...others } = {}) {
  const wrongType = (message) => refuse(TypeError, 'ERR_INVALID_ARG_TYPE', message);
  const wrongValue = (message) => refuse(TypeError, 'ERR_INVALID_ARG_VALUE', message);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    wrongValue(`There is no option '${unknown}'; the options are port, host, token, storage`);
  }
  if (typeof port !== 'number') wrongType("The option 'port' must be a number");
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    wrongValue(`The option 'port' is ${port}; give a whole number from 0 to 65535`);
  }
  if (typeof host !== 'string') wrongType("The option 'host' must be a string");
  if (token !== undefined && typeof token !== 'string') wrongType("The option 'token' must be a string");
  if (token !== undefined && !/^[\x21-\x7e]{16,512}$/.test(token)) {
    wrongValue(
      `The option 'token' must have at least ${TOKEN_LENGTH_MIN} visible ASCII characters and no spaces; make one with: openssl rand -hex 32`,
    );
  }
  if (token === undefined && !LOOPBACK.has(host)) {
    wrongValue(
      `The option 'host' is '${host}', which others can reach; give a 'token' too, or listen on 127.0.0.1 only`,
    );
  }
  if (storage !== undefined && typeof storage?.metrics !== 'function') {
    wrongType("The option 'storage' must be a Storage");
  }
  return { port, host, token, storage };
}

const hash = (text) => crypto.createHash('sha256').update(text).digest();
const isSame = (one, other) => crypto.timingSafeEqual(hash(one), hash(other));
const cookieOf = (token) => hash(`progressive-storage dashboard cookie ${token}`).toString('hex');

/** The tokens that an address may mean: a token has no space, so a + is one, whoever encoded the rest. */
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
  #server = http.createServer({ connectionsCheckingInterval: REQUEST_MS / 2 }, (request, response) =>
    this.#answer(request, response),
  );
  #cookie;
  #closed;

  constructor({ token, host }, recorder) {
    this.#token = token;
    this.#isLoopback = LOOPBACK.has(host);
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
      this.#recorder.stop();
      for (const client of this.#clients) client.end();
      // Who has sent half of a request, or does not take the answer, is not waited for.
      const cut = setTimeout(() => {
        for (const socket of this.#sockets) socket.destroy();
      }, CLOSE_MS);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
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

  /** Whether a request has the token in a header, or the cookie that the page got. */
  #isKnown(request) {
    const header = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '');
    if (header) return isSame(header[1], this.#token);
    const { name, value } = this.#cookie;
    const cookies = (request.headers.cookie ?? '').split(/; */);
    const given = cookies.find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
    return given !== undefined && isSame(given, value);
  }

  #answer(request, response) {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    const fail = (status, text) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`);
    };
    let url;
    try {
      url = new URL(request.url, 'http://dashboard');
    } catch {
      return fail(400, 'This is no address.');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return fail(405, 'Only GET is known here.');
    if (this.#token === undefined && this.#isLoopback) {
      const name = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
      if (!LOOPBACK.has(name)) return fail(421, 'This dashboard answers to localhost only.');
    }
    const isKnown = this.#token === undefined || this.#isKnown(request);
    if (url.pathname === '/healthz') return this.#health(fail, isKnown);
    if (!isKnown) {
      if (url.pathname !== '/' || !tokensOf(url).some((given) => isSame(given, this.#token))) {
        response.setHeader('www-authenticate', 'Bearer');
        return fail(401, 'A token is needed: open /?token=… once, or send "Authorization: Bearer …".');
      }
      // Without a path, it is for the one below which a proxy has this.
      const cookie = `${this.#cookie.name}=${this.#cookie.value}; HttpOnly; SameSite=Strict`;
      response.writeHead(303, { location: './', 'set-cookie': cookie });
      return response.end();
    }
    this.#route(url, request, response, fail);
  }

  /** What is wrong names paths and keys: that is for who knows the token. */
  #health(fail, isKnown) {
    const problem = this.#recorder.problem();
    return problem ? fail(503, isKnown ? problem : 'not ok') : fail(200, 'ok');
  }

  #route(url, request, response, fail) {
    if (url.pathname === '/') return this.#page(response);
    if (url.pathname === '/events') return this.#events(request, response, fail);
    if (url.pathname === '/key') return this.#key(url, response, fail);
    if (url.pathname === '/metrics') {
      let text;
      try {
        text = this.#recorder.metricsText();
      } catch (error) {
        return fail(503, error.message);
      }
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      return response.end(text);
    }
    fail(404, 'There is nothing here.');
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
    response.end(page().replaceAll('__NONCE__', nonce));
  }

  #events(request, response, fail) {
    if (this.#clients.size >= CLIENTS_MAX) return fail(503, 'Too many are looking already.');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (request.method === 'HEAD') return response.end();
    response.write(`retry: 2000\nevent: hello\ndata: ${JSON.stringify(this.#recorder.all())}\n\n`);
    this.#clients.add(response);
    request.on('close', () => this.#clients.delete(response));
  }

  async #key(url, response, fail) {
    const [log, key] = [url.searchParams.get('log'), url.searchParams.get('key')];
    if (log === null || key === null) return fail(400, 'Give log and key.');
    try {
      const found = await this.#recorder.lookUp(log, key);
      if (!found) return fail(404, 'There is no such log.');
      const text = JSON.stringify(found);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(text);
    } catch (error) {
      fail(error instanceof TypeError ? 400 : 500, error.message);
    }
  }
}

/** See `startDashboard` in index.d.ts; `api` is the module. `isOfFolder`: other processes do the writing. */
async function startDashboard(api, options, isOfFolder = false) {
  const wanted = checked(options);
  const storage = wanted.storage ?? api;
  const recorder = new Recorder(storage, isOfFolder ? new Growth(storage.metrics().dataDir) : undefined);
  const server = new Server(wanted, recorder);
  let port;
  try {
    port = await server.listen(wanted.port, wanted.host);
  } catch (error) {
    recorder.stop();
    throw error;
  }
  const name = wanted.host.includes(':') ? `[${wanted.host}]` : wanted.host;
  const close = () => server.close();
  const dashboard = { url: `http://${name}:${port}/`, port, close };
  if (Symbol.asyncDispose) dashboard[Symbol.asyncDispose] = close;
  return dashboard;
}

module.exports = { startDashboard };
