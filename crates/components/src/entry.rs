//! One entry of the cache: its record, the right to change it, and the place where a new one is made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::digest::Sha256;
use super::go::Log;
use super::{Binary, ComponentError, ComponentName, Key, Origin, Program};

/// What `entry.json` records of a binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// SHA-256 of the binary, in lower-case hex.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its modification time in nanoseconds since 1970.
    pub mtime_ns: u64,
    /// Where it came from.
    pub origin: Origin,
    /// Its version, where the entry's key is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How long the download or the build took; a build counts for all that it built.
    pub took_ms: u64,
    /// When it came in.
    pub date: jiff::Timestamp,
}

impl Entry {
    pub(super) fn binary(self, name: ComponentName, key: &Key, path: PathBuf) -> Binary {
        let log = path.with_file_name(Log::NAME);
        Binary {
            name,
            version: self.version.unwrap_or_else(|| key.to_string()),
            build_log: log.is_file().then_some(log),
            program: Program::File { path },
            sha256: self.sha256,
            origin: self.origin,
        }
    }
}

/// What a lock file remembers after its entry is gone.
#[derive(Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) took_ms: u64,
    pub(super) origin: Origin,
}

/// The right to change one entry, given back on drop.
#[derive(Debug)]
pub struct Lock {
    /// Where the cache is.
    pub(super) cache: PathBuf,
    pub(super) name: ComponentName,
    pub(super) key: Key,
    pub(super) dir: PathBuf,
    pub(super) file: File,
}

impl Lock {
    /// Which component the entry is of.
    #[must_use]
    pub fn name(&self) -> ComponentName {
        self.name
    }

    /// What the entry is called.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Reads the whole binary of a doubtful entry; when it is still the recorded one, the record gets its new
    /// modification time. Otherwise says what is wrong.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when the record cannot be written.
    pub fn verify(&self, mut entry: Entry) -> Result<Result<Binary, String>, ComponentError> {
        let path = self.dir.join(self.name.program());
        let found = stat(&path).and_then(|now| Ok((now, Sha256::of_file(&path)?)));
        let ((size, mtime_ns), sha256) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(format!("its binary cannot be read: {error}"))),
        };
        if sha256 != entry.sha256 {
            return Ok(Err(format!(
                "its SHA-256 is {sha256}, and {} was recorded",
                entry.sha256
            )));
        }
        (entry.size, entry.mtime_ns) = (size, mtime_ns);
        self.record(&self.dir, &entry)
            .map_err(|error| ComponentError::of_cache(&self.cache, "write entry.json", error))?;
        Ok(Ok(entry.binary(self.name, &self.key, path)))
    }

    /// Makes room for a new binary, on the same file system as the entry. It goes away unless it is
    /// [kept](Self::keep).
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when it cannot be made.
    pub fn stage(&self) -> Result<Staging, ComponentError> {
        tempfile::Builder::new()
            .prefix(&self.prefix("new"))
            .tempdir_in(self.dir.parent().unwrap_or(&self.dir))
            .map(|dir| Staging { name: self.name, dir })
            .map_err(|error| ComponentError::of_cache(&self.cache, "make a directory", error))
    }

    /// Turns what was staged into the entry, in place of what may have been there.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when it cannot be written; nothing is left of it then.
    pub fn keep(
        &self,
        staging: Staging,
        origin: Origin,
        version: Option<String>,
        took: Duration,
    ) -> Result<Binary, ComponentError> {
        let store = || {
            let staged = staging.path();
            make_executable(&staged)?;
            // The record vouches for the content, so the content has to be on disk first.
            File::open(&staged)?.sync_all()?;
            let (size, mtime_ns) = stat(&staged)?;
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let sha256 = Sha256::of_file(&staged)?;
            let entry = Entry {
                sha256,
                size,
                mtime_ns,
                origin,
                version,
                took_ms,
                date: jiff::Timestamp::now(),
            };
            self.record(staging.dir.path(), &entry)?;
            self.remember(&Last {
                took_ms,
                origin: entry.origin.clone(),
            });
            if self.dir.exists() {
                let old = tempfile::Builder::new()
                    .prefix(&self.prefix("old"))
                    .tempdir_in(self.dir.parent().unwrap_or(&self.dir))?;
                fs::rename(&self.dir, old.path().join("entry"))?;
            }
            fs::rename(staging.dir.path(), &self.dir)?;
            make_readable(&self.dir)?;
            drop(fs::remove_file(failed_log(&self.dir)));
            Ok(entry)
        };
        let entry = store().map_err(|error| ComponentError::of_cache(&self.cache, "keep a binary", error))?;
        Ok(entry.binary(self.name, &self.key, self.dir.join(self.name.program())))
    }

    /// Keeps the log of a build that failed, for whoever wants to read more than the end of it.
    pub(super) fn keep_failed(&self, log: &Path) -> Option<PathBuf> {
        let kept = failed_log(&self.dir);
        fs::copy(log, &kept).ok().map(|_| kept)
    }

    /// Takes the entry away, and the log of a build that failed.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when the system does not let it.
    pub fn remove(&self) -> Result<(), ComponentError> {
        drop(fs::remove_file(failed_log(&self.dir)));
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ComponentError::of_cache(&self.cache, "remove an entry", error))
            }
            _ => Ok(()),
        }
    }

    fn record(&self, dir: &Path, entry: &Entry) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut file, entry)?;
        // What anybody may run, anybody may read about; a temporary file is for its owner alone.
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(dir.join("entry.json"))?;
        Ok(())
    }

    /// Remembers how long a build took whose binary is another entry.
    pub(super) fn built(&self, origin: &Origin, took: Duration) {
        self.remember(&Last {
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            origin: origin.clone(),
        });
    }

    fn remember(&self, last: &Last) {
        // Only a hint for `doctor`: not worth failing for.
        let text = serde_json::to_vec(last).unwrap_or_default();
        drop(self.file.set_len(0).and_then(|()| (&self.file).write_all(&text)));
    }

    fn prefix(&self, kind: &str) -> String {
        let entry = self.dir.file_name().unwrap_or_default().to_string_lossy();
        format!(".{entry}.{kind}-")
    }

    /// Takes away what a killed process left half done; whoever holds the lock knows that nobody works on it.
    pub(super) fn sweep(&self) {
        let Some(Ok(entries)) = self.dir.parent().map(fs::read_dir) else {
            return;
        };
        let prefixes = [self.prefix("new"), self.prefix("old")];
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name
                .to_str()
                .is_some_and(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
            {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }
}

/// A place for a binary that is being downloaded or built; it and all in it go away on drop.
#[derive(Debug)]
pub struct Staging {
    name: ComponentName,
    dir: tempfile::TempDir,
}

impl Staging {
    /// Where the binary has to be put.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(self.name.program())
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where anything else can be put that is needed on the way; it has to be gone before the staging is kept.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Size, and modification time in nanoseconds since 1970.
pub(super) fn stat(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    let since = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok((
        metadata.len(),
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
    ))
}

/// Lets anybody run it.
pub(super) fn make_executable(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// A temporary directory is made for its owner alone; an entry may be shared by a group as its parents allow.
fn make_readable(dir: &Path) -> io::Result<()> {
    make_executable(dir)
}

/// What the log of a build that failed ends with.
pub(super) const FAILED_LOG: &str = ".failed.log";

/// Where the log of a failed build of an entry is kept.
fn failed_log(entry: &Path) -> PathBuf {
    let mut path = entry.as_os_str().to_owned();
    path.push(FAILED_LOG);
    path.into()
}
