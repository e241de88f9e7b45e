//! What a case prints while it is played alone.

use super::model::History;
use super::play::Play;

/// Whether a case, or a run of many, prints what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It does.
    Printed,
    /// It does not.
    Silent,
}

impl Output {
    /// Whether it prints.
    #[must_use]
    pub fn is_printed(self) -> bool {
        self == Self::Printed
    }
}

/// Calls that are shown before the first one that matters.
const BEFORE: u64 = 12;
const CALLS_MAX: usize = 120;

/// Prints the calls from shortly before call `first` on, with a mark where `is_marked`.
pub fn print_calls(play: &Play, first: u64, is_marked: impl Fn(u64) -> bool) {
    for call in play.disk.take_trace().iter().filter(|call| call.number + BEFORE > first).take(CALLS_MAX) {
        let mark = if is_marked(call.number) { "!" } else { " " };
        eprintln!("{mark}{:4} {:10} {} {:?}", call.number, call.name, call.path.display(), call.kind);
    }
}

/// Prints the operations with their answers.
pub fn print_operations(history: &History) {
    for (op, status) in history.ops.iter().zip(&history.status) {
        let effects: Vec<String> =
            op.effects.iter().map(|effect| format!("{effect:?}").chars().take(60).collect()).collect();
        eprintln!("  log {} {status:?}: {}", op.log, effects.join(" "));
    }
}

/// Prints the events.
pub fn print_notices(play: &Play) {
    for notice in &play.record.lock().notices {
        eprintln!("  {} {}", notice.kind.code, notice.message);
    }
}
