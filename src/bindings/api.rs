//! What the addon gives to JavaScript: the classes `Storage`, `Collection` and `LogReader`, and functions for `lib/`.
//!
//! A row of the table in `calls!` makes a method of `Storage`. For each call of the bot, `lib/exports.js` binds that
//! method to the default storage: the module's function. `scripts/declarations.mjs` takes the documentation of both from
//! here into `index.d.ts`.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "napi lends the environment for the call")]

use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

use super::arguments::{filter, is_missing, log_name, selection};
use super::calls::Calls;
use super::environment::Environment;
use super::handle::Handle;
use super::host::Host;
use super::hub::{Hub, Listening, Logging};
use super::js::{Fallible, Js, Refusal, Value, thrown};
use super::options::Settings;
use super::outlet::{HubId, WatchId};
use super::slot::Slot;
use super::stream::Pieces;
use super::watch::Watch;
use crate::data::name::LogName;
use crate::error::Error;
use crate::game::{LOGS, log_name as bot_log};
use crate::store::event::EventName;

/// The promise of a call; a call that is refused gives a rejected one.
fn promise<'scope>(
    env: &'scope Env,
    call: impl FnOnce(Js<'scope>) -> Fallible<'scope, Value<'scope>>,
) -> napi::Result<Value<'scope>> {
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

fn log_names<'scope>(js: Js<'scope>, names: Value<'scope>) -> Fallible<'scope, Vec<LogName>> {
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
    slot: Rc<Slot>,
}

impl Storage {
    fn calls<'scope>(&self, js: Js<'scope>) -> Fallible<'scope, Calls<'scope>> {
        Calls::on(js, &*self.slot.handle(js)?)
    }
}

#[napi]
impl Storage {
    /// Opens nothing yet: files are read with the first call.
    ///
    /// Throws `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong option.
    /// @param options Folder and options; the defaults are those of `configure`.
    #[napi(constructor, catch_unwind, ts_args_type = "options?: StorageOptions")]
    pub fn new(env: &Env, settings: &Settings) -> napi::Result<Self> {
        thrown(env, |js| {
            let handle = Handle::open(js, &Environment::of(js)?, &settings.config)?;
            Ok(Self { slot: Rc::new(Slot::Own(handle)) })
        })
    }

    /// Finishes all calls, writes the mirrors and gives everything back. Later calls on this object
    /// reject with code `ERR_STORAGE_CLOSED`. Safe to call twice.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.slot.close(js, &Environment::of(js)?))
    }

    /// What was counted of this folder since it was opened; see the module's `metrics`.
    ///
    /// Throws an error with code `ERR_STORAGE_CLOSED` after `close()`.
    #[napi(catch_unwind, ts_return_type = "StorageMetrics")]
    pub fn metrics<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        thrown(env, |js| self.calls(js)?.metrics())
    }

    /// The same as `metrics`, as text for Prometheus.
    ///
    /// Throws an error with code `ERR_STORAGE_CLOSED` after `close()`.
    #[napi(catch_unwind, ts_return_type = "string")]
    pub fn metrics_text<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        thrown(env, |js| self.calls(js)?.metrics_text())
    }
}

/// Makes a method of `Storage` of each row. The documentation is written as attributes because `///` would reach
/// `index.d.ts` as a raw string literal.
macro_rules! calls {
    ($(
        $(#[doc = $doc:tt])*
        #[types($arguments:tt, $result:tt $(, $generics:tt)?)]
        fn $name:ident($($argument:ident),*);
    )*) => {
        #[expect(clippy::too_many_arguments, reason = "the bot's own signature of `updatePlayerStats`")]
        #[napi]
        impl Storage {
            $(
                $(#[doc = $doc])*
                #[napi(catch_unwind, ts_args_type = $arguments, ts_return_type = $result $(, ts_generic_types = $generics)?)]
                pub fn $name<'scope>(&self, env: &'scope Env, $($argument: Unknown<'scope>),*) -> napi::Result<Value<'scope>> {
                    promise(env, |js| self.calls(js)?.$name($($argument.into()),*))
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
    #[types("logName: string", "Promise<LogEntry<T>[]>", "T = unknown")]
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
    #[types("logName: string, options?: RebuildOptions", "Promise<Record<string, T>>", "T = unknown")]
    fn rebuild_state_from_log(log, options);

    #[doc = " Every recorded value of one key, in the order in which it got them: from the log, its backups and its"]
    #[doc = " archives, compressed ones included. `[]` for a key never seen. Values from before the oldest file are"]
    #[doc = " gone, except the last of them: it is in that file's checkpoint."]
    #[doc = ""]
    #[doc = " Rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong name or key."]
    #[doc = ""]
    #[doc = " @example"]
    #[doc = " for (const { timestamp, value } of await history('players', '42')) console.log(timestamp, value.totalScore)"]
    #[doc = " @param logName File name of the log without its ending."]
    #[doc = " @param key The key, such as a player's id."]
    #[types("logName: string, key: string", "Promise<HistoryEntry<T>[]>", "T = unknown")]
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
    #[types("tokens: readonly unknown[], artistInfo?: unknown", "Promise<void>")]
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
    #[types("results: readonly PlayerResult[]", "Promise<PlayerRecord[]>")]
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
    #[types("channelId: string", "Promise<T | null>", "T = unknown")]
    fn load_game_state(channel_id);

    #[doc = " Removes the state of a channel's game."]
    #[doc = " @param channelId The channel's id."]
    #[types("channelId: string", "Promise<void>")]
    fn clear_game_state(channel_id);

    #[doc = " All game states by channel id; `{}` when there are none."]
    #[types("", "Promise<Record<string, T>>", "T = unknown")]
    fn get_all_game_states();

    #[doc = " Resolves when all that was called before is on disk and the JSON files show it. One that a killed"]
    #[doc = " process left behind is renewed, too; where none is old, and only reading was done, nothing is written."]
    #[types("", "Promise<void>")]
    fn flush();
}

/// Keyed data of any kind in one log with its JSON file. Keys are non-empty strings, values anything
/// that JSON can hold. Made by `collection(name)`; players, tokens and `game_state` are collections too.
///
/// `T` is the type of the values, `In` that of what is given to calls that write: the same, unless a schema has
/// another one. Only a schema checks it.
///
/// Every method rejects with `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) for a wrong
/// argument, and with the system's code (`ENOSPC`, `EACCES`, `EIO`, …) when the disk refuses.
///
/// @example
/// const guilds = collection<{ games: number }>('guilds')
/// await guilds.update('123', (guild = { games: 0 }) => ({ ...guild, games: guild.games + 1 }))
#[napi]
pub struct Collection {
    slot: Rc<Slot>,
    log: LogName,
}

impl Collection {
    fn calls<'scope>(&self, js: Js<'scope>) -> Fallible<'scope, Calls<'scope>> {
        Calls::on(js, &*self.slot.handle(js)?)
    }
}

#[napi]
impl Collection {
    /// A collection of a storage, for `lib/collection.js`.
    #[napi(constructor, catch_unwind, ts_args_type = "storage: Storage, name: string")]
    pub fn new<'scope>(env: &'scope Env, storage: &Storage, name: Unknown<'scope>) -> napi::Result<Self> {
        thrown(env, |js| Ok(Self { slot: Rc::clone(&storage.slot), log: log_name(js, name.into())? }))
    }

    /// The value of a key, or undefined.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<T | undefined>")]
    pub fn get<'scope>(&self, env: &'scope Env, key: Unknown<'scope>) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_get(&self.log, key.into()))
    }

    /// Whether a key is there.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<boolean>")]
    pub fn has<'scope>(&self, env: &'scope Env, key: Unknown<'scope>) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_has(&self.log, key.into()))
    }

    /// Sets a key. Resolves once it is on disk.
    ///
    /// With `ttlMs` or `expiresAt`, the key ends by itself: from then on it is not there for anybody, as if it had been
    /// deleted. `update` keeps that time; `set` without it clears it.
    /// @param key The key.
    /// @param value The value.
    /// @param options When the key ends. Default: never.
    /// @example
    /// const cooldowns = collection('cooldowns')
    /// await cooldowns.set('daily:123', true, { ttlMs: 24 * 60 * 60 * 1000 })
    /// if (await cooldowns.has('daily:123')) console.log('again at', new Date(await cooldowns.expiresAt('daily:123')))
    #[napi(
        catch_unwind,
        ts_args_type = "key: string, value: In, options?: ExpiryOptions",
        ts_return_type = "Promise<void>"
    )]
    pub fn set<'scope>(
        &self,
        env: &'scope Env,
        key: Unknown<'scope>,
        value: Unknown<'scope>,
        options: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_set(&self.log, key.into(), value.into(), options.into()))
    }

    /// When a key ends, in milliseconds since 1970; null where it does not end by itself, or is not there.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<number | null>")]
    pub fn expires_at<'scope>(&self, env: &'scope Env, key: Unknown<'scope>) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_expires_at(&self.log, key.into()))
    }

    /// Removes a key. Resolves to whether it was there.
    #[napi(catch_unwind, ts_args_type = "key: string", ts_return_type = "Promise<boolean>")]
    pub fn delete<'scope>(&self, env: &'scope Env, key: Unknown<'scope>) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_delete(&self.log, key.into()))
    }

    /// Reads, changes and writes a key, atomically among all callers in all processes. Resolves to the
    /// new value.
    ///
    /// `fn` may be called more than once: when somebody else changed the value meanwhile, and when it threw on a
    /// value that was not certain yet. The last call counts.
    ///
    /// Rejects with the error that `fn` throws in its last call. Rejects with `TypeError` when `fn` returns undefined,
    /// a function, a symbol or a promise (`ERR_INVALID_RETURN_VALUE`), or what `JSON.stringify` refuses, such as a
    /// `BigInt` (`ERR_INVALID_ARG_VALUE`). Nothing was changed then.
    /// @param key The key.
    /// @param fn Gets the value, or undefined when there is none, and returns the new one. It should do nothing else, because it may be called again.
    /// @param options When the new value ends. Default: when the one before it would have ended.
    #[napi(
        catch_unwind,
        ts_args_type = "key: string, fn: (value: T | undefined) => In, options?: ExpiryOptions",
        ts_return_type = "Promise<T>"
    )]
    pub fn update<'scope>(
        &self,
        env: &'scope Env,
        key: Unknown<'scope>,
        function: Unknown<'scope>,
        options: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
        promise(env, |js| {
            self.calls(js)?.collection_update(&self.log, key.into(), function.into(), options.into())
        })
    }

    /// The values of several keys, as they were at one moment: a `Map` in the order of `keys`, without those that are
    /// not there. Of them, `map.get(key)` is undefined.
    ///
    /// @example
    /// ```js
    /// const coins = await collection('coins').getMany(['ann', 'ben'])
    /// console.log(coins.get('ann') ?? 0)
    /// ```
    /// @param keys The keys: an array, or another iterable of strings. One that is named twice counts once.
    #[napi(catch_unwind, ts_args_type = "keys: Iterable<string>", ts_return_type = "Promise<Map<string, T>>")]
    pub fn get_many<'scope>(&self, env: &'scope Env, keys: Unknown<'scope>) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_get_many(&self.log, keys.into()))
    }

    /// Sets several keys, all or none. Resolves once they are on disk. Without entries, nothing is written.
    ///
    /// @example
    /// ```js
    /// await collection('coins').setMany({ ann: 100, ben: 50 })
    /// ```
    /// @param entries An object by key, a `Map`, or an iterable of `[key, value]` pairs. Of a key that is there twice, the last value counts.
    #[napi(
        catch_unwind,
        ts_args_type = "entries: Iterable<readonly [string, In]> | Readonly<Record<string, In>>",
        ts_return_type = "Promise<void>"
    )]
    pub fn set_many<'scope>(
        &self,
        env: &'scope Env,
        entries: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_set_many(&self.log, entries.into()))
    }

    /// Removes several keys, all or none. Resolves to how many of them were there.
    /// @param keys The keys: an array, or another iterable of strings. One that is named twice counts once.
    #[napi(catch_unwind, ts_args_type = "keys: Iterable<string>", ts_return_type = "Promise<number>")]
    pub fn delete_many<'scope>(
        &self,
        env: &'scope Env,
        keys: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_delete_many(&self.log, keys.into()))
    }

    /// Reads, changes and writes several keys, all or none, atomically among all callers in all processes. A crash at any
    /// instant leaves all of the changes or none. Resolves to an object with the new values of `keys`.
    ///
    /// `fn` gets an object with the values of the keys that are there; it has no prototype, so a name such as
    /// `'constructor'` is undefined in it. `fn` returns an object with the new values by key. A key that it leaves out
    /// stays as it is, and undefined removes one. Where it returns `{}`, nothing is written.
    ///
    /// `fn` may be called more than once: when somebody else changed one of the values meanwhile, and when it threw on
    /// values that were not certain yet. The last call counts.
    ///
    /// Rejects with the error that `fn` throws in its last call. Rejects with `TypeError` when `fn` returns no object by
    /// key, a promise, a change of a key that is none of `keys`, or a function or symbol as a value
    /// (`ERR_INVALID_RETURN_VALUE`), or what `JSON.stringify` refuses (`ERR_INVALID_ARG_VALUE`). Nothing was changed then.
    ///
    /// @example
    /// ```js
    /// await collection('coins').updateMany(['ann', 'ben'], ({ ann = 0, ben = 0 }) => {
    ///   if (ann < 200) throw new RangeError('Ann has too few coins')
    ///   return { ann: ann - 200, ben: ben + 200 }
    /// })
    /// ```
    /// @param keys The keys: an array, or another iterable of strings, none twice.
    /// @param fn Gets the values by key, and returns the changes by key. It should do nothing else, because it may be called again.
    #[napi(
        catch_unwind,
        ts_generic_types = "K extends string",
        ts_args_type = "keys: Iterable<K>, fn: (values: { [key in K]?: T }) => { [key in K]?: In | undefined }",
        ts_return_type = "Promise<{ [key in K]?: T }>"
    )]
    pub fn update_many<'scope>(
        &self,
        env: &'scope Env,
        keys: Unknown<'scope>,
        function: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_update_many(&self.log, keys.into(), function.into()))
    }

    /// All keys with their values, in JavaScript's property order.
    #[napi(catch_unwind, ts_return_type = "Promise<Array<[string, T]>>")]
    pub fn entries<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_entries(&self.log))
    }

    /// All keys, in JavaScript's property order.
    #[napi(catch_unwind, ts_return_type = "Promise<string[]>")]
    pub fn keys<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_keys(&self.log))
    }

    /// Number of keys.
    #[napi(catch_unwind, ts_return_type = "Promise<number>")]
    pub fn size<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_size(&self.log))
    }

    /// The keys with the greatest numbers in a field, with their values; ties in stored order. Values
    /// without that number are left out.
    /// @param field Name of the field.
    /// @param n How many at the most. Default: 10.
    #[napi(
        catch_unwind,
        ts_args_type = "field: string, n?: number",
        ts_return_type = "Promise<Array<[string, T]>>"
    )]
    pub fn top<'scope>(
        &self,
        env: &'scope Env,
        field: Unknown<'scope>,
        n: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
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
    pub fn rank<'scope>(
        &self,
        env: &'scope Env,
        key: Unknown<'scope>,
        field: Unknown<'scope>,
    ) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_rank(&self.log, key.into(), field.into()))
    }

    /// Removes all keys.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn clear<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.calls(js)?.collection_clear(&self.log))
    }
}

/// The pieces of a log or a collection, for `lib/`.
#[napi]
pub struct LogReader {
    pieces: Rc<Pieces>,
}

#[napi]
impl LogReader {
    /// The next entries or pairs; none at the end.
    #[napi(catch_unwind, ts_return_type = "Promise<any[]>")]
    pub fn read<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.pieces.read(js, &Environment::of(js)?))
    }

    /// Throws when the storage of a collection is closed.
    #[napi(catch_unwind)]
    pub fn check_open(&self, env: &Env) -> napi::Result<()> {
        thrown(env, |_| Ok(self.pieces.check_open()?))
    }

    /// Reads no more, and closes the log.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.pieces.close();
    }
}

/// Checks the name and opens the log with the first `read`.
#[napi(catch_unwind)]
pub fn open_log<'scope>(
    env: &'scope Env,
    storage: &Storage,
    #[napi(ts_arg_type = "string")] name: Unknown<'scope>,
) -> napi::Result<LogReader> {
    thrown(env, |js| Ok(LogReader { pieces: storage.calls(js)?.log_pieces(name.into())? }))
}

/// The members of a collection, as they are at the first `read`.
#[napi(catch_unwind)]
pub fn open_members<'scope>(
    env: &'scope Env,
    collection: &Collection,
    #[napi(ts_arg_type = "string | undefined")] prefix: Unknown<'scope>,
    #[napi(ts_arg_type = "string | undefined")] after: Unknown<'scope>,
    reverse: bool,
    limit: Option<f64>,
) -> napi::Result<LogReader> {
    thrown(env, |js| {
        let selection = selection(js, prefix.into(), after.into(), reverse, limit)?;
        let handle = collection.slot.handle(js)?;
        handle.store()?;
        Ok(LogReader { pieces: Pieces::of_members(handle, collection.log.clone(), selection) })
    })
}

/// A watch on a collection, for `lib/watch.js`.
#[napi]
pub struct ChangeReader {
    watch: Rc<Watch>,
}

#[napi]
impl ChangeReader {
    /// What native code calls it.
    #[napi(getter, catch_unwind)]
    pub fn id(&self) -> WatchId {
        self.watch.id()
    }

    /// The name of its log.
    #[napi(getter, catch_unwind)]
    pub fn log(&self) -> String {
        self.watch.log().to_owned()
    }

    /// The data folder; null for a server.
    #[napi(getter, catch_unwind)]
    pub fn folder(&self) -> Option<String> {
        self.watch.data_folder()
    }

    /// Whether its storage is open.
    #[napi(catch_unwind)]
    pub fn is_open(&self) -> bool {
        self.watch.is_open()
    }

    /// Resolves when the place has looked for changes.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn look<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        promise(env, |js| self.watch.look(js, &Environment::of(js)?))
    }

    /// The next changes that wait; undefined where none do.
    #[napi(catch_unwind, ts_return_type = "Change[] | undefined")]
    pub fn take<'scope>(&self, env: &'scope Env) -> napi::Result<Value<'scope>> {
        thrown(env, |js| self.watch.take(js, &Environment::of(js)?))
    }

    /// Nothing is noted any more. True where the place forgets it with one more look.
    #[napi(catch_unwind)]
    pub fn end(&self) -> bool {
        self.watch.end()
    }
}

/// Checks the key. The first look begins to watch.
#[napi(catch_unwind)]
pub fn open_watch<'scope>(
    env: &'scope Env,
    collection: &Collection,
    #[napi(ts_arg_type = "string | undefined")] key: Unknown<'scope>,
    #[napi(ts_arg_type = "string | undefined")] prefix: Unknown<'scope>,
) -> napi::Result<ChangeReader> {
    thrown(env, |js| {
        let filter = filter(js, key.into(), prefix.into())?;
        let handle = collection.slot.handle(js)?;
        handle.store()?;
        let watch = Watch::new(&*Environment::of(js)?, &handle, collection.log.clone(), filter);
        Ok(ChangeReader { watch })
    })
}

/// Resolves after a turn of the event loop.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn turn(env: &Env) -> napi::Result<Value<'_>> {
    promise(env, |js| {
        let (deferred, promise) = js.promise()?;
        Environment::of(js)?.later(js, 1, Box::new(|_, js| js.settle(deferred, js.undefined())));
        Ok(promise)
    })
}

/// A storage that is opened by `open`, which calls `openStandard`, when it is first needed and not open.
#[napi(catch_unwind)]
pub fn standard_storage<'scope>(
    env: &'scope Env,
    #[napi(ts_arg_type = "() => void")] open: Unknown<'scope>,
) -> napi::Result<Storage> {
    thrown(env, |js| Ok(Storage { slot: Slot::standard(js, open.into())? }))
}

/// Opens a standard storage. Gives the name of its hub.
#[napi(catch_unwind)]
pub fn open_standard(env: &Env, storage: &Storage, settings: &Settings) -> napi::Result<HubId> {
    thrown(env, |js| {
        let handle = Handle::open(js, &Environment::of(js)?, &settings.config)?;
        let hub = handle.hub.id();
        storage.slot.put(handle);
        Ok(hub)
    })
}

/// The name of a storage's hub; it stays when the storage is closed.
#[napi(catch_unwind)]
pub fn hub_of(env: &Env, storage: &Storage) -> napi::Result<HubId> {
    thrown(env, |js| Ok(storage.slot.handle(js)?.hub.id()))
}

/// Copies all data of a storage's folder, as it is at one moment, to a folder that is there and empty.
#[napi(catch_unwind, ts_return_type = "Promise<{ logs: SnapshotLog[] }>")]
pub fn copy_data<'scope>(env: &'scope Env, storage: &Storage, folder: String) -> napi::Result<Value<'scope>> {
    promise(env, |js| storage.calls(js)?.copy_data(folder))
}

/// `transaction` of a storage: `names[n]` and `keys[n]` are a place.
#[napi(catch_unwind, ts_return_type = "Promise<unknown[]>")]
pub fn transact<'scope>(
    env: &'scope Env,
    storage: &Storage,
    #[napi(ts_arg_type = "string[]")] names: Unknown<'scope>,
    #[napi(ts_arg_type = "string[]")] keys: Unknown<'scope>,
    #[napi(ts_arg_type = "(values: unknown[]) => unknown[]")] function: Unknown<'scope>,
) -> napi::Result<Value<'scope>> {
    promise(env, |js| storage.calls(js)?.transact(names.into(), keys.into(), function.into()))
}

/// Throws when the storage is closed.
#[napi(catch_unwind)]
pub fn check_open(env: &Env, storage: &Storage) -> napi::Result<()> {
    thrown(env, |js| {
        storage.calls(js)?;
        Ok(())
    })
}

/// The names, checked; those of the bot's logs where none are given.
#[napi(catch_unwind)]
pub fn check_log_names<'scope>(
    env: &'scope Env,
    #[napi(ts_arg_type = "string[] | undefined")] names: Unknown<'scope>,
) -> napi::Result<Vec<String>> {
    thrown(env, |js| Ok(log_names(js, names.into())?.iter().map(|name| name.as_str().to_owned()).collect()))
}

/// Compacts or rotates each log that is worth it, and keeps its old logs in order. A storage that is closed has none.
#[napi(catch_unwind)]
pub fn compact_where_due(env: &Env, storage: &Storage, names: Vec<String>) -> napi::Result<()> {
    thrown(env, |js| {
        let names = names.into_iter().map(|name| LogName::new(&name)).collect::<Result<Vec<_>, _>>()?;
        if let Ok(calls) = storage.calls(js) {
            calls.compact_where_due(&names);
        }
        Ok(())
    })
}

/// The functions of `lib/` that native code calls.
#[napi(catch_unwind)]
pub fn connect<'scope>(
    env: &'scope Env,
    #[napi(ts_arg_type = "object")] host: Unknown<'scope>,
) -> napi::Result<()> {
    thrown(env, |js| {
        Environment::of(js)?.connect(Host::new(js, host.into())?);
        Ok(())
    })
}

/// The names of the events; a number names one by its place here.
#[napi(catch_unwind)]
pub fn event_names() -> Vec<&'static str> {
    EventName::ALL.map(EventName::as_str).to_vec()
}

/// Which events this thread wants of a hub: bits by their numbers. `logs`: a logger gets them; false: nobody does.
#[napi(catch_unwind)]
pub fn publish(env: &Env, hub: HubId, wanted: u32, heard: u32, logs: Option<bool>) -> napi::Result<()> {
    thrown(env, |js| {
        let logging = match logs {
            None => Logging::Default,
            Some(false) => Logging::Silent,
            Some(true) => Logging::Given,
        };
        if let Some(hub) = Hub::of(hub) {
            hub.publish(&Environment::of(js)?.outlet, Listening { wanted, heard, logging });
        }
        Ok(())
    })
}

/// Raises an exception that no caller gets, such as one of a listener.
#[napi(catch_unwind)]
pub fn raise<'scope>(env: &'scope Env, #[napi(ts_arg_type = "unknown")] error: Unknown<'scope>) {
    Js::new(env).uncaught(Refusal::Thrown(error.into()));
}
