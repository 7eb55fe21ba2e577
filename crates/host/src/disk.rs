//! Room on a disk, and what on it is no file of its own.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tempfile::NamedTempFile;

/// Whether a path names something that is written to and never replaced: a pipe, a terminal, and what `/dev/stdout` stands
/// for, which is a file of somebody else's where a shell has redirected it.
pub fn is_stream(path: &Path) -> bool {
    let of_the_system = |path: &Path| ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    let there = std::path::absolute(path).is_ok_and(|path| of_the_system(&path));
    let leads_there = fs::read_link(path).is_ok_and(|to| of_the_system(&to));
    there || leads_there || fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// A file beside another, which it is to take the place of when it is whole; and where that is: of a link, what it leads to.
/// It can be read and written as any new file, less what the umask takes.
pub fn beside(path: &Path) -> io::Result<(PathBuf, NamedTempFile)> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut beside = tempfile::Builder::new();
    beside.prefix(".kubeclash-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        beside.permissions(fs::Permissions::from_mode(0o666));
    }
    let beside = beside.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    Ok((path, beside))
}

/// Room on the disk of a directory that need not be there yet, in bytes; nothing when that cannot be told.
pub fn room(dir: &Path) -> Option<u64> {
    let there = dir.ancestors().find(|dir| dir.exists())?;
    let stat = nix::sys::statvfs::statvfs(there).ok()?;
    #[cfg_attr(
        target_os = "linux",
        expect(clippy::useless_conversion, reason = "the types are narrower on macOS")
    )]
    Some(u64::from(stat.blocks_available()) * u64::from(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_lends_is_a_stream_and_a_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        for stream in [
            Path::new("/dev/stdout"),
            Path::new("/dev/fd/1"),
            Path::new("/proc/self/fd/1"),
            &link,
        ] {
            assert!(is_stream(stream), "{}", stream.display());
        }
        for file in [&file, dir.path(), &dir.path().join("not there")] {
            assert!(!is_stream(file), "{}", file.display());
        }
    }
}
