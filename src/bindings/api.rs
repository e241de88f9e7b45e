//! What JavaScript sees: the module's functions, `Storage`, `Collection`, `CompactionScheduler`. The
//! documentation here becomes `index.d.ts`.
//!
//! Each call of the bot exists twice, as a function on the default storage and as a method of
//! `Storage`; one table makes both.

use std::rc::Rc;

use napi::bindgen_prelude::{Object, ObjectFinalize, Unknown};
use napi::{Env, Status};
use napi_derive::napi;

use super::arguments::{finite_or, is_missing, log_name};
use super::calls::Calls;
use super::environment::Environment;
use super::js::{Fallible, Js, Refusal, Value};
use super::options::Config;
use super::scheduler::{INTERVAL_MS_DEFAULT, Scheduler};
use super::stores::{Handle, configure_process};
use super::stream::EntryStream;
use crate::data::name::LogName;
use crate::error::Error;
use crate::game::{LOGS, log_name as bot_log};

/// The promise of a call; a call that is refused gives a rejected one.
fn promise(env: Env, call: impl FnOnce(Js) -> Fallible<Value>) -> napi::Result<Value> {
    let js = Js::new(env);
    thrown(env, |_| match call(js) {
        Ok(promise) => {
            Environment::of(js)?.finish_if_exiting(js);
            Ok(promise)
        }
        Err(refusal) => {
            let (deferred, promise) = js.promise()?;
            match refusal {
                Refusal::Ours(error) => Environment::of(js)?.answer(js, deferred, Err(error)),
                thrown @ Refusal::Thrown(_) => js.settle(deferred, Err(thrown)),
            }
            Ok(promise)
        }
    })
}

/// The result of a call that answers at once; one that is refused throws.
pub(super) fn thrown<T>(env: Env, call: impl FnOnce(Js) -> Fallible<T>) -> napi::Result<T> {
    let js = Js::new(env);
    call(js).map_err(|refusal| {
        js.throw(refusal);
        napi::Error::new(Status::PendingException, "")
    })
}

fn log_names(js: Js, names: Value) -> Fallible<Vec<LogName>> {
    if is_missing(js, names)? {
        return Ok(LOGS.iter().map(|name| bot_log(name)).collect());
    }
    if !js.is_array(names)? {
        return Err(Error::wrong_type("The argument 'logNames' must be an array of strings").into());
    }
    (0..js.length(names)?).map(|index| log_name(js, js.element(names, index)?)).collect()
}

/// The operations of log entries.
#[napi(string_enum)]
#[expect(clippy::upper_case_acronyms, reason = "the names that JavaScript sees")]
pub enum OpType {
    /// Sets `key` to `value`, or merges `data`.
    SET,
    /// Removes `key`.
    DELETE,
    /// Merges `state`.
    CHECKPOINT,
}

/// Chooses the data folder and options of the module's functions. Call it before any of them. It holds
/// for worker threads, too, that have not used the module yet.
///
/// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option, and an
/// error with code `ERR_ALREADY_CONFIGURED` when the storage is open with other options.
///
/// @example
/// configure({ dataDir: '/var/lib/bot/data' })
/// @param options Folder and options. Default: the environment variable `PROGRESSIVE_STORAGE_DIR`, else `data` in the current directory.
#[napi(catch_unwind, ts_args_type = "options: StorageOptions", ts_return_type = "void")]
pub fn configure(env: Env, options: Unknown) -> napi::Result<()> {
    thrown(env, |js| {
        let (config, logger) = Config::parse(js, options.into())?;
        let environment = Environment::of(js)?;
        let is_open = environment.default_handle.borrow().as_ref().is_some_and(|handle| !handle.is_closed());
        let is_other = environment.configured.borrow().as_ref() != Some(&config);
        if is_open && is_other {
            return Err(Error::already_configured().into());
        }
        environment.events.set_default_logger(js, &environment.outlet, logger)?;
        configure_process(&config);
        *environment.configured.borrow_mut() = Some(config);
        Ok(())
    })
}

/// A data folder as an object: the module's functions as methods, for more than one folder in a
/// process.
///
/// @example
/// ```js
/// const storage = new Storage({ dataDir: './other-data' })
/// await storage.updatePlayerStats('42', 'Ann', 10)
/// await storage.close()
/// ```
#[napi]
pub struct Storage {
    handle: Rc<Handle>,
}

#[napi]
impl Storage {
    /// Opens nothing yet: files are read with the first call.
    ///
    /// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option.
    /// @param options Folder and options; the defaults are those of `configure`.
    #[napi(constructor, catch_unwind, ts_args_type = "options?: StorageOptions")]
    pub fn new(env: Env, options: Unknown) -> napi::Result<Self> {
        thrown(env, |js| {
            let (config, logger) = Config::parse(js, options.into())?;
            let environment = Environment::of(js)?;
            let handle = Handle::open(js, &environment, &config)?;
            environment.events.set_logger(js, &environment.outlet, &handle.hub, logger)?;
            Ok(Self { handle })
        })
    }

    /// Finishes all calls, writes the mirrors and gives everything back. Later calls on this object
    /// reject with code `ERR_STORAGE_CLOSED`. Safe to call twice.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.handle.close(js, &Environment::of(js)?))
    }

    /// A collection of this folder: keyed data of any kind. See `Collection`.
    ///
    /// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name.
    /// @param name A log name; the files are `logs/NAME.log` and `NAME.json`.
    #[napi(catch_unwind, ts_args_type = "name: string", ts_return_type = "Collection")]
    pub fn collection(&self, env: Env, name: Unknown) -> napi::Result<Collection> {
        thrown(env, |js| Collection::of(js, Some(&self.handle), name.into()))
    }

    /// Every entry of a log, one after the other; memory does not grow with the log. See
    /// `readLogEntries`.
    /// @param logName File name of the log without its ending.
    #[napi(
        catch_unwind,
        ts_args_type = "logName: string",
        ts_return_type = "AsyncIterableIterator<LogEntry>"
    )]
    pub fn stream_log_entries(&self, env: Env, log_name: Unknown) -> napi::Result<LogEntryStream> {
        thrown(env, |js| {
            LogEntryStream::of(Calls::on(js, &self.handle)?.stream_log_entries(log_name.into())?)
        })
    }

    /// What was counted of this folder since it was opened; see the module's `metrics`.
    ///
    /// Throws an error with code `ERR_STORAGE_CLOSED` after `close()`.
    #[napi(catch_unwind, ts_return_type = "StorageMetrics")]
    pub fn metrics(&self, env: Env) -> napi::Result<Value> {
        thrown(env, |js| Calls::on(js, &self.handle)?.metrics())
    }

    /// The same as `metrics`, as text for Prometheus.
    ///
    /// Throws an error with code `ERR_STORAGE_CLOSED` after `close()`.
    #[napi(catch_unwind, ts_return_type = "string")]
    pub fn metrics_text(&self, env: Env) -> napi::Result<Value> {
        thrown(env, |js| Calls::on(js, &self.handle)?.metrics_text())
    }

    /// Calls `listener` whenever an event happens in this folder; see the module's `on`.
    ///
    /// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for an unknown event or a listener that
    /// is no function.
    /// @param event Name of the event.
    /// @param listener Called with what happened, on this thread.
    #[napi(
        catch_unwind,
        ts_generic_types = "E extends keyof StorageEvents",
        ts_args_type = "event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions",
        ts_return_type = "void"
    )]
    pub fn on(&self, env: Env, event: Unknown, listener: Unknown, options: Unknown) -> napi::Result<()> {
        thrown(env, |js| {
            let environment = Environment::of(js)?;
            let hub = Some(&self.handle.hub);
            environment.events.add(
                js,
                &environment.outlet,
                hub,
                [event.into(), listener.into(), options.into()],
                false,
            )
        })
    }

    /// The same as `on`, for the next event only.
    /// @param event Name of the event.
    /// @param listener Called once with what happened.
    #[napi(
        catch_unwind,
        ts_generic_types = "E extends keyof StorageEvents",
        ts_args_type = "event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions",
        ts_return_type = "void"
    )]
    pub fn once(&self, env: Env, event: Unknown, listener: Unknown, options: Unknown) -> napi::Result<()> {
        thrown(env, |js| {
            let environment = Environment::of(js)?;
            let hub = Some(&self.handle.hub);
            environment.events.add(
                js,
                &environment.outlet,
                hub,
                [event.into(), listener.into(), options.into()],
                true,
            )
        })
    }

    /// Takes a listener away that `on` or `once` added.
    /// @param event Name of the event.
    /// @param listener The function that was given to `on` or `once`.
    #[napi(
        catch_unwind,
        ts_generic_types = "E extends keyof StorageEvents",
        ts_args_type = "event: E, listener: (event: StorageEvents[E]) => void",
        ts_return_type = "void"
    )]
    pub fn off(&self, env: Env, event: Unknown, listener: Unknown) -> napi::Result<()> {
        thrown(env, |js| {
            let environment = Environment::of(js)?;
            let hub = Some(&self.handle.hub);
            environment.events.remove(js, &environment.outlet, hub, event.into(), listener.into())
        })
    }

    /// Creates, starts and returns a `CompactionScheduler` for this folder.
    /// @param intervalMs Milliseconds between two looks. Default: 3600000 (an hour).
    /// @param logNames Logs to look at. Default: `['players', 'tokens', 'game_state']`.
    #[napi(
        catch_unwind,
        ts_args_type = "intervalMs?: number, logNames?: string[]",
        ts_return_type = "CompactionScheduler"
    )]
    pub fn start_compaction_scheduler(
        &self,
        env: Env,
        interval_ms: Unknown,
        log_names: Unknown,
    ) -> napi::Result<CompactionScheduler> {
        thrown(env, |js| {
            self.handle.store()?;
            CompactionScheduler::started(
                js,
                Some(Rc::clone(&self.handle)),
                interval_ms.into(),
                log_names.into(),
            )
        })
    }
}

/// What the default storage has counted since it was opened: entries, sizes, latencies, compactions, problems. It
/// opens no file; logs that were not used are missing.
///
/// @example
/// console.log(metrics().logs.players?.fsync.count)
#[napi(catch_unwind, ts_return_type = "StorageMetrics")]
pub fn metrics(env: Env) -> napi::Result<Value> {
    thrown(env, |js| Calls::on_default(js)?.metrics())
}

/// The same as `metrics`, as text for Prometheus (text format 0.0.4, `text/plain; version=0.0.4`).
#[napi(catch_unwind, ts_return_type = "string")]
pub fn metrics_text(env: Env) -> napi::Result<Value> {
    thrown(env, |js| Calls::on_default(js)?.metrics_text())
}

/// Calls `listener` whenever an event happens in the default storage: a compaction, a backup, or a problem. See
/// `StorageEvents` for the names and what comes with them. While anybody listens to a kind of problem, it is not
/// printed. Listening opens nothing and does not keep the process alive.
///
/// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for an unknown event or a listener that is
/// no function.
///
/// @example
/// on('compactionFailed', ({ log, message }) => console.error(log, message))
/// @param event Name of the event.
/// @param listener Called with what happened, on this thread. What it throws is an uncaught exception.
/// @param options `observe: true`: problems are printed as if nobody listened.
#[napi(
    catch_unwind,
    ts_generic_types = "E extends keyof StorageEvents",
    ts_args_type = "event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions",
    ts_return_type = "void"
)]
pub fn on(env: Env, event: Unknown, listener: Unknown, options: Unknown) -> napi::Result<()> {
    thrown(env, |js| {
        let environment = Environment::of(js)?;
        environment.events.add(
            js,
            &environment.outlet,
            None,
            [event.into(), listener.into(), options.into()],
            false,
        )
    })
}

/// The same as `on`, for the next event only.
///
/// Throws as `on` does.
/// @param event Name of the event.
/// @param listener Called once with what happened.
#[napi(
    catch_unwind,
    ts_generic_types = "E extends keyof StorageEvents",
    ts_args_type = "event: E, listener: (event: StorageEvents[E]) => void, options?: ListenerOptions",
    ts_return_type = "void"
)]
pub fn once(env: Env, event: Unknown, listener: Unknown, options: Unknown) -> napi::Result<()> {
    thrown(env, |js| {
        let environment = Environment::of(js)?;
        environment.events.add(
            js,
            &environment.outlet,
            None,
            [event.into(), listener.into(), options.into()],
            true,
        )
    })
}

/// Takes a listener away that `on` or `once` added; nothing happens when there is none.
///
/// Throws as `on` does.
/// @param event Name of the event.
/// @param listener The function that was given to `on` or `once`.
#[napi(
    catch_unwind,
    ts_generic_types = "E extends keyof StorageEvents",
    ts_args_type = "event: E, listener: (event: StorageEvents[E]) => void",
    ts_return_type = "void"
)]
pub fn off(env: Env, event: Unknown, listener: Unknown) -> napi::Result<()> {
    thrown(env, |js| {
        let environment = Environment::of(js)?;
        environment.events.remove(js, &environment.outlet, None, event.into(), listener.into())
    })
}

/// Finishes all calls of the module's functions, writes the mirrors and gives everything back. The
/// next call opens the storage anew, with the same options unless `configure` is called before it.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn close(env: Env) -> napi::Result<Value> {
    promise(env, |js| {
        let environment = Environment::of(js)?;
        let open = environment.default_handle.borrow_mut().take();
        if let Some(handle) = open {
            handle.close(js, &environment)
        } else {
            let (deferred, promise) = js.promise()?;
            js.settle(deferred, js.undefined());
            Ok(promise)
        }
    })
}

/// A collection of the default storage: keyed data of any kind. See `Collection`.
///
/// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name.
/// @param name A log name; the files are `logs/NAME.log` and `NAME.json`.
#[napi(catch_unwind, ts_args_type = "name: string", ts_return_type = "Collection")]
pub fn collection(env: Env, name: Unknown) -> napi::Result<Collection> {
    thrown(env, |js| Collection::of(js, None, name.into()))
}

/// Every entry of a log, one after the other; memory does not grow with the log. Entries that are
/// appended after the first step are not part of it. See `readLogEntries`.
///
/// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name.
///
/// @example
/// for await (const entry of streamLogEntries('players')) console.log(entry.key)
/// @param logName File name of the log without its ending.
#[napi(catch_unwind, ts_args_type = "logName: string", ts_return_type = "AsyncIterableIterator<LogEntry>")]
pub fn stream_log_entries(env: Env, log_name: Unknown) -> napi::Result<LogEntryStream> {
    thrown(env, |js| LogEntryStream::of(Calls::on_default(js)?.stream_log_entries(log_name.into())?))
}

/// Creates, starts and returns a `CompactionScheduler` for the default storage.
///
/// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong argument.
/// @param intervalMs Milliseconds between two looks. Default: 3600000 (an hour).
/// @param logNames Logs to look at. Default: `['players', 'tokens', 'game_state']`.
#[napi(
    catch_unwind,
    ts_args_type = "intervalMs?: number, logNames?: string[]",
    ts_return_type = "CompactionScheduler"
)]
pub fn start_compaction_scheduler(
    env: Env,
    interval_ms: Unknown,
    log_names: Unknown,
) -> napi::Result<CompactionScheduler> {
    thrown(env, |js| CompactionScheduler::started(js, None, interval_ms.into(), log_names.into()))
}

/// Makes a function on the default storage and a method of `Storage` of each row. The documentation is
/// written as attributes because `///` would reach `index.d.ts` as a raw string literal.
macro_rules! calls {
    ($(
        $(#[doc = $doc:tt])*
        #[types($arguments:tt, $result:tt)]
        fn $name:ident($($argument:ident),*);
    )*) => {
        $(
            $(#[doc = $doc])*
            #[napi(catch_unwind, ts_args_type = $arguments, ts_return_type = $result)]
            pub fn $name(env: Env, $($argument: Unknown),*) -> napi::Result<Value> {
                promise(env, |js| Calls::on_default(js)?.$name($($argument.into()),*))
            }
        )*

        #[expect(clippy::too_many_arguments, reason = "the bot's own signature of `updatePlayerStats`")]
        #[napi]
        impl Storage {
            $(
                $(#[doc = $doc])*
                #[napi(catch_unwind, ts_args_type = $arguments, ts_return_type = $result)]
                pub fn $name(&self, env: Env, $($argument: Unknown),*) -> napi::Result<Value> {
                    promise(env, |js| Calls::on(js, &self.handle)?.$name($($argument.into()),*))
                }
            )*
        }
    };
}

calls! {
    #[doc = " Appends one line to a log: `timestamp` (now) first, then the entry's own properties as"]
    #[doc = " `JSON.stringify` writes them. An own `timestamp` replaces the default. Folders are made."]
    #[doc = ""]
    #[doc = " Resolves once the line is on disk. Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`,"]
    #[doc = " `ERR_INVALID_ARG_VALUE`) for a wrong name or entry, or with the system's code (`ENOSPC`, `EACCES`,"]
    #[doc = " `EIO`, …), and then nothing was written."]
    #[doc = ""]
    #[doc = " @example"]
    #[doc = " await appendLogEntry('events', { op: OpType.SET, key: 'last', value: { who: 'Ann' } })"]
    #[doc = " @param logName File name of the log without its ending, at most 200 bytes."]
    #[doc = " @param entry A plain object that JSON can hold."]
    #[types("logName: string, entry: object", "Promise<void>")]
    fn append_log_entry(log, entry);

    #[doc = " Every entry of a log, in order; `[]` when there is no log. For large logs see"]
    #[doc = " `streamLogEntries`."]
    #[doc = " @param logName File name of the log without its ending."]
    #[types("logName: string", "Promise<LogEntry[]>")]
    fn read_log_entries(log);

    #[doc = " The object that a log's entries come to; `{}` when there is no log. With `at`, as it was at that time,"]
    #[doc = " from the log, its backups and its archives."]
    #[doc = ""]
    #[doc = " Rejects with code `ERR_NO_HISTORY` when no file that is left reaches back to that time, and with"]
    #[doc = " `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when `at` is no point in time."]
    #[doc = ""]
    #[doc = " @example"]
    #[doc = " const then = await rebuildStateFromLog('players', { at: new Date('2026-11-23T20:00:00Z') })"]
    #[doc = " @param logName File name of the log without its ending."]
    #[doc = " @param options `at`: a Date, milliseconds since 1970, or a text that Date reads. Default: now."]
    #[types("logName: string, options?: RebuildOptions", "Promise<Record<string, any>>")]
    fn rebuild_state_from_log(log, options);

    #[doc = " Every recorded value of one key, in the order in which it got them: from the log, its backups and its"]
    #[doc = " archives, compressed ones included. `[]` for a key never seen. What was before the oldest file that is"]
    #[doc = " left is told by that file's checkpoint as one value."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name or key."]
    #[doc = ""]
    #[doc = " @example"]
    #[doc = " for (const { timestamp, value } of await history('players', '42')) console.log(timestamp, value.totalScore)"]
    #[doc = " @param logName File name of the log without its ending."]
    #[doc = " @param key The key, such as a player's id."]
    #[types("logName: string, key: string", "Promise<HistoryEntry[]>")]
    fn history(log, key);

    #[doc = " Replaces a log by its checkpoint. The old log stays as `NAME.log.backup.N`; the newest 3 backups"]
    #[doc = " are kept. Entries that are appended meanwhile are in the new log."]
    #[doc = ""]
    #[doc = " Rejects with the system's code when a file cannot be written; the log is then as it was."]
    #[doc = " @param logName File name of the log without its ending."]
    #[types("logName: string", "Promise<void>")]
    fn compact_log(log);

    #[doc = " Size of a log in bytes; 0 when there is no log."]
    #[doc = " @param logName File name of the log without its ending."]
    #[types("logName: string", "Promise<number>")]
    fn get_log_size(log);

    #[doc = " Whether a log is larger than a threshold."]
    #[doc = " @param logName File name of the log without its ending."]
    #[doc = " @param threshold Bytes. Default: 1048576 (1 MiB)."]
    #[types("logName: string, threshold?: number", "Promise<boolean>")]
    fn needs_compaction(log, threshold);

    #[doc = " Compacts one log, or players, tokens and game states. Without a name, one that fails does not stop"]
    #[doc = " the others and is reported as a warning."]
    #[doc = " @param logName File name of the log without its ending. Default: all three."]
    #[types("logName?: string", "Promise<void>")]
    fn compact(log);

    #[doc = " Compacts players, tokens and game states. One that fails does not stop the others; it is reported"]
    #[doc = " as a warning (`PS_COMPACTION_FAILED`)."]
    #[types("", "Promise<void>")]
    fn compact_all_logs();

    #[doc = " Replaces the token list."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` when `tokens` is not an array."]
    #[doc = " @param tokens The tokens, any values that JSON can hold."]
    #[doc = " @param artistInfo Stored beside them when given. Default: null."]
    #[types("tokens: any[], artistInfo?: any", "Promise<void>")]
    fn save_tokens(tokens, artist_info);

    #[doc = " The token list with `lastUpdated` and `count`, or null when there is none."]
    #[types("", "Promise<TokenList | null>")]
    fn load_tokens();

    #[doc = " True when there is no token list, or it has no date, or is older than 24 hours."]
    #[types("", "Promise<boolean>")]
    fn needs_token_refresh();

    #[doc = " All players by user id; `{}` when there are none. A fresh object each time: changing it changes"]
    #[doc = " nothing stored."]
    #[types("", "Promise<Record<string, PlayerRecord>>")]
    fn load_players();

    #[doc = " Replaces the whole set of players. Only what differs is written."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` when `players` is not a plain object."]
    #[doc = " @param players All players by user id."]
    #[types("players: Record<string, object>", "Promise<void>")]
    fn save_players(players);

    #[doc = " The record of one player, with defaults for missing fields. A player never seen has the default"]
    #[doc = " record; nothing is written."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` when the id is not a non-empty string."]
    #[doc = " @param userId The player's id."]
    #[types("userId: string", "Promise<PlayerRecord>")]
    fn get_player_stats(user_id);

    #[doc = " Counts one game's result of a player. Resolves to the new record once it is on disk."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) when the id is not a"]
    #[doc = " non-empty string or a number is not finite, or with the system's code (`ENOSPC`, `EACCES`, `EIO`, …);"]
    #[doc = " then nothing was counted."]
    #[doc = ""]
    #[doc = " @example"]
    #[doc = " const record = await updatePlayerStats('42', 'Ann', 120, true, 9, 1)"]
    #[doc = " @param userId The player's id."]
    #[doc = " @param username The name to store, or null."]
    #[doc = " @param score Points of this game."]
    #[doc = " @param isWinner Whether the player won it. Default: false."]
    #[doc = " @param correctAnswers Right answers in this game. Default: 0."]
    #[doc = " @param incorrectAnswers Wrong answers in this game. Default: 0."]
    #[types(
        "userId: string, username: string | null, score: number, isWinner?: boolean, correctAnswers?: number, incorrectAnswers?: number",
        "Promise<PlayerRecord>"
    )]
    fn update_player_stats(user_id, username, score, is_winner, correct_answers, incorrect_answers);

    #[doc = " Counts a whole game's results: one line, one sync, all or none. Resolves to the new records in"]
    #[doc = " the same order."]
    #[doc = ""]
    #[doc = " Rejects as `updatePlayerStats` does; then none was counted."]
    #[doc = " @param results One for each player; the parameters of `updatePlayerStats` as properties."]
    #[types("results: PlayerResult[]", "Promise<PlayerRecord[]>")]
    fn update_players_stats(results);

    #[doc = " The best players, descending by a numeric field, ties in stored order."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` when the field is not a non-empty string or the limit is negative."]
    #[doc = " @param sortBy Any numeric field of the records. A record without it counts as 0. Default: 'totalScore'."]
    #[doc = " @param limit How many at the most. Default: 10."]
    #[types("sortBy?: string, limit?: number", "Promise<PlayerRecord[]>")]
    fn get_leaderboard(sort_by, limit);

    #[doc = " A player's place in the whole leaderboard (1 is the best) and the number of players; null for a"]
    #[doc = " player never seen."]
    #[doc = " @param userId The player's id."]
    #[doc = " @param sortBy Any numeric field of the records. Default: 'totalScore'."]
    #[types("userId: string, sortBy?: string", "Promise<Rank | null>")]
    fn get_player_rank(user_id, sort_by);

    #[doc = " Stores the state of a channel's game, with `lastUpdated` (now)."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` when the id is not a non-empty string or the state is not a plain object."]
    #[doc = " @param channelId The channel's id."]
    #[doc = " @param state Anything that JSON can hold."]
    #[types("channelId: string, state: object", "Promise<void>")]
    fn save_game_state(channel_id, state);

    #[doc = " The state of a channel's game, or null."]
    #[doc = " @param channelId The channel's id."]
    #[types("channelId: string", "Promise<any>")]
    fn load_game_state(channel_id);

    #[doc = " Removes the state of a channel's game."]
    #[doc = " @param channelId The channel's id."]
    #[types("channelId: string", "Promise<void>")]
    fn clear_game_state(channel_id);

    #[doc = " All game states by channel id; `{}` when there are none."]
    #[types("", "Promise<Record<string, any>>")]
    fn get_all_game_states();

    #[doc = " Resolves when all that was called before is on disk and the JSON files show it. One that a killed"]
    #[doc = " process left behind is renewed, too; where none is old, and only reading was done, nothing is written."]
    #[types("", "Promise<void>")]
    fn flush();
}

/// Keyed data of any kind in one log with its JSON file. Keys are non-empty strings, values anything
/// that JSON can hold. Made by `collection(name)`; players, tokens and `game_state` are collections too.
///
/// Every method rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong
/// argument, and with the system's code (`ENOSPC`, `EACCES`, `EIO`, …) when the disk refuses.
///
/// @example
/// const guilds = collection('guilds')
/// await guilds.update('123', (guild = { games: 0 }) => ({ ...guild, games: guild.games + 1 }))
#[napi]
pub struct Collection {
    handle: Option<Rc<Handle>>,
    log: LogName,
}

impl Collection {
    fn of(js: Js, handle: Option<&Rc<Handle>>, name: Value) -> Fallible<Self> {
        let log = log_name(js, name)?;
        Ok(Self { handle: handle.cloned(), log })
    }

    fn calls(&self, js: Js) -> Fallible<Calls> {
        match &self.handle {
            Some(handle) => Calls::on(js, handle),
            None => Calls::on_default(js),
        }
    }
}

#[napi]
impl Collection {
    /// Not to be called: use `collection(name)`.
    #[napi(constructor, catch_unwind, ts_args_type = "name: string")]
    pub fn new(env: Env, name: Unknown) -> napi::Result<Self> {
        thrown(env, |js| Self::of(js, None, name.into()))
    }

    /// The value of a key, or undefined.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<any>")]
    pub fn get(&self, env: Env, key: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_get(&self.log, key.into()))
    }

    /// Whether a key is there.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<boolean>")]
    pub fn has(&self, env: Env, key: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_has(&self.log, key.into()))
    }

    /// Sets a key. Resolves once it is on disk.
    #[napi(catch_unwind, ts_args_type = "key: string, value: any", ts_return_type = "Promise<void>")]
    pub fn set(&self, env: Env, key: Unknown, value: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_set(&self.log, key.into(), value.into()))
    }

    /// Removes a key. Resolves to whether it was there.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<boolean>")]
    pub fn delete(&self, env: Env, key: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_delete(&self.log, key.into()))
    }

    /// Reads, changes and writes a key, atomically among all callers in all processes. Resolves to the
    /// new value.
    ///
    /// Rejects with `TypeError` (`ERR_INVALID_RETURN_VALUE`) when `fn` returns undefined or a promise, and
    /// with the error that `fn` throws; then nothing was changed.
    /// @param key The key.
    /// @param fn Gets the value, or undefined when there is none, and returns the new one. May be called again when somebody else changed the value meanwhile, so it should do nothing else.
    #[napi(
        catch_unwind,
        ts_args_type = "key: string, fn: (value: any) => any",
        ts_return_type = "Promise<any>"
    )]
    pub fn update(&self, env: Env, key: Unknown, function: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_update(&self.log, key.into(), function.into()))
    }

    /// All keys with their values, in JavaScript's property order.
    #[napi(catch_unwind, ts_return_type = "Promise<Array<[string, any]>>")]
    pub fn entries(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_entries(&self.log))
    }

    /// All keys, in JavaScript's property order.
    #[napi(catch_unwind, ts_return_type = "Promise<string[]>")]
    pub fn keys(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_keys(&self.log))
    }

    /// Number of keys.
    #[napi(catch_unwind, ts_return_type = "Promise<number>")]
    pub fn size(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_size(&self.log))
    }

    /// The keys with the greatest numbers in a field, with their values; ties in stored order. Values
    /// without that number are left out.
    /// @param field Name of the field.
    /// @param n How many at the most. Default: 10.
    #[napi(
        catch_unwind,
        ts_args_type = "field: string, n?: number",
        ts_return_type = "Promise<Array<[string, any]>>"
    )]
    pub fn top(&self, env: Env, field: Unknown, n: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_top(&self.log, field.into(), n.into()))
    }

    /// The place of a key by a field (1 is the greatest) among the values that have it, or null.
    /// @param key The key.
    /// @param field Name of the field.
    #[napi(
        catch_unwind,
        ts_args_type = "key: string, field: string",
        ts_return_type = "Promise<Rank | null>"
    )]
    pub fn rank(&self, env: Env, key: Unknown, field: Unknown) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_rank(&self.log, key.into(), field.into()))
    }

    /// Removes all keys.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn clear(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.calls(js)?.collection_clear(&self.log))
    }
}

/// Looks at logs at an interval and compacts each one that is over 1 MiB and at least half dead, or rotates it where
/// the option `rotation` says so (writes see to that, too). Backups and archives older than a day are compressed, and
/// those too many removed. Without a scheduler, logs are compacted by calls only. One that fails does not stop the others; it is reported as a warning (`PS_COMPACTION_FAILED`).
///
/// Like `setInterval` it keeps the process alive until it is stopped.
#[napi]
pub struct CompactionScheduler {
    scheduler: Scheduler,
}

impl CompactionScheduler {
    fn of(js: Js, handle: Option<Rc<Handle>>, interval_ms: Value) -> Fallible<Self> {
        let interval_ms = finite_or(js, interval_ms, "intervalMs", INTERVAL_MS_DEFAULT)?;
        Ok(Self { scheduler: Scheduler::new(interval_ms, handle)? })
    }

    fn started(js: Js, handle: Option<Rc<Handle>>, interval_ms: Value, names: Value) -> Fallible<Self> {
        let this = Self::of(js, handle, interval_ms)?;
        this.scheduler.start(js, log_names(js, names)?)?;
        Ok(this)
    }
}

#[napi]
impl CompactionScheduler {
    /// A scheduler for the default storage, not yet running.
    ///
    /// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong interval.
    /// @param intervalMs Milliseconds between two looks, from 1 to 2147483647. Default: 3600000 (an hour).
    #[napi(constructor, catch_unwind, ts_args_type = "intervalMs?: number")]
    pub fn new(env: Env, interval_ms: Unknown) -> napi::Result<Self> {
        thrown(env, |js| Self::of(js, None, interval_ms.into()))
    }

    /// Milliseconds between two looks.
    #[napi(getter)]
    pub fn interval_ms(&self) -> f64 {
        self.scheduler.interval_ms.get()
    }

    /// Sets the interval for the next `start`.
    #[napi(setter)]
    pub fn set_interval_ms(&self, env: Env, interval_ms: Unknown) -> napi::Result<()> {
        thrown(env, |js| {
            let interval_ms = finite_or(js, interval_ms.into(), "intervalMs", INTERVAL_MS_DEFAULT)?;
            self.scheduler.set_interval_ms(interval_ms)
        })
    }

    /// True between `start` and `stop`.
    #[napi(getter)]
    pub fn is_running(&self) -> bool {
        self.scheduler.is_running()
    }

    /// Starts looking; does nothing while running.
    ///
    /// Throws `TypeError` for wrong names.
    /// @param logNames Logs to look at. Default: `['players', 'tokens', 'game_state']`.
    #[napi(catch_unwind, ts_args_type = "logNames?: string[]", ts_return_type = "void")]
    pub fn start(&self, env: Env, log_names_value: Unknown) -> napi::Result<()> {
        thrown(env, |js| self.scheduler.start(js, log_names(js, log_names_value.into())?))
    }

    /// Stops looking. Safe to call twice.
    #[napi(catch_unwind, ts_return_type = "void")]
    pub fn stop(&self, env: Env) -> napi::Result<()> {
        thrown(env, |js| self.scheduler.stop(js))
    }
}

/// The async iterator that `streamLogEntries` gives.
#[napi(custom_finalize)]
pub struct LogEntryStream {
    stream: Rc<EntryStream>,
}

impl LogEntryStream {
    #[expect(clippy::unnecessary_wraps, reason = "ends a chain of fallible steps")]
    fn of(stream: Rc<EntryStream>) -> Fallible<Self> {
        Ok(Self { stream })
    }
}

impl ObjectFinalize for LogEntryStream {
    fn finalize(self, env: Env) -> napi::Result<()> {
        self.stream.abandon(Js::new(env));
        Ok(())
    }
}

#[napi]
impl LogEntryStream {
    /// The next entry.
    #[napi(catch_unwind, ts_return_type = "Promise<IteratorResult<LogEntry, undefined>>")]
    pub fn next(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.stream.next(js, &Environment::of(js)?))
    }

    /// Ends the iteration early; a `for await` loop does it by itself.
    #[napi(js_name = "return", catch_unwind, ts_return_type = "Promise<IteratorResult<LogEntry, undefined>>")]
    pub fn end(&self, env: Env) -> napi::Result<Value> {
        promise(env, |js| self.stream.end(js))
    }
}

/// Adds what has a symbol for its name: `storage[Symbol.asyncDispose]`, where the runtime has it, and
/// `stream[Symbol.asyncIterator]`.
#[napi(module_exports)]
pub fn add_symbols(exports: Object, env: Env) -> napi::Result<()> {
    thrown(env, |js| {
        // Now, while the global functions are still the runtime's own: a test may put others in their place.
        Environment::of(js)?;
        let exports = Value::from(exports);
        let symbols = js.get(js.global()?, "Symbol")?;
        let prototype = |class| js.get(js.get(exports, class)?, "prototype");
        let storage = prototype("Storage")?;
        let dispose = js.get(symbols, "asyncDispose")?;
        if !is_missing(js, dispose)? {
            js.set_by(storage, dispose, js.get(storage, "close")?)?;
        }
        let iterator = js.get(symbols, "asyncIterator")?;
        js.set_by(prototype("LogEntryStream")?, iterator, js.identity_method()?)
    })
}
