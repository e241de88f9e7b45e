//! What a disk holds before the first start: nothing, old data, or a log that was hurt.
//!
//! Invariant: `before` is what a first start must find.

use std::path::{Path, PathBuf};

use super::check::set;
use super::model::Model;
use crate::data::state::Member;
use crate::files::log::encoder::Encoder;
use crate::vfs::FileSystem;
use crate::vfs::simulated::SimulatedDisk;

/// The disk before the first start.
pub struct Stage {
    pub disk: SimulatedDisk,
    pub folder: PathBuf,
    pub before: Vec<Model>,
    pub evidence: Vec<Vec<u8>>,
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

pub fn old_data(stage: &mut Stage) {
    stage.folders();
    stage.mirror(&players(8, 200));
}

pub fn old_data_large(stage: &mut Stage) {
    stage.folders();
    stage.mirror(&players(16, 5000));
}

pub fn old_data_with_log(stage: &mut Stage) {
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

/// Lines of ours, for a stage to damage.
fn log_lines(count: usize, size_bytes: usize) -> (Vec<u8>, Vec<(String, String)>) {
    let mut bytes = Vec::new();
    let members = players(count, size_bytes);
    for (key, value) in &members {
        Encoder::new(&mut bytes).set(1_790_000_000_000, &Member::new(key, value), 0);
    }
    (bytes, members)
}

pub fn torn(stage: &mut Stage) {
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

pub fn damaged(stage: &mut Stage) {
    damage(stage, "logs/players.log");
}

pub fn damaged_events(stage: &mut Stage) {
    damage(stage, "logs/events.log");
}
