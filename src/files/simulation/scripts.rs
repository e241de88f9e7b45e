//! What bots do. Each script is a life of some logs, on an empty disk or on one that a stage set up.
//!
//! Invariant: a script does the same each time it is played. Only what happens to it is left to chance.

use std::path::{Path, PathBuf};

use super::lives;
use super::model::{History, Model, Order};
use super::play::{LogSpec, Play};
use super::setting::Setting;
use super::stage::{self, Stage};
use crate::files::options::{FsyncMode, MirrorMode, Options};
use crate::files::retention::Retention;
use crate::vfs::FileSystem;
use crate::vfs::simulated::SimulatedDisk;

/// A script, and what it needs.
#[derive(Clone, Copy)]
pub struct Script {
    /// Its name, for replays.
    pub name: &'static str,
    /// `+` before the name of a log with a mirror.
    logs: &'static [&'static str],
    prepare: fn(&mut Stage),
    play: fn(&mut Play),
    /// Mirrors are edited, or there is old data.
    has_edits: bool,
    fsync: FsyncMode,
    mirror: MirrorMode,
    retention: Retention,
    /// Of the states after a crash, check at most this many in a short run.
    pub states_max: usize,
}

const STATES_MAX: usize = 12_000;

impl Script {
    const fn new(name: &'static str, logs: &'static [&'static str], play: fn(&mut Play)) -> Self {
        Self {
            name,
            logs,
            prepare: |_| {},
            play,
            has_edits: false,
            fsync: FsyncMode::Always,
            mirror: MirrorMode::Follow,
            retention: Retention { backups: 3, archives: 12, compress: true, limit_bytes: None },
            states_max: STATES_MAX,
        }
    }

    const fn on(self, prepare: fn(&mut Stage)) -> Self {
        Self { prepare, ..self }
    }

    const fn with_edits(self) -> Self {
        Self { has_edits: true, ..self }
    }

    const fn synced(self, fsync: FsyncMode) -> Self {
        Self { fsync, ..self }
    }

    const fn mirrored_at_close(self) -> Self {
        Self { mirror: MirrorMode::Close, ..self }
    }

    const fn with_retention(self) -> Self {
        let retention = Retention { backups: 1, archives: 1, compress: true, limit_bytes: None };
        Self { retention, ..self }
    }

    const fn at_most(self, states_max: usize) -> Self {
        Self { states_max, ..self }
    }

    /// The machine before the first call.
    pub fn stage(&self) -> (Setting, Play) {
        let logs: Vec<LogSpec> = self
            .logs
            .iter()
            .map(|name| match name.strip_prefix('+') {
                Some(name) => LogSpec::mirrored(name),
                None => LogSpec::plain(name),
            })
            .collect();
        let mut stage = Stage {
            disk: SimulatedDisk::new(),
            folder: PathBuf::from("/srv/bot/data"),
            before: vec![Model::default(); logs.len()],
            evidence: Vec::new(),
        };
        let outsider = stage.disk.outsider();
        outsider.create_dir(Path::new("/srv")).expect("the outsider's calls do not fail");
        outsider.sync_all();
        (self.prepare)(&mut stage);
        outsider.sync_all();
        stage.disk.advance_ms(60_000);
        let setting = Setting {
            folder: stage.folder.clone(),
            logs: logs.clone(),
            options: Options {
                fsync: self.fsync,
                mirror: self.mirror,
                retention: self.retention,
                cache_bytes: cache_bytes(self.name.len() as u64),
                ..Options::default()
            },
            evidence: stage.evidence,
        };
        let history = History {
            before: stage.before,
            order: if self.has_edits { Order::Unknown } else { Order::Known },
            ..History::default()
        };
        let mut play = Play::new(stage.disk, &stage.folder, logs, history);
        play.options = setting.options;
        (setting, play)
    }

    /// Plays it.
    pub fn play(&self, play: &mut Play) {
        (self.play)(play);
    }
}

/// Some lives have all values in memory, some none, and some a few. The environment may say how many all have.
pub fn cache_bytes(number: u64) -> Option<u64> {
    Options::default().cache_bytes.or([None, Some(0), Some(300)][usize::try_from(number % 3).unwrap_or(0)])
}

/// All scripts.
pub const SCRIPTS: [Script; 41] = [
    Script::new("append", &["events"], lives::append),
    Script::new("collection", &["+players"], lives::collection),
    Script::new("batches", &["+players"], lives::batches),
    Script::new("several-logs", &["+players", "+tokens", "events"], lives::several_logs),
    Script::new("transactions", &["+players", "+coins"], lives::transactions),
    Script::new("transactions-two", &["+players", "+coins"], lives::transactions_of_two),
    Script::new("transactions-interval", &["+players", "+coins"], lives::transactions)
        .synced(FsyncMode::Interval(1000)),
    Script::new("groups", &["+players"], lives::groups),
    Script::new("several-keys", &["+players"], lives::several_keys),
    Script::new("expiry", &["+players"], lives::expiry),
    Script::new("expiry-edits", &["+players"], lives::expiry_edits).with_edits(),
    Script::new("compaction", &["+players"], lives::compaction),
    Script::new("compaction-plain", &["events"], lives::compaction_plain),
    Script::new("backups", &["+players"], lives::backups),
    Script::new("old-logs", &["+players"], lives::old_logs).with_retention(),
    Script::new("large-mirror", &["+players"], lives::large_mirror).at_most(6_000),
    Script::new("large-compaction", &["+players"], lives::large_compaction).at_most(4_000),
    Script::new("finish", &["+players", "events"], lives::finish),
    Script::new("restarts", &["+players"], lives::restarts),
    Script::new("two-processes", &["+players", "events"], lives::two_processes),
    Script::new("edits", &["+players"], lives::edits).with_edits(),
    Script::new("edits-large", &["+players"], lives::edits_large).with_edits().at_most(4_000),
    Script::new("mirror-lost", &["+players"], lives::mirror_lost),
    Script::new("first-start", &["+players"], lives::first_start).on(stage::old_data).with_edits(),
    Script::new("first-start-log", &["+players"], lives::first_start)
        .on(stage::old_data_with_log)
        .with_edits(),
    Script::new("first-start-large", &["+players"], lives::first_start)
        .on(stage::old_data_large)
        .with_edits()
        .at_most(3_000),
    Script::new("torn", &["+players"], lives::mending).on(stage::torn),
    Script::new("damaged", &["+players"], lives::mending).on(stage::damaged),
    Script::new("damaged-plain", &["events"], lives::damaged_compaction).on(stage::damaged_events),
    Script::new("interval", &["+players", "events"], lives::interval).synced(FsyncMode::Interval(1000)),
    Script::new("interval-large", &["+players"], lives::large_compaction)
        .synced(FsyncMode::Interval(1000))
        .at_most(2_000),
    Script::new("never", &["+players", "events"], lives::interval).synced(FsyncMode::Never),
    Script::new("huge-tail", &["events"], lives::huge_tail).at_most(150),
    Script::new("close-compaction", &["+players"], lives::compaction).mirrored_at_close().at_most(4_000),
    Script::new("close-large", &["+players"], lives::large_compaction).mirrored_at_close().at_most(2_000),
    Script::new("close-finish", &["+players", "events"], lives::finish).mirrored_at_close().at_most(4_000),
    Script::new("close-restarts", &["+players"], lives::restarts).mirrored_at_close().at_most(3_000),
    Script::new("close-two-processes", &["+players", "events"], lives::two_processes)
        .mirrored_at_close()
        .at_most(4_000),
    Script::new("close-edits", &["+players"], lives::edits_of_old)
        .with_edits()
        .mirrored_at_close()
        .at_most(6_000),
    Script::new("close-mirror-lost", &["+players"], lives::mirror_lost).mirrored_at_close().at_most(3_000),
    Script::new("close-first-start", &["+players"], lives::first_start)
        .on(stage::old_data_with_log)
        .with_edits()
        .mirrored_at_close()
        .at_most(3_000),
];
