//! One log with its mirror in memory, and keeping it in step with its files.
//!
//! Other processes append, compact, and rewrite mirrors; people edit and delete files. `catch_up` is
//! called before anything is answered or written, and looks at two stamps:
//!
//! | log              | mirror                    | what is done                                    |
//! |------------------|---------------------------|-------------------------------------------------|
//! | same             | same                      | nothing                                         |
//! | grown            | any                       | the new lines are replayed                      |
//! | same or grown    | ours, by record or hash   | noted                                           |
//! | same or grown    | missing                   | noted; rebuilt at the next write                |
//! | same or grown    | other                     | loaded anew: the difference to what it showed is an edit |
//! | missing          | missing                   | there is no data; where it never was there yet, as the last row |
//! | a successor      | any                       | loaded anew, as at a start                      |
//! | put there together with a mirror of the same state | | loaded anew, as at a start              |
//! | missing, shorter, other | any other          | memory is kept, and logged with the next write  |
//!
//! The last two rows are those of `lost_log`, which also says what a successor is.
//!
//! Invariant: `file.end()` is where the published state stands in the log (plus `pending`), unless
//! `is_memory_ahead`: then the log has less.

use std::sync::Arc;

use crate::data::json::key_for_people;
use crate::error::{Error, Result};
use crate::files::compact::swap::Compaction;
use crate::files::context::Context;
use crate::files::log::entry::{Lines, MemoryTag};
use crate::files::log::file::{LogFile, LogPaths};
use crate::files::log::lines::Damage;
use crate::files::log::replay::{Ending, Replayed, continue_replay};
use crate::files::mirror::content::{KnownMirror, LoggedEdit, MirrorContent, PendingEdit, Shows, is_settled};
use crate::files::mirror::record::{MirrorId, MirrorRecord, PlacedMirror, log_mark};
use crate::files::open::load::{Before, KnownBefore, Loaded, LoadedMirror, is_logged};
use crate::files::options::OnCorruption;
use crate::files::past::old_logs::newest_with_data;
use crate::files::write::shelf::Shelf;
use crate::store::event::Details;
use crate::store::held::Held;
use crate::vfs::Stamp;

/// See the header of this file.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the log")]
pub struct Log {
    pub(crate) paths: LogPaths,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) file: LogFile,
    pub(crate) mirror: Mirror,
    pub(crate) pending: Option<PendingEdit>,
    /// Another program removed, cut or replaced the log: memory has what was acknowledged, the next write logs it.
    pub(crate) is_memory_ahead: bool,
    /// Up to where this process knew the log that was lost last.
    pub(crate) lost_end: u64,
    /// What processes remembered of lost logs, as far as this process has seen it in this log or logged it.
    pub(crate) memories: Vec<MemoryTag>,
    pub(crate) compaction: Compaction,
    /// An old log is being compressed.
    pub(crate) is_compressing: bool,
    pub(crate) held: Held,
    pub(crate) last_edit: Option<LoggedEdit>,
    /// Counts how often the log was loaded anew: what was begun before does not fit any more.
    pub(crate) generation: u64,
    pub(crate) is_loaded: bool,
    /// Something was written since the last clean end.
    pub(crate) is_touched: bool,
    /// This process has written to the log, so it may do so without being asked.
    pub(crate) has_written: bool,
    /// When `fsync: 'interval'` wants the next sync.
    pub(crate) sync_due_ms: Option<u64>,
}

/// What is known of the mirror.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the file")]
#[derive(Default)]
pub struct Mirror {
    /// The log has one.
    pub is_wanted: bool,
    /// The file that was looked at last.
    pub seen: Option<Stamp>,
    /// What was last taken into account. Stays when the file goes missing.
    pub known: Option<KnownMirror>,
    /// The mirror in its place of which the record spoke when it was last looked at or written.
    pub placed_seen: Option<PlacedMirror>,
    /// The record that was last read or written.
    pub record_seen: Option<MirrorRecord>,
    /// This process has seen one.
    pub was_seen: bool,
    /// The file is not a JSON object.
    pub is_broken: bool,
    /// A sync of the file failed: that a later one succeeds proves nothing.
    pub is_doubtful: bool,
    /// When the next large mirror is to be written.
    pub due_ms: Option<u64>,
    /// A large mirror is being written.
    pub is_being_written: bool,
    /// How long the last one took.
    pub last_duration_ms: u64,
}

impl Mirror {
    fn is_as_seen(&self, found: Option<Stamp>) -> bool {
        !self.is_wanted || (found == self.seen && self.known.as_ref().is_none_or(|known| known.is_settled))
    }

    /// The offset of the log that the mirror on disk shows.
    pub fn shown_log_end(&self) -> Option<u64> {
        match &self.known {
            Some(KnownMirror { shows: Shows::LogUpTo(end), id, .. }) if self.seen == Some(id.stamp) => {
                Some(*end)
            }
            _ => None,
        }
    }
}

impl Log {
    /// A log that is not loaded yet.
    pub fn new(paths: LogPaths, shelf: Arc<Shelf>) -> Self {
        Self {
            paths,
            shelf,
            file: LogFile::default(),
            mirror: Mirror::default(),
            pending: None,
            is_memory_ahead: false,
            lost_end: 0,
            memories: Vec::new(),
            compaction: Compaction::default(),
            is_compressing: false,
            held: Held::default(),
            last_edit: None,
            generation: 0,
            is_loaded: false,
            is_touched: false,
            has_written: false,
            sync_due_ms: None,
        }
    }

    /// From now on the log has a mirror.
    pub fn want_mirror(&mut self) {
        if !self.mirror.is_wanted {
            self.mirror.is_wanted = true;
            self.is_loaded = false;
        }
    }

    /// Another process has had the lock since this one had it.
    pub fn others_were_here(&mut self) {
        self.file.others_were_here();
    }

    /// Forgets what is in memory; the next call reads the files.
    pub fn distrust(&mut self) {
        self.is_loaded = false;
        self.shelf.published.write().is_current = false;
    }

    /// Brings memory in step with the files. The lock between processes is held, if there is one.
    pub fn catch_up(&mut self, context: &Context) -> Result<()> {
        let files = &*context.files;
        let mut found_log = files.stamp(&self.paths.log)?;
        if self.is_loaded && self.file.has_failed_append() {
            if self.file.has_only_failed_append_behind(files, &self.paths, found_log)? {
                // Bytes whose write or sync failed are no entries, whatever they look like. Where they cannot
                // be cut off yet, memory is right and the next write tries again.
                if self.file.mend(files, &self.paths, context.sync_ever(), &Lines::default()).is_ok() {
                    self.publish_stamps();
                }
                found_log = self.file.stamp();
            } else {
                self.file.doubt_failed_append(found_log);
            }
        }
        if !self.is_loaded && !self.mirror.is_wanted && matches!(files.stamp(&self.paths.record), Ok(Some(_)))
        {
            // Another process keeps this log as a collection.
            self.mirror.is_wanted = true;
        }
        let found_mirror = if self.mirror.is_wanted { files.stamp(&self.paths.mirror)? } else { None };
        let is_same_log = self.is_loaded && found_log == self.file.stamp();
        if is_same_log && self.mirror.is_as_seen(found_mirror) {
            self.file.keep_witness(files, &self.paths);
            return Ok(());
        }
        let is_grown_log = self.is_loaded && !is_same_log && self.has_grown(context, found_log)?;
        let is_up_to_date =
            is_same_log || (is_grown_log && !self.has_to_log_first() && self.replay_appended(context)?);
        if is_up_to_date
            && !self.is_memory_ahead
            && (self.mirror.is_as_seen(found_mirror) || self.recognise_mirror(context, found_mirror)?)
        {
            self.file.keep_witness(files, &self.paths);
            self.publish_stamps();
            return Ok(());
        }
        if self.is_loaded && self.is_memory_newest(context, found_log, found_mirror)? {
            let is_begun = self.is_memory_ahead && self.file.stamp().is_none();
            return self.keep_memory(context, is_grown_log || is_begun);
        }
        let is_continued = is_same_log || is_grown_log;
        let before = match self.mirror.known.take() {
            Some(mirror) if is_continued => Before::SameLog(Box::new(KnownBefore {
                mirror,
                placed_seen: self.mirror.placed_seen,
                edited: self.pending.as_ref().map(|pending| pending.shown.clone()),
            })),
            known if self.is_loaded => {
                let is_edited = self.pending.is_some() || self.mirror.is_broken;
                let is_as_seen = found_mirror.is_some() && found_mirror == self.mirror.seen;
                Before::OtherLog(known.filter(|_| is_as_seen && !is_edited).map(|known| known.id.hash))
            }
            _ => Before::Nothing,
        };
        self.reload(context, before)
    }

    /// Whether the log is the one we know with something behind it.
    fn has_grown(&mut self, context: &Context, found: Option<Stamp>) -> Result<bool> {
        let (Some(known), Some(found)) = (self.file.stamp(), found) else { return Ok(false) };
        if known.id != found.id
            || found.size_bytes <= self.file.end()
            || self.file.mending().has_wrong_lines()
        {
            return Ok(false);
        }
        let Some(mut log) = context.files.open_read(&self.paths.log)? else { return Ok(false) };
        self.file.is_beginning_of(&mut *log)
    }

    /// Replays lines that were appended behind the end. False when there is something to mend.
    fn replay_appended(&mut self, context: &Context) -> Result<bool> {
        if self.file.mending().is_unterminated {
            // What was appended may hang on the last line.
            return Ok(false);
        }
        let Some(mut log) = context.files.open_read(&self.paths.log)? else { return Ok(false) };
        let mut replayed = Replayed {
            end: self.file.end(),
            lines: self.file.lines(),
            last_edit: self.last_edit,
            ..Replayed::default()
        };
        {
            let mut published = self.shelf.published.write();
            published.is_current = false;
            replayed.state = std::mem::take(&mut published.state);
        }
        self.is_loaded = false;
        let ending = continue_replay(&mut *log, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
        let mending = &replayed.mending;
        if ending != Ending::Whole || mending.torn_bytes > 0 || mending.has_wrong_lines() {
            return Ok(false);
        }
        self.file.advance(&mut *log, replayed.end, replayed.lines, mending.is_unterminated)?;
        self.file.has_unsynced_edit |= self.last_edit != replayed.last_edit;
        self.last_edit = replayed.last_edit;
        self.memories.extend(replayed.memories.iter().map(|memory| memory.tag));
        self.is_loaded = true;
        self.shelf.published.write().state = replayed.state;
        Ok(true)
    }

    /// Looks at a mirror that is not the one seen before. False when somebody edited it.
    fn recognise_mirror(&mut self, context: &Context, found: Option<Stamp>) -> Result<bool> {
        let files = &*context.files;
        let Some(found) = found else {
            self.mirror.seen = None;
            self.mirror.is_broken = false;
            // An edit that was seen in it and is not logged went with it.
            return Ok(self.pending.is_none());
        };
        let record = MirrorRecord::read(files, &self.paths)?;
        self.mirror.record_seen = record;
        let record = match record {
            Some(record) if self.fits(context, &record)? => Some(record),
            _ => None,
        };
        // Another process has written a mirror since this one looked.
        let placed = record.as_ref().and_then(MirrorRecord::placed);
        let is_news = placed.is_some() && placed != self.mirror.placed_seen;
        let is_untouched = self.mirror.seen.is_some_and(|seen| seen.is_same_content(&found));
        if let Some(record) = &record
            && record.is_of_file(&found)
            && !is_untouched
        {
            let id = MirrorId { stamp: found, ..record.mirror };
            self.know_mirror(context, id, Shows::LogUpTo(record.log_end));
            self.mirror.placed_seen = placed;
            return Ok(self.pending.is_none());
        }
        let Some(content) = MirrorContent::read(files, &self.paths)? else { return Ok(false) };
        if let Some(known) = &self.mirror.known
            && known.id.hash == content.id.hash
            && !is_news
        {
            let shows = known.shows.clone();
            self.know_mirror(context, content.id, shows);
            return Ok(true);
        }
        if self.pending.is_some() {
            return Ok(false);
        }
        if let Some(record) = &record
            && record.mirror.hash == content.id.hash
        {
            self.know_mirror(context, content.id, Shows::LogUpTo(record.log_end));
            self.mirror.placed_seen = placed;
            return Ok(true);
        }
        let proves = |record: &MirrorRecord| record.placed().is_some();
        if is_logged(self.last_edit, content.id.hash, record.as_ref(), proves)
            && let Some(shown) = content.parse()
        {
            self.mirror.placed_seen = placed;
            self.know_mirror(context, content.id, Shows::Content(shown));
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a record speaks of this log.
    fn fits(&self, context: &Context, record: &MirrorRecord) -> Result<bool> {
        if record.log_end == self.file.end() {
            return Ok(record.log_mark == self.file.mark());
        }
        let Some(mut log) = context.files.open_read(&self.paths.log)? else { return Ok(false) };
        Ok(record.log_end < self.file.end() && log_mark(&mut *log, record.log_end)? == record.log_mark)
    }

    pub(crate) fn know_mirror(&mut self, context: &Context, id: MirrorId, shows: Shows) {
        let is_settled = is_settled(id.stamp, context.files.now_ms());
        self.mirror.seen = Some(id.stamp);
        self.mirror.was_seen = true;
        self.mirror.is_broken = false;
        self.mirror.known = Some(KnownMirror { id, shows, is_settled, is_synced: false });
    }

    /// Reads both files anew.
    pub(crate) fn reload(&mut self, context: &Context, before: Before) -> Result<()> {
        self.distrust();
        self.generation += 1;
        let loaded = self.load_steadily(context, &before)?;
        if context.options.on_corruption == OnCorruption::Refuse
            && let Some(damage) = loaded.file.mending().damages.first()
        {
            return Err(corrupt(&self.paths, damage, loaded.file.mending().damages.len()));
        }
        self.tell(context, &loaded);
        // For the metrics alone, so not being able to is no failure.
        let _ = self.count_old(context);
        self.is_memory_ahead = false;
        self.take(loaded, before);
        self.file.keep_witness(&*context.files, &self.paths);
        Ok(())
    }

    /// From now on memory is what was loaded.
    pub(crate) fn take(&mut self, loaded: Loaded, before: Before) {
        let Loaded { state, file, pending, mirror, last_edit, memories, placed_seen, record_seen } = loaded;
        self.memories = memories.iter().map(|memory| memory.tag).collect();
        self.mirror.placed_seen = placed_seen;
        self.mirror.record_seen = record_seen;
        self.file.replace_by(file);
        self.pending = pending;
        self.last_edit = last_edit;
        (self.mirror.seen, self.mirror.known, self.mirror.is_broken) = match mirror {
            // What was there before is what a further change is compared with.
            LoadedMirror::Missing => (None, before.known(), false),
            LoadedMirror::Broken(content) => (Some(content.id.stamp), before.known(), true),
            LoadedMirror::Known(known) => (Some(known.id.stamp), Some(known), false),
        };
        self.mirror.was_seen |= self.mirror.seen.is_some();
        self.is_loaded = true;
        self.shelf.published.write().state = state;
        self.publish_stamps();
    }

    /// Lets readers answer from memory again.
    pub(crate) fn publish_stamps(&self) {
        let mut published = self.shelf.published.write();
        published.log = self.file.stamp();
        published.mirror = self.mirror.seen;
        published.is_mirrored = self.mirror.is_wanted;
        published.is_current =
            self.is_loaded && self.mirror.known.as_ref().is_none_or(|known| known.is_settled);
    }

    /// Reports what was found, once.
    pub(crate) fn tell(&self, context: &Context, loaded: &Loaded) {
        let log = self.paths.log.display();
        let details = Details::of_log(&self.paths.name);
        let metrics = &self.shelf.metrics;
        let mending = loaded.file.mending();
        if mending.torn_bytes > 0 {
            let is_news = context.tell(
                "PS_TORN_TAIL",
                &format!("{log} {}", loaded.file.end()),
                format!(
                    "The log '{log}' ends with {} of an entry that was never finished (a crash while it was \
                     written). They are dropped; nothing that was acknowledged is affected. The next write moves \
                     them to '{}.torn.N'",
                    plural(mending.torn_bytes, "byte"),
                    log
                ),
                &details.clone().path("path", &self.paths.log).number("droppedBytes", mending.torn_bytes),
            );
            if is_news {
                metrics.torn_tails.add(1);
            }
        }
        if let Some(first) = mending.damages.first() {
            let count = mending.damages.len();
            // What a checkpoint held is not in the log a second time.
            let has_checkpoint = mending.damages.iter().any(|damage| damage.is_checkpoint);
            let backup = has_checkpoint.then(|| newest_with_data(&*context.files, &self.paths)).flatten();
            let mut damage = damage_details(details.clone().path("path", &self.paths.log), first, count);
            let mut advice = String::new();
            if let Some(backup) = backup {
                damage = damage.path("backup", &backup);
                advice = format!(
                    ". The newest backup that has data is '{}': `progressive-storage repair` brings back what is lost",
                    backup.display()
                );
            }
            let is_news = context.tell(
                "PS_LOG_DAMAGED",
                &format!("{log} {} {count}", first.offset),
                format!(
                    "{} All other entries are used. The next write moves the damaged lines to '{log}.corrupt.N'; see \
                     them and the backups for what they held{advice}",
                    describe(&self.paths, first, count)
                ),
                &damage,
            );
            if is_news {
                metrics.corrupt_lines.add(count as u64);
            }
        }
        if let LoadedMirror::Broken(content) = &loaded.mirror {
            let mirror = self.paths.mirror.display();
            context.tell(
                "PS_MIRROR_BROKEN",
                &format!("{mirror} {}", content.id.hash),
                format!(
                    "'{mirror}' is not a JSON object. The log is used instead; the next write moves the file to \
                     '{mirror}.corrupt.N' and writes it anew"
                ),
                &details.clone().path("path", &self.paths.mirror),
            );
        }
        if let Some(pending) = &loaded.pending {
            let mirror = self.paths.mirror.display();
            let keys = pending.edits.len();
            let subject = format!("{mirror} {}", pending.tag.mirror_hash);
            let details = details.path("path", &self.paths.mirror).number("keys", keys as u64);
            if pending.is_recovered {
                let message = format!(
                    "'{mirror}' still has {} that damaged lines of the log '{log}' have lost. The values count, and \
                     are logged with the next write",
                    plural(keys as u64, "key")
                );
                context.tell("PS_RECOVERED_FROM_MIRROR", &subject, message, &details);
                return;
            }
            let message = format!(
                "'{mirror}' holds changes of {} that the log '{log}' does not have (an edit by hand, or data of the \
                 old module). They count, and are logged with the next write{}",
                plural(keys as u64, "key"),
                ambiguity(&pending.ambiguous)
            );
            let details = details.keys("ambiguousKeys", &pending.ambiguous);
            if context.tell("PS_FOREIGN_EDIT", &subject, message, &details) {
                metrics.external_edits.add(1);
            }
        }
    }
}

/// What a person is told of keys that may be meant otherwise.
fn ambiguity(keys: &[String]) -> String {
    const NAMED_MAX: usize = 5;
    if keys.is_empty() {
        return String::new();
    }
    let mut named: Vec<String> = keys.iter().take(NAMED_MAX).map(|key| key_for_people(key)).collect();
    if keys.len() > NAMED_MAX {
        named.push(format!("and {} more", keys.len() - NAMED_MAX));
    }
    format!(
        ". The file was made from an older state: see whether what it says of {} is meant ({})",
        plural(keys.len() as u64, "key"),
        named.join(", ")
    )
}

fn damage_details(details: Details, first: &Damage, count: usize) -> Details {
    let details = details
        .number("lines", count as u64)
        .number("firstLine", first.line)
        .number("offset", first.offset)
        .number("sizeBytes", first.size_bytes)
        .text("reason", &first.reason.to_string());
    match &first.key {
        Some(key) => details.text("key", key),
        None => details,
    }
}

fn describe(paths: &LogPaths, first: &Damage, count: usize) -> String {
    let key = first.key.as_ref().map(|key| format!(", key '{key}'")).unwrap_or_default();
    let more =
        if count > 1 { format!(" and {}", plural(count as u64 - 1, "more line")) } else { String::new() };
    format!(
        "The log '{}' is damaged: line {} at byte {} ({}{key}) cannot be used, {}{more}.",
        paths.log.display(),
        first.line,
        first.offset,
        plural(first.size_bytes, "byte"),
        first.reason
    )
}

/// `1 key`, `2 keys`.
fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn corrupt(paths: &LogPaths, first: &Damage, count: usize) -> Error {
    Error::log_corrupt(&paths.log, &describe(paths, first, count))
}
