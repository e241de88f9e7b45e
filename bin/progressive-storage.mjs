#!/usr/bin/env node
// The program `progressive-storage`. commands/ has one file for each command, support/ what they share.

import { main } from './program.mjs';

await main(process.argv.slice(2));
