/**
 * A small log with lines of the package and of the old module, damaged at every byte: bits flipped, bytes zeroed, deleted and
 * doubled, and blocks of zeros, garbage and half characters between any two lines. Every undamaged entry survives, the
 * damaged bytes are set aside unchanged, the report says where, and the next append works. With `onCorruption: 'refuse'`
 * nothing changes.
 *
 * A damaged line break joins two whole lines. The tests accept both answers: the line is used in two pieces, or set aside.
 * In any case its bytes are in one of the two places.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { listenForWarnings, plain, range, scene, sealed, set } from '../support/durability.mjs';
import { crc32Hex } from '../support/temp.mjs';

const NEWLINE = 0x0a;
/** Cases that are looked at together, each a log of its own. */
const CASES_AT_ONCE = 200;

// Values like those of bots: numbers, text beyond ASCII, quotes and brackets in strings.
const entries = [
  set('ann', { score: 12, name: 'Änn "A" {x}' }),
  set('bob', [1, 2.5, null, '😀']),
  { timestamp: '2024-01-01T00:00:09.000Z', op: 'SET', data: { cy: { n: 1 }, dan: 'd\\' } },
  { timestamp: '2024-01-01T00:00:10.000Z', op: 'DELETE', key: 'dan' },
  set('7', { n: -1e21 }),
  set('eve', 'the end }'),
];
const writers = [sealed, plain, sealed, plain, plain, sealed];
const lines = entries.map((entry, n) => Buffer.from(`${writers[n](entry)}\n`));
const original = Buffer.concat(lines);
const starts = lines.map((_, n) => lines.slice(0, n).reduce((sum, line) => sum + line.length, 0));

/** The line that has this byte, its newline included. */
const lineAt = (at) => starts.findLastIndex((start) => start <= at);

// ------------------------------------------------------------------------------- what a line is, by the contract

function isJsonObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** White space around a line carries nothing; JavaScript's own trim takes more than that for white space. */
const trimmed = (text) => text.replace(/^[ \t\n\f\r]+|[ \t\n\f\r]+$/g, '');
const isBlank = (bytes) => {
  const text = textOf(bytes);
  return text !== null && trimmed(text) === '';
};

/** `good`: must be used. `bad`: must not. `either`: valid JSON, but the rest of its checksum shows that it was hurt. */
function kindOf(bytes) {
  if (textOf(bytes) === null) return 'bad';
  const text = trimmed(textOf(bytes));
  const seal = /^(.*),"_crc":"([^"]{8})"\}$/s.exec(text);
  if (seal) return seal[1].startsWith('{') && crc32Hex(seal[1]) === seal[2] ? 'good' : 'bad';
  if (!isJsonObject(text)) return 'bad';
  return lines.some((line) => isSameBut(line, text)) ? 'either' : 'good';
}

/** Whether `text` is a line of ours that was hurt in its last property only. */
function isSameBut(line, text) {
  const content = /^(.*),"_crc":/s.exec(line.toString())?.[1];
  return content !== undefined && text.startsWith(content);
}

/** The lines of a file with the offsets at which they begin; `end` is the rest without a newline. */
function split(bytes) {
  const found = [];
  let at = 0;
  for (let next = bytes.indexOf(NEWLINE); next >= 0; next = bytes.indexOf(NEWLINE, at)) {
    found.push({ offset: at, bytes: bytes.subarray(at, next) });
    at = next + 1;
  }
  return { found, end: bytes.subarray(at) };
}

const isWholeLine = (bytes) => lines.some((line) => line.subarray(0, -1).equals(bytes));

// ------------------------------------------------------------------------------------------------------ a case

const withoutOwn = ({ _crc, ...entry }) => entry;
const join = (pieces) => pieces.map((bytes) => bytes.toString('latin1')).join('\n');

/**
 * Looks at one damaged log. `hurt` are the lines that may be lost, all others must be there.
 */
async function checkCase(place, storage, { name, what, bytes, hurt }) {
  const file = place.log(name);
  const { found, end } = split(bytes);
  const before = await storage.readLogEntries(name);
  assert.ok(fs.readFileSync(file).equals(bytes), `${what}: reading changed nothing`);

  // Every entry of an undamaged line is there, as often as before and in the same order.
  const texts = before.map((entry) => JSON.stringify(entry));
  const unhurt = entries.filter((_, n) => !hurt.includes(n)).map((entry) => JSON.stringify(entry));
  const survivors = texts.filter((text) => unhurt.includes(text));
  assert.deepEqual(survivors, unhurt, `${what}: every undamaged entry survives`);

  await storage.appendLogEntry(name, { op: 'SET', key: 'appended', value: what });
  const after = await storage.readLogEntries(name);
  assert.deepEqual(after.slice(0, -1), before, `${what}: mending changes no entry`);
  assert.equal(after.at(-1).value, what);

  // The new log and the lines aside have, together and in order, the old content. Blank lines may go or stay.
  const kept = split(fs.readFileSync(file));
  assert.equal(kept.end.length, 0, `${what}: the log ends with a line break`);
  const aside = place.aside(`${name}.log.corrupt`).map((path) => fs.readFileSync(path));
  const torn = place.aside(`${name}.log.torn`).map((path) => fs.readFileSync(path));
  assert.ok(aside.length <= 1 && torn.length <= 1);
  const lost = aside.length > 0 ? split(aside[0]).found.map((line) => line.bytes) : [];
  if (torn.length > 0) lost.push(torn[0]);
  const used = kept.found.slice(0, -1).map((line) => line.bytes);
  const was = found.map((line) => line.bytes);
  if (end.length > 0) was.push(end);
  const [left, right] = [used.filter((line) => !isBlank(line)), [...lost]];
  for (const line of was.filter((piece) => !isBlank(piece))) {
    const kind = kindOf(line);
    if (left[0]?.equals(line)) {
      assert.notEqual(kind, 'bad', `${what}: used although it is damaged: ${line.toString('latin1')}`);
      left.shift();
    } else if (right[0]?.equals(line)) {
      assert.ok(!isWholeLine(line), `${what}: set aside although it is whole`);
      assert.notEqual(kind, 'good', `${what}: set aside although it is valid: ${line.toString('latin1')}`);
      right.shift();
    } else {
      takePieces(line, left, right, what);
    }
  }
  assert.equal(join(left), '', `${what}: nothing was invented`);
  assert.equal(join(right), '', `${what}: only damaged bytes were set aside`);

  // The state is the one that the lines of the log give.
  const expected = used.filter((line) => !isBlank(line)).map((line) => withoutOwn(JSON.parse(textOf(line))));
  assert.deepEqual(before, expected, `${what}: what is shown is what is in the log`);
  return { name, what, bytes, found, lost, torn: torn.length, isDamaged: aside.length > 0 };
}

/** A joined line that is neither used nor set aside as one: then whole lines of it are used and the rest is aside. */
function takePieces(line, left, right, what) {
  let rest = line;
  while (rest.length > 0) {
    const isNext = (pieces) => pieces[0]?.length > 0 && rest.subarray(0, pieces[0].length).equals(pieces[0]);
    const pieces = isNext(left) ? left : right;
    assert.ok(isNext(pieces), `${what}: bytes are gone: ${line.toString('latin1')}`);
    if (pieces === left) assert.ok(isWholeLine(left[0]), `${what}: only whole lines are taken out of others`);
    rest = rest.subarray(pieces.shift().length);
  }
}

/** The report of a log says which one, the first damaged line and its offset, and the key where it can be read. */
function checkReport(place, result, warnings) {
  const { name, what, found, lost } = result;
  const mine = warnings.filter((warning) => warning.message.includes(`${place.log(name)}'`));
  assert.equal(mine.length, result.isDamaged ? 1 : 0, `${what}: reported once`);
  if (!result.isDamaged) return;
  const [{ message }] = mine;
  const number = found.findIndex((line) => line.bytes.equals(lost[0]));
  if (number >= 0) {
    assert.match(message, new RegExp(`\\bline ${number + 1}\\b`), what);
    assert.match(message, new RegExp(`\\bbyte ${found[number].offset}\\b`), what);
    const key = /"key":"([^"]*)"/.exec(lost[0].toString('latin1'))?.[1];
    if (key && /^[a-z0-9]+$/.test(key))
      assert.ok(message.includes(`'${key}'`), `${what}: names the key ${key}: ${message}`);
  }
  const others = lost.length - result.torn - 1;
  if (others > 0) assert.match(message, new RegExp(`\\b${others} more lines?\\b`), what);
}

/** All cases, many at a time; each log is also opened anew, and by a storage that refuses damage. */
async function checkAll(t, cases) {
  const place = scene(t);
  fs.mkdirSync(place.file('logs'), { recursive: true });
  const named = cases.map((each, n) => ({ ...each, name: `log-${n}` }));
  let damaged = 0;
  for (let from = 0; from < named.length; from += CASES_AT_ONCE) {
    const some = named.slice(from, from + CASES_AT_ONCE);
    for (const { name, bytes } of some) fs.writeFileSync(place.log(name), bytes);

    const refusing = place.open({ fsync: 'never', onCorruption: 'refuse' });
    const refusals = await Promise.all(
      some.map(({ name }) =>
        refusing.appendLogEntry(name, { op: 'NOTE' }).then(
          () => null,
          (error) => error,
        ),
      ),
    );
    await refusing.close();
    const changed = some.filter((_, n) => refusals[n] === null);
    for (const [n, { name, what, bytes }] of some.entries()) {
      if (refusals[n])
        assert.ok(fs.readFileSync(place.log(name)).equals(bytes), `${what}: refused and unchanged`);
    }
    // Without damage the entry was appended; such a log starts again.
    for (const { name, bytes } of changed) {
      fs.writeFileSync(place.log(name), bytes);
      for (const torn of place.aside(`${name}.log.torn`)) fs.rmSync(torn);
    }

    const warned = listenForWarnings('PS_LOG_DAMAGED');
    const storage = place.open({ fsync: 'never' });
    const results = await Promise.all(some.map((each) => checkCase(place, storage, each)));
    await storage.close();
    const warnings = await warned();
    for (const [n, result] of results.entries()) {
      checkReport(place, result, warnings);
      assert.equal(refusals[n]?.code ?? null, result.isDamaged ? 'ERR_LOG_CORRUPT' : null, result.what);
      if (refusals[n]) assert.ok(refusals[n].message.includes(place.log(result.name)));
      damaged += result.isDamaged ? 1 : 0;
    }

    // After the repair a new process has nothing to report.
    const again = place.open({ fsync: 'never', onCorruption: 'refuse' });
    await Promise.all(
      some.map(async ({ name, what }) => {
        const state = await again.rebuildStateFromLog(name);
        assert.equal(state.appended, what);
        assert.equal(place.aside(`${name}.log.corrupt`).length <= 1, true);
      }),
    );
    await again.close();
    assert.equal((await warned()).length, warnings.length, 'a mended log is not reported again');
    fs.rmSync(place.data, { recursive: true });
    fs.mkdirSync(place.file('logs'), { recursive: true });
  }
  t.diagnostic(`${named.length} logs, ${damaged} of them reported as damaged`);
}

// ----------------------------------------------------------------------------------------------------- damages

/** Lines that a change of the byte at `at` may cost: its own, and the next when it is the newline between them. */
function hurtBy(at) {
  const line = lineAt(at);
  return original[at] === NEWLINE ? [line, line + 1] : [line];
}

function changed(what, at, change) {
  const bytes = Buffer.from(original);
  bytes[at] = change(bytes[at]);
  return { what: `${what} of byte ${at}`, bytes, hurt: hurtBy(at) };
}

const everyByte = range(original.length);

test('one bit of every byte flipped, all eight in two of the lines', async (t) => {
  const cases = everyByte.flatMap((at) => {
    const isThorough = [2, 3].includes(lineAt(at)) || original[at] === NEWLINE;
    const bits = isThorough ? range(8) : [at % 8];
    return bits.map((bit) => changed(`flip of bit ${bit}`, at, (byte) => byte ^ (1 << bit)));
  });
  await checkAll(t, cases);
});

test('every byte zeroed', async (t) => {
  await checkAll(
    t,
    everyByte.map((at) => changed('zeroing', at, () => 0)),
  );
});

test('every byte deleted', async (t) => {
  await checkAll(
    t,
    everyByte.map((at) => ({
      what: `deletion of byte ${at}`,
      bytes: Buffer.concat([original.subarray(0, at), original.subarray(at + 1)]),
      hurt: hurtBy(at),
    })),
  );
});

test('every byte doubled', async (t) => {
  await checkAll(
    t,
    everyByte.map((at) => ({
      what: `doubling of byte ${at}`,
      bytes: Buffer.concat([original.subarray(0, at + 1), original.subarray(at)]),
      // A newline twice is an empty line.
      hurt: original[at] === NEWLINE ? [] : hurtBy(at),
    })),
  );
});

test('a run of bytes lost or zeroed, across one line break or more', async (t) => {
  const cases = [];
  for (let at = 0; at < original.length; at += 7) {
    for (const length of [20, 150]) {
      const end = Math.min(at + length, original.length);
      const hurt = range(lines.length).filter(
        (n) => n >= lineAt(at) && n <= lineAt(Math.max(at, end - 1)) + 1,
      );
      const zeroed = Buffer.from(original).fill(0, at, end);
      cases.push({ what: `${length} zeros over byte ${at}`, bytes: zeroed, hurt });
      const cut = Buffer.concat([original.subarray(0, at), original.subarray(end)]);
      cases.push({ what: `${length} bytes cut at ${at}`, bytes: cut, hurt });
    }
  }
  await checkAll(t, cases);
});

const foreign = {
  '512 zeros': Buffer.alloc(512),
  '4096 zeros': Buffer.alloc(4096),
  'a byte order mark': Buffer.from('\ufeff'),
  garbage: Buffer.from([0x01, 0xff, 0xfe, 0x80, 0x7b, 0x22, 0x00, 0xc0]),
  'all bytes but the line break': Buffer.from(range(256).filter((byte) => byte !== NEWLINE)),
  'the first byte of é': Buffer.from([0xc3]),
  'the last byte of é': Buffer.from([0xa9]),
  'the first three bytes of 😀': Buffer.from([0xf0, 0x9f, 0x98]),
  'half a surrogate in UTF-8': Buffer.from([0xed, 0xa0, 0x80]),
  'the checksum of nothing': Buffer.from(',"_crc":"00000000"}'),
  'text with its checksum': Buffer.from(`text,"_crc":"${crc32Hex('text')}"}`),
  'the beginning of a line of ours': lines[0].subarray(0, 40),
  'the end of a line of ours': lines[0].subarray(40, -1),
  'half a block of zeros and a beginning': Buffer.concat([Buffer.alloc(256), lines[5].subarray(0, 30)]),
};

const kinds = (without) => Object.entries(foreign).filter(([what]) => !without.includes(what));

test('blocks of zeros, garbage and half characters as lines of their own, before, between and behind', async (t) => {
  const cases = [...starts, original.length].flatMap((at) =>
    kinds(at === 0 ? ['a byte order mark'] : []).map(([what, bytes]) => ({
      what: `${what} in a line of its own at ${at}`,
      bytes: Buffer.concat([original.subarray(0, at), bytes, Buffer.from('\n'), original.subarray(at)]),
      hurt: [],
    })),
  );
  await checkAll(t, cases);
});

test('the same without a line break, so that the next line follows on the same line', async (t) => {
  const cases = [...starts.entries()].flatMap(([n, at]) =>
    // A byte order mark before the first line is no damage; see the last test.
    kinds(at === 0 ? ['a byte order mark'] : []).map(([what, bytes]) => ({
      what: `${what} stuck to line ${n + 1}`,
      bytes: Buffer.concat([original.subarray(0, at), bytes, original.subarray(at)]),
      hurt: [n],
    })),
  );
  await checkAll(t, cases);
});

test('the same at the end, where a crash leaves them, and in a log with nothing else', async (t) => {
  const cases = kinds(['a byte order mark']).flatMap(([what, bytes]) => [
    { what: `${what} at the end`, bytes: Buffer.concat([original, bytes]), hurt: [] },
    { what: `${what} and nothing else`, bytes, hurt: range(lines.length) },
    { what: `${what} three times`, bytes: Buffer.concat([bytes, bytes, bytes]), hurt: range(lines.length) },
  ]);
  await checkAll(t, cases);
});

test('two damages at once, the byte order mark and a torn tail among them', async (t) => {
  const mark = Buffer.from('\ufeff');
  const tail = Buffer.from(`${sealed(set('torn', 1))}`).subarray(0, 50);
  const cases = [];
  for (const begin of [Buffer.alloc(0), mark]) {
    for (const end of [Buffer.alloc(0), tail, Buffer.alloc(100)]) {
      for (const at of [undefined, ...starts.map((start) => start + 5)]) {
        const middle = Buffer.from(original);
        if (at !== undefined) middle[at] = 0;
        cases.push({
          what: `mark ${begin.length}, damage at ${at}, tail ${end.length}`,
          bytes: Buffer.concat([begin, middle, end]),
          hurt: at === undefined ? [] : [lineAt(at)],
        });
      }
    }
  }
  // The mark is no part of a line: the repaired log does not have it, and it may go aside with a damaged first line.
  const place = scene(t);
  fs.mkdirSync(place.file('logs'), { recursive: true });
  const storage = place.open({ fsync: 'never' });
  for (const [n, { what, bytes, hurt }] of cases.entries()) {
    const name = `log-${n}`;
    fs.writeFileSync(place.log(name), bytes);
    const expected = entries.filter((_, line) => !hurt.includes(line));
    assert.deepEqual(await storage.readLogEntries(name), expected, what);
    await storage.appendLogEntry(name, { op: 'NOTE' });
    await storage.appendLogEntry(name, { op: 'NOTE' });
    assert.deepEqual((await storage.readLogEntries(name)).slice(0, -2), expected, `${what}, after appending`);
    const kept = lines.filter((_, line) => !hurt.includes(line));
    assert.ok(
      fs.readFileSync(place.log(name)).subarray(0, Buffer.concat(kept).length).equals(Buffer.concat(kept)),
      `${what}: the lines that were kept are as they were`,
    );
    const torn = place.aside(`${name}.log.torn`).map((file) => fs.readFileSync(file));
    const tailBytes = what.endsWith('tail 0') ? [] : [bytes.subarray(-Number(what.split(' ').at(-1)))];
    assert.deepEqual(torn, tailBytes, what);
  }
});
