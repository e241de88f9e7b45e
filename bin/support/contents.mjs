// What logs, backups and archives hold. The store replays them; nothing here interprets an entry.

import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Storage } from '../../index.js';
import { Stop } from './errors.mjs';
import { bytes } from './format.mjs';
import { bytesToRead, statOf } from './log-files.mjs';

// The bot's options say how many backups to keep. The program does not know them, so it removes and compresses none.
export const KEEP_BACKUPS = { backups: 100_000, archives: 100_000, compressBackups: false };

// A Storage that is closed when the command ends.
export function openStorage(dataDir, atEnd, options = {}) {
  const storage = new Storage({ dataDir, ...KEEP_BACKUPS, ...options });
  atEnd(() => storage.close());
  return storage;
}

// A temporary folder that is removed when the command ends.
function temporaryFolder(atEnd) {
  const folder = mkdtempSync(path.join(tmpdir(), 'progressive-storage-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

// `[[key, value], …]` of a log, as a bot loads it.
export async function entriesOf(terminal, storage, log) {
  const work = storage.collection(log.name).entries();
  return terminal.waiting(`Reading ${log.name}`, work, bytesToRead(log));
}

// The path of a file's plain content: the file itself, or its uncompressed copy in a temporary folder. Rejects with
// ERR_BACKUP_CORRUPT where the file cannot be uncompressed.
export async function plainFile(terminal, file, atEnd) {
  if (!file.isGzip) return file.path;
  const name = path.basename(file.path);
  const plain = path.join(temporaryFolder(atEnd), path.basename(name, '.gz'));
  const packed = createReadStream(file.path);
  const progress = terminal.progress(`Unpacking ${name}`, file.sizeBytes, {
    unit: bytes,
    measure: () => packed.bytesRead,
  });
  try {
    await pipeline(packed, createGunzip(), createWriteStream(plain));
  } catch (error) {
    if (!error.code?.startsWith('Z_')) throw error;
    throw new Stop(`'${file.path}' cannot be uncompressed: ${error.message}.`, {
      code: 'ERR_BACKUP_CORRUPT',
      hint: 'Remove it, or put a good copy in its place.',
    });
  } finally {
    progress.end();
  }
  return plain;
}

// The state of a backup or archive alone, replayed in a temporary folder. `onPlain` gets the path of its plain content.
export async function stateOfFile(terminal, file, atEnd, onPlain = () => {}) {
  const folder = temporaryFolder(atEnd);
  mkdirSync(path.join(folder, 'logs'));
  const plain = await plainFile(terminal, file, atEnd);
  symlinkSync(plain, path.join(folder, 'logs', 'state.log'));
  // Warnings and errors name the file itself, not its link in the temporary folder.
  const inPlace = (text) =>
    text.replaceAll(path.join(folder, 'logs', 'state.log'), file.path).replaceAll(plain, file.path);
  const notedBefore = new Set();
  const warn = (text) => {
    if (!notedBefore.has(text)) terminal.note(`note: ${inPlace(text)}`);
    notedBefore.add(text);
  };
  try {
    await onPlain(plain);
    const work = openStorage(folder, atEnd, { logger: { warn } }).rebuildStateFromLog('state');
    return await terminal.waiting(`Reading ${path.basename(file.path)}`, work, statOf(plain).size);
  } catch (error) {
    error.message = inPlace(error.message);
    if (error.path) error.path = file.path;
    throw error;
  }
}
