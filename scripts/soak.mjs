// `npm run soak -- --minutes N [--seed S] [--threads T] [--script NAME]`: runs the store on a simulated disk until
// the time is over, with crashes and faults at every call and random lives. With --script, only the crashes of that
// script; with `--script random`, only random lives.

import { prepare, run } from './tools.mjs';

prepare();
run('cargo', [
  'run',
  '--release',
  '--quiet',
  '--features',
  'simulation',
  '--bin',
  'soak',
  '--',
  ...process.argv.slice(2),
]);
