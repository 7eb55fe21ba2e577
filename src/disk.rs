//! Room on a disk.

use std::path::Path;

/// Room on the disk of a directory that need not be there yet, in bytes; nothing when that cannot be told.
pub(crate) fn room(dir: &Path) -> Option<u64> {
    let there = dir.ancestors().find(|dir| dir.exists())?;
    let stat = nix::sys::statvfs::statvfs(there).ok()?;
    #[cfg_attr(
        target_os = "linux",
        expect(clippy::useless_conversion, reason = "the types are narrower on macOS")
    )]
    Some(u64::from(stat.blocks_available()) * u64::from(stat.fragment_size()))
}
