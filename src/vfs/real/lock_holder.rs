//! Which process holds the lock on a file. Linux alone says it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The process that holds the lock on the file at `path`.
pub fn lock_holder(path: &Path) -> Option<u32> {
    let file = fs::metadata(path).ok()?;
    holder_in(&fs::read_to_string("/proc/locks").ok()?, file.dev(), file.ino())
}

/// The process that holds a `flock` on the file, in the text of `/proc/locks`:
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 1234 fd:00:7341 0 EOF         major:minor:inode
/// 1: -> FLOCK  ADVISORY  WRITE 99 fd:00:7341 0 EOF        this one waits
/// ```
///
/// Some file systems have other device numbers there than in `stat`: then no process is found.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    // As the kernel's `major` and `minor` take a number apart.
    let major = device >> 8 & 0xfff | device >> 32 & 0xffff_f000;
    let minor = device & 0xff | device >> 12 & 0xffff_ff00;
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let is_held = words.next() == Some("FLOCK");
        let process = words.nth(2)?;
        (is_held && words.next() == Some(&file)).then(|| process.parse().ok()).flatten()
    })
}
