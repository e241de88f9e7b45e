// What `doctor` checks of a server: the server itself, the rights of the role, standbys, the clock, and the data.

import { fail, info, ok, unchecked, warn } from '../doctor/finding.mjs';
import { bytes, duration, plural } from '../support/format.mjs';

const VERSION_MIN = 140_000;
const AHEAD_MS_MAX = 5000;
const SCHEMA_VERSION = '2';
const LARGE_BYTES = 1 << 30;

// `[title, check]` for each area. A check gets `{ place, askedMs, answeredMs, atEnd }`.
export const SERVER_AREAS = [
  ['Server', serverFindings],
  ['Rights', rightsFindings],
  ['Replication', replicationFindings],
  ['Clock', clockFindings],
  ['Data', dataFindings],
];

function serverFindings({ place: { facts } }) {
  return [
    facts.versionNumber >= VERSION_MIN
      ? ok('server-version', `PostgreSQL ${facts.version}`)
      : fail(
          'server-version',
          `PostgreSQL ${facts.version}`,
          'Version 14 or newer is needed.',
          'Update the server.',
        ),
    facts.encoding === 'UTF8'
      ? ok('encoding', `The database '${facts.database}' keeps text as UTF8`)
      : fail(
          'encoding',
          `The database '${facts.database}' keeps text as ${facts.encoding}`,
          'That cannot hold all text, so a bot is refused (ERR_SERVER_ENCODING).',
          "Create a database with ENCODING 'UTF8'.",
        ),
    tlsFinding(facts),
    facts.fsync
      ? ok('fsync', `fsync is on, synchronous_commit is ${facts.synchronousCommit}`)
      : fail(
          'fsync',
          'fsync is off',
          'A power cut or a crash of the system can destroy the whole database, also what was acknowledged.',
          'Set fsync = on in postgresql.conf.',
        ),
    ...(facts.synchronousCommit === 'off'
      ? [
          warn(
            'synchronous-commit',
            'synchronous_commit is off for this role',
            'A crash of the server loses what was acknowledged in its last moments.',
            'ALTER ROLE … SET synchronous_commit = on.',
          ),
        ]
      : []),
  ];
}

function tlsFinding({ tls, isLocal }) {
  if (tls) return ok('tls', `The connection is encrypted: ${tls}`);
  if (isLocal) return ok('tls', 'The connection is not encrypted, and does not leave this machine');
  return warn(
    'tls',
    'The connection is not encrypted',
    'Everybody in the network between can read the data.',
    'Switch TLS on at the server, and remove sslmode=disable from the url. (A pooler may end TLS before the server.)',
  );
}

function rightsFindings({ place: { facts, schema } }) {
  const { user, hasTables, mayUseSchema, lacks, isOwner, mayCreateInDatabase } = facts;
  if (!hasTables) {
    return [
      mayCreateInDatabase
        ? info('rights', `${user} may make the schema '${schema}': the first call of a bot does`)
        : fail(
            'rights',
            `There are no tables in the schema '${schema}', and ${user} may make none`,
            'Every call of a bot is refused (ERR_SERVER_RIGHTS).',
            'Let the owner of the database run `progressive-storage postgres init --role NAME`.',
          ),
    ];
  }
  if (!mayUseSchema || lacks.length > 0) {
    return [
      fail(
        'rights',
        mayUseSchema ? `${user} lacks ${lacks.join(', ')}` : `${user} may not use the schema '${schema}'`,
        'Calls of a bot are refused (ERR_SERVER_RIGHTS).',
        'Let the owner of the tables run `progressive-storage postgres init --role NAME`.',
      ),
    ];
  }
  const what = isOwner
    ? info(
        'owner',
        `${user} owns the tables`,
        'A bot needs rows only; see `progressive-storage postgres init`.',
      )
    : ok('owner', `${user} may change rows, and cannot change the tables`);
  return [ok('rights', `${user} may do all that a bot does`), what];
}

function replicationFindings({ place: { facts } }) {
  const { standbys, standbyNames, maySeeStandbys, user } = facts;
  const isSynchronous = standbyNames.trim() !== '' && !['off', 'local'].includes(facts.synchronousCommit);
  if (isSynchronous) {
    const seen = standbys.filter(({ sync }) => ['sync', 'quorum'].includes(sync));
    if (seen.length > 0)
      return [
        ok(
          'standby',
          `A commit waits for a standby: ${seen.map(({ name }) => name || '(no name)').join(', ')}`,
        ),
      ];
    if (maySeeStandbys)
      return [
        fail(
          'standby',
          'Commits wait for a synchronous standby, and none is connected',
          'Every write waits until one is, and rejects with ERR_TIMEOUT if that takes longer than its timeoutMs; its change may be there.',
          'Start the standby, or change synchronous_standby_names.',
        ),
      ];
  }
  if (!maySeeStandbys) {
    return [
      unchecked(
        'standby',
        `Whether a ${isSynchronous ? 'synchronous ' : ''}standby is connected: ${user} may not see it`,
        'Without a synchronous standby, what was acknowledged last is lost with the machine of the server.',
        `GRANT pg_read_all_stats TO ${user}, or run this as a role that has it.`,
      ),
    ];
  }
  const text =
    standbys.length === 0
      ? 'No standby is connected'
      : `${plural(standbys.length, 'standby', 'standbys')}, none synchronous`;
  return [
    warn(
      'standby',
      text,
      'A fail-over, or the loss of the machine, loses what was acknowledged last (event `lostWrites`).',
      'Set synchronous_standby_names, unless a managed server promises the same in another way.',
    ),
  ];
}

// The clock of the server was read between the question and the answer.
function clockFindings({ place: { facts }, askedMs, answeredMs }) {
  const { nowMs } = facts;
  const aheadMs = nowMs > answeredMs ? nowMs - answeredMs : Math.min(0, nowMs - askedMs);
  if (Math.abs(aheadMs) <= AHEAD_MS_MAX)
    return [
      ok(
        'clock',
        `The clocks of this machine and of the server differ by less than ${duration(AHEAD_MS_MAX)}`,
      ),
    ];
  return [
    warn(
      'clock',
      `The clock of the server is ${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the one of this machine`,
      "Entries have the times of the server, records (`lastUpdated`, `date`) those of the bot's machine.",
      'Set both clocks by NTP.',
    ),
  ];
}

async function dataFindings({ place, answeredMs, atEnd }) {
  const { facts, schema } = place;
  if (!facts.hasTables) return [info('tables', `There are no tables in the schema '${schema}' yet`)];
  if (!facts.mayUseSchema)
    return [
      unchecked(
        'tables',
        `The tables of '${schema}': this role may not read them`,
        'Their state is unknown.',
      ),
    ];
  const [meta] = await place.ask('meta');
  const findings = [];
  if (meta.moved)
    findings.push(
      fail(
        'moved',
        `The data was moved to another place: ${meta.moved}`,
        'The tables are as they were then. A bot that uses them gets ERR_MOVED.',
        "Give the bot that place. To go on here as it was, remove the row 'moved' of the table 'meta' and the constraint 'moved' of the table 'entry'.",
      ),
    );
  if (meta.version !== SCHEMA_VERSION)
    return [
      ...findings,
      fail(
        'schema-version',
        `The schema '${schema}' has version ${meta.version ?? 'none'}, this program knows ${SCHEMA_VERSION}`,
        'It is refused (ERR_SCHEMA_VERSION).',
        Number(meta.version) < Number(SCHEMA_VERSION)
          ? 'As the owner of the tables, run `progressive-storage postgres init`; bots may be running.'
          : 'Update the package on this host.',
      ),
    ];
  findings.push(ok('schema-version', `The schema '${schema}' has version ${meta.version}`));
  if (!meta.moved) findings.push(await openFinding(place, atEnd));
  return [...findings, ...sizeFindings(facts), ...(await generationFindings(place, answeredMs))];
}

// Opening checks every column of the tables.
async function openFinding(place, atEnd) {
  try {
    await place.open(atEnd).getLogSize('players');
    return ok('tables', 'A bot can read them');
  } catch (error) {
    return fail(
      'tables',
      error.message,
      `A bot gets ${error.code}.`,
      'Remove the cause, and run this again.',
    );
  }
}

function sizeFindings({ sizes, databaseBytes }) {
  const total = Object.values(sizes ?? {}).reduce((sum, size) => sum + size, 0);
  const text = `The tables take ${bytes(total)} of ${bytes(databaseBytes)} in the database`;
  if (sizes?.entry > LARGE_BYTES && sizes.entry > 10 * sizes.state)
    return [
      info(
        'size',
        text,
        `The entries take ${bytes(sizes.entry)}. A CompactionScheduler, or \`compact\`, makes them fewer.`,
      ),
    ];
  return [ok('size', text)];
}

async function generationFindings(place, nowMs) {
  const findings = [];
  for (const { name, counts } of await place.counted()) {
    const generations = await place.ask('generations', name);
    const oldestMs = counts.oldestMs ?? generations[0]?.atMs;
    const age =
      oldestMs === null || oldestMs === undefined
        ? 'no entries'
        : `back to ${duration(nowMs - oldestMs)} ago`;
    findings.push(
      ok(
        'log',
        `${name}: ${plural(counts.keys, 'key')}, ${plural(counts.entries, 'entry', 'entries')}, ${plural(generations.length, 'generation')}, ${age}`,
      ),
    );
  }
  return findings.length > 0 ? findings : [info('logs', 'There are no logs yet')];
}
