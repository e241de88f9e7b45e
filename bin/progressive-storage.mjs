#!/usr/bin/env node
// The program `progressive-storage`. One file a command stands in commands/; what they share in support/.

import { main } from './program.mjs';

await main(process.argv.slice(2));
