// What the system's loader says nothing useful about, looked for before it opens a binary. A file of the right kind
// that is cut short (a full disk, a broken upload) ends the whole process with a bus error; one for another processor
// is answered with "No such file or directory". Both stand in the header of the file, on systems with ELF files:
//
//   0  7f 'E' 'L' 'F'   4  1: 32 bits, 2: 64 bits   18  processor
//   32 or 40  offset of the section table, which stands at the end of the file   46 or 58  size of its entries, number

const fs = require('node:fs');

const HEADER_BYTES = 64;
const MACHINES = { ia32: 3, arm: 40, x64: 62, arm64: 183 };

/** Throws when this process cannot load the file, and its header tells why. */
function checkBinaryFile(file) {
  const fault = faultOf(file);
  if (fault) throw new Error(`${file}: ${fault}`);
}

function faultOf(file) {
  let header;
  let sizeBytes;
  try {
    ({ header, sizeBytes } = headerOf(file));
  } catch {
    // Whatever it is, the loader will say it.
    return null;
  }
  if (header.length < HEADER_BYTES) return `file too short (${sizeBytes} bytes)`;
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return null;
  const machine = header.readUInt16LE(18);
  const own = MACHINES[process.arch];
  if (own && machine !== own) return `wrong architecture (ELF machine ${machine}, not ${own})`;
  const isWide = header[4] === 2;
  const offset = isWide ? Number(header.readBigUInt64LE(40)) : header.readUInt32LE(32);
  const at = isWide ? 58 : 46;
  const endBytes = offset + header.readUInt16LE(at) * header.readUInt16LE(at + 2);
  return sizeBytes < endBytes ? `file too short (${sizeBytes} of ${endBytes} bytes)` : null;
}

function headerOf(file) {
  const handle = fs.openSync(file, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const count = fs.readSync(handle, header, 0, HEADER_BYTES, 0);
    return { header: header.subarray(0, count), sizeBytes: fs.fstatSync(handle).size };
  } finally {
    fs.closeSync(handle);
  }
}

module.exports = { checkBinaryFile };
