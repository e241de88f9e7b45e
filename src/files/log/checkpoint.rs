//! A whole state as lines of a log: CHECKPOINT lines of about 1 MiB each.
//!
//! Replay merges a checkpoint into the state before it. Where that has other keys, or another order of them,
//! tombstones come first.

use crate::data::state::{Member, State};

/// Size of a checkpoint's lines.
pub const CHECKPOINT_LINE_BYTES: usize = 1 << 20;

/// The keys that must go before a checkpoint of `state` is merged, so that it leads to that state in its order.
pub fn tombstones(mut in_log: State, state: &State) -> Vec<String> {
    let keys =
        |state: &State| -> Vec<String> { state.iter().map(|member| member.key().to_owned()).collect() };
    let all = keys(&in_log);
    let only_in_log: Vec<String> = all.iter().filter(|key| state.get(key).is_none()).cloned().collect();
    for key in &only_in_log {
        in_log.remove(key);
    }
    for member in state.iter() {
        in_log.set(member.clone());
    }
    if keys(&in_log) == keys(state) { only_in_log } else { all }
}

/// Cuts members into runs of about `bytes_max`, at least one member each.
pub fn chunks(members: Vec<Member>, bytes_max: usize) -> Vec<Vec<Member>> {
    let mut chunks: Vec<Vec<Member>> = Vec::new();
    let mut bytes = 0;
    for member in members {
        let size = member.text().len() + 1;
        match chunks.last_mut() {
            Some(chunk) if bytes + size <= bytes_max => {
                chunk.push(member);
                bytes += size;
            }
            _ => {
                bytes = size;
                chunks.push(vec![member]);
            }
        }
    }
    chunks
}
