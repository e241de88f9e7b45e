/**
 * The machine that the figures were measured on, as one line of the report.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** `{ type, device }` of the file system that holds `folder`. */
export function fileSystemOf(folder) {
  const real = fs.realpathSync(folder);
  try {
    const mounts = fs
      .readFileSync('/proc/self/mountinfo', 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const [before, after] = line.split(' - ');
        const [type, device] = after.split(' ');
        // Spaces in a mount point are octal escapes.
        const at = before
          .split(' ')[4]
          .replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
        return { at, type, device };
      })
      .filter(({ at }) => real === at || real.startsWith(at.endsWith('/') ? at : `${at}/`));
    // The longest mount point counts. Where several are mounted at one place, the last one hides the others.
    const { type, device } = mounts.reduce((best, mount) =>
      mount.at.length >= best.at.length ? mount : best,
    );
    return { type, device };
  } catch {
    return { type: `unknown (root ${path.parse(real).root})`, device: 'unknown' };
  }
}

export function machineLine(folder) {
  const { type, device } = fileSystemOf(folder);
  const cpus = os.cpus();
  const memory = (os.totalmem() / 1024 ** 3).toFixed(0);
  return [
    `${cpus[0]?.model.trim() ?? os.arch()}, ${cpus.length} cores, ${memory} GiB`,
    `${os.type()} ${os.release()}`,
    `${type} on ${device}`,
    `Node.js ${process.version}`,
  ].join(' · ');
}
