//! The statements of a schema. This is the only place with SQL on data; `schema` has the tables.
//!
//! ```text
//! batch   want ──> locked ──> wrong? ──no──> stamp ──> written ──> noted        one statement, one transaction
//!                                └─yes─> nothing is done; what the keys have is the answer
//! ```
//!
//! `stamp` draws the number of the batch once all rows are locked, so that of two batches on one key the later one has
//! the greater number. A key that another host made between the two is found by the constraint `state_version`.
//!
//! A key whose time is over is there for nobody: each read compares its time with the server's clock. Its row stays until
//! `expire` removes all such rows of a log; a batch says whether there are some.
//!
//! Invariant: texts are constants but for the name of the schema, which `SchemaName` has checked; data goes in as
//! parameters alone.

use crate::postgres::schema_name::SchemaName;

/// See the header of this file.
pub struct Statements {
    /// A batch: all of it or nothing.
    pub batch: String,
    /// A batch that sets one key that is there.
    pub set_one: String,
    /// The same, which also says what time it is, and whether the log has keys that are over.
    pub set_one_and_look: String,
    /// Removes what is over, as one entry.
    pub expire: String,
    /// What keys have.
    pub read: String,
    /// The same, and nobody else changes them.
    pub read_locked: String,
    /// The same, and nobody else changes them.
    pub read_log_locked: String,
    /// The value of a key, and when it is over.
    pub value: String,
    /// The values of keys that are there, in the order in which they are asked for.
    pub values_of_keys: String,
    /// All keys of a log, in order.
    pub read_log: String,
    /// Keys of a log that an iteration gives, and which value of each: in order, the key to go on behind first.
    pub members: String,
    /// The same in reverse.
    pub members_reversed: String,
    /// Values that are still the ones that are meant.
    pub values: String,
    /// Entries of batches that may be about keys.
    pub entries_of_batches: String,
    /// The next part of the oldest checkpoint.
    pub next_checkpoint: String,
    /// The part before, for an iteration in reverse.
    pub previous_checkpoint: String,
    /// Watched keys, and the number of the log's last batch.
    pub watched: String,
    /// Entries that may be about watched keys, behind a place.
    pub changes: String,
    /// The numbers of batches that have such entries.
    pub batches: String,
    /// Which batches were committed.
    pub look_up: String,
    /// Makes a batch that was not committed impossible.
    pub void: String,
    /// Number of keys of a log.
    pub size: String,
    /// The greatest numbers of a field.
    pub top: String,
    /// The same with a number for those that have none.
    pub top_of_all: String,
    /// How many are better than a key, and how many there are.
    pub rank: String,
    /// The same with a number for those that have none.
    pub rank_of_all: String,
    /// Where the entries of a log begin, and its last one.
    pub bounds: String,
    /// Entries of a log between two numbers.
    pub entries: String,
    /// The same, so many at most.
    pub some_entries: String,
    /// Entries that may be about a key.
    pub history: String,
    /// Size of a log as lines.
    pub log_size: String,
    /// Size of the values of a log.
    pub live_size: String,
    /// The last entry up to a time, and where its generation begins.
    pub last_at: String,
    /// What the oldest entry of a log is.
    pub first: String,
    /// The lock that lets no batch be under way.
    pub lock_entries: String,
    /// Draws a number.
    pub draw: String,
    /// The checkpoint of a log, in entries of about 1 MiB.
    pub checkpoint: String,
    /// That of a log without keys.
    pub empty_checkpoint: String,
    /// A generation begins.
    pub begin_generation: String,
    /// Removes tombstones that a checkpoint does not need.
    pub remove_tombstones: String,
    /// Removes entries of generations that are too many.
    pub remove_entries: String,
    /// Removes the generations that are too many.
    pub remove_generations: String,
}

/// The server's clock when it got the statement, in milliseconds since 1970. The same for all rows, so an index serves.
const NOW_MS: &str = "floor(extract(epoch FROM statement_timestamp()) * 1000)::int8";

const BATCH: &str = "\
WITH want AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int2[], $5::text[], $6::text[], $7::int8[], $14::int8[])
    WITH ORDINALITY AS w(log, key, expected, effect, value, numbers, place, expires, ord)
), locked AS MATERIALIZED (
  SELECT w.ord, s.version, s.change, s.place, s.value, s.expires FROM want w JOIN {schema}.state s ON s.log = w.log AND s.key = w.key
    ORDER BY s.log, s.key FOR UPDATE OF s
), wrong AS MATERIALIZED (
  SELECT w.ord, l.change, l.value, l.expires FROM want w LEFT JOIN locked l USING (ord)
    WHERE w.expected <> coalesce(l.change, '00000000-0000-0000-0000-000000000000')
), stamp AS MATERIALIZED (
  SELECT nextval('{schema}.seq') AS seq WHERE NOT EXISTS (SELECT FROM wrong) AND (SELECT count(*) FROM locked) >= 0
), written AS (
  INSERT INTO {schema}.state (log, key, value, numbers, place, before, version, change, expires)
  SELECT w.log, w.key, w.value, w.numbers::jsonb,
    CASE WHEN w.effect = 1 AND l.value IS NOT NULL THEN l.place
      WHEN w.place >= 0 THEN w.place ELSE 4294967296 + (stamp.seq << 20) - w.place END,
    coalesce(l.version, 0), stamp.seq, $8, w.expires
  FROM stamp, want w LEFT JOIN locked l USING (ord) WHERE w.effect > 0 ORDER BY w.ord
  ON CONFLICT (log, key) DO UPDATE SET value = excluded.value, numbers = excluded.numbers, place = excluded.place,
    before = excluded.before, change = excluded.change, expires = excluded.expires,
    version = CASE WHEN state.version = excluded.before THEN excluded.version ELSE 0 END
  RETURNING 1
), noted AS (
  INSERT INTO {schema}.entry (log, seq, part, key, op, value, change, at, expires)
  SELECT e.log, stamp.seq, e.part, e.key, e.op, e.value, $8,
    coalesce(to_timestamp(e.at_ms / 1000.0), clock_timestamp()), e.expires::text
  FROM stamp, (SELECT count(*) FROM written) AS done,
    unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::int8[], $15::int8[])
      WITH ORDINALITY AS e(log, key, op, value, at_ms, expires, part)
)
SELECT NULL::int8 AS ord, NULL::uuid AS change, NULL::text AS value, NULL::int8 AS expires, {now_ms} AS now_ms,
  EXISTS (SELECT FROM (SELECT DISTINCT log FROM want) AS l
    WHERE (SELECT min(expires) FROM {schema}.state s WHERE s.log = l.log) <= {now_ms}) AS has_over FROM stamp
UNION ALL SELECT ord, change, value, expires, NULL, NULL FROM wrong";

const SET_ONE: &str = "\
WITH written AS (
  UPDATE {schema}.state SET value = $3, numbers = $4::text::jsonb, before = version, version = nextval('{schema}.seq'), change = $6,
      expires = $7
    WHERE log = $1 AND key = $2 AND change = $5 AND value IS NOT NULL RETURNING version
)
INSERT INTO {schema}.entry (log, seq, part, key, op, value, change, expires)
  SELECT $1, version, 1, $2, 'SET', $3, $6, $7::text FROM written RETURNING seq";

/// The least of a column that has an index is found by it, whatever the server believes of the table: a row that fits is
/// looked for in all of them where it believes that there are many.
const AND_LOOK: &str = "\
, {now_ms} AS now_ms,
  coalesce((SELECT min(expires) FROM {schema}.state WHERE log = $1) <= {now_ms}, false) AS has_over";

/// Rows that somebody else holds are left for the next time: nobody sees them.
const EXPIRE: &str = "\
WITH clock AS MATERIALIZED (SELECT {now_ms} AS ms
), locked AS MATERIALIZED (
  SELECT s.key FROM clock, {schema}.state s WHERE s.log = $1 AND s.expires <= clock.ms AND s.value IS NOT NULL
    ORDER BY s.log, s.key FOR UPDATE OF s SKIP LOCKED
), stamp AS MATERIALIZED (
  SELECT nextval('{schema}.seq') AS seq WHERE (SELECT count(*) FROM locked) > 0
), gone AS (
  UPDATE {schema}.state s SET value = NULL, numbers = NULL, expires = NULL, before = s.version, version = stamp.seq, change = $2
    FROM stamp, clock, locked l WHERE s.log = $1 AND s.key = l.key AND s.expires <= clock.ms RETURNING 1
)
INSERT INTO {schema}.entry (log, seq, part, op, change, expires)
  SELECT $1, stamp.seq, 1, 'EXPIRE', $2, clock.ms::text FROM stamp, clock, (SELECT count(*) FROM gone) AS done
  RETURNING 1";

const READ: &str = "\
SELECT w.ord, s.change, s.value, s.expires
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(log, key, ord)
  JOIN {schema}.state s ON s.log = w.log AND s.key = w.key";

const LOCK_ROWS: &str = " ORDER BY s.log, s.key FOR UPDATE OF s";

const VALUES_OF_KEYS: &str = "\
SELECT w.key, s.value FROM unnest($2::text[]) WITH ORDINALITY AS w(key, ord)
  JOIN {schema}.state s ON s.log = $1 AND s.key = w.key WHERE {is_there} ORDER BY w.ord";

const READ_LOG: &str = "\
SELECT key, change, value, expires FROM {schema}.state WHERE log = $1 AND {is_there} ORDER BY place, version, key";

/// A key whose place is known is put before what comes behind it, whatever it begins with.
const MEMBERS: &str = "\
SELECT key, version, octet_length(value) FROM {schema}.state WHERE log = $1 AND {is_there}
  AND ($2::text IS NULL OR left(key, char_length($2)) = $2 OR key = $3)
  AND ($3::text IS NULL OR (place, version, key) >= (SELECT place, version, key FROM {schema}.state
    WHERE log = $1 AND key = $3 AND {is_there}))
  ORDER BY place, version, key LIMIT $4";

const MEMBERS_REVERSED: &str = "\
SELECT key, version, octet_length(value) FROM {schema}.state WHERE log = $1 AND {is_there}
  AND ($2::text IS NULL OR left(key, char_length($2)) = $2 OR key = $3)
  AND ($3::text IS NULL OR (place, version, key) <= (SELECT place, version, key FROM {schema}.state
    WHERE log = $1 AND key = $3 AND {is_there}))
  ORDER BY place DESC, version DESC, key DESC LIMIT $4";

const VALUES: &str = "\
SELECT w.ord, s.value FROM unnest($2::text[], $3::int8[]) WITH ORDINALITY AS w(key, version, ord)
  JOIN {schema}.state s ON s.log = $1 AND s.key = w.key AND s.version = w.version WHERE s.value IS NOT NULL";

const ENTRIES_OF_BATCHES: &str = "\
SELECT seq, part, op, key, value, floor(extract(epoch FROM at) * 1000)::int8, expires FROM {schema}.entry
  WHERE log = $1 AND seq = ANY($2::int8[]) AND (key IS NULL OR key = ANY($3::text[])) ORDER BY seq, part";

const NEXT_CHECKPOINT: &str = "\
SELECT seq, part, value FROM {schema}.entry WHERE log = $1 AND op = 'CHECKPOINT' AND part > $2
  AND seq = (SELECT min(seq) FROM {schema}.entry WHERE log = $1) ORDER BY part LIMIT 1";

const PREVIOUS_CHECKPOINT: &str = "\
SELECT seq, part, value FROM {schema}.entry WHERE log = $1 AND op = 'CHECKPOINT' AND part < $2
  AND seq = (SELECT min(seq) FROM {schema}.entry WHERE log = $1) ORDER BY part DESC LIMIT 1";

const WATCHED: &str = "\
SELECT s.key, s.value, l.last, s.expires FROM (SELECT coalesce(max(seq), 0) AS last FROM {schema}.entry WHERE log = $1) AS l
  LEFT JOIN {schema}.state s ON s.log = $1 AND s.value IS NOT NULL
    AND ($2::text IS NULL OR left(s.key, char_length($2)) = $2) AND ($3::text IS NULL OR s.key = $3)
  ORDER BY s.place, s.version, s.key";

/// A checkpoint of a compaction changes nothing.
const CHANGES: &str = "\
SELECT seq, part, op, key, value, floor(extract(epoch FROM at) * 1000)::int8, expires FROM {schema}.entry
  WHERE log = $1 AND op <> 'CHECKPOINT'
    AND (key IS NULL OR ($2::text IS NULL OR left(key, char_length($2)) = $2) AND ($3::text IS NULL OR key = $3))
    AND (seq, part) > ($4, $5) AND seq <= $6 ORDER BY seq, part LIMIT $7";

const BATCHES: &str = "\
SELECT DISTINCT seq FROM {schema}.entry WHERE log = $1 AND op <> 'CHECKPOINT'
    AND (key IS NULL OR ($2::text IS NULL OR left(key, char_length($2)) = $2) AND ($3::text IS NULL OR key = $3))
    AND seq > $4 AND seq <= $5";

/// Rows are locked in the order in which batches lock them.
const READ_LOG_LOCKED: &str = "\
SELECT key, change, value, expires FROM (SELECT key, change, value, expires, place, version FROM {schema}.state
  WHERE log = $1 AND {is_there} ORDER BY log, key FOR UPDATE) AS locked ORDER BY place, version, key";

const LOOK_UP: &str =
    "SELECT DISTINCT change FROM {schema}.entry WHERE change = ANY($1) AND part = 1 AND op <> 'VOID'";

const VOID: &str = "\
WITH made AS (
  INSERT INTO {schema}.entry (log, seq, part, op, change) VALUES ('', nextval('{schema}.seq'), 1, 'VOID', $1)
    ON CONFLICT (change, part) DO NOTHING RETURNING 1
)
SELECT NOT EXISTS (SELECT FROM made) AND EXISTS
  (SELECT FROM {schema}.entry WHERE change = $1 AND part = 1 AND op <> 'VOID')";

const SIZE: &str = "SELECT count(*) FROM {schema}.state WHERE log = $1 AND {is_there}";

const TOP: &str = "\
SELECT key, value FROM {schema}.state WHERE log = $1 AND {is_there} AND numbers ? $2
  ORDER BY ((numbers->>$2)::float8) DESC, place LIMIT $3";

const TOP_OF_ALL: &str = "\
SELECT key, value FROM {schema}.state WHERE log = $1 AND {is_there}
  ORDER BY coalesce((numbers->>$2)::float8, $4::float8) DESC, place LIMIT $3";

const RANK: &str = "\
WITH own AS (SELECT (numbers->>$2)::float8 AS number, place FROM {schema}.state
  WHERE log = $1 AND key = $3 AND {is_there} AND numbers ? $2)
SELECT count(*) FILTER (WHERE (s.numbers->>$2)::float8 > own.number
    OR ((s.numbers->>$2)::float8 = own.number AND s.place < own.place)) + 1, count(*)
  FROM own, {schema}.state s WHERE s.log = $1 AND {is_there} AND s.numbers ? $2 HAVING count(*) > 0";

/// Three counts, so that an index of the numbers serves each.
const RANK_OF_ALL: &str = "\
WITH own AS MATERIALIZED (SELECT coalesce((numbers->>$2)::float8, $4::float8) AS number, place
  FROM {schema}.state WHERE log = $1 AND key = $3 AND {is_there})
SELECT 1 + (SELECT count(*) FROM {schema}.state WHERE log = $1 AND {is_there}
    AND coalesce((numbers->>$2)::float8, $4::float8) > (SELECT number FROM own))
  + (SELECT count(*) FROM {schema}.state WHERE log = $1 AND {is_there}
    AND coalesce((numbers->>$2)::float8, $4::float8) = (SELECT number FROM own) AND place < (SELECT place FROM own)),
  (SELECT count(*) FROM {schema}.state WHERE log = $1 AND {is_there}) FROM own";

const BOUNDS: &str = "\
SELECT coalesce((SELECT max(seq) FROM {schema}.generation WHERE log = $1), 0),
  coalesce((SELECT max(seq) FROM {schema}.entry WHERE log = $1), 0)";

/// The columns of an entry. Its time is in milliseconds.
const ENTRIES: &str = "\
SELECT seq, part, op, key, value, floor(extract(epoch FROM at) * 1000)::int8, expires FROM {schema}.entry
  WHERE log = $1 AND (seq, part) > ($2, $3) AND seq <= $4 ORDER BY seq, part";

const HISTORY: &str = "\
SELECT seq, part, op, key, value, floor(extract(epoch FROM at) * 1000)::int8, expires FROM {schema}.entry
  WHERE log = $1 AND (key = $2 OR key IS NULL AND (op <> 'CHECKPOINT' OR seq =
    (SELECT min(seq) FROM {schema}.entry WHERE log = $1))) ORDER BY seq, part";

const LOG_SIZE: &str = "\
SELECT coalesce(sum(CASE op
    WHEN 'SET' THEN 68 + octet_length(key) + octet_length(value)
    WHEN 'DATA' THEN 64 + octet_length(key) + octet_length(value)
    WHEN 'MEMBER' THEN 2 + octet_length(key) + octet_length(value)
    WHEN 'DELETE' THEN 62 + octet_length(key)
    WHEN 'CHECKPOINT' THEN 72 + octet_length(value)
    WHEN 'EXPIRE' THEN 52
    ELSE 1 + octet_length(value) END + coalesce(12 + octet_length(expires), 0)), 0)::int8
  FROM {schema}.entry WHERE log = $1
  AND seq >= coalesce((SELECT max(seq) FROM {schema}.generation WHERE log = $1), 0)";

const LIVE_SIZE: &str = "\
SELECT coalesce(sum(octet_length(key) + octet_length(value) + 2), 0)::int8
  FROM {schema}.state WHERE log = $1 AND value IS NOT NULL";

const LAST_AT: &str = "\
SELECT e.seq, e.part, coalesce((SELECT max(seq) FROM {schema}.generation WHERE log = $1 AND seq <= e.seq), 0)
  FROM {schema}.entry e WHERE e.log = $1 AND e.at < to_timestamp(($2::int8 + 1) / 1000.0)
  ORDER BY e.seq DESC, e.part DESC LIMIT 1";

const FIRST: &str = "\
SELECT op, floor(extract(epoch FROM at) * 1000)::int8, CASE WHEN op = 'ENTRY' THEN value END
  FROM {schema}.entry WHERE log = $1 ORDER BY seq, part LIMIT 1";

const CHECKPOINT: &str = "\
INSERT INTO {schema}.entry (log, seq, part, op, value, change, expires)
  SELECT $1, $2, row_number() OVER (ORDER BY piece), 'CHECKPOINT', text, $3, expires FROM (
    SELECT piece, '{' || string_agg(key || ':' || value, ',' ORDER BY place, version, key) || '}' AS text,
        '{' || string_agg(key || ':' || expires, ',' ORDER BY place, version, key) || '}' AS expires FROM (
      SELECT key, value, expires, place, version, sum(octet_length(key) + octet_length(value) + 2)
          OVER (ORDER BY place, version, key) / 1048576 AS piece
        FROM {schema}.state WHERE log = $1 AND value IS NOT NULL) AS member
      GROUP BY piece) AS pieces
  RETURNING 1";

const EMPTY_CHECKPOINT: &str = "\
INSERT INTO {schema}.entry (log, seq, part, op, value, change) VALUES ($1, $2, 1, 'CHECKPOINT', '{}', $3)";

const REMOVE_TOMBSTONES: &str = "\
DELETE FROM {schema}.state WHERE log = $1 AND value IS NULL
  AND version < (SELECT max(seq) FROM {schema}.generation WHERE log = $1)";

/// A generation goes as a whole, and not before a day has passed since the next one began: until then, a lost connection
/// may ask for its batches.
const REMOVE_ENTRIES: &str = "\
DELETE FROM {schema}.entry WHERE log = $1 AND seq < (SELECT max(seq) FROM {schema}.generation
    WHERE log = $1 AND at < clock_timestamp() - interval '1 day'
      AND seq <= (SELECT min(seq) FROM (SELECT seq FROM {schema}.generation WHERE log = $1 ORDER BY seq DESC LIMIT $2) AS kept))
  OR log = '' AND at < clock_timestamp() - interval '1 day'";

const REMOVE_GENERATIONS: &str = "\
DELETE FROM {schema}.generation g WHERE log = $1 AND NOT EXISTS
  (SELECT FROM {schema}.entry e WHERE e.log = g.log AND e.seq = g.seq)";

impl Statements {
    /// The statements of this schema.
    #[must_use]
    pub fn new(schema: &SchemaName) -> Self {
        let of = |text: &str| {
            let is_there = format!("value IS NOT NULL AND (expires IS NULL OR expires > {NOW_MS})");
            schema.fill_in(&text.replace("{now_ms}", NOW_MS).replace("{is_there}", &is_there))
        };
        Self {
            batch: of(BATCH),
            set_one: of(SET_ONE),
            set_one_and_look: of(SET_ONE) + &of(AND_LOOK),
            expire: of(EXPIRE),
            read: of(READ),
            read_locked: of(READ) + LOCK_ROWS,
            value: of("SELECT value, expires FROM {schema}.state WHERE log = $1 AND key = $2 AND {is_there}"),
            values_of_keys: of(VALUES_OF_KEYS),
            read_log: of(READ_LOG),
            read_log_locked: of(READ_LOG_LOCKED),
            members: of(MEMBERS),
            members_reversed: of(MEMBERS_REVERSED),
            values: of(VALUES),
            entries_of_batches: of(ENTRIES_OF_BATCHES),
            next_checkpoint: of(NEXT_CHECKPOINT),
            previous_checkpoint: of(PREVIOUS_CHECKPOINT),
            watched: of(WATCHED),
            changes: of(CHANGES),
            batches: of(BATCHES),
            look_up: of(LOOK_UP),
            void: of(VOID),
            size: of(SIZE),
            top: of(TOP),
            top_of_all: of(TOP_OF_ALL),
            rank: of(RANK),
            rank_of_all: of(RANK_OF_ALL),
            bounds: of(BOUNDS),
            entries: of(ENTRIES),
            some_entries: of(ENTRIES) + " LIMIT $5",
            history: of(HISTORY),
            log_size: of(LOG_SIZE),
            live_size: of(LIVE_SIZE),
            last_at: of(LAST_AT),
            first: of(FIRST),
            lock_entries: of("LOCK TABLE {schema}.entry IN SHARE MODE"),
            draw: of("SELECT nextval('{schema}.seq')"),
            checkpoint: of(CHECKPOINT),
            empty_checkpoint: of(EMPTY_CHECKPOINT),
            begin_generation: of("INSERT INTO {schema}.generation (log, seq) VALUES ($1, $2)"),
            remove_tombstones: of(REMOVE_TOMBSTONES),
            remove_entries: of(REMOVE_ENTRIES),
            remove_generations: of(REMOVE_GENERATIONS),
        }
    }
}
