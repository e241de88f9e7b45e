// Reads a JSON file that holds one object, member by member: the file may be longer than V8's longest string.
//
// Invariant: memory holds one member at a time. Where the file is not a JSON object, the error names the byte.

import { open } from 'node:fs/promises';

const PIECE_BYTES = 1 << 20;
const [QUOTE, BACKSLASH, OPEN, CLOSE, COMMA] = Buffer.from('"\\{},');
const [OPEN_LIST, CLOSE_LIST] = Buffer.from('[]');
const isSpace = (byte) => byte === 32 || (byte >= 9 && byte <= 13);

function notJson(offset, why) {
  throw new SyntaxError(`it is not a JSON object: byte ${offset}: ${why}`);
}

// Calls `onMember(key, value)` for each member. Throws a SyntaxError where the file is not a JSON object.
export async function eachMember(path, { onMember, progress }) {
  const members = new Members(onMember);
  const file = await open(path, 'r');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let offset = 0; ; ) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, offset);
      if (bytesRead === 0) break;
      members.take(piece.subarray(0, bytesRead), offset);
      offset += bytesRead;
      progress?.to(offset);
    }
  } finally {
    await file.close();
  }
  members.end();
}

class Members {
  #onMember;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isOver = false;
  #isFirst = true;
  // The current member's bytes from earlier pieces, and the offset where it begins.
  #parts = [];
  #offset = 0;

  constructor(onMember) {
    this.#onMember = onMember;
  }

  take(piece, offset) {
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at];
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isInString = false;
      } else if (this.#depth === 0) {
        if (isSpace(byte)) continue;
        if (this.#isOver || byte !== OPEN)
          notJson(offset + at, this.#isOver ? 'text behind its end' : 'no {');
        this.#depth = 1;
        from = at + 1;
        this.#offset = offset + from;
      } else if (byte === QUOTE) this.#isInString = true;
      else if (byte === OPEN || byte === OPEN_LIST) this.#depth += 1;
      else if (byte === CLOSE || byte === CLOSE_LIST || (byte === COMMA && this.#depth === 1)) {
        if (byte !== COMMA) this.#depth -= 1;
        if (byte !== COMMA && this.#depth > 0) continue;
        if (byte === CLOSE_LIST) notJson(offset + at, 'a ] too many');
        this.#parts.push(piece.subarray(from, at));
        this.#member(byte !== COMMA);
        from = at + 1;
        this.#offset = offset + from;
      }
    }
    if (this.#depth > 0) this.#parts.push(Buffer.from(piece.subarray(from)));
  }

  #member(isLast) {
    const text = Buffer.concat(this.#parts).toString('utf8');
    this.#parts = [];
    this.#isOver = isLast;
    if (isLast && this.#isFirst && text.trim() === '') return;
    this.#isFirst = false;
    let members;
    try {
      members = Object.entries(JSON.parse(`{${text}}`));
    } catch (error) {
      notJson(this.#offset, error.message);
    }
    if (members.length !== 1) notJson(this.#offset, 'no member');
    this.#onMember(...members[0]);
  }

  end() {
    if (!this.#isOver) throw new SyntaxError('it is not a JSON object: it ends too early');
  }
}
