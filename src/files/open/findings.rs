//! Notices of what opening a log and its mirror found: a torn tail, damage, a broken mirror, an edit.

use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::mending::Mending;
use crate::files::log::paths::LogPaths;
use crate::files::metrics::LogMetrics;
use crate::files::mirror::known::{MirrorFile, PendingEdit};
use crate::files::open::loaded::Loaded;
use crate::files::past::old_logs::newest_with_data;

/// Notifies of each finding once, and counts it.
pub fn notify_findings(context: &Context, paths: &LogPaths, metrics: &LogMetrics, loaded: &Loaded) {
    let mending = loaded.file.mending();
    if mending.torn_bytes > 0 {
        let torn = Event::TornTail { end: loaded.file.end(), torn_bytes: mending.torn_bytes };
        if context.notify(paths, &torn) {
            metrics.torn_tails.add(1);
        }
    }
    notify_damage(context, paths, metrics, mending);
    if let MirrorFile::Broken(id) = &loaded.mirror.file {
        context.notify(paths, &Event::MirrorBroken { hash: id.hash });
    }
    if let Some(pending) = &loaded.mirror.pending {
        notify_edit(context, paths, metrics, pending);
    }
}

fn notify_damage(context: &Context, paths: &LogPaths, metrics: &LogMetrics, mending: &Mending) {
    let Some(first) = mending.damages.first() else { return };
    let count = mending.damages.len();
    // What a checkpoint held is not in the log a second time.
    let has_checkpoint = mending.damages.iter().any(|damage| damage.is_checkpoint);
    let backup = has_checkpoint.then(|| newest_with_data(&*context.files, paths)).flatten();
    if context.notify(paths, &Event::LogDamaged { first, count, backup: backup.as_deref() }) {
        metrics.corrupt_lines.add(count as u64);
    }
}

fn notify_edit(context: &Context, paths: &LogPaths, metrics: &LogMetrics, pending: &PendingEdit) {
    let (hash, keys) = (pending.tag.mirror_hash, pending.edits.len() as u64);
    if pending.is_recovered {
        context.notify(paths, &Event::RecoveredFromMirror { hash, keys });
    } else if context.notify(paths, &Event::ForeignEdit { hash, keys, ambiguous: &pending.ambiguous }) {
        metrics.external_edits.add(1);
    }
}
