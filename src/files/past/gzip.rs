//! Reading a compressed old log, and writing one.
//!
//! Invariant: what `compress` gives was read back and has the content of the plain file.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};
use crate::files::temporary::create_held;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem, Stamp};

const COPY_BYTES: usize = 1 << 20;

/// A compressed file as the plain one that it was made of; read from the beginning to the end only.
pub struct Unzipped {
    decoder: Option<GzDecoder<CompressedBytes>>,
    path: PathBuf,
    at: u64,
}

impl Unzipped {
    /// Reads `file`, which is at `path`.
    pub fn boxed(file: Box<dyn File>, path: PathBuf) -> Box<dyn File> {
        Box::new(Self::new(file, path))
    }

    /// The same; `into_file` gives the file back.
    pub fn new(file: Box<dyn File>, path: PathBuf) -> Self {
        Self { decoder: Some(GzDecoder::new(CompressedBytes { file, offset: 0 })), path, at: 0 }
    }

    /// The compressed file.
    pub fn into_file(self) -> Option<Box<dyn File>> {
        self.decoder.map(|decoder| decoder.into_inner().file)
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(Error::internal(&format!("'{}' is compressed and can only be read on", self.path.display())))
    }
}

impl File for Unzipped {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        if offset != self.at {
            return self.refuse();
        }
        let Some(decoder) = &mut self.decoder else { return self.refuse() };
        let read = decoder.read(buffer).map_err(|error| Error::backup_corrupt(&self.path, &error))?;
        self.at += read as u64;
        Ok(read)
    }

    fn rewind(&mut self) -> Result<()> {
        if let Some(decoder) = self.decoder.take() {
            let file = decoder.into_inner().file;
            self.decoder = Some(GzDecoder::new(CompressedBytes { file, offset: 0 }));
            self.at = 0;
        }
        Ok(())
    }

    fn append(&mut self, _bytes: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn sync_data(&mut self) -> Result<()> {
        self.refuse()
    }

    fn stamp(&self) -> Result<Stamp> {
        self.refuse()
    }

    fn try_lock(&mut self) -> Result<bool> {
        self.refuse()
    }

    fn unlock(&mut self) -> Result<()> {
        self.refuse()
    }

    fn overwrite(&mut self, _bytes: &[u8]) -> Result<()> {
        self.refuse()
    }
}

struct CompressedBytes {
    file: Box<dyn File>,
    offset: u64,
}

impl Read for CompressedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset).map_err(io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Compresses an old log beside its place and reads it back; gives the open file.
pub fn compress(
    files: &dyn FileSystem,
    plain_path: &Path,
    temporary: &Path,
    syncing: Syncing,
) -> Result<Box<dyn File>> {
    let Some(mut plain) = files.open_read(plain_path)? else {
        return Err(Error::gone(plain_path));
    };
    let held = create_held(files, temporary, plain_path)?;
    let mut encoder = GzEncoder::new(CompressedTarget { file: held }, Compression::default());
    let mut wanted = Xxh3::new();
    each_piece(&mut *plain, |piece| {
        wanted.update(piece);
        encoder.write_all(piece).map_err(failure)
    })?;
    let mut held = encoder.finish().map_err(failure)?.file;
    if syncing.is_on() {
        held.sync_data()?;
    }
    let mut found = Xxh3::new();
    // Through the handle that holds the lock: some systems do not let others read a locked file.
    let mut written = Unzipped::new(held, temporary.to_owned());
    each_piece(&mut written, |piece| {
        found.update(piece);
        Ok(())
    })?;
    let held = written.into_file().ok_or_else(|| Error::internal("a compressed file got lost"))?;
    if found.digest() != wanted.digest() {
        return Err(Error::compressed_wrongly(plain_path));
    }
    Ok(held)
}

fn each_piece(file: &mut dyn File, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        if read == 0 {
            return Ok(());
        }
        visit(&buffer[..read])?;
        offset += read as u64;
    }
}

/// What a failed write of a compressed piece was.
fn failure(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(other) => Error::internal(&format!("a piece could not be compressed: {other}")),
    }
}

struct CompressedTarget {
    file: Box<dyn File>,
}

impl Write for CompressedTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
