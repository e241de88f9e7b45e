/**
 * The stores of the comparison on a server. Each is opened with `openStore(id, { url, own })` and has
 *
 *     put(key, value)      sets a value; only to fill the store
 *     update(key, change)  reads a value, changes it and writes it, in the way of this store
 *     close()
 *
 *     this-package    collection.update(key, change)
 *     same-statement  the statement of this package's single update, prepared, by one `pg` client; its guess of what
 *                     the key has is kept in JavaScript
 *     unnamed-statement   the same, planned by the server each time: this package names none, so that a pooler may stand
 *                     between
 *     upsert          one `pg` client, a prepared upsert; what was read before is kept in JavaScript and nothing is compared
 *     pool            the same through a pool of ten
 *     keyv            `get`, then `set`; nothing is compared
 *     prisma          `findUnique`, then `update`; nothing is compared
 *     row-lock        a transaction with SELECT … FOR UPDATE, from a pool of ten: what counts every update without this
 *                     package
 *
 * Tables are made by the store that uses them, under the name `own`.
 */

import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import path from 'node:path';
import { loadPackage, PRISMA } from '../support/package.mjs';

const require = createRequire(import.meta.url);
const requirePrisma = createRequire(path.join(PRISMA, 'package.json'));
const POOL = 10;

/** As `SET_ONE` in src/postgres/statements.rs. */
const SET_ONE = (schema) => `
WITH written AS (
  UPDATE ${schema}.state SET value = $3, numbers = $4::text::jsonb, before = version,
      version = nextval('${schema}.seq'), change = $6
    WHERE log = $1 AND key = $2 AND change = $5 AND value IS NOT NULL RETURNING version
)
INSERT INTO ${schema}.entry (log, seq, part, key, op, value, change)
  SELECT $1, version, 1, $2, 'SET', $3, $6 FROM written RETURNING seq`;

const OPENING = {
  'this-package': openOurs,
  'same-statement': (options) => openSameStatement(options, 'set_one'),
  'unnamed-statement': (options) => openSameStatement(options, undefined),
  upsert: openUpsert,
  pool: openPool,
  keyv: openKeyv,
  'row-lock': openRowLock,
  prisma: openPrisma,
};

export const openStore = (id, options) => OPENING[id](options);

function openOurs({ url, own }) {
  const { Storage } = loadPackage();
  const storage = new Storage({ url, schema: own });
  const data = storage.collection('data');
  return {
    storage,
    put: (key, value) => data.set(key, value),
    update: (key, change) => data.update(key, change),
    close: () => storage.close(),
  };
}

/** The finite numbers of a record, as this package keeps them for leaderboards. */
function numbersOf(value) {
  const numbers = Object.entries(value).filter(([, each]) => Number.isFinite(each));
  return JSON.stringify(Object.fromEntries(numbers));
}

async function openSameStatement({ url, own }, name) {
  const { Client } = require('pg');
  const ours = openOurs({ url, own });
  // Makes the tables.
  await ours.put('_', 0);
  const client = new Client({ connectionString: url });
  await client.connect();
  const known = new Map();
  return {
    put: (key, value) => ours.put(key, value),
    async warm() {
      const { rows } = await client.query(`SELECT key, change, value FROM ${own}.state WHERE log = 'data'`);
      for (const { key, change, value } of rows) known.set(JSON.parse(key), { change, value });
    },
    async update(key, change) {
      const found = known.get(key);
      const value = change(JSON.parse(found.value));
      const text = JSON.stringify(value);
      const id = randomUUID();
      const values = ['data', JSON.stringify(key), text, numbersOf(value), found.change, id];
      const { rowCount } = await client.query({ name, text: SET_ONE(own), values });
      if (rowCount !== 1) throw new Error(`the key ${key} has another change`);
      known.set(key, { change: id, value: text });
    },
    async close() {
      await ours.close();
      await client.end();
    },
  };
}

const UPSERT = (own) => ({
  name: 'upsert',
  text: `INSERT INTO ${own}.kv (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
});

async function makeTable(client, own) {
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${own}`);
  await client.query(`CREATE TABLE IF NOT EXISTS ${own}.kv (key text PRIMARY KEY, value text NOT NULL)`);
}

function upserting(client, own, close) {
  const known = new Map();
  const put = async (key, value) => {
    known.set(key, value);
    await client.query({ ...UPSERT(own), values: [key, JSON.stringify(value)] });
  };
  return { put, update: (key, change) => put(key, change(known.get(key))), close };
}

async function openUpsert({ url, own }) {
  const { Client } = require('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  await makeTable(client, own);
  return upserting(client, own, () => client.end());
}

async function openPool({ url, own }) {
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: url, max: POOL });
  await makeTable(pool, own);
  return upserting(pool, own, () => pool.end());
}

async function openKeyv({ url, own }) {
  const { default: Keyv } = await import('keyv');
  const { default: KeyvPostgres } = await import('@keyv/postgres');
  const keyv = new Keyv({ store: new KeyvPostgres({ uri: url, schema: own, keySize: 255, max: POOL }) });
  return {
    put: (key, value) => keyv.set(key, value),
    update: async (key, change) => keyv.set(key, change(await keyv.get(key))),
    get: (key) => keyv.get(key),
    close: () => keyv.disconnect(),
  };
}

async function openPrisma({ url, own }) {
  const { PrismaClient } = requirePrisma('@prisma/client');
  const { PrismaPg } = requirePrisma('@prisma/adapter-pg');
  const { Client } = require('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  await makeTable(client, own);
  await client.end();
  const adapter = new PrismaPg({ connectionString: url, max: POOL }, { schema: own });
  const prisma = new PrismaClient({ adapter });
  return {
    put: (key, value) => {
      const text = JSON.stringify(value);
      return prisma.kv.upsert({ where: { key }, create: { key, value: text }, update: { value: text } });
    },
    async update(key, change) {
      const { value } = await prisma.kv.findUnique({ where: { key } });
      return prisma.kv.update({ where: { key }, data: { value: JSON.stringify(change(JSON.parse(value))) } });
    },
    close: () => prisma.$disconnect(),
  };
}

async function openRowLock({ url, own }) {
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: url, max: POOL });
  await makeTable(pool, own);
  const put = (key, value) => pool.query({ ...UPSERT(own), values: [key, JSON.stringify(value)] });
  return {
    put,
    async update(key, change) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const { rows } = await client.query({
          name: 'lock',
          text: `SELECT value FROM ${own}.kv WHERE key = $1 FOR UPDATE`,
          values: [key],
        });
        const text = JSON.stringify(change(JSON.parse(rows[0].value)));
        await client.query({
          name: 'write',
          text: `UPDATE ${own}.kv SET value = $2 WHERE key = $1`,
          values: [key, text],
        });
        await client.query('COMMIT');
      } finally {
        client.release();
      }
    },
    async get(key) {
      const { rows } = await pool.query(`SELECT value FROM ${own}.kv WHERE key = $1`, [key]);
      return JSON.parse(rows[0].value);
    },
    close: () => pool.end(),
  };
}
