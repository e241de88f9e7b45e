//! Moving a fresh mirror into its place.
//!
//! 1. By one rename, so that any reader finds a whole file.
//! 2. Where the system answers that with `EBUSY` (a file that is mounted by itself): in place. This is the last resort,
//!    as a reader may find a part of the file for a moment. A person is notified.
//!
//! Invariant: after `settle`, or after writing in place, `fresh.id.stamp` is the stamp of the mirror in its place. Where
//! a rename's stamp cannot be read, or somebody has replaced the file since, it is the one from before the rename: then
//! the file there counts as another's.

use crate::error::{Code, Error, Result};
use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::bytes::read_all;
use crate::files::log::paths::LogPaths;
use crate::files::mirror::content::{Durable, FreshMirror, SMALL_MIRROR_BYTES};
use crate::vfs::Missing;

/// How a mirror came to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a rename, whose name `settle` makes durable.
    Renamed,
    /// By writing over the file.
    InPlace,
}

/// Steps 1 and 2.
pub fn place(context: &Context, paths: &LogPaths, fresh: &mut FreshMirror) -> Result<Way> {
    let is_large = fresh.id.stamp.size_bytes > SMALL_MIRROR_BYTES as u64;
    let _old = if is_large { context.files.free_beside(&paths.mirror) } else { None };
    match context.files.rename(&fresh.temporary, &paths.mirror) {
        Err(error) if error.code() == Code::Ebusy => {
            write_in_place(context, paths, fresh, &error).map(|()| Way::InPlace)
        }
        renamed => renamed.map(|()| Way::Renamed),
    }
}

/// After a rename: takes the stamp of the file, and makes its name durable where that is wanted.
pub fn settle(context: &Context, paths: &LogPaths, fresh: &mut FreshMirror) -> Result<()> {
    if let Ok(Some(renamed)) = context.files.stamp(&paths.mirror)
        && renamed.is_same_content(&fresh.id.stamp)
    {
        fresh.id.stamp = renamed;
    }
    if fresh.durable == Durable::Name {
        context.files.sync_dir(&paths.data_folder)?;
    }
    Ok(())
}

fn write_in_place(
    context: &Context,
    paths: &LogPaths,
    fresh: &mut FreshMirror,
    refused: &Error,
) -> Result<()> {
    let files = &*context.files;
    let Some(mut written) = files.open_read(&fresh.temporary)? else { return Err(refused.clone()) };
    let bytes = read_all(&mut *written, u64::MAX)?;
    let Some(mut file) = files.open_in_place(&paths.mirror, Missing::Leave)? else {
        return Err(refused.clone());
    };
    file.overwrite(&bytes)?;
    if fresh.durable != Durable::Nothing {
        file.sync_data()?;
        fresh.durable = Durable::Name;
    }
    fresh.id.stamp = file.stamp()?;
    // Swept up later if this fails.
    let _ = files.remove(&fresh.temporary);
    context.notify(paths, &Event::MirrorInPlace { refused });
    Ok(())
}
