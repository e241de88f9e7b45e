// Makes the fixture of a version of the tables on a server: `schemas/N`, with a dump of them (`dump.sql`) and what the program
// answered (`saw.json`). A release that has a new version of the tables adds its own, once.
//
//   node __test__/releases/make-schema.mjs
//   node __test__/releases/make-schema.mjs --version-1   the tables of version 1: those of today without what UPGRADE adds
//
// No commit of this repository has version 1, so its fixture is made from version 2. pg_dump must be installed.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Storage } from '../../index.js';
import { startServer } from '../../scripts/postgres/index.mjs';
import { night, seenBy } from './scenes.mjs';

const { values } = parseArgs({ options: { 'version-1': { type: 'boolean' } } });
const here = path.dirname(fileURLToPath(import.meta.url));
const SCHEMA = 'progressive_storage';
const TO_VERSION_1 = `
  ALTER TABLE ${SCHEMA}.state DROP COLUMN expires;
  ALTER TABLE ${SCHEMA}.entry DROP COLUMN expires;
  UPDATE ${SCHEMA}.meta SET value = '1' WHERE name = 'version'`;

const server = await startServer();
try {
  const storage = new Storage({ url: server.ownerUrl });
  for (let number = 0; number < 3; number++) await night(storage, number);
  await storage.compactLog('players');
  await night(storage, 3);
  await storage.collection('guilds').set('gone', 1);
  await storage.collection('guilds').delete('gone');
  const saw = await seenBy(storage);
  await storage.close();
  if (values['version-1']) await server.psql(TO_VERSION_1);
  const version = await server.psql(`SELECT value FROM ${SCHEMA}.meta WHERE name = 'version'`);
  const target = path.join(here, 'schemas', version);
  if (existsSync(target)) throw new Error(`${target} is there. The fixture of a version is made once.`);
  const args = ['--inserts', '--no-owner', '--no-privileges', '--no-comments', `--schema=${SCHEMA}`];
  const dump = execFileSync('pg_dump', [...args, server.urlOf('superuser')], { encoding: 'utf8' });
  mkdirSync(target, { recursive: true });
  // Only psql knows lines that begin with a backslash.
  writeFileSync(path.join(target, 'dump.sql'), dump.replace(/^(\\.*|--.*|)\n/gm, ''));
  writeFileSync(path.join(target, 'saw.json'), `${JSON.stringify(saw)}\n`);
} finally {
  await server.remove();
}
