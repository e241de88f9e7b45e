/**
 * What a change costs a server: bytes of WAL, how far the tables grow, and updates a second. With `--pglz`, with the compression that
 * the server has by default.
 *
 *     node bench/server-wal.mjs [--pglz]
 *
 * The addon must be built. It needs the programs of a PostgreSQL server on this machine.
 */

import { startServer, whyNoServer } from '../scripts/postgres/index.mjs';
import { KINDS } from './server/values.mjs';
import { loadPackage } from './support/package.mjs';
import { median } from './support/stats.mjs';

const CALLS = 3000;
const KEYS = 500;

if (whyNoServer()) {
  process.stderr.write(`Nothing is measured: ${whyNoServer()}.\n`);
  process.exit(3);
}
const isPglz = process.argv.includes('--pglz');
const { Storage } = loadPackage();
const server = await startServer({ settings: { full_page_writes: 'on', checkpoint_timeout: '1h' } });
const number = async (sql) => Number(await server.psql(sql));
const walBytes = () => number("SELECT pg_current_wal_insert_lsn() - '0/0'");
const sizeBytes = (schema, table) => number(`SELECT pg_total_relation_size('${schema}.${table}')`);

async function measure(kind) {
  const { values, change } = KINDS[kind];
  const schema = `wal_${kind}`;
  const storage = new Storage({ url: server.url, schema });
  const data = storage.collection('data');
  const keys = [...values(KEYS)].map(([key, value]) => {
    data.set(key, value);
    return key;
  });
  await storage.flush();
  if (isPglz) {
    for (const table of ['state', 'entry'])
      await server.psql(`ALTER TABLE ${schema}.${table} ALTER COLUMN value SET COMPRESSION pglz`);
  }
  // All pages are in the WAL once.
  for (const key of keys) await data.update(key, change);
  const before = { wal: await walBytes(), entry: await sizeBytes(schema, 'entry') };
  for (let call = 0; call < CALLS; call++) await data.update(keys[call % KEYS], change);
  const after = { wal: await walBytes(), entry: await sizeBytes(schema, 'entry') };
  await Promise.all(Array.from({ length: 1000 }, (_, call) => data.update(keys[call % KEYS], change)));
  const atOnce = (await walBytes()) - after.wal;
  await server.psql('VACUUM');
  const state = await sizeBytes(schema, 'state');
  const seconds = [];
  for (let burst = 0; burst < 15; burst++) {
    const begun = performance.now();
    await Promise.all(Array.from({ length: 1000 }, (_, call) => data.update(keys[call % KEYS], change)));
    seconds.push((performance.now() - begun) / 1000);
  }
  await storage.close();
  return {
    'WAL of one update, alone': (after.wal - before.wal) / CALLS,
    'the same, 1,000 at once': atOnce / 1000,
    'table entry, a change': (after.entry - before.entry) / CALLS,
    'table state, a key': state / KEYS,
    'updates a second, at once': 1000 / median(seconds),
  };
}

try {
  for (const kind of ['small', 'large']) {
    const found = await measure(kind);
    for (const [what, figure] of Object.entries(found))
      console.log(`${KINDS[kind].title.padEnd(10)} ${what.padEnd(26)} ${Math.round(figure)}`);
  }
} finally {
  await server.remove();
}
