// A client with the simple query protocol: enough for tests to look at a server beside the store, on machines without psql.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import net from 'node:net';
import path from 'node:path';
import { encode, encodeStartup, MessageReader } from './messages.mjs';

const text = (value) => Buffer.from(`${value}\0`);
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

/** The error that a server sent: `code` is its SQLSTATE. */
export class ServerError extends Error {
  constructor(body) {
    const fields = Object.fromEntries(
      body
        .toString('utf8')
        .split('\0')
        .filter(Boolean)
        .map((field) => [field[0], field.slice(1)]),
    );
    super(`${fields.S}: ${fields.M}`);
    this.code = fields.C;
  }
}

/**
 * A connection to a server: at `host` and `port`, or at the socket in `socketFolder`. `parameters` go into the startup
 * message.
 */
export async function connect({
  host = '127.0.0.1',
  port,
  socketFolder,
  user,
  password,
  database,
  parameters,
}) {
  const address = socketFolder ? { path: path.join(socketFolder, `.s.PGSQL.${port}`) } : { host, port };
  const client = new Client(net.connect(address), password);
  try {
    await client.login({ user, database, client_encoding: 'UTF8', ...parameters });
    return client;
  } catch (error) {
    client.destroy();
    throw error;
  }
}

class Client {
  #socket;
  #password;
  #nonce = randomBytes(18).toString('base64');
  #last = Promise.resolve();
  #answer = null;

  /** The notices of the server, as text. */
  notices = [];

  constructor(socket, password) {
    this.#socket = socket;
    this.#password = password ?? '';
    const reader = new MessageReader('server', {});
    socket.on('data', (bytes) => {
      for (const message of reader.read(bytes)) this.#take(message);
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => {
      const error = new Error('The connection ended');
      error.code = 'ECONNRESET';
      this.#fail(error);
    });
  }

  login(parameters) {
    return this.#ask(encodeStartup(parameters));
  }

  /** Runs SQL, one statement or several, and gives the rows of all of them: arrays of text, with null for NULL. */
  query(sql) {
    return this.#ask(encode('Q', text(sql)));
  }

  /** Closes the connection as a client does. */
  async end() {
    if (this.#socket.destroyed) return;
    this.#socket.end(encode('X', Buffer.alloc(0)));
    await new Promise((resolve) => this.#socket.once('close', resolve));
  }

  /** Drops the connection. */
  destroy() {
    this.#socket.destroy();
  }

  /** Sends a message once the answers to all earlier ones are there. */
  #ask(bytes) {
    const answered = this.#last.then(
      () =>
        new Promise((resolve, reject) => {
          this.#answer = { rows: [], error: null, resolve, reject };
          if (this.#socket.destroyed) this.#fail(new Error('The connection is closed'));
          else this.#socket.write(bytes);
        }),
    );
    this.#last = answered.catch(() => {});
    return answered;
  }

  #fail(error) {
    const answer = this.#answer;
    this.#answer = null;
    answer?.reject(answer.error ?? error);
  }

  #take({ type, body, text: bodyText }) {
    if (type === 'Authentication') this.#authenticate(body);
    else if (type === 'DataRow') this.#answer?.rows.push(columnsOf(body));
    else if (type === 'NoticeResponse') this.notices.push(bodyText);
    else if (type === 'ErrorResponse' && this.#answer) this.#answer.error = new ServerError(body);
    else if (type === 'ReadyForQuery' && this.#answer) {
      const { error, rows, resolve, reject } = this.#answer;
      this.#answer = null;
      if (error) reject(error);
      else resolve(rows);
    }
  }

  #authenticate(body) {
    const kind = body.readInt32BE(0);
    const said = body.subarray(4).toString('utf8');
    if (kind === 3) this.#socket.write(encode('p', text(this.#password)));
    else if (kind === 10) this.#startScram();
    else if (kind === 11) this.#continueScram(said);
    else if (kind !== 0 && kind !== 12) this.#fail(new Error(`Authentication ${kind} is not known here`));
  }

  #startScram() {
    const first = Buffer.from(`n,,n=,r=${this.#nonce}`);
    const length = Buffer.alloc(4);
    length.writeInt32BE(first.length);
    this.#socket.write(encode('p', Buffer.concat([text('SCRAM-SHA-256'), length, first])));
  }

  #continueScram(said) {
    const { r, s, i } = Object.fromEntries(said.split(',').map((part) => [part[0], part.slice(2)]));
    const salted = pbkdf2Sync(this.#password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
    const key = hmac(salted, 'Client Key');
    const last = `c=biws,r=${r}`;
    const signature = hmac(createHash('sha256').update(key).digest(), `n=,r=${this.#nonce},${said},${last}`);
    const proof = Buffer.from(key.map((byte, at) => byte ^ signature[at])).toString('base64');
    this.#socket.write(encode('p', Buffer.from(`${last},p=${proof}`)));
  }
}

function columnsOf(body) {
  const columns = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    at += 4;
    columns.push(length < 0 ? null : body.toString('utf8', at, at + Math.max(length, 0)));
    at += Math.max(length, 0);
  }
  return columns;
}
