/**
 * One player, leaderboard, rank and load of so many players: this package, and a `pg` client on a table with an index on
 * the score, in turn.
 */

import { createRequire } from 'node:module';
import { playerId, players as playersOf } from '../support/fixture.mjs';
import { loadPackage } from '../support/package.mjs';
import { median } from '../support/stats.mjs';

const require = createRequire(import.meta.url);
const FLIGHT = 500;

export async function run({ url, players, samples, isSmall = false }) {
  const { Storage } = loadPackage();
  const { Client } = require('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('CREATE SCHEMA reads_bare');
  await client.query(
    'CREATE TABLE reads_bare.players (key text PRIMARY KEY, value text NOT NULL, score float8 NOT NULL)',
  );
  await client.query('CREATE INDEX ON reads_bare.players (score DESC)');
  const storage = new Storage({ url, schema: 'reads' });
  if (isSmall) await fillBySql(storage, client, players);
  else await fill(storage, client, players);
  await client.query('ANALYZE');

  const works = worksOf(storage, client, players);
  const times = Object.fromEntries(Object.keys(works).map((name) => [name, []]));
  for (let sample = -3; sample < samples; sample++) {
    for (const [name, work] of Object.entries(works)) {
      if (name.endsWith('load') && (sample > 2 || (isSmall && sample !== 0))) continue;
      const begun = performance.now();
      await work(sample + 3);
      if (sample >= 0) times[name].push(performance.now() - begun);
    }
  }
  await storage.close();
  await client.end();
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

function worksOf(storage, client, players) {
  const anyOf = (sample) => playerId((sample * 7919) % players);
  const collection = storage.collection('players');
  const rankSql = `SELECT count(*) FILTER (WHERE p.score > own.score) + 1, count(*)
    FROM reads_bare.players p, (SELECT score FROM reads_bare.players WHERE key = $1) own`;
  return {
    one: (sample) => collection.get(anyOf(sample)),
    'bare one': async (sample) => {
      const text = 'SELECT value FROM reads_bare.players WHERE key = $1';
      const { rows } = await client.query({ name: 'one', text, values: [anyOf(sample)] });
      return JSON.parse(rows[0].value);
    },
    top: () => storage.getLeaderboard('totalScore', 10),
    'bare top': async () => {
      const text = 'SELECT value FROM reads_bare.players ORDER BY score DESC LIMIT 10';
      const { rows } = await client.query({ name: 'top', text });
      return rows.map(({ value }) => JSON.parse(value));
    },
    rank: (sample) => storage.getPlayerRank(anyOf(sample)),
    'bare rank': (sample) => client.query({ name: 'rank', text: rankSql, values: [anyOf(sample)] }),
    load: () => storage.loadPlayers(),
    'bare load': async () => {
      const { rows } = await client.query('SELECT key, value FROM reads_bare.players');
      return Object.fromEntries(rows.map(({ key, value }) => [key, JSON.parse(value)]));
    },
  };
}

async function fill(storage, client, count) {
  const collection = storage.collection('players');
  const text = 'INSERT INTO reads_bare.players VALUES ($1, $2, $3)';
  let flight = [];
  for (const [id, record] of playersOf(count)) {
    const values = [id, JSON.stringify(record), record.totalScore];
    flight.push(collection.set(id, record), client.query({ name: 'fill', text, values }));
    if (flight.length >= 2 * FLIGHT) {
      await Promise.all(flight);
      flight = [];
    }
  }
  await Promise.all(flight);
}

/** Small records, written by the server itself: a million calls of each kind would take an hour. */
async function fillBySql(storage, client, count) {
  await storage.collection('players').set('0', { totalScore: 0 });
  const id = '(100000000000000000 + n::bigint * 7654321)::text';
  const record = `format('{"userId":"%s","username":"Player %s","totalGames":50,"totalScore":%s}', ${id}, n, n::bigint * 7919 % 50021)`;
  await client.query(`
    INSERT INTO reads.state (log, key, value, numbers, place, before, version, change)
      SELECT 'players', '"' || ${id} || '"', ${record}, jsonb_build_object('totalGames', 50, 'totalScore', n::bigint * 7919 % 50021),
        4294967296 + n, 0, nextval('reads.seq'), gen_random_uuid() FROM generate_series(0, ${count - 1}) AS n`);
  await client.query(`
    INSERT INTO reads_bare.players SELECT ${id}, ${record}, n::bigint * 7919 % 50021 FROM generate_series(0, ${count - 1}) AS n`);
}
