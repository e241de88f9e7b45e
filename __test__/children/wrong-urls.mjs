// Runs the program once for each list of arguments in a JSON file, in this process.

import { readFileSync } from 'node:fs';
import { main } from '../../bin/program.mjs';

process.setMaxListeners(0);
process.stdout.setMaxListeners(0);
for (const [number, argv] of JSON.parse(readFileSync(process.argv[2], 'utf8')).entries()) {
  await main(argv);
  process.stdout.write(`\n== ${number} ${process.exitCode}\n`);
}
process.exitCode = 0;
