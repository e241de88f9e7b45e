// Messages of PostgreSQL's protocol, version 3:
//
//     type (1 byte) | length of all but the type (4 bytes) | body          every message but a client's first
//                     length (4 bytes) | code (4 bytes) | body             a client's first: a startup or a request
//
// A request for TLS is answered by one byte, and the client's first message comes then, or bytes of TLS.

const CLIENT = {
  B: 'Bind',
  C: 'Close',
  D: 'Describe',
  E: 'Execute',
  F: 'FunctionCall',
  H: 'Flush',
  P: 'Parse',
  Q: 'Query',
  S: 'Sync',
  X: 'Terminate',
  c: 'CopyDone',
  d: 'CopyData',
  f: 'CopyFail',
  p: 'Password',
};
const SERVER = {
  1: 'ParseComplete',
  2: 'BindComplete',
  3: 'CloseComplete',
  A: 'NotificationResponse',
  C: 'CommandComplete',
  D: 'DataRow',
  E: 'ErrorResponse',
  G: 'CopyInResponse',
  H: 'CopyOutResponse',
  I: 'EmptyQueryResponse',
  K: 'BackendKeyData',
  N: 'NoticeResponse',
  R: 'Authentication',
  S: 'ParameterStatus',
  T: 'RowDescription',
  V: 'FunctionCallResponse',
  W: 'CopyBothResponse',
  Z: 'ReadyForQuery',
  c: 'CopyDone',
  d: 'CopyData',
  n: 'NoData',
  s: 'PortalSuspended',
  t: 'ParameterDescription',
  v: 'NegotiateProtocolVersion',
};
const FIRST = { 80877102: 'CancelRequest', 80877103: 'SSLRequest', 80877104: 'GSSENCRequest' };
const isRequest = (type) => type === 'SSLRequest' || type === 'GSSENCRequest';

/** One message: who sent it, its type by name, and all of its bytes. */
class Message {
  constructor(from, type, bytes, headerBytes) {
    this.from = from;
    this.type = type;
    this.bytes = bytes;
    this.body = bytes.subarray(headerBytes);
  }

  /** The body as text, with a space for each zero byte: a Query's SQL, a CommandComplete's tag. */
  get text() {
    return this.body.toString('utf8').replaceAll('\0', ' ').trim();
  }
}

/** Cuts what one side sends into messages. Both sides of a connection share an `exchange`, at first `{}`. */
export class MessageReader {
  #from;
  #exchange;
  #pieces = [];
  #length = 0;
  #isStarted;

  constructor(from, exchange) {
    this.#from = from;
    this.#exchange = exchange;
    this.#isStarted = from === 'server';
  }

  /** The messages that are complete with these bytes. */
  *read(bytes) {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    for (;;) {
      const message = this.#next();
      if (!message) return;
      yield message;
    }
  }

  #next() {
    if (this.#length === 0) return null;
    if (this.#exchange.isOpaque) return this.#message('Opaque', this.#length, 0);
    if (this.#from === 'server' && this.#exchange.isAsked) return this.#answer();
    const headerBytes = this.#isStarted ? 5 : 8;
    if (this.#length < headerBytes) return null;
    const header = this.#peek(headerBytes);
    const length = this.#isStarted ? header.readInt32BE(1) + 1 : header.readInt32BE(0);
    if (this.#length < length) return null;
    return this.#isStarted ? this.#typed(header, length) : this.#first(header, length);
  }

  #typed(header, length) {
    const letter = String.fromCharCode(header[0]);
    const type = (this.#from === 'client' ? CLIENT : SERVER)[letter] ?? letter;
    return this.#message(type, length, 5);
  }

  #first(header, length) {
    const type = FIRST[header.readInt32BE(4)] ?? 'StartupMessage';
    if (isRequest(type)) this.#exchange.isAsked = true;
    else this.#isStarted = true;
    return this.#message(type, length, 8);
  }

  #answer() {
    const message = this.#message('RequestAnswer', 1, 0);
    this.#exchange.isAsked = false;
    // N: no. What follows a yes is encrypted.
    if (message.text !== 'N') this.#exchange.isOpaque = true;
    return message;
  }

  #joined() {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0];
  }

  /** The first bytes. Pieces of a large message are joined only once it is complete. */
  #peek(count) {
    return this.#pieces[0].length >= count ? this.#pieces[0] : this.#joined();
  }

  #message(type, length, headerBytes) {
    const all = this.#joined();
    this.#length = all.length - length;
    this.#pieces = this.#length > 0 ? [all.subarray(length)] : [];
    return new Message(this.#from, type, all.subarray(0, length), headerBytes);
  }
}

/** A message with a type, as bytes. */
export function encode(letter, body) {
  const head = Buffer.alloc(5);
  head.write(letter, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A client's first message, as bytes. */
export function encodeStartup(parameters) {
  const pairs = Object.entries(parameters).flat();
  const body = Buffer.from(`${pairs.map((text) => `${text}\0`).join('')}\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8, 0);
  head.writeInt32BE(196608, 4);
  return Buffer.concat([head, body]);
}
