//! Binaries of releases, kept in the user's cache directory.
//!
//! ```text
//! <cache>/components/<name>/<version>-<os>-<arch>/<name>        the binary
//! <cache>/components/<name>/<version>-<os>-<arch>/entry.json    what is known of it
//! <cache>/components/<name>/<version>-<os>-<arch>.lock          held while the entry changes; remembers how long it took
//! <cache>/components/<name>/.<version>-<os>-<arch>.new-…        an entry that is being made
//! ```
//!
//! An entry appears by a rename and is never changed in place, so looking at it needs no lock. Lock files stay: taking
//! one away while somebody waits for it would let two into the room.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::{Binary, ComponentError, ComponentName, Origin, Platform, Version};
use crate::progress::Progress;

/// The directory that holds binaries of releases; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

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
    /// How long the download or the build took; a build counts for all that it built.
    pub took_ms: u64,
    /// When it came in.
    pub date: jiff::Timestamp,
}

/// What a look into the cache finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// A binary of the recorded size and modification time.
    Good(Binary),
    /// A binary whose size or modification time is another one than recorded: its content has to be read.
    Doubtful(Entry),
    /// An entry that cannot be used, with the reason.
    Corrupted(String),
    /// Nothing.
    Missing,
}

/// A whole cache directory's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The binary as recorded.
    pub binary: Binary,
    /// Its length in bytes.
    pub size: u64,
    /// The platform that it is for, as in the entry's name: `linux-amd64`.
    pub platform: String,
}

impl Cache {
    /// The directory given, or `KUBECLASH_CACHE`, or the user's cache directory (`$XDG_CACHE_HOME` or `~/.cache`,
    /// `~/Library/Caches` on macOS) with `kubeclash` in it. Nothing is created before there is something to keep.
    ///
    /// # Errors
    ///
    /// [`ComponentError::NoCache`] when there is not even a home directory.
    pub fn open(dir: Option<PathBuf>) -> Result<Self, ComponentError> {
        let set = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let root = dir
            .or_else(|| set("KUBECLASH_CACHE"))
            .or_else(|| {
                let caches = if cfg!(target_os = "macos") {
                    home().map(|home| home.join("Library/Caches"))
                } else {
                    // The XDG specification wants a relative path ignored.
                    set("XDG_CACHE_HOME")
                        .filter(|path| path.is_absolute())
                        .or_else(|| home().map(|home| home.join(".cache")))
                };
                caches.map(|caches| caches.join("kubeclash"))
            })
            .ok_or(ComponentError::NoCache)?;
        let root = std::path::absolute(&root).unwrap_or(root);
        Ok(Self { root })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn folder(&self, name: ComponentName) -> PathBuf {
        self.root.join("components").join(name.as_str())
    }

    /// Where the entry of a release is or would be.
    #[must_use]
    pub fn entry(&self, name: ComponentName, version: &Version, platform: &Platform) -> PathBuf {
        self.folder(name).join(entry_name(name, version, platform))
    }

    /// What is there, by size and modification time alone; takes no lock and changes nothing.
    #[must_use]
    pub fn look(&self, name: ComponentName, version: &Version, platform: &Platform) -> Look {
        let dir = self.entry(name, version, platform);
        let path = dir.join(name.as_str());
        let text = match fs::read(dir.join("entry.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.exists() => return Look::Missing,
            Err(error) => return Look::Corrupted(format!("its entry.json cannot be read: {error}")),
        };
        let entry: Entry = match serde_json::from_slice(&text) {
            Ok(entry) => entry,
            Err(error) => return Look::Corrupted(format!("its entry.json is garbled: {error}")),
        };
        match stat(&path) {
            Err(error) => Look::Corrupted(format!("its binary cannot be read: {error}")),
            Ok(now) if now == (entry.size, entry.mtime_ns) => {
                Look::Good(entry.binary(name, version.shown(name), path))
            }
            Ok(_) => Look::Doubtful(entry),
        }
    }

    /// How long a release took when it was last fetched or built here, and how; survives
    /// [`clean`](Self::clean).
    #[must_use]
    pub fn last_time(
        &self,
        name: ComponentName,
        version: &Version,
        platform: &Platform,
    ) -> Option<(Duration, Origin)> {
        let text = fs::read(lock_path(&self.entry(name, version, platform))).ok()?;
        let Last { took_ms, origin } = serde_json::from_slice(&text).ok()?;
        Some((Duration::from_millis(took_ms), origin))
    }

    /// Waits until nobody else changes the entry, and says whom it waits for.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when the lock file cannot be made.
    pub async fn lock(
        &self,
        name: ComponentName,
        version: &Version,
        platform: &Platform,
        progress: &Progress,
    ) -> Result<Lock, ComponentError> {
        let dir = self.entry(name, version, platform);
        let path = lock_path(&dir);
        let open = || {
            fs::create_dir_all(self.folder(name))?;
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
        };
        let file = open().map_err(|error| self.error("make a lock file", error))?;
        let mut waiting = None;
        // Asked again and again, not waited for in the system: a waiting thread could not be told of Ctrl-C.
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::WouldBlock) => {
                    waiting.get_or_insert_with(|| {
                        let shown = version.shown(name);
                        progress.println(format!(
                            "waiting for another kubeclash that is fetching or building {name} {shown}"
                        ));
                        progress.task(format!("waiting for {name}"))
                    });
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(fs::TryLockError::Error(error)) => return Err(self.error("lock an entry", error)),
            }
        }
        let lock = Lock {
            cache: self.clone(),
            name,
            version: version.clone(),
            dir,
            file,
        };
        lock.sweep();
        Ok(lock)
    }

    /// Everything that is kept, sorted by name and version.
    ///
    /// Entries that cannot be read are left out: a resolve or a clean deals with them.
    #[must_use]
    pub fn list(&self) -> Vec<Kept> {
        let names = ComponentName::ALL.into_iter().chain([ComponentName::Kwokctl]);
        let mut kept: Vec<_> = names.flat_map(|name| self.list_one(name)).collect();
        kept.sort_by(|a, b| (a.binary.name, &a.binary.version).cmp(&(b.binary.name, &b.binary.version)));
        kept
    }

    fn list_one(&self, name: ComponentName) -> Vec<Kept> {
        let Ok(entries) = fs::read_dir(self.folder(name)) else {
            return Vec::new();
        };
        let read = |dir: PathBuf| {
            let (version, platform) = split_entry_name(dir.file_name()?.to_str()?)?;
            let entry: Entry = serde_json::from_slice(&fs::read(dir.join("entry.json")).ok()?).ok()?;
            let path = dir.join(name.as_str());
            path.is_file().then(|| Kept {
                size: entry.size,
                binary: entry.binary(name, &version, path),
                platform,
            })
        };
        entries.flatten().filter_map(|entry| read(entry.path())).collect()
    }

    /// Takes every entry away, one lock after another; a run that has already started its binaries keeps them.
    ///
    /// Returns how many entries went, and their bytes.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when something cannot be taken away.
    pub async fn clean(&self, progress: &Progress) -> Result<(usize, u64), ComponentError> {
        let (mut count, mut bytes) = (0, 0);
        for name in ComponentName::ALL.into_iter().chain([ComponentName::Kwokctl]) {
            let Ok(entries) = fs::read_dir(self.folder(name)) else {
                continue;
            };
            let found: BTreeSet<_> = entries
                .flatten()
                .filter(|entry| entry.path().is_dir())
                .filter_map(|entry| split_entry_name(finished(entry.file_name().to_str()?)))
                .collect();
            for (version, platform) in found {
                let (Ok(version), Some((os, arch))) = (version.parse(), platform.split_once('-')) else {
                    continue;
                };
                // Taking the lock already sweeps away what a killed process left.
                let lock = self
                    .lock(name, &version, &Platform::new(os, arch), progress)
                    .await?;
                if lock.dir.exists() {
                    bytes += stat(&lock.dir.join(name.as_str())).map_or(0, |(size, _)| size);
                    lock.remove()?;
                    count += 1;
                }
            }
        }
        Ok((count, bytes))
    }

    pub(crate) fn error(&self, action: &'static str, error: io::Error) -> ComponentError {
        let help = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "the disk is full: make room (all components take 0.5 GiB, building them 3 GiB), or set KUBECLASH_CACHE \
                 to a directory on another disk"
            }
            _ => "set KUBECLASH_CACHE to a directory that can be written",
        };
        ComponentError::Cache {
            action,
            dir: self.root.clone(),
            error,
            help: help.to_owned(),
        }
    }
}

impl Entry {
    fn binary(self, name: ComponentName, version: &str, path: PathBuf) -> Binary {
        Binary {
            name,
            version: version.to_owned(),
            path,
            sha256: self.sha256,
            origin: self.origin,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Last {
    took_ms: u64,
    origin: Origin,
}

/// The right to change one entry, given back on drop.
#[derive(Debug)]
pub struct Lock {
    cache: Cache,
    name: ComponentName,
    version: Version,
    dir: PathBuf,
    file: File,
}

impl Lock {
    /// Which component the entry is of.
    #[must_use]
    pub fn name(&self) -> ComponentName {
        self.name
    }

    /// Reads the whole binary of a doubtful entry; when it is still the recorded one, the record gets its new
    /// modification time. Otherwise says what is wrong.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when the record cannot be written.
    pub fn verify(&self, mut entry: Entry) -> Result<Result<Binary, String>, ComponentError> {
        let path = self.dir.join(self.name.as_str());
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
            .map_err(|error| self.cache.error("write entry.json", error))?;
        Ok(Ok(entry.binary(self.name, self.version.shown(self.name), path)))
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
            .map_err(|error| self.cache.error("make a directory", error))
    }

    /// Turns what was staged into the entry, in place of what may have been there.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when it cannot be written; nothing is left of it then.
    pub fn keep(&self, staging: Staging, origin: Origin, took: Duration) -> Result<Binary, ComponentError> {
        let name = self.name;
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
            Ok(entry)
        };
        let entry = store().map_err(|error| self.cache.error("keep a binary", error))?;
        Ok(entry.binary(name, self.version.shown(name), self.dir.join(name.as_str())))
    }

    /// Takes the entry away.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when the system does not let it.
    pub fn remove(&self) -> Result<(), ComponentError> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.cache.error("remove an entry", error))
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
    fn sweep(&self) {
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
        self.dir.path().join(self.name.as_str())
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

/// SHA-256 as lower-case hex.
#[derive(Debug, Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// The digest of a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn of_file(path: &Path) -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut digest = Self::default();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(digest.finish()),
                length => digest.update(&buffer[..length]),
            }
        }
    }
}

fn entry_name(name: ComponentName, version: &Version, platform: &Platform) -> String {
    format!("{}-{}-{}", version.shown(name), platform.os, platform.arch)
}

/// The entry's name out of that of a directory in which it is being made.
fn finished(dir: &str) -> &str {
    let cut = |marker| {
        dir.strip_prefix('.')
            .and_then(|rest| Some(rest.split_once(marker)?.0))
    };
    cut(".new-").or_else(|| cut(".old-")).unwrap_or(dir)
}

/// `v1.37.0-rc.1-linux-amd64` → `v1.37.0-rc.1`, `linux-amd64`.
fn split_entry_name(entry: &str) -> Option<(String, String)> {
    let (rest, arch) = entry.rsplit_once('-')?;
    let (version, os) = rest.rsplit_once('-')?;
    version
        .parse::<Version>()
        .is_ok()
        .then(|| (version.to_owned(), format!("{os}-{arch}")))
}

fn lock_path(entry: &Path) -> PathBuf {
    let mut path = entry.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn stat(path: &Path) -> io::Result<(u64, u64)> {
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

fn make_executable(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// A temporary directory is made for its owner alone; an entry may be shared by a group as its parents allow.
fn make_readable(dir: &Path) -> io::Result<()> {
    make_executable(dir)
}
