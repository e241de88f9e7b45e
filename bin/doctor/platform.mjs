// The runtime, the system, the loaded binary, and what may keep a sync or the data from the disk.

import { createRequire } from 'node:module';
import os from 'node:os';
import { packageVersion } from '../support/version.mjs';
import { fail, info, ok, warn } from './finding.mjs';

const NODE_MAJOR_MIN = 18;

export function platformFindings() {
  const findings = [ok('version', `progressive-storage ${packageVersion()}`)];
  const { bun, deno, node } = process.versions;
  const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
  const libc = libcName();
  const system = `${runtime} on ${process.platform} ${os.release()}, ${process.arch}${libc ? `, ${libc}` : ''}`;
  const major = Number(node.split('.')[0]);
  findings.push(
    major >= NODE_MAJOR_MIN
      ? ok('runtime', system)
      : fail(
          'runtime',
          system,
          `The package needs Node ${NODE_MAJOR_MIN} or newer.`,
          'Install a newer Node.',
        ),
  );
  const binary = loadedBinary();
  findings.push(
    binary ? ok('binary', `binary: ${binary}`) : info('binary', 'binary: loaded, its path is unknown here'),
  );
  if (/eatmydata|nosync/i.test(process.env.LD_PRELOAD ?? '')) {
    findings.push(
      fail(
        'preload',
        `LD_PRELOAD is ${process.env.LD_PRELOAD}`,
        'It disables every sync, so a power cut loses what was acknowledged.',
        'Start the bot without it.',
      ),
    );
  }
  const hosting = hostingOf(process.env);
  if (hosting) findings.push(warn('hosting', hosting.what, hosting.meaning, hosting.advice));
  return findings;
}

function libcName() {
  if (process.platform !== 'linux') return '';
  const version = process.report?.getReport?.().header?.glibcVersionRuntime;
  return version ? `glibc ${version}` : 'musl';
}

function loadedBinary() {
  const { cache } = createRequire(import.meta.url);
  return Object.keys(cache ?? {}).find(
    (file) => file.endsWith('.node') && file.includes('progressive-storage'),
  );
}

// Hosts whose disk is empty after a restart. Each is recognised by its environment variables.
export function hostingOf(env) {
  const wiped = (what, advice) => ({
    what,
    meaning:
      'Such a host wipes the disk at each restart or deploy, and all data with it. The store cannot prevent that.',
    advice,
  });
  if (env.DYNO) return wiped('This runs on Heroku', 'Run the bot where it has a disk of its own.');
  if (env.RENDER)
    return wiped(
      'This runs on Render',
      'Attach a persistent disk, and put the data folder on its mount path.',
    );
  if (env.FLY_APP_NAME)
    return wiped('This runs on Fly.io', 'Make a volume, and put the data folder on its mount path.');
  if (env.RAILWAY_ENVIRONMENT || env.RAILWAY_PROJECT_ID) {
    if (env.RAILWAY_VOLUME_MOUNT_PATH) return undefined;
    return wiped(
      'This runs on Railway without a volume',
      'Attach a volume, and put the data folder on its mount path.',
    );
  }
  if (env.K_SERVICE)
    return wiped('This runs on Cloud Run', 'Its files are in memory. Run the bot where it has a disk.');
  if (env.AWS_LAMBDA_FUNCTION_NAME || env.VERCEL) {
    return wiped(
      'This runs as a serverless function',
      'Run the bot where it has a disk and runs all the time.',
    );
  }
  if (env.REPLIT_DEPLOYMENT) {
    return wiped(
      'This is a deployment on Replit',
      'Use a workspace or a reserved VM with its own storage, or another host.',
    );
  }
  return undefined;
}
