// `npm run soak -- --minutes N [--seed S] [--threads T] [--script NAME]`: the engine on a simulated disk, with
// crashes and faults at every call and random lives, until the time is over; or the crashes of some scripts, or
// (`--script random`) random lives alone.

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
