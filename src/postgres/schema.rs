//! The tables of a schema, their version, and who makes them.
//!
//! ```text
//! state       (log, key) → value, numbers, place, before, version, change, expires   one row a key; value NULL: removed
//! entry       (log, seq, part) → op, key, value, change, at, expires           what happened, in order
//! generation  (log, seq) → at                                                  where a checkpoint begins
//! meta        name → value                                                     version of the schema
//! seq         numbers of batches
//! ```
//!
//! `value` is JSON as JavaScript wrote it, never `jsonb`, which changes texts and refuses some. `numbers` holds the
//! finite numbers of an object's fields, for leaderboards; the usual one, players by `totalScore`, has an index.
//!
//! `expires` says when a value is over, in milliseconds since 1970: a number in `state`, in `entry` the text that the entry
//! shows of it. It came with version 2; `UPGRADE` adds it to the tables of version 1.
//!
//! Invariant: a version above `VERSION` is refused; tables are made in one transaction, or not at all.

/// The version of the tables below.
pub const VERSION: u32 = 2;

/// Makes the tables.
pub const TABLES: &str = "\
CREATE SEQUENCE {schema}.seq;
CREATE TABLE {schema}.meta (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE {schema}.state (
  log text COLLATE \"C\" NOT NULL,
  key text COLLATE \"C\" NOT NULL,
  value text,
  numbers jsonb,
  place bigint NOT NULL,
  before bigint NOT NULL,
  version bigint NOT NULL CONSTRAINT state_version CHECK (version > before),
  change uuid NOT NULL,
  expires bigint,
  PRIMARY KEY (log, key));
CREATE INDEX state_expires ON {schema}.state (log, expires) WHERE expires IS NOT NULL;
CREATE INDEX state_score ON {schema}.state ((coalesce((numbers->>'totalScore')::float8, 0)) DESC, place)
  WHERE log = 'players' AND value IS NOT NULL;
CREATE TABLE {schema}.entry (
  log text COLLATE \"C\" NOT NULL,
  seq bigint NOT NULL,
  part int NOT NULL,
  key text COLLATE \"C\",
  op text NOT NULL,
  value text,
  change uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires text,
  PRIMARY KEY (log, seq, part),
  CONSTRAINT entry_change UNIQUE (change, part));
CREATE INDEX entry_key ON {schema}.entry (log, key, seq, part);
CREATE TABLE {schema}.generation (
  log text COLLATE \"C\" NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (log, seq));
INSERT INTO {schema}.meta (name, value) VALUES ('version', '2');";

/// Makes the tables of version 1 those of version 2, which hosts that run go on to use. Of two who do it at once, the
/// second one finds it done.
pub const UPGRADE: &str = "\
BEGIN; SET LOCAL lock_timeout = '5s';
UPDATE {schema}.meta SET value = value WHERE name = 'version';
ALTER TABLE {schema}.state ADD COLUMN IF NOT EXISTS expires bigint;
ALTER TABLE {schema}.entry ADD COLUMN IF NOT EXISTS expires text;
CREATE INDEX IF NOT EXISTS state_expires ON {schema}.state (log, expires) WHERE expires IS NOT NULL;
UPDATE {schema}.meta SET value = '2' WHERE name = 'version' AND value = '1';
COMMIT";

/// Values that come from now on are compressed by a method that takes a fraction of the usual one's time. A server that was
/// built without it refuses, and goes on as it is.
pub const COMPRESSION: &str = "\
BEGIN; SET LOCAL lock_timeout = '5s';
ALTER TABLE {schema}.state ALTER COLUMN value SET COMPRESSION lz4;
ALTER TABLE {schema}.entry ALTER COLUMN value SET COMPRESSION lz4;
COMMIT";

/// The same for a person to run, without the refusal.
pub const COMPRESSION_IF_ANY: &str = "\
DO $$ BEGIN
  ALTER TABLE {schema}.state ALTER COLUMN value SET COMPRESSION lz4;
  ALTER TABLE {schema}.entry ALTER COLUMN value SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  RAISE NOTICE 'This server has no lz4, and compresses values by its own method';
END $$;";

/// What the bot's role may do with them.
pub const GRANTS: &str = "\
GRANT USAGE ON SCHEMA {schema} TO ROLE;
GRANT SELECT ON {schema}.meta TO ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.state, {schema}.entry, {schema}.generation TO ROLE;
GRANT USAGE, SELECT ON SEQUENCE {schema}.seq TO ROLE;";

/// What a server is, in one row: whether it takes writes, its version, the encoding, whether the schema and its tables
/// are there, its clock.
pub const SERVER: &str = "\
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
  current_setting('server_version_num')::int, current_setting('server_version'),
  (SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()),
  to_regnamespace('{schema}') IS NOT NULL, to_regclass('{schema}.meta') IS NOT NULL,
  floor(extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// The version, the columns of the tables, and where the data has moved to.
pub const TABLES_FOUND: &str = "\
SELECT (SELECT value FROM {schema}.meta WHERE name = 'version'),
  (SELECT string_agg(c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, NULL), ', '
      ORDER BY c.relname, a.attname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.oid IN (to_regclass('{schema}.state'), to_regclass('{schema}.entry'), to_regclass('{schema}.generation'))
      AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT value FROM {schema}.meta WHERE name = 'moved')";

/// The columns that must be there; others are left alone.
pub const COLUMNS: [&str; 21] = [
    "entry.at timestamp with time zone",
    "entry.change uuid",
    "entry.expires text",
    "entry.key text",
    "entry.log text",
    "entry.op text",
    "entry.part integer",
    "entry.seq bigint",
    "entry.value text",
    "generation.at timestamp with time zone",
    "generation.log text",
    "generation.seq bigint",
    "state.before bigint",
    "state.change uuid",
    "state.expires bigint",
    "state.key text",
    "state.log text",
    "state.numbers jsonb",
    "state.place bigint",
    "state.value text",
    "state.version bigint",
];

/// The oldest version of `PostgreSQL` that has what the statements need.
pub const SERVER_VERSION_MIN: i32 = 140_000;
