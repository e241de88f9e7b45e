//! What bots do: each script is a life of some logs, played on an empty disk or on one that was set up.
//!
//! Invariant: a script does the same each time it is played; chance is in what happens to it.

use std::path::{Path, PathBuf};

use super::check::{Setting, set};
use super::model::{History, Model};
use super::play::{LogSpec, Play};
use crate::engine::entry::Encoder;
use crate::engine::{FsyncMode, LogName, OnCorruption, Options};
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
    /// Of the states after a crash, check at most this many in a short run.
    pub states_max: usize,
}

/// The disk before the first start.
pub struct Stage {
    disk: SimulatedDisk,
    folder: PathBuf,
    before: Vec<Model>,
    evidence: Vec<Vec<u8>>,
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

    const fn at_most(self, states_max: usize) -> Self {
        Self { states_max, ..self }
    }

    /// The machine before the first call.
    pub fn stage(&self) -> (Setting, Play) {
        let logs: Vec<LogSpec> = self
            .logs
            .iter()
            .map(|name| LogSpec {
                name: LogName::new(name.trim_start_matches('+')).expect("the names of scripts are valid"),
                is_mirrored: name.starts_with('+'),
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
            options: Options { fsync: self.fsync, on_corruption: OnCorruption::Salvage },
            evidence: stage.evidence,
        };
        let history = History { before: stage.before, is_unordered: self.has_edits, ..History::default() };
        let mut play = Play::new(stage.disk, &stage.folder, logs, history);
        play.options = setting.options;
        (setting, play)
    }

    /// Plays it.
    pub fn play(&self, play: &mut Play) {
        (self.play)(play);
    }
}

/// All scripts.
pub const SCRIPTS: [Script; 26] = [
    Script::new("append", &["events"], append),
    Script::new("collection", &["+players"], collection),
    Script::new("batches", &["+players"], batches),
    Script::new("several-logs", &["+players", "+tokens", "events"], several_logs),
    Script::new("groups", &["+players"], groups),
    Script::new("compaction", &["+players"], compaction),
    Script::new("compaction-plain", &["events"], compaction_plain),
    Script::new("backups", &["+players"], backups),
    Script::new("large-mirror", &["+players"], large_mirror).at_most(6_000),
    Script::new("large-compaction", &["+players"], large_compaction).at_most(4_000),
    Script::new("finish", &["+players", "events"], finish),
    Script::new("restarts", &["+players"], restarts),
    Script::new("two-processes", &["+players", "events"], two_processes),
    Script::new("edits", &["+players"], edits).with_edits(),
    Script::new("edits-large", &["+players"], edits_large).with_edits().at_most(4_000),
    Script::new("mirror-lost", &["+players"], mirror_lost),
    Script::new("first-start", &["+players"], first_start).on(old_data).with_edits(),
    Script::new("first-start-log", &["+players"], first_start).on(old_data_with_log).with_edits(),
    Script::new("first-start-large", &["+players"], first_start)
        .on(old_data_large)
        .with_edits()
        .at_most(3_000),
    Script::new("torn", &["+players"], mending).on(torn),
    Script::new("damaged", &["+players"], mending).on(damaged),
    Script::new("damaged-plain", &["events"], damaged_compaction).on(damaged_events),
    Script::new("interval", &["+players", "events"], interval).synced(FsyncMode::Interval(1000)),
    Script::new("interval-large", &["+players"], large_compaction)
        .synced(FsyncMode::Interval(1000))
        .at_most(2_000),
    Script::new("never", &["+players", "events"], interval).synced(FsyncMode::Never),
    Script::new("huge-tail", &["events"], huge_tail).at_most(150),
];

fn append(play: &mut Play) {
    for (number, size_bytes) in [30, 400, 900, 5000, 30].into_iter().enumerate() {
        let call = play.append(0, &format!("k{}", number % 3), size_bytes);
        play.call(0, call);
    }
    for _ in 0..3 {
        let calls = (0..4).map(|number| play.append(0, &format!("b{number}"), 60 + 300 * number)).collect();
        play.batch(0, calls);
    }
}

fn collection(play: &mut Play) {
    for key in ["ann", "7", "bob", "ann", "3"] {
        let call = play.set(0, key, 100);
        play.call(0, call);
    }
    let call = play.count(0, "games");
    play.call(0, call);
    let call = play.delete(0, "bob");
    play.call(0, call);
    let call = play.set_many(0, &["ann", "cid", "dan"], 250);
    play.call(0, call);
    let call = play.count(0, "games");
    play.call(0, call);
    let call = play.clear(0);
    play.call(0, call);
    let call = play.set(0, "eve", 2000);
    play.call(0, call);
}

fn batches(play: &mut Play) {
    for round in 0..4 {
        let calls = vec![
            play.set(0, "ann", 200),
            play.count(0, "games"),
            play.append(0, "bob", 700),
            play.set_many(0, &["ann", "cid"], 300),
            play.delete(0, if round % 2 == 0 { "bob" } else { "cid" }),
        ];
        play.batch(0, calls);
        play.disk.advance_ms(5);
    }
    let calls = vec![play.set(0, "ann", 50), play.clear(0), play.count(0, "games"), play.set(0, "ann", 60)];
    play.batch(0, calls);
}

fn several_logs(play: &mut Play) {
    for round in 0..4 {
        let mut calls = Vec::new();
        for log in 0..3 {
            calls.push(play.append(log, &format!("k{round}"), 100 + 300 * log));
        }
        calls.push(play.set(0, "ann", 50));
        play.batch(0, calls);
    }
    let call = play.compact(1);
    play.call(0, call);
    play.jobs(0);
    let calls = (0..3).map(|log| play.count(log, "n")).collect();
    play.batch(0, calls);
}

fn groups(play: &mut Play) {
    let keys: Vec<String> = (0..12).map(|number| format!("player-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let call = play.set_many(0, &keys, 150);
    play.call(0, call);
    let call = play.replace_keys(0, &keys[..6], &keys[3..9], 220);
    play.call(0, call);
    let calls = vec![
        play.replace_keys(0, &keys[2..9], &keys[..4], 300),
        play.set(0, "ann", 40),
        play.replace_keys(0, &keys[..3], &keys[1..7], 180),
    ];
    play.batch(0, calls);
    let call = play.clear(0);
    play.call(0, call);
    let call = play.replace_keys(0, &[], &keys, 90);
    play.call(0, call);
}

fn compaction(play: &mut Play) {
    for round in 0..2 {
        for number in 0..3 {
            let call = play.set(0, &format!("k{number}"), 150);
            play.call(0, call);
        }
        let call = play.compact(0);
        play.call(0, call);
        play.take(0);
        let call = play.set(0, "meanwhile", 300);
        play.call(0, call);
        play.run(0);
        let calls = vec![play.count(0, "games"), play.append(0, "late", 600), play.delete(0, "k1")];
        play.batch(0, calls);
        play.deliver(0);
        play.jobs(0);
        let call = play.count(0, "games");
        play.call(0, call);
        if round == 0 {
            // Nothing changed since: asked twice in a row.
            let calls = vec![play.compact(0), play.compact(0)];
            play.batch(0, calls);
            play.jobs(0);
        }
    }
}

fn compaction_plain(play: &mut Play) {
    for round in 0..3 {
        for number in 0..3 {
            let call = play.append(0, &format!("k{number}"), 200);
            play.call(0, call);
        }
        let call = play.compact(0);
        play.call(0, call);
        play.work(0);
        let call = play.append(0, &format!("late{round}"), 500);
        play.call(0, call);
        play.deliver(0);
        play.jobs(0);
    }
}

fn backups(play: &mut Play) {
    for _ in 0..6 {
        let call = play.count(0, "games");
        play.call(0, call);
        let call = play.compact(0);
        play.call(0, call);
        play.jobs(0);
        play.disk.advance_ms(3);
    }
    let call = play.set(0, "ann", 40);
    play.call(0, call);
}

fn large_mirror(play: &mut Play) {
    let keys: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    for keys in keys.chunks(4) {
        let calls = keys.iter().map(|key| play.set(0, key, 6000)).collect();
        play.batch(0, calls);
        play.settle(0);
    }
    for key in ["p1", "p3"] {
        let call = play.set(0, key, 6500);
        play.call(0, call);
    }
    play.wait(0, 600);
    play.work(0);
    let call = play.set(0, "p2", 300);
    play.call(0, call);
    play.deliver(0);
    play.settle(0);
    // Small again.
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let call = play.replace_keys(0, &keys[..8], &["p9"], 100);
    play.call(0, call);
    let call = play.set(0, "p2", 100);
    play.call(0, call);
    play.settle(0);
}

fn large_compaction(play: &mut Play) {
    for half in 0..2 {
        let calls = (0..7).map(|number| play.set(0, &format!("p{}", 7 * half + number), 5500)).collect();
        play.batch(0, calls);
    }
    let call = play.compact(0);
    play.call(0, call);
    play.take(0);
    let call = play.set(0, "p1", 5000);
    play.call(0, call);
    play.run(0);
    play.wait(0, 700);
    let call = play.set(0, "p2", 200);
    play.call(0, call);
    play.deliver(0);
    play.settle(0);
    let call = play.delete(0, "p3");
    play.call(0, call);
    let call = play.compact(0);
    play.call(0, call);
    play.settle(0);
    let call = play.count(0, "games");
    play.call(0, call);
    // What a failed end leaves is seen by the checks.
    let _ = play.finish(0);
}

fn finish(play: &mut Play) {
    for _ in 0..3 {
        let calls = vec![play.set(0, "ann", 200), play.append(1, "x", 100)];
        play.batch(0, calls);
        let _ = play.finish(0);
        play.kill(0);
        play.disk.advance_ms(1000);
        let call = play.count(0, "games");
        play.call(0, call);
        let _ = play.finish(0);
        let call = play.append(1, "y", 100);
        play.call(0, call);
        let _ = play.finish(0);
        play.kill(0);
    }
}

fn restarts(play: &mut Play) {
    for round in 0..5 {
        let call = play.set(0, &format!("k{}", round % 2), 300);
        play.call(0, call);
        if round % 2 == 0 {
            let call = play.compact(0);
            play.call(0, call);
            play.work(0);
        }
        play.kill(0);
        play.disk.advance_ms(if round == 3 { 2 } else { 700_000 });
        let call = play.count(0, "games");
        play.call(0, call);
    }
}

fn two_processes(play: &mut Play) {
    for round in 0..3 {
        let call = play.set(0, "ann", 200);
        play.call(0, call);
        let calls = vec![play.count(0, "games"), play.append(1, "e", 80)];
        play.batch(1, calls);
        let call = play.count(0, "games");
        play.call(0, call);
        let call = play.compact(round % 2);
        play.call(round % 2, call);
        play.work(round % 2);
        let calls = vec![play.count(0, "games"), play.append(1, "f", 300)];
        play.batch(1 - round % 2, calls);
        if round == 1 {
            // Both compact the same log.
            let call = play.compact(1);
            play.call(0, call);
            play.work(0);
        }
        play.deliver(0);
        play.deliver(1);
        play.jobs(0);
        play.jobs(1);
        let call = play.count(0, "games");
        play.call(round % 2, call);
    }
    let _ = play.finish(0);
    let call = play.append(1, "g", 40);
    play.call(1, call);
    let _ = play.finish(1);
}

fn edits(play: &mut Play) {
    let calls = vec![play.set(0, "ann", 100), play.set(0, "bob", 100)];
    play.batch(0, calls);
    play.disk.advance_ms(100);
    play.edit(0, "edited-1");
    let call = play.count(0, "games");
    play.call(0, call);
    play.disk.advance_ms(100);
    play.edit_in_place(0, "edited-2");
    let call = play.compact(0);
    play.call(0, call);
    play.take(0);
    play.disk.advance_ms(100);
    play.edit(0, "edited-3");
    play.run(0);
    play.deliver(0);
    play.jobs(0);
    let call = play.count(0, "games");
    play.call(0, call);
    play.disk.advance_ms(100);
    play.edit(0, "edited-4");
    let _ = play.finish(0);
    play.kill(0);
    play.disk.advance_ms(100);
    // While nothing runs, after a clean end.
    play.edit(0, "edited-5");
    let call = play.set(0, "ann", 60);
    play.call(0, call);
    play.kill(0);
    // While nothing runs, after a kill.
    play.edit_in_place(0, "edited-6");
    let call = play.set(0, "bob", 60);
    play.call(0, call);
    play.settle(0);
}

/// A large mirror is old for a while; edits are made on the old one.
fn edits_large(play: &mut Play) {
    for half in 0..2 {
        let calls = (0..7).map(|number| play.set(0, &format!("p{}", 7 * half + number), 5500)).collect();
        play.batch(0, calls);
    }
    play.settle(0);
    for round in 0..2 {
        let call = play.set(0, "p1", 300 + round);
        play.call(0, call);
        play.disk.advance_ms(50);
        play.edit(0, &format!("edited-{round}"));
        let call = play.count(0, "games");
        play.call(0, call);
        play.wait(0, 700);
        play.work(0);
        let call = play.set(0, "p2", 200);
        play.call(0, call);
        play.deliver(0);
        if round == 0 {
            play.settle(0);
            let call = play.compact(0);
            play.call(0, call);
        } else {
            play.kill(0);
            play.disk.advance_ms(50);
            play.edit_in_place(0, "edited-2");
            let call = play.set(0, "p3", 200);
            play.call(0, call);
        }
        play.settle(0);
    }
    let _ = play.finish(0);
}

fn mirror_lost(play: &mut Play) {
    let calls = vec![play.set(0, "ann", 100), play.set(0, "bob", 100)];
    play.batch(0, calls);
    let (outsider, path) = (play.disk.outsider(), play.mirror_path(0));
    play.disk.advance_ms(50);
    // Where nothing could be written before, there is nothing to remove or to replace.
    let _ = outsider.remove(&path);
    let call = play.count(0, "games");
    play.call(0, call);
    play.disk.advance_ms(50);
    let _ = outsider.remove(&path);
    let call = play.compact(0);
    play.call(0, call);
    play.jobs(0);
    play.disk.advance_ms(50);
    play.record.lock().is_editing = true;
    let _ = outsider.replace(&path, b"{\"ann\": 7,");
    let call = play.count(0, "games");
    play.call(0, call);
    outsider.sync_all();
    play.record.lock().is_editing = false;
    let call = play.set(0, "cid", 100);
    play.call(0, call);
    let _ = play.finish(0);
}

fn first_start(play: &mut Play) {
    let call = play.set(0, "ann", 100);
    play.call(0, call);
    let calls = vec![play.count(0, "games"), play.set(0, "new", 300)];
    play.batch(0, calls);
    let call = play.compact(0);
    play.call(0, call);
    play.settle(0);
    let call = play.count(0, "games");
    play.call(0, call);
    let _ = play.finish(0);
}

fn mending(play: &mut Play) {
    let call = play.set(0, "ann", 100);
    play.call(0, call);
    let call = play.count(0, "games");
    play.call(0, call);
    let call = play.compact(0);
    play.call(0, call);
    play.settle(0);
    let call = play.count(0, "games");
    play.call(0, call);
}

fn damaged_compaction(play: &mut Play) {
    let call = play.compact(0);
    play.call(0, call);
    play.work(0);
    let call = play.append(0, "late", 100);
    play.call(0, call);
    play.deliver(0);
    play.jobs(0);
    let call = play.append(0, "later", 100);
    play.call(0, call);
}

fn interval(play: &mut Play) {
    for round in 0..4 {
        for number in 0..3 {
            let calls = vec![play.set(0, &format!("k{number}"), 150), play.append(1, "x", 300)];
            play.batch(0, calls);
            play.wait(0, 200);
            play.jobs(0);
        }
        if round % 2 == 0 {
            play.wait(0, 1000);
            play.settle(0);
            spare_if_synced(play);
        }
        let call = play.count(0, "games");
        play.call(0, call);
        if round == 1 {
            let call = play.compact(0);
            play.call(0, call);
            play.jobs(0);
        }
    }
    let _ = play.finish(0);
    spare_if_synced(play);
}

/// With an interval, a sync has just been.
fn spare_if_synced(play: &mut Play) {
    if play.options.fsync != FsyncMode::Never {
        play.spare();
    }
}

fn huge_tail(play: &mut Play) {
    let calls = (0..3).map(|number| play.append(0, &format!("k{number}"), 400_000)).collect();
    play.batch(0, calls);
    let call = play.compact(0);
    play.call(0, call);
    play.work(0);
    let calls = (0..3).map(|number| play.append(0, &format!("m{number}"), 400_000)).collect();
    play.batch(0, calls);
    play.deliver(0);
    play.work(0);
    let call = play.append(0, "late", 100);
    play.call(0, call);
    play.deliver(0);
    play.jobs(0);
    let call = play.append(0, "later", 100);
    play.call(0, call);
}

impl Stage {
    fn folders(&self) {
        let outsider = self.disk.outsider();
        for folder in ["/srv/bot", "/srv/bot/data", "/srv/bot/data/logs"] {
            outsider.create_dir(Path::new(folder)).expect("the outsider's calls do not fail");
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let outsider = self.disk.outsider();
        outsider.write(&self.folder.join(name), bytes).expect("the outsider's calls do not fail");
    }

    /// A mirror as the old module writes it.
    fn mirror(&mut self, members: &[(String, String)]) {
        let lines: Vec<String> = members.iter().map(|(key, value)| format!("  {key}: {value}")).collect();
        self.write("players.json", format!("{{\n{}\n}}", lines.join(",\n")).as_bytes());
        for (key, value) in members {
            set(&mut self.before[0], key, value);
        }
    }
}

fn players(count: usize, size_bytes: usize) -> Vec<(String, String)> {
    (0..count).map(|number| (format!("\"old{number}\""), format!("\"{}\"", "o".repeat(size_bytes)))).collect()
}

fn old_data(stage: &mut Stage) {
    stage.folders();
    stage.mirror(&players(8, 200));
}

fn old_data_large(stage: &mut Stage) {
    stage.folders();
    stage.mirror(&players(16, 5000));
}

fn old_data_with_log(stage: &mut Stage) {
    stage.folders();
    // The log never saw the last players, and its last line was cut off.
    let members = players(6, 120);
    let lines: Vec<String> = members[..4]
        .iter()
        .map(|(key, value)| {
            format!("{{\"timestamp\":\"2025\",\"op\":\"SET\",\"key\":{key},\"value\":{value}}}\n")
        })
        .collect();
    stage.write("logs/players.log", format!("{}{{\"timestamp\":\"2025\",\"op", lines.concat()).as_bytes());
    stage.mirror(&members);
}

/// Lines of ours, some bytes of which are then made wrong.
fn log_lines(count: usize, size_bytes: usize) -> (Vec<u8>, Vec<(String, String)>) {
    let mut bytes = Vec::new();
    let members = players(count, size_bytes);
    for (key, value) in &members {
        Encoder::new(&mut bytes).set(1_790_000_000_000, key, value, 0);
    }
    (bytes, members)
}

fn torn(stage: &mut Stage) {
    stage.folders();
    let (mut bytes, members) = log_lines(5, 200);
    let torn = br#"{"timestamp":"2026-01-01T00:00:00.000Z","op":"SET","key":"old9","value":{"score":12,"#;
    bytes.extend_from_slice(torn);
    stage.evidence.push(torn.to_vec());
    stage.write("logs/players.log", &bytes);
    for (key, value) in &members {
        set(&mut stage.before[0], key, value);
    }
}

fn damage(stage: &mut Stage, name: &str) {
    stage.folders();
    let (mut bytes, members) = log_lines(9, 300);
    let lines: Vec<usize> =
        std::iter::once(0).chain(memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1)).collect();
    for line in [2, 5] {
        let (start, end) = (lines[line], lines[line + 1] - 1);
        bytes[start + 90] ^= 1;
        stage.evidence.push(bytes[start..end].to_vec());
    }
    let mut content = b"\xef\xbb\xbf".to_vec();
    content.extend_from_slice(&bytes);
    let torn = br#"{"timestamp":"2026-01-01T00:00:00.000Z","op":"SE"#;
    content.extend_from_slice(torn);
    stage.evidence.push(torn.to_vec());
    stage.write(name, &content);
    for (number, (key, value)) in members.iter().enumerate() {
        if ![2, 5].contains(&number) {
            set(&mut stage.before[0], key, value);
        }
    }
}

fn damaged(stage: &mut Stage) {
    damage(stage, "logs/players.log");
}

fn damaged_events(stage: &mut Stage) {
    damage(stage, "logs/events.log");
}
