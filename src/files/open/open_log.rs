//! A log that is open: its file, its mirror and its state in memory, kept in step with what others do to the files.
//!
//! Other processes append, compact, and rewrite mirrors; people edit and delete files. `catch_up` is
//! called before anything is answered or written, and checks two stamps:
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
//! Invariant: the published state is that of the log up to `file.end()`, what it lacks of a transaction, and the pending
//! edit, unless `is_memory_ahead`: then the log has less.

use std::sync::Arc;

use crate::data::slots::MovedPlaces;
use crate::data::state::{NOWHERE, Slot, State};
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::event::{Event, describe_damage};
use crate::files::index::index_bytes::IndexedLog;
use crate::files::index::index_file::{
    GROWN_BYTES_MIN, GROWN_TIMES, How, INDEXED_BYTES_MIN, Trust, write_index,
};
use crate::files::index::index_job::{IndexDone, IndexJob};
use crate::files::log::encoder::Lines;
use crate::files::log::entry::MemoryTag;
use crate::files::log::file::{Appended, Extent, LogFile, SyncOf};
use crate::files::log::mending::{Mended, Mending};
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::{Ending, Replayed, continue_replay};
use crate::files::mirror::content::{FreshMirror, SmallMirror};
use crate::files::mirror::edit::{Edit, apply_logged};
use crate::files::mirror::job::{MirrorDone, MirrorJob};
use crate::files::mirror::keeper::MirrorKeeper;
use crate::files::mirror::known::{Before, PendingEdit};
use crate::files::mirror::record::MirrorRecord;
use crate::files::mirror::tracker::LogFacts;
use crate::files::open::findings::notify_findings;
use crate::files::open::follow::{Followers, Noted};
use crate::files::open::load::{load, load_unmirrored};
use crate::files::open::loaded::Loaded;
use crate::files::open::lost_log::{Evidence, LinesSince, LostLog, Remembered};
use crate::files::open::steady::load_steadily;
use crate::files::options::OnCorruption;
use crate::files::past::old_logs::count_old;
use crate::files::shelf::{Shelf, Stamps};
use crate::files::transaction::intent::Intent;
use crate::files::transaction::unfinished::Unfinished;
use crate::files::values::log_values::LogValues;
use crate::store::watch::Watcher;
use crate::vfs::Stamp;

/// See the header of this file.
pub struct OpenLog {
    shelf: Arc<Shelf>,
    file: LogFile,
    mirror: MirrorKeeper,
    lost: LostLog,
    /// Counts how often the log was loaded anew: what was begun before does not fit any more.
    generation: u64,
    is_loaded: bool,
    /// Something was written since the last clean end.
    is_touched: bool,
    /// This process has written to the log, so it may do so without being asked.
    has_written: bool,
    lacking: Lacking,
    /// Who watches the keys.
    followers: Followers,
    indexed: Indexed,
    lying: LyingValues,
}

/// The values that are not in memory.
#[derive(Default)]
struct LyingValues {
    /// One was not where the state, or the index, had it.
    are_doubtful: bool,
    /// The file in which they lie.
    id: Option<u64>,
}

/// The index of the log.
#[derive(Clone, Copy, Default)]
struct Indexed {
    /// Where the log ended of which there is one; 0 without one.
    end: u64,
    size_bytes: u64,
    is_being_written: bool,
}

/// What the log lacks of a transaction.
enum Lacking {
    /// It is not known.
    Unread,
    /// Nothing.
    Nothing,
    /// These lines. They come before all else that is appended.
    Lines(Unfinished),
}

/// A small mirror that is being synced beside the log, if there is one.
pub type BegunMirror = Option<Result<SmallMirror>>;

/// A log that was replaced by its checkpoint and the lines behind it.
pub struct Replacement {
    /// Offset of the snapshot in the old log.
    pub snapshot_end: u64,
    /// Offset behind the checkpoint in the new log.
    pub checkpoint_end: u64,
    /// Offset behind the last line of the new log.
    pub end: u64,
    /// Lines before that.
    pub lines: u64,
    /// The members of the checkpoint, and where the old log and the new one have their values.
    pub checkpoint: MovedPlaces,
}

/// What is known.
impl OpenLog {
    /// A log that is not loaded yet.
    pub fn new(paths: LogPaths, shelf: Arc<Shelf>) -> Self {
        Self {
            shelf,
            file: LogFile::new(paths),
            mirror: MirrorKeeper::default(),
            lost: LostLog::default(),
            generation: 0,
            is_loaded: false,
            is_touched: false,
            has_written: false,
            lacking: Lacking::Unread,
            followers: Followers::default(),
            indexed: Indexed::default(),
            lying: LyingValues::default(),
        }
    }

    /// Where the files are.
    pub fn paths(&self) -> &LogPaths {
        self.file.paths()
    }

    /// The published state, and what is counted.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The log file, as it is known.
    pub fn file(&self) -> &LogFile {
        &self.file
    }

    /// Offset behind the last line that is known.
    pub fn end(&self) -> u64 {
        self.file.end()
    }

    /// Counts how often the log was loaded anew or replaced.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The edit that the log does not hold yet.
    pub fn pending(&self) -> Option<&PendingEdit> {
        self.mirror.tracker().pending()
    }

    /// What this process knew of the log that was lost, if memory is ahead of the log.
    pub fn memory_tag(&self) -> Option<MemoryTag> {
        let mirror_hash = self.mirror.tracker().known().map_or(0, |known| known.id.hash);
        self.lost.is_memory_ahead().then(|| self.lost.tag(mirror_hash))
    }

    /// Whether memory has what was acknowledged, and the log has not.
    pub fn is_memory_ahead(&self) -> bool {
        self.lost.is_memory_ahead()
    }

    /// What the log lacks of a transaction.
    pub fn unfinished(&self) -> Option<&Unfinished> {
        if let Lacking::Lines(unfinished) = &self.lacking { Some(unfinished) } else { None }
    }

    /// Whether the state has something that neither log nor mirror has.
    pub fn is_ahead_of_files(&self) -> bool {
        self.lost.is_memory_ahead() || self.unfinished().is_some()
    }

    /// Whether the state has something that the log has not: what a transaction left out, an edit that was found, or all
    /// of it.
    pub fn has_to_log_first(&self) -> bool {
        self.mirror.tracker().pending().is_some() || self.is_ahead_of_files()
    }

    /// True when there is something that a clean end has to do, be it that the log was lost and nobody has noticed.
    pub fn needs_finish(&self, context: &Context) -> bool {
        let is_as_known = || match context.files.stamp(&self.paths().log) {
            Ok(found) => found == self.file.stamp(),
            Err(_) => true,
        };
        self.is_touched || (self.has_written && self.is_loaded && !is_as_known())
    }

    /// False when somebody who takes no lock has written to the log since it was checked.
    pub fn is_log_as_known(&self, context: &Context) -> Result<bool> {
        Ok(match (context.files.stamp(&self.paths().log)?, self.file.stamp()) {
            (Some(found), Some(known)) => found.is_same_content(&known),
            (found, known) => found == known,
        })
    }

    fn facts(&self) -> LogFacts<'_> {
        facts(&self.file, &self.shelf, &self.lost)
    }

    fn evidence<'a>(&'a mut self, context: &'a Context) -> Evidence<'a> {
        let Self { shelf, file, mirror, lost, lacking, .. } = self;
        let unfinished = if let Lacking::Lines(unfinished) = lacking { Some(&*unfinished) } else { None };
        Evidence { context, shelf, file, mirror: mirror.tracker(), lost, unfinished }
    }
}

/// Keeping in step with the files.
impl OpenLog {
    /// From now on the log has a mirror.
    pub fn want_mirror(&mut self) {
        if self.mirror.tracker_mut().want() {
            self.is_loaded = false;
        }
    }

    /// Another process has held the lock since this one did.
    pub fn lock_was_others(&mut self) {
        self.file.lock_was_others();
    }

    /// Forgets what is in memory; the next call reads the files.
    pub fn distrust(&mut self) {
        self.is_loaded = false;
        self.shelf.distrust();
    }

    /// From now on, changes are for this watcher, too.
    pub fn watch(&mut self, watcher: &Arc<Watcher>) {
        self.followers.add(watcher, &self.shelf);
    }

    /// Somebody else may have left a transaction unfinished: readers ask the writer, who looks.
    pub fn read_intent_again(&mut self) {
        if matches!(self.lacking, Lacking::Nothing) {
            self.lacking = Lacking::Unread;
            self.shelf.distrust();
        }
    }

    /// Brings memory in step with the files. The lock between processes is held, if there is one.
    pub fn catch_up(&mut self, context: &Context) -> Result<()> {
        self.catch_up_with_files(context)?;
        if self.lying.id.is_some() {
            // A log that was written anew and then could not be looked at is another file with the same lines.
            self.open_values(context);
        }
        if matches!(self.lacking, Lacking::Unread) {
            self.read_intent(context)?;
            self.publish_stamps();
        }
        Ok(())
    }

    /// Finds out what the log lacks of a transaction.
    fn read_intent(&mut self, context: &Context) -> Result<()> {
        match self.find_unfinished(context)? {
            Some(unfinished) => self.lack(context, unfinished),
            None => self.lacking = Lacking::Nothing,
        }
        Ok(())
    }

    fn find_unfinished(&self, context: &Context) -> Result<Option<Unfinished>> {
        let files = &*context.files;
        let parts = Intent::read(files, &context.data_folder)?.map(|intent| intent.parts).unwrap_or_default();
        let part = parts.iter().find(|part| part.log == self.paths().name);
        part.map_or(Ok(None), |part| Unfinished::of(files, part, &self.paths().log))
    }

    fn lack(&mut self, context: &Context, unfinished: Unfinished) {
        let edits = self.mirror.tracker().pending().map(|pending| &pending.edits[..]).unwrap_or_default();
        let has_newer = |key: &str| edits.iter().any(|edit| edit.key() == key);
        self.shelf.change(self.file.stamp(), |state| unfinished.apply(state, has_newer));
        self.followers.settle(context, &self.shelf);
        self.lacking = Lacking::Lines(unfinished);
    }

    /// A transaction is committed, and its lines could not be appended: they count, and come before all else.
    pub fn leave_unfinished(&mut self, context: &Context, lines: &Lines) {
        self.lack(context, Unfinished::of_lines(lines.bytes.clone()));
        self.is_touched = true;
        self.has_written = true;
        self.mirror.is_due(context);
        self.publish_stamps();
    }

    fn catch_up_with_files(&mut self, context: &Context) -> Result<()> {
        self.followers.forget_ended();
        let found_log = self.settle_failed_append(context)?;
        if self.is_loaded && found_log == self.file.stamp() && self.shelf.is_doubted() {
            // Where another program has changed the log, the rows of the table say what counts.
            self.is_loaded = false;
            self.lying.are_doubtful = true;
        }
        self.find_mirror_of_others(context);
        let found_mirror = self.mirror.tracker().find(context, self.file.paths())?;
        let is_same_log = self.is_loaded && found_log == self.file.stamp();
        if is_same_log && self.mirror.tracker().is_as_seen(found_mirror) {
            self.file.keep_witness(&*context.files);
            return Ok(());
        }
        let is_grown_log = self.is_loaded && !is_same_log && self.has_grown(context, found_log)?;
        let is_up_to_date =
            is_same_log || (is_grown_log && !self.has_to_log_first() && self.replay_appended(context)?);
        if is_up_to_date
            && !self.lost.is_memory_ahead()
            && (self.mirror.tracker().is_as_seen(found_mirror)
                || self.recognise_mirror(context, found_mirror)?)
        {
            self.file.keep_witness(&*context.files);
            self.publish_stamps();
            return Ok(());
        }
        if self.is_loaded && self.evidence(context).is_memory_newest(found_log, found_mirror)? {
            let is_begun = self.lost.is_memory_ahead() && self.file.stamp().is_none();
            let since = if is_grown_log || is_begun { LinesSince::Count } else { LinesSince::None };
            return self.keep_memory(context, since);
        }
        let is_continued = is_same_log || is_grown_log;
        let before = if is_continued && self.mirror.tracker().known().is_some() {
            self.mirror.tracker_mut().before_same_log()
        } else if self.is_loaded {
            self.mirror.tracker_mut().before_other_log(found_mirror)
        } else {
            self.mirror.tracker_mut().before_start()
        };
        self.reload(context, before)
    }

    /// The log as it is found. Bytes whose write or sync failed are no entries, even if they could be read as some: they are cut off
    /// here, if nobody else has been there since.
    fn settle_failed_append(&mut self, context: &Context) -> Result<Option<Stamp>> {
        let files = &*context.files;
        let found = files.stamp(&self.paths().log)?;
        if !self.is_loaded || !self.file.has_failed_append() {
            return Ok(found);
        }
        if !self.file.has_only_failed_append_behind(files, found)? {
            self.file.doubt_failed_append(found);
            return Ok(found);
        }
        let (known, before) = (self.file.stamp(), self.file.mending().clone());
        // Where they cannot be cut off yet, memory is right and the next write tries again.
        let is_mended = self.file.mend(files, context.syncing(), &Lines::default()).is_ok();
        if known.map(|it| it.id) != self.file.stamp().map(|it| it.id) {
            self.was_rewritten(context, &before);
        }
        if is_mended {
            self.publish_stamps();
        }
        Ok(self.file.stamp())
    }

    /// Another process keeps this log as a collection where it has a record.
    fn find_mirror_of_others(&mut self, context: &Context) {
        if !self.is_loaded
            && !self.mirror.tracker().is_wanted()
            && matches!(context.files.stamp(&self.paths().record), Ok(Some(_)))
        {
            self.mirror.tracker_mut().want();
        }
    }

    /// Whether the log is the one we know with something behind it.
    fn has_grown(&self, context: &Context, found: Option<Stamp>) -> Result<bool> {
        let (Some(known), Some(found)) = (self.file.stamp(), found) else { return Ok(false) };
        if known.id != found.id
            || found.size_bytes <= self.file.end()
            || self.file.mending().has_wrong_lines()
        {
            return Ok(false);
        }
        let Some(mut log) = context.files.open_read(&self.paths().log)? else { return Ok(false) };
        self.file.is_beginning_of(&mut *log)
    }

    /// Replays lines that were appended behind the end. False when there is something to mend.
    fn replay_appended(&mut self, context: &Context) -> Result<bool> {
        if self.file.mending().is_unterminated {
            // What was appended may hang on the last line.
            return Ok(false);
        }
        if !self.open_values(context) {
            // What is replayed may be let go.
            return Ok(false);
        }
        let Some(mut log) = context.files.open_read(&self.paths().log)? else { return Ok(false) };
        self.is_loaded = false;
        let mut replayed = Replayed {
            state: self.shelf.take_state(),
            end: self.file.end(),
            lines: self.file.lines(),
            last_edit: self.mirror.tracker().last_edit(),
            ..Replayed::default()
        };
        let ending = continue_replay(&mut *log, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
        let mending = &replayed.mending;
        if ending != Ending::Whole || mending.torn_bytes > 0 || mending.has_wrong_lines() {
            return Ok(false);
        }
        let extent = Extent { end: replayed.end, lines: replayed.lines, mending: replayed.mending };
        let noted_end = self.file.end();
        self.file.advance(&mut *log, &extent)?;
        if self.mirror.tracker_mut().replayed(replayed.last_edit) {
            self.file.note_unsynced_edit();
        }
        self.lost.add(&replayed.memories);
        self.is_loaded = true;
        let noted = self.followers.grown(context, (&mut *log, noted_end, self.file.end()), &replayed.state);
        self.shelf.put(replayed.state);
        if noted == Noted::Part {
            self.followers.settle(context, &self.shelf);
        }
        Ok(true)
    }

    fn recognise_mirror(&mut self, context: &Context, found: Option<Stamp>) -> Result<bool> {
        let log = facts(&self.file, &self.shelf, &self.lost);
        self.mirror.tracker_mut().recognise(context, log, found)
    }

    /// Memory has what was acknowledged, the log has not: the next write logs it.
    fn keep_memory(&mut self, context: &Context, since: LinesSince) -> Result<()> {
        // Should this fail, memory is still what it was.
        let remembered = self.evidence(context).remember(since)?;
        let Remembered { loaded, before, known_end, is_all_there, lost_keys } = remembered;
        self.distrust();
        self.generation += 1;
        if !is_all_there && !self.lost.is_memory_ahead() {
            let loss = format!("{} {}", self.generation, context.unique);
            let keys = self.shelf.with_state(|state| state.len() as u64);
            context.notify(self.paths(), &Event::LogLost { loss, keys, lost_keys });
        }
        notify_findings(context, self.paths(), &self.shelf.metrics, &loaded);
        self.lost.noticed(known_end);
        if self.has_written {
            self.is_touched = true;
            self.mirror.is_due(context);
        }
        self.take(loaded, before);
        self.followers.settle(context, &self.shelf);
        // Memory has what the log lacked.
        self.lacking = Lacking::Nothing;
        Ok(())
    }

    /// Reads both files anew.
    fn reload(&mut self, context: &Context, before: Before) -> Result<()> {
        self.distrust();
        self.generation += 1;
        let mut loaded = self.load(context, &before)?;
        let damages = &loaded.file.mending().damages;
        if context.options.on_corruption == OnCorruption::Refuse
            && let Some(first) = damages.first()
        {
            let damage = describe_damage(self.paths(), first, damages.len());
            return Err(Error::log_corrupt(&self.paths().log, &damage));
        }
        notify_findings(context, self.paths(), &self.shelf.metrics, &loaded);
        // For the metrics alone, so not being able to is no failure.
        let _ = count_old(&*context.files, self.paths(), &self.shelf.metrics);
        self.lost.forget();
        let unfinished = self.find_unfinished(context)?;
        if let Some(unfinished) = &unfinished {
            let edits = loaded.mirror.pending.as_ref().map(|pending| &pending.edits[..]).unwrap_or_default();
            unfinished.apply(&mut loaded.state, |key| edits.iter().any(|edit| edit.key() == key));
        }
        self.followers.loaded(context, &mut self.file, &loaded);
        self.lacking = unfinished.map_or(Lacking::Nothing, Lacking::Lines);
        self.take(loaded, before);
        self.file.keep_witness(&*context.files);
        Ok(())
    }

    fn load(&self, context: &Context, before: &Before) -> Result<Loaded> {
        let (files, paths) = (&*context.files, self.paths());
        let is_to_salvage = context.options.on_corruption == OnCorruption::Salvage;
        let trust = match is_to_salvage {
            _ if self.lying.are_doubtful => Trust::Nothing,
            true => Trust::Grown,
            false => Trust::Unchanged,
        };
        let how = How { trust, cache_bytes: context.options.cache_bytes };
        if !self.mirror.tracker().is_wanted() {
            return load_steadily(context, paths, || load_unmirrored(files, paths, how));
        }
        if let Err(error) = MirrorRecord::try_read(files, paths) {
            context.notify(paths, &Event::RecordFailed { error: &error });
        }
        load_steadily(context, paths, || load(files, paths, before.clone(), how))
    }

    /// From now on memory is what was loaded.
    fn take(&mut self, loaded: Loaded, before: Before) {
        let Loaded { state, values, file, mirror, memories, indexed_end } = loaded;
        self.indexed.end = indexed_end;
        self.lost.take(&memories);
        self.file.replace_by(file);
        self.mirror.tracker_mut().take(mirror, before);
        self.is_loaded = true;
        self.lying.are_doubtful = false;
        self.lying.id = values.is_some().then(|| self.file.stamp().map(|stamp| stamp.id)).flatten();
        self.shelf.put_of(state, values);
        self.publish_stamps();
    }

    /// Lets readers answer from memory again.
    pub fn publish_stamps(&self) {
        self.shelf.publish(Stamps {
            log: self.file.stamp(),
            mirror: self.mirror.tracker().seen(),
            is_mirrored: self.mirror.tracker().is_wanted(),
            is_current: self.is_loaded
                && !matches!(self.lacking, Lacking::Unread)
                && self.mirror.tracker().is_settled(),
        });
    }
}

/// Writing to the log. What is written is memory's first, then the caller's; see `log_writer`.
impl OpenLog {
    /// Appends lines, which change the state so, and publishes that; gives a small mirror that was begun beside, for
    /// `write_mirror`. Where the lines were cut off again, since others wrote before, nothing is published.
    pub fn append(
        &mut self,
        context: &Context,
        lines: &Lines,
        changes: &[Edit],
        sync: SyncOf,
    ) -> Result<(Appended, BegunMirror)> {
        let files = &*context.files;
        let begun = self.mirror.begin_small(context, self.facts(), changes);
        let appended = self.file.append(files, lines, sync);
        if !matches!(appended, Ok(Appended::Alone | Appended::Interleaved)) {
            if let Some(Ok(small)) = begun {
                small.discard(files);
            }
            if appended.is_ok() && !self.lost.is_memory_ahead() {
                self.distrust();
            }
            return appended.map(|appended| (appended, None));
        }
        self.note_sync(context);
        self.shelf.metrics.entries.add(lines.count);
        self.shelf.metrics.bytes.add(lines.bytes.len() as u64);
        self.is_touched = true;
        self.has_written = true;
        self.lacking = Lacking::Nothing;
        let memory = self.memory_tag();
        if let Some(tag) = memory {
            self.lost.was_logged(tag);
        }
        self.note_recovered();
        self.mirror.tracker_mut().was_logged(self.file.end(), memory.map(|tag| tag.mirror_hash));
        let start = self.file.end() - lines.bytes.len() as u64;
        let is_open = self.open_values(context);
        let offset_of = |value: &u64| if is_open { value.saturating_add(start) } else { NOWHERE };
        let offsets = lines.values.iter().map(offset_of);
        self.shelf.change(self.file.stamp(), |state| apply_logged(state, changes, offsets));
        self.shelf.with_state(|state| self.followers.appended(context, &lines.bytes, state));
        let appended = appended?;
        if appended == Appended::Alone {
            return Ok((appended, begun));
        }
        if let Some(Ok(small)) = begun {
            // It does not show what others wrote.
            small.discard(files);
        }
        Ok((appended, None))
    }

    /// After an append, and once `catch_up` has read what others wrote beside it: a small mirror at once, a large one
    /// soon.
    pub fn write_mirror(&mut self, context: &Context, begun: BegunMirror) {
        self.mirror.after_commit(context, facts(&self.file, &self.shelf, &self.lost), begun);
        self.publish_stamps();
    }

    /// Sets damage aside and cuts what is not in use. A log that is written anew for that ends with `edit`.
    pub fn mend(&mut self, context: &Context, edit: &Lines) -> Result<Mended> {
        let before: Mending = self.file.mending().clone();
        let is_rewritten = before.needs_rewrite();
        let mended = self.file.mend(&*context.files, context.syncing(), edit);
        if is_rewritten && !self.file.mending().needs_rewrite() {
            self.generation += 1;
            self.lacking = Lacking::Nothing;
            self.was_rewritten(context, &before);
            self.note_recovered();
            self.mirror.tracker_mut().log_was_mended(|offset| before.moved(offset));
        }
        mended
    }

    /// The edit that is in the log now, but for its name, may be what damaged lines had lost: then it is tagged as a memory.
    fn note_recovered(&mut self) {
        if let Some(tag) = self.mirror.tracker().pending().and_then(PendingEdit::memory_tag) {
            self.lost.note(tag);
        }
    }

    /// The log is another file, which was made of the known one.
    fn was_rewritten(&mut self, context: &Context, before: &Mending) {
        self.indexed.end = 0;
        if context.options.cache_bytes.is_none() {
            // Few logs are ever mended: until the next compaction the index holds the values itself.
            self.shelf.move_values(None, |state| state.move_all(|_| NOWHERE, &MovedPlaces::default()));
            return;
        }
        // Where the new file cannot be opened it is read anew. Until then the old one has the values.
        let is_known = self.log_values(context).is_some_and(|values| {
            let moved = |offset| before.moved(offset);
            self.shelf.move_values(Some(values), |state| state.move_all(moved, &MovedPlaces::default()))
        });
        if !is_known {
            self.distrust();
        }
    }

    /// The log that is known, open to read values; `None` where all are in memory, where it cannot be opened, and where
    /// another log is in its place.
    fn log_values(&mut self, context: &Context) -> Option<Arc<LogValues>> {
        let id = self.file.stamp().filter(|_| context.options.cache_bytes.is_some())?.id;
        let values = LogValues::open(&*context.files, &self.paths().log, id).ok().flatten()?;
        self.lying.id = Some(id);
        Some(values)
    }

    /// Whether new values may be let go: the log that is known is open to read them. Where nothing is ever let go, too.
    fn open_values(&mut self, context: &Context) -> bool {
        let id = self.file.stamp().map(|stamp| stamp.id);
        if context.options.cache_bytes.is_none() || (id.is_some() && self.lying.id == id) {
            return true;
        }
        let values = self.log_values(context);
        values.is_some_and(|values| self.shelf.move_values(Some(values), |_| true))
    }

    /// Whether bytes of an append that failed may stand behind the end, or a failed sync left it in doubt what of the
    /// log is on disk.
    pub fn has_doubtful_end(&self) -> bool {
        self.file.has_failed_append() || self.file.mending().is_doubtful
    }

    /// Syncs what was appended without a sync.
    pub fn sync(&mut self, context: &Context) -> Result<()> {
        self.file.sync(&*context.files)
    }

    /// Counts the last sync, and notifies of a slow one.
    pub fn note_sync(&mut self, context: &Context) {
        if let Some(duration_us) = self.file.take_sync_us() {
            context.sync_took(self.file.paths(), duration_us);
            self.shelf.metrics.fsync.record(duration_us);
        }
    }
}

/// The mirror.
impl OpenLog {
    /// True while a large mirror is being written.
    pub fn is_mirror_being_written(&self) -> bool {
        self.mirror.is_being_written()
    }

    /// When `start_mirror` is to be called.
    pub fn mirror_due_ms(&self) -> Option<u64> {
        self.mirror.due_ms()
    }

    /// Whether it is due; it is not any more from now on.
    pub fn take_mirror_due(&mut self, now_ms: u64) -> bool {
        self.mirror.take_due(now_ms)
    }

    /// Begins to write a large mirror.
    pub fn start_mirror(&mut self, context: &Context) -> Option<MirrorJob> {
        if !self.is_loaded {
            return None;
        }
        self.mirror.start(context, facts(&self.file, &self.shelf, &self.lost), self.generation)
    }

    /// Takes a mirror that a job wrote. `ready` says whether the log is in step with its files.
    pub fn mirror_done(&mut self, context: &Context, done: MirrorDone, ready: Result<()>) {
        let log = facts(&self.file, &self.shelf, &self.lost);
        self.mirror.job_done(context, log, self.generation, done, ready);
        self.publish_stamps();
    }

    /// The mirror could not be written.
    pub fn mirror_failed(&mut self, context: &Context, error: &Error) {
        self.mirror.failed(context, facts(&self.file, &self.shelf, &self.lost), error);
    }

    /// Whether a checkpoint of the log as it is now needs a mirror beside it.
    pub fn needs_mirror_for_checkpoint(&self) -> bool {
        self.mirror.needs_one_for_checkpoint(self.facts())
    }

    /// Before the log is replaced by a checkpoint of it up to `log_end`: the mirror on disk is at least as new, and
    /// synced. `fresh` is one that is. False when somebody has just changed the file.
    pub fn bring_mirror_to(
        &mut self,
        context: &Context,
        log_end: u64,
        fresh: Option<FreshMirror>,
    ) -> Result<bool> {
        let log = facts(&self.file, &self.shelf, &self.lost);
        let is_needed = self.mirror.tracker().is_wanted()
            && (fresh.is_some() || !self.mirror.tracker().has_nothing_to_show(log));
        if is_needed { self.mirror.bring_to(context, log, log_end, fresh) } else { Ok(true) }
    }

    /// Reads the files, and if the mirror is ours and old, has the next clean end renew it. True if so. What a person
    /// did to the files waits for the next write.
    pub fn renew_mirror(&mut self, context: &Context) -> bool {
        self.want_mirror();
        // A log that cannot be loaded gives its error to the next call.
        let is_loaded = self.catch_up(context).is_ok();
        self.is_touched |= is_loaded && self.mirror.tracker().is_stale(self.file.end());
        self.is_touched
    }

    /// This process may not write, and has not: a stale mirror stays as it is.
    pub fn leave_mirror(&mut self) {
        self.is_touched &= self.has_written;
    }
}

/// The index, which is derived: that it cannot be written is no failure.
impl OpenLog {
    /// What an index of the log as it is now says of it; `None` where the state is not what the log on disk comes to, or the log
    /// has something to mend.
    fn indexed_log(&self) -> Option<IndexedLog> {
        // What a power cut may take from the log must not be in its index.
        let is_of_log = !self.file.is_unsynced()
            && self.has_written
            && self.is_loaded
            && !matches!(self.lacking, Lacking::Unread)
            && !self.has_to_log_first()
            && !self.lost.has_memories()
            && *self.file.mending() == Mending::default();
        let stamp = self.file.stamp().filter(|stamp| is_of_log && stamp.size_bytes == self.file.end())?;
        Some(IndexedLog {
            id: stamp.id,
            modified_ns: stamp.modified_ns,
            end: self.file.end(),
            mark: self.file.mark(),
            lines: self.file.lines(),
            last_edit: self.mirror.tracker().last_edit(),
        })
    }

    /// Writes the index, where that shortens the next start.
    fn write_index(&mut self, context: &Context) {
        let is_due = self.file.end() >= self.indexed.end + INDEXED_BYTES_MIN;
        let Some(log) = self.indexed_log().filter(|_| is_due) else { return };
        let temporary = context.temporary(&self.paths().index);
        let write = |state: &State<Slot>| write_index(&*context.files, self.paths(), &temporary, &log, state);
        if let Ok(size_bytes) = self.shelf.with_state(write) {
            self.indexed = Indexed { end: log.end, size_bytes, ..self.indexed };
        }
    }

    /// Begins to write the index beside, where the log has grown by much.
    pub fn start_index(&mut self, context: &Context) -> Option<IndexJob> {
        let grown_bytes = self.file.end().saturating_sub(self.indexed.end);
        let is_due = grown_bytes >= GROWN_BYTES_MIN.max(GROWN_TIMES * self.indexed.size_bytes);
        if self.indexed.is_being_written || !is_due {
            return None;
        }
        let log = self.indexed_log()?;
        self.indexed.is_being_written = true;
        Some(IndexJob {
            paths: self.paths().clone(),
            generation: self.generation,
            temporary: context.temporary(&self.paths().index),
            log,
            places: self.shelf.with_state(State::all_places_as_set),
        })
    }

    /// Takes an index that a job wrote.
    pub fn index_done(&mut self, context: &Context, done: IndexDone) {
        let IndexDone { generation, temporary, end, result, .. } = done;
        self.indexed.is_being_written = false;
        let Ok((file, size_bytes)) = result else {
            // It is tried again when the log has grown as much once more.
            self.indexed.end = self.file.end();
            return;
        };
        // Some systems do not rename a file that is open.
        drop(file);
        let is_of_log = generation == self.generation;
        if is_of_log && context.files.rename(&temporary, &self.paths().index).is_ok() {
            self.indexed = Indexed { end, size_bytes, ..self.indexed };
        } else {
            // Swept up later if this fails.
            let _ = context.files.remove(&temporary);
        }
    }
}

/// The end, and compaction.
impl OpenLog {
    /// Where somebody removed both files there is no data, so a clean end has nothing to write.
    pub fn forget_if_removed(&mut self, context: &Context) -> Result<()> {
        let files = &*context.files;
        let are_gone =
            files.stamp(&self.paths().log)?.is_none() && files.stamp(&self.paths().mirror)?.is_none();
        if are_gone && !(self.is_loaded && self.evidence(context).has_only_the_log_gone()) {
            self.is_touched = false;
            self.has_written = false;
            self.lost.forget();
            self.mirror.forget();
            self.distrust();
        }
        Ok(())
    }

    /// A clean end: the mirror is current, and the record says so. All else is on disk.
    pub fn finish(&mut self, context: &Context) -> Result<()> {
        if self.mirror.tracker().is_wanted() {
            self.mirror.finish(context, facts(&self.file, &self.shelf, &self.lost))?;
            self.publish_stamps();
        }
        self.write_index(context);
        self.is_touched = false;
        Ok(())
    }

    /// Closes the file before another takes its place.
    pub fn close(&mut self) {
        self.file.close();
    }

    /// Makes the name of the log durable.
    pub fn sync_folder(&mut self, context: &Context) -> Result<()> {
        self.file.sync_folder(&*context.files)
    }

    /// The log at its path is another one now, which was synced.
    pub fn was_replaced(&mut self, context: &Context, new: &Replacement) -> Result<()> {
        self.generation += 1;
        self.is_touched = true;
        self.has_written = true;
        self.indexed.end = 0;
        let Some(mut log) = context.files.open_read(&self.paths().log)? else {
            self.distrust();
            return Ok(());
        };
        let paths = self.paths().clone();
        let extent = Extent { end: new.end, lines: new.lines, mending: Mending::default() };
        self.file.replace_by(LogFile::at(paths, &mut *log, extent)?);
        self.file.note_synced();
        let moved = |offset: u64| new.checkpoint_end + offset.saturating_sub(new.snapshot_end);
        let behind = |offset: u64| if offset < new.snapshot_end { NOWHERE } else { moved(offset) };
        let values = self.log_values(context);
        let is_reachable = values.is_some() || context.options.cache_bytes.is_none();
        let is_known =
            is_reachable && self.shelf.move_values(values, |state| state.move_all(behind, &new.checkpoint));
        if !is_known {
            // The old file has them until the new one is read.
            self.distrust();
        }
        let facts = facts(&self.file, &self.shelf, &self.lost);
        self.mirror.tracker_mut().log_was_compacted(context, facts, moved, &mut *log)?;
        self.publish_stamps();
        Ok(())
    }
}

/// Of the parts, so that the mirror's keeper can be changed meanwhile.
fn facts<'a>(file: &'a LogFile, shelf: &'a Shelf, lost: &LostLog) -> LogFacts<'a> {
    LogFacts {
        paths: file.paths(),
        shelf,
        end: file.end(),
        mark: file.mark(),
        is_behind_memory: lost.is_memory_ahead(),
    }
}
