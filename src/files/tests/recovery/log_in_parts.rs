//! A log in parts. What becomes of each part at the next write follows from its kind alone:
//!
//! ```text
//! Good     stays
//! Unended  stays, and gets its line break
//! Mark     goes without a trace
//! Torn     to torn.N
//! Bad      to corrupt.N
//! Garbage  to corrupt.N, a line of its own
//! Wrong    to corrupt.N, and is a line break
//! End      to corrupt.N, and a line END is in its place
//! Missing  nothing, and a line END is in its place
//! ```

use super::super::reference::Json;
use super::super::support::{Bench, LOG};
use crate::files::log::encoder::end_line;

use Part::{Bad, End, Garbage, Good, Mark, Missing, Torn, Unended, Wrong};

/// See the header of this file.
pub enum Part {
    Good(Vec<u8>),
    Unended(Vec<u8>),
    Bad(Vec<u8>),
    Torn(Vec<u8>),
    /// The last line of an operation, damaged.
    End(Vec<u8>),
    /// Before an entry, in its line.
    Garbage(Vec<u8>),
    /// Where the log should go on.
    Missing,
    /// In the place of a line break.
    Wrong(u8),
    Mark,
}

impl Part {
    fn is_damage(&self) -> bool {
        matches!(self, Bad(_) | End(_) | Wrong(_) | Garbage(_) | Missing)
    }
}

pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// A log, and the state that it comes to.
pub struct Row {
    pub name: &'static str,
    /// `None`: there is no log.
    parts: Option<Vec<Part>>,
    /// What is read.
    pub state: &'static str,
}

impl Row {
    /// A row about a log of these parts.
    pub fn new(name: &'static str, parts: Vec<Part>, state: &'static str) -> Self {
        Self { name, parts: Some(parts), state }
    }

    /// There is no log.
    pub fn without_log() -> Self {
        Self { name: "no log", parts: None, state: "{}" }
    }

    /// Whether there is a log.
    pub fn has_log(&self) -> bool {
        self.parts.is_some()
    }

    /// A folder with the log.
    pub fn bench(&self) -> Bench {
        let bench = Bench::new();
        if self.parts.is_some() {
            bench.write(LOG, self.log());
        }
        bench
    }

    /// The bytes that `wanted` makes of the parts, joined.
    fn bytes_of(&self, wanted: impl Fn(&Part) -> Option<Vec<u8>>) -> Vec<u8> {
        self.parts.iter().flatten().filter_map(wanted).flatten().collect()
    }

    /// The bytes of the log.
    pub fn log(&self) -> Vec<u8> {
        self.bytes_of(|part| {
            Some(match part {
                Good(bytes) | Unended(bytes) | Bad(bytes) | End(bytes) | Torn(bytes) | Garbage(bytes) => {
                    bytes.clone()
                }
                Missing => Vec::new(),
                Wrong(byte) => vec![*byte],
                Mark => BOM.to_vec(),
            })
        })
    }

    /// The log after the next write, without that write.
    pub fn kept(&self) -> Vec<u8> {
        self.bytes_of(|part| match part {
            Good(bytes) => Some(bytes.clone()),
            Unended(bytes) => Some([bytes.as_slice(), b"\n"].concat()),
            Wrong(_) => Some(b"\n".to_vec()),
            End(_) | Missing => Some(end_line()),
            _ => None,
        })
    }

    fn set_aside(&self, wanted: impl Fn(&Part) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let bytes = self.bytes_of(wanted);
        if bytes.is_empty() { Vec::new() } else { vec![bytes] }
    }

    /// What each file `corrupt.N` holds.
    pub fn corrupt(&self) -> Vec<Vec<u8>> {
        self.set_aside(|part| match part {
            Bad(bytes) | End(bytes) | Garbage(bytes) => Some(with_break(bytes)),
            Wrong(byte) => Some(vec![*byte, b'\n']),
            _ => None,
        })
    }

    /// What each file `torn.N` holds.
    pub fn torn(&self) -> Vec<Vec<u8>> {
        self.set_aside(|part| if let Torn(bytes) = part { Some(bytes.clone()) } else { None })
    }

    /// The events that are due.
    pub fn notices(&self) -> Vec<&'static str> {
        let is_damaged = self.first_damage().is_some();
        let damaged = is_damaged.then_some("PS_LOG_DAMAGED");
        damaged.into_iter().chain(self.torn().iter().map(|_| "PS_TORN_TAIL")).collect()
    }

    /// Line and offset of the first damage.
    pub fn first_damage(&self) -> Option<(usize, usize)> {
        let mut before = Vec::new();
        for part in self.parts.iter().flatten() {
            match part {
                // What is missing begins with the break of the line before it.
                Missing if before.last() != Some(&b'\n') => {
                    return Some((lines_of(&before) + 2, before.len()));
                }
                Bad(_) | End(_) | Wrong(_) | Garbage(_) | Missing => {
                    return Some((lines_of(&before) + 1, before.len()));
                }
                Good(bytes) | Unended(bytes) | Torn(bytes) => before.extend_from_slice(bytes),
                Mark => before.extend_from_slice(BOM),
            }
        }
        None
    }

    /// The first key that the damage names.
    pub fn damaged_key(&self) -> Option<String> {
        if let Wrong(_) = self.parts.iter().flatten().find(|part| part.is_damage())? {
            return None;
        }
        let damage = String::from_utf8_lossy(&self.corrupt().concat()).into_owned();
        let (_, rest) = damage.split_once("\"key\":\"")?;
        rest.split_once('"').map(|(key, _)| key.to_owned())
    }

    /// The entries as callers see them.
    pub fn entries(&self) -> Vec<Json> {
        let kept = String::from_utf8(self.kept()).expect("good lines are UTF-8");
        let lines = kept.lines().filter(|line| !line.trim().is_empty() && !line.contains("\"_end\""));
        lines.map(|line| without_own(Json::parse(line).expect("good lines are JSON"))).collect()
    }
}

fn without_own(entry: Json) -> Json {
    match entry {
        Json::Object(mut members) => {
            members.retain(|(name, _)| !["_crc", "_edit", "_more"].contains(&name.as_str()));
            Json::Object(members)
        }
        other => other,
    }
}

fn lines_of(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Each line that is set aside has a line break.
fn with_break(line: &[u8]) -> Vec<u8> {
    [line.strip_suffix(b"\n").unwrap_or(line), b"\n"].concat()
}
