//! Questions of tools about a server: what it is, which logs it has, what their rows say. Nothing is made and nothing is
//! changed, except by `Grant`, `Upgrade` and `Mark`, which are the owner's.
//! Their sessions have a name of their own, so that none is taken for a bot's.
//!
//! Each question is a connection of its own, so that a tool needs no session that could be lost.
//!
//! Invariant: texts are constants but for the name of the schema and the quoted name of a role; data goes in as
//! parameters alone. Every answer is JSON text.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::runtime::Builder;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CancelToken, Client, Row as SqlRow};

use crate::data::json::quote;
use crate::error::{Error, Result};
use crate::postgres::dial;
use crate::postgres::entry_rows::{EntryRow, EntryTexts};
use crate::postgres::rows::entry_row;
use crate::postgres::schema;
use crate::postgres::schema_name::SchemaName;
use crate::postgres::target::{HostTarget, Target, Trust};
use crate::postgres::tls::Tls;

/// Bytes of entries in one answer, about.
const PIECE_BYTES: usize = 4 << 20;

/// What the sessions of tools are called: they are no bot's.
const TOOL: &str = "progressive-storage tool";

/// How long the server may take to hear that it is to stop.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// What a tool asks. Each takes its parameters as texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What the server is and what the role may. No tables are needed.
    Facts,
    /// The rows of `meta`.
    Meta,
    /// The logs, with numbers of keys and entries.
    Logs,
    /// The generations of a log: `log`.
    Generations,
    /// What is wrong with the rows of a log: `log`.
    Problems,
    /// Entries of a log with all that came before its last checkpoint: `log`, `seq`, `part` of the last one that is
    /// known.
    Entries,
    /// Gives a role the right to change rows: `role`.
    Grant,
    /// Makes tables of an older version those of this one, where they are.
    Upgrade,
    /// Has new values compressed by a faster method; an error where the server has none.
    Compress,
    /// What changes with every batch: the number of entries, and the greatest number of a batch.
    Stamp,
    /// The names of the logs.
    Names,
    /// The greatest number of a batch of a log, and the number behind which there are this many entries of it: `log`,
    /// `entries`.
    Newest,
    /// The sessions of other processes that use the tables, or may.
    Sessions,
    /// How many connections bots have to the database, and what the role may see of them.
    Connections,
    /// Notes that the data has moved to another place, and ends the sessions of others: `where`, and the answer to
    /// `Stamp` that must still be right. See `mark`.
    Mark,
    /// Waits until no batch is under way.
    Settle,
    /// A greatest number, such that every batch is whole among the entries up to it, or not there at all.
    Cut,
}

impl Question {
    /// The question of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "facts" => Self::Facts,
            "meta" => Self::Meta,
            "logs" => Self::Logs,
            "generations" => Self::Generations,
            "problems" => Self::Problems,
            "entries" => Self::Entries,
            "grant" => Self::Grant,
            "upgrade" => Self::Upgrade,
            "compress" => Self::Compress,
            "stamp" => Self::Stamp,
            "names" => Self::Names,
            "newest" => Self::Newest,
            "sessions" => Self::Sessions,
            "connections" => Self::Connections,
            "mark" => Self::Mark,
            "settle" => Self::Settle,
            "cut" => Self::Cut,
            _ => return None,
        })
    }

    /// Its statement; each row of the answer has one column with JSON.
    fn statement(self) -> &'static str {
        match self {
            Self::Facts => FACTS,
            Self::Meta => META,
            Self::Logs => LOGS,
            Self::Generations => GENERATIONS,
            Self::Problems => PROBLEMS,
            Self::Entries => ENTRIES,
            Self::Grant => HAS_ROLE,
            Self::Upgrade => schema::UPGRADE,
            Self::Compress => schema::COMPRESSION,
            Self::Stamp => STAMP,
            Self::Names => NAMES,
            Self::Newest => NEWEST,
            Self::Sessions => SESSIONS,
            Self::Connections => CONNECTIONS,
            Self::Mark => MARK,
            Self::Settle => SETTLE,
            Self::Cut => CUT,
        }
    }
}

const FACTS: &str = "\
WITH ours AS (SELECT c.oid, c.relname, c.relkind, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname IN ('meta', 'state', 'entry', 'generation', 'seq'))
SELECT json_build_object(
  'version', current_setting('server_version'), 'versionNumber', current_setting('server_version_num')::int,
  'encoding', (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()),
  'database', current_database(), 'user', current_user,
  'isStandby', pg_is_in_recovery(), 'isReadOnly', current_setting('transaction_read_only') = 'on',
  'tls', (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl),
  'isLocal', coalesce(inet_client_addr() << '127.0.0.0/8' OR inet_client_addr() = '::1', true),
  'fsync', current_setting('fsync') = 'on', 'synchronousCommit', current_setting('synchronous_commit'),
  'standbyNames', current_setting('synchronous_standby_names'),
  'maySeeStandbys', pg_has_role('pg_read_all_stats', 'USAGE'),
  'standbys', coalesce((SELECT json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state))
    FROM pg_stat_replication), '[]'::json),
  'nowMs', floor(extract(epoch FROM clock_timestamp()) * 1000)::int8,
  'databaseBytes', pg_database_size(current_database()),
  'mayCreateInDatabase', has_database_privilege(current_database(), 'CREATE'),
  'hasSchema', EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
  'mayUseSchema', coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1), false),
  'hasTables', EXISTS (SELECT FROM ours WHERE relname = 'meta'),
  'isOwner', coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM ours WHERE relname = 'meta'), false),
  'lacks', coalesce((SELECT json_agg(wanted ORDER BY wanted) FROM (
    SELECT privilege || ' on ' || relname AS wanted
      FROM ours, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
      WHERE relkind = 'r' AND (relname <> 'meta' OR privilege = 'SELECT')
        AND NOT has_table_privilege(oid, privilege)
    UNION ALL SELECT privilege || ' on seq' FROM ours, unnest(ARRAY['USAGE', 'SELECT']) AS privilege
      WHERE relname = 'seq' AND NOT has_sequence_privilege(oid, privilege)) AS missing), '[]'::json),
  'sizes', (SELECT json_object_agg(relname, pg_total_relation_size(oid)) FROM ours WHERE relkind = 'r')
)::text";

const META: &str = "SELECT coalesce(json_object_agg(name, value), '{}'::json)::text FROM {schema}.meta";

const LOGS: &str = "\
SELECT json_build_object('name', l.log, 'keys', coalesce(s.keys, 0), 'liveBytes', coalesce(s.bytes, 0),
  'entries', coalesce(e.entries, 0), 'sizeBytes', coalesce(e.bytes, 0), 'oldestMs', e.oldest, 'newestMs', e.newest,
  'isCollection', s.log IS NOT NULL)::text
FROM (SELECT log FROM {schema}.state UNION SELECT log FROM {schema}.entry) AS l
LEFT JOIN (SELECT log, count(*) FILTER (WHERE value IS NOT NULL
    AND (expires IS NULL OR expires > extract(epoch FROM clock_timestamp()) * 1000)) AS keys,
    coalesce(sum(octet_length(key) + octet_length(value) + 2), 0)::int8 AS bytes
  FROM {schema}.state GROUP BY log) AS s ON s.log = l.log
LEFT JOIN (SELECT log, count(*) FILTER (WHERE op <> 'MEMBER') AS entries,
    sum(64 + coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0))::int8 AS bytes,
    floor(extract(epoch FROM min(at)) * 1000)::int8 AS oldest, floor(extract(epoch FROM max(at)) * 1000)::int8 AS newest
  FROM {schema}.entry GROUP BY log) AS e ON e.log = l.log
WHERE l.log <> '' ORDER BY l.log";

/// Entries that came before the first checkpoint are a generation without a row.
const GENERATIONS: &str = "\
SELECT json_build_object('seq', g.seq, 'atMs', floor(extract(epoch FROM g.at) * 1000)::int8,
  'entries', count(e.seq) FILTER (WHERE e.op <> 'MEMBER'),
  'sizeBytes', coalesce(sum(64 + coalesce(octet_length(e.key), 0) + coalesce(octet_length(e.value), 0)), 0)::int8,
  'oldestMs', floor(extract(epoch FROM min(e.at)) * 1000)::int8)::text
FROM (SELECT seq, at, lead(seq) OVER (ORDER BY seq) AS next FROM (
    SELECT seq, at FROM {schema}.generation WHERE log = $1 UNION ALL SELECT 0, NULL) AS all_of_them) AS g
  LEFT JOIN {schema}.entry e ON e.log = $1 AND e.seq >= g.seq AND (g.next IS NULL OR e.seq < g.next)
GROUP BY g.seq, g.at HAVING g.seq > 0 OR count(e.seq) > 0 ORDER BY g.seq";

/// A row that is older than the oldest entry has lost its entry to a compaction.
const PROBLEMS: &str = "\
WITH first AS (SELECT coalesce(min(seq), 0) AS seq FROM {schema}.entry WHERE log = $1)
SELECT json_build_object(
  'lastSeq', (SELECT max(seq) FROM {schema}.entry WHERE log = $1),
  'withoutEntry', (SELECT coalesce(json_agg(key), '[]'::json) FROM (SELECT s.key FROM {schema}.state s, first
    WHERE s.log = $1 AND s.version >= first.seq AND NOT EXISTS (SELECT FROM {schema}.entry e
      WHERE e.log = $1 AND e.seq = s.version AND e.change = s.change) ORDER BY s.key LIMIT 100) AS found),
  'outOfOrder', (SELECT coalesce(json_agg(key), '[]'::json) FROM (SELECT s.key FROM {schema}.state s
    WHERE s.log = $1 AND (s.version <= s.before OR s.version > (SELECT last_value FROM {schema}.seq))
    ORDER BY s.key LIMIT 100) AS found),
  'changesTwice', (SELECT count(*) FROM (SELECT change FROM {schema}.entry WHERE log = $1
    GROUP BY change HAVING count(DISTINCT seq) > 1) AS found))::text";

const ENTRIES: &str = "\
SELECT seq, part, op, key, value, floor(extract(epoch FROM at) * 1000)::int8, expires FROM {schema}.entry
  WHERE log = $1 AND (seq, part) > ($2::text::int8, $3::text::int4) ORDER BY seq, part";

const HAS_ROLE: &str = "SELECT to_json(rolname)::text FROM pg_roles WHERE rolname = $1";

const STAMP: &str =
    "SELECT to_json(format('%s entries up to %s', count(*), max(seq)))::text FROM {schema}.entry";

/// The index is asked for the next name again and again, so that no row is read twice.
const NAMES: &str = "\
WITH RECURSIVE name AS (SELECT (SELECT min(log) FROM {schema}.entry) AS log
    UNION ALL SELECT (SELECT min(log) FROM {schema}.entry WHERE log > name.log) FROM name WHERE name.log IS NOT NULL),
  kept AS (SELECT (SELECT min(log) FROM {schema}.state) AS log
    UNION ALL SELECT (SELECT min(log) FROM {schema}.state WHERE log > kept.log) FROM kept WHERE kept.log IS NOT NULL)
SELECT to_json(log)::text FROM (SELECT log FROM name UNION SELECT log FROM kept) AS l WHERE log <> '' ORDER BY log";

const NEWEST: &str = "\
SELECT json_build_object('newest', coalesce((SELECT max(seq) FROM {schema}.entry WHERE log = $1), 0)::text,
  'from', (coalesce((SELECT min(seq) FROM (SELECT seq FROM {schema}.entry WHERE log = $1 AND op <> 'MEMBER'
    ORDER BY seq DESC, part DESC LIMIT $2::text::int8) AS last), 1) - 1)::text)::text";

/// A session says nothing of its schema but by its last statement. Where that names the tables of another one, and not
/// these, it is none of ours.
const SESSIONS: &str = "\
SELECT json_build_object('process', pid, 'user', usename, 'address', coalesce(host(client_addr), 'a socket'))::text, pid,
  coalesce((pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
    AND (NOT rolsuper OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)), false)
FROM pg_stat_activity LEFT JOIN pg_roles ON pg_roles.oid = usesysid
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> $2
  AND (position('{schema}.' IN query) > 0 OR (application_name IN ('progressive-storage', $1)
    AND query !~ '\"[a-z_][a-z0-9_]*\"\\.(meta|state|entry|generation|seq)'))
ORDER BY pid";

/// A role sees the name and the database of every connection, and the rest of its own roles' ones alone. The newest 20 that
/// it sees are listed.
const CONNECTIONS: &str = "\
WITH ours AS (SELECT * FROM pg_stat_activity WHERE datname = current_database()
    AND application_name IN ('progressive-storage', $1) AND backend_type IS DISTINCT FROM 'parallel worker')
SELECT json_build_object('count', count(*), 'hidden', count(*) FILTER (WHERE backend_start IS NULL),
  'listed', (SELECT coalesce(json_agg(json_build_object('address', coalesce(host(client_addr), 'a socket'), 'state', state,
      'sinceMs', floor(extract(epoch FROM state_change) * 1000)::int8,
      'openedMs', floor(extract(epoch FROM backend_start) * 1000)::int8)), '[]'::json)
    FROM (SELECT * FROM ours WHERE backend_start IS NOT NULL ORDER BY backend_start DESC, pid DESC LIMIT 20) AS newest)
)::text FROM ours";

/// What a mark waits for: no batch is under way and none begins, and who connects meanwhile reads `meta` after it.
const LOCK: &str = "\
BEGIN; SET LOCAL lock_timeout = '20s';
LOCK TABLE {schema}.entry IN SHARE MODE; LOCK TABLE {schema}.meta IN ACCESS EXCLUSIVE MODE";

/// Waits until the session is gone.
const END_SESSION: &str = "SELECT pg_terminate_backend($1, 5000)";

const MARK: &str = "\
INSERT INTO {schema}.meta (name, value) VALUES ('moved', $1)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING to_json(value)::text";

/// A bot whose pooler keeps its connection reads no mark, so the table itself takes nothing more.
const REFUSE_WRITES: &str = "\
ALTER TABLE {schema}.entry DROP CONSTRAINT IF EXISTS moved, ADD CONSTRAINT moved CHECK (false) NOT VALID";

const SETTLE: &str = "BEGIN; SET LOCAL lock_timeout = '20s'; LOCK TABLE {schema}.entry IN SHARE MODE; COMMIT";

/// While the lock is held, no batch is under way; each number of a later one is greater.
const CUT: &str = "SELECT to_json(coalesce(max(seq), 0)::text)::text FROM {schema}.entry";
const BEGIN_CUT: &str = "BEGIN; SET LOCAL lock_timeout = '20s'; LOCK TABLE {schema}.entry IN SHARE MODE";

/// The statements that make schema and tables and give a role its rights, for a person to read or to run.
#[must_use]
pub fn sql_of(schema_name: &SchemaName, role: Option<&str>) -> String {
    let grants = role.map(|role| format!("\n{}", grants_for(role))).unwrap_or_default();
    let (tables, compression) = (schema::TABLES, schema::COMPRESSION_IF_ANY);
    let text = format!(
        "BEGIN;\nCREATE SCHEMA IF NOT EXISTS {{schema}};\n{tables}{grants}\nCOMMIT;\n{compression}\n"
    );
    schema_name.fill_in(&text)
}

fn grants_for(role: &str) -> String {
    schema::GRANTS.replace("ROLE", &format!("\"{}\"", role.replace('"', "\"\"")))
}

/// A server that is asked.
pub struct Inspection {
    target: Arc<Target>,
    schema: SchemaName,
    timeout_ms: u64,
}

impl Inspection {
    /// Questions to a server; nothing is connected yet.
    #[must_use]
    pub fn new(target: Arc<Target>, schema: SchemaName, timeout_ms: u64) -> Self {
        Self { target, schema, timeout_ms }
    }

    /// The answer to a question, as a list of JSON texts; for `Entries` see there.
    ///
    /// # Errors
    /// Those of `dial`, `ERR_SERVER_RIGHTS`, `ERR_SCHEMA_CHANGED` where a table is missing, `ERR_SERVER`, and
    /// `ERR_SERVER_UNREACHABLE` after the time.
    pub fn ask(&self, question: Question, parameters: &[String]) -> Result<String> {
        let tls = Tls::new(&self.target)?;
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| Error::no_thread(&error))?;
        let within = Duration::from_millis(self.timeout_ms);
        let mut asked = None;
        let answer = runtime.block_on(async {
            let answer = self.ask_any_host(&tls, question, parameters, &mut asked);
            tokio::time::timeout(within, answer).await
        });
        answer.unwrap_or_else(|_| {
            if let Some((token, trust)) = asked {
                // A server that counts notices no end of a connection: it would go on for nobody.
                let stop = token.cancel_query(tls.connector(trust));
                let _ = runtime.block_on(async { tokio::time::timeout(STOP_WITHIN, stop).await });
            }
            let reason = format!("no answer within {} ms", self.timeout_ms);
            Err(Error::server_unreachable(&self.target.to_string(), &reason))
        })
    }

    /// `asked` is what stops the server that is asked.
    async fn ask_any_host(
        &self,
        tls: &Tls,
        question: Question,
        parameters: &[String],
        asked: &mut Option<(CancelToken, Trust)>,
    ) -> Result<String> {
        let hosts = self.target.hosts();
        // One that is silent leaves time for the next.
        let each_ms = (self.timeout_ms / hosts.len().max(1) as u64).max(1);
        let mut last = Error::server_unreachable(&self.target.to_string(), "no host is named");
        for host in hosts {
            let named = host.with_application(TOOL);
            let opened = tokio::time::timeout(Duration::from_millis(each_ms), dial::connect(&named, tls));
            let (client, connection) = match opened.await {
                Ok(Ok(opened)) => opened,
                Ok(Err(failure)) => {
                    last = failure.error().clone();
                    continue;
                }
                Err(_) => {
                    let reason = format!("no answer within {each_ms} ms");
                    last = Error::server_unreachable(host.name(), &reason);
                    continue;
                }
            };
            *asked = Some((client.cancel_token(), host.trust()));
            let driver = tokio::spawn(connection);
            let answer = self.ask_client(host, &client, question, parameters).await;
            drop(client);
            driver.abort();
            return answer.map_err(|error| match error {
                Failure::Ours(error) => error,
                Failure::Server(error) => self.explain(host, &error),
            });
        }
        Err(last)
    }

    async fn ask_client(
        &self,
        host: &HostTarget,
        client: &Client,
        question: Question,
        parameters: &[String],
    ) -> std::result::Result<String, Failure> {
        let text = self.schema.fill_in(question.statement());
        if matches!(question, Question::Settle | Question::Upgrade | Question::Compress) {
            client.batch_execute(&text).await?;
            return Ok("[]".to_owned());
        }
        if question == Question::Cut {
            // The end of the connection ends the transaction.
            client.batch_execute(&self.schema.fill_in(BEGIN_CUT)).await?;
        }
        if question == Question::Sessions {
            return Ok(listed(&self.sessions(host, client).await?));
        }
        if question == Question::Mark {
            // The end of the connection rolls back what did not come to its end.
            return Ok(format!("[{}]", self.mark(host, client, parameters).await?));
        }
        let name = [host.config().get_application_name().unwrap_or_default().to_owned()];
        let parameters = if question == Question::Connections { &name } else { parameters };
        let typed = parameters.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT));
        let mut rows = pin!(client.query_typed_raw(&text, typed).await?);
        if question == Question::Entries {
            let mut page = Page::default();
            while let Some(row) = rows.try_next().await? {
                if !page.take(&entry_row(&row)) {
                    break;
                }
            }
            return Ok(page.finish());
        }
        let mut texts = Vec::new();
        while let Some(row) = rows.try_next().await? {
            texts.push(row.get::<_, String>(0));
        }
        if question == Question::Grant {
            let role = parameters.first().map_or("", String::as_str);
            if texts.is_empty() {
                let message = format!("There is no role {} on this server; create it first", quote(role));
                return Err(Failure::Ours(Error::wrong_value(message)));
            }
            client.batch_execute(&self.schema.fill_in(&grants_for(role))).await?;
        }
        Ok(format!("[{}]", texts.join(",")))
    }

    async fn sessions(
        &self,
        host: &HostTarget,
        client: &Client,
    ) -> std::result::Result<Vec<Session>, Failure> {
        let name = host.config().get_application_name().unwrap_or_default();
        let rows = rows_of(client, &self.schema.fill_in(SESSIONS), &[name, TOOL]).await?;
        let session = |row: &SqlRow| Session { text: row.get(0), process: row.get(1), may_end: row.get(2) };
        Ok(rows.iter().map(session).collect())
    }

    /// Marks the place as moved, in one transaction:
    ///
    /// 1. lock the entries against writers, and `meta` against those who connect;
    /// 2. compare the entries with what was copied;
    /// 3. note the mark;
    /// 4. end the sessions of others: they have read that there is none. Those that wait for the lock end without a
    ///    commit;
    /// 5. let the table of entries take nothing more;
    /// 6. commit. Who connects again finds the mark.
    ///
    /// `{"outcome":"marked"}`, `{"outcome":"changed"}`, or `{"outcome":"inUse","sessions":[…]}` with nothing changed.
    async fn mark(
        &self,
        host: &HostTarget,
        client: &Client,
        parameters: &[String],
    ) -> std::result::Result<String, Failure> {
        let [place, stamp] = parameters else {
            return Err(Failure::Ours(Error::internal("a mark needs a stamp")));
        };
        client.batch_execute(&self.schema.fill_in(LOCK)).await?;
        let found = rows_of(client, &self.schema.fill_in(STAMP), &[]).await?;
        if found.first().map(|row| row.get::<_, String>(0)) != Some(quote(stamp)) {
            return Ok("{\"outcome\":\"changed\"}".to_owned());
        }
        let others = self.sessions(host, client).await?;
        let in_use = || format!("{{\"outcome\":\"inUse\",\"sessions\":{}}}", listed(&others));
        if others.iter().any(|session| !session.may_end) {
            return Ok(in_use());
        }
        rows_of(client, &self.schema.fill_in(MARK), &[place]).await?;
        for session in &others {
            let rows = client.query_typed(END_SESSION, &[(&session.process, Type::INT4)]).await?;
            if !rows.first().is_some_and(|row| row.get(0)) {
                return Ok(in_use());
            }
        }
        // It waits for those who read, too.
        client.batch_execute(&self.schema.fill_in(REFUSE_WRITES)).await?;
        client.batch_execute("COMMIT").await?;
        Ok("{\"outcome\":\"marked\"}".to_owned())
    }

    fn explain(&self, host: &HostTarget, error: &tokio_postgres::Error) -> Error {
        let Some(refused) = error.as_db_error() else {
            return Error::server_unreachable(host.name(), &error.to_string());
        };
        let (state, reason) = (refused.code(), refused.message());
        if *state == SqlState::INSUFFICIENT_PRIVILEGE {
            return Error::server_rights(host.name(), host.user(), reason);
        }
        if [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INVALID_SCHEMA_NAME]
            .contains(state)
        {
            return Error::schema_changed(self.schema.as_str(), reason);
        }
        Error::server(host.name(), state.code(), reason)
    }
}

/// A session of another process.
struct Session {
    /// As JSON.
    text: String,
    process: i32,
    /// Whether the role may end it.
    may_end: bool,
}

fn listed(sessions: &[Session]) -> String {
    let texts: Vec<&str> = sessions.iter().map(|session| session.text.as_str()).collect();
    format!("[{}]", texts.join(","))
}

async fn rows_of(
    client: &Client,
    text: &str,
    parameters: &[&str],
) -> std::result::Result<Vec<SqlRow>, Failure> {
    let typed: Vec<(&(dyn ToSql + Sync), Type)> =
        parameters.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT)).collect();
    Ok(client.query_typed(text, &typed).await?)
}

enum Failure {
    Ours(Error),
    Server(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// `{"entries":[…],"seqs":["11",…],"seq":"12","part":3,"isEnd":false}`: whole entries with the numbers of their batches, and
/// the place of the last one.
#[derive(Default)]
struct Page {
    texts: EntryTexts,
    list: Vec<String>,
    seqs: Vec<String>,
    size_bytes: usize,
    place: (i64, i32),
    is_full: bool,
}

impl Page {
    /// Whether the page has room for more. A row that is not taken begins the next page.
    fn take(&mut self, row: &EntryRow) -> bool {
        if self.size_bytes > PIECE_BYTES && !row.is_member() {
            self.is_full = true;
            return false;
        }
        self.place = (row.seq, row.part);
        self.size_bytes += row.value.as_ref().map_or(64, |value| value.len() + 64);
        let is_member = row.is_member() && self.seqs.len() > self.list.len();
        self.list.extend(self.texts.push(row));
        if !is_member {
            self.seqs.push(format!("\"{}\"", row.seq));
        }
        true
    }

    fn finish(mut self) -> String {
        self.list.extend(self.texts.finish());
        let ((seq, part), is_end) = (self.place, !self.is_full);
        let (entries, seqs) = (self.list.join(","), self.seqs.join(","));
        format!(
            "{{\"entries\":[{entries}],\"seqs\":[{seqs}],\"seq\":\"{seq}\",\"part\":{part},\"isEnd\":{is_end}}}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_an_entry_and_not_within_one() {
        let row = |part: i32, op: &str, size: usize| EntryRow {
            seq: 7,
            part,
            op: op.to_owned(),
            key: Some("\"k\"".to_owned()),
            value: Some("1".repeat(size)),
            at_ms: 0,
            expires: None,
        };
        let mut page = Page::default();
        assert!(page.take(&row(1, "DATA", PIECE_BYTES)));
        assert!(page.take(&row(2, "MEMBER", 1)), "a key of the same entry");
        assert!(!page.take(&row(3, "SET", 1)));
        let text = page.finish();
        assert!(text.ends_with("\"seqs\":[\"7\"],\"seq\":\"7\",\"part\":2,\"isEnd\":false}"));
        assert!(Page::default().finish().ends_with("\"isEnd\":true}"));
    }

    #[test]
    fn the_name_of_a_role_is_quoted() {
        let schema_name = SchemaName::new("s").expect("a name");
        let sql = sql_of(&schema_name, Some("a\"; DROP"));
        assert!(
            sql.contains("TO \"a\"\"; DROP\";") && !sql.contains("ROLE") && !sql.contains("{schema}"),
            "{sql}"
        );
        assert!(!sql_of(&schema_name, None).contains("GRANT"));
    }
}
