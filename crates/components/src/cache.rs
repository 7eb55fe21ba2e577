//! Binaries that were fetched or built, kept in the user's cache directory.
//!
//! ```text
//! <cache>/components/<name>/<key>-<os>-<arch>/<name>        the binary
//! <cache>/components/<name>/<key>-<os>-<arch>/entry.json    what is known of it
//! <cache>/components/<name>/<key>-<os>-<arch>/build.log     what go said, where it was built
//! <cache>/components/<name>/<key>-<os>-<arch>.failed.log    what go said, where it could not be built
//! <cache>/components/<name>/<key>-<os>-<arch>.lock          held while the entry changes; remembers how long it took
//! <cache>/components/<name>/.<key>-<os>-<arch>.new-…        an entry that is being made
//! ```
//!
//! A [`Key`] is a release's version, or says of what else the binary was made.
//!
//! An entry appears by a rename and is never changed in place, so looking at it needs no lock. Lock files stay: taking
//! one away while somebody waits for it would let two into the room.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::entry::{Entry, FAILED_LOG, Last, Lock, stat};
use super::{Binary, ComponentError, ComponentName, Key, Origin, Platform};
use kubeclash_host::progress::Progress;

/// The directory that holds binaries; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
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

/// How many states of a checkout are kept.
pub(super) const STATES: usize = 5;

/// The lock file of [`Cache::seeds`].
pub const SEEDS_LOCK: &str = "lock";

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
        self.root.join("components").join(name.program())
    }

    /// Where an entry is or would be.
    #[must_use]
    pub fn entry(&self, name: ComponentName, key: &Key, platform: &Platform) -> PathBuf {
        let Platform { os, arch } = platform;
        self.folder(name).join(format!("{key}-{os}-{arch}"))
    }

    /// What is there, by size and modification time alone; takes no lock and changes nothing.
    #[must_use]
    pub fn look(&self, name: ComponentName, key: &Key, platform: &Platform) -> Look {
        let dir = self.entry(name, key, platform);
        let path = dir.join(name.program());
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
            Ok(now) if now == (entry.size, entry.mtime_ns) => Look::Good(entry.binary(name, key, path)),
            Ok(_) => Look::Doubtful(entry),
        }
    }

    /// How long it took when it was last fetched or built here, and how; survives [`clean`](Self::clean).
    #[must_use]
    pub fn last_time(
        &self,
        name: ComponentName,
        key: &Key,
        platform: &Platform,
    ) -> Option<(Duration, Origin)> {
        let text = fs::read(lock_path(&self.entry(name, key, platform))).ok()?;
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
        key: &Key,
        platform: &Platform,
        progress: &Progress,
    ) -> Result<Lock, ComponentError> {
        let dir = self.entry(name, key, platform);
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
                        progress.println(format!(
                            "waiting for another kubeclash that is fetching or building {name} {key}"
                        ));
                        progress.task(format!("waiting for {name}"))
                    });
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(fs::TryLockError::Error(error)) => return Err(self.error("lock an entry", error)),
            }
        }
        let lock = Lock {
            cache: self.root.clone(),
            name,
            key: key.clone(),
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
        let names = ComponentName::cached();
        let mut kept: Vec<_> = names.flat_map(|name| self.list_one(name)).collect();
        kept.sort_by(|a, b| (a.binary.name, &a.binary.version).cmp(&(b.binary.name, &b.binary.version)));
        kept
    }

    fn list_one(&self, name: ComponentName) -> Vec<Kept> {
        let Ok(entries) = fs::read_dir(self.folder(name)) else {
            return Vec::new();
        };
        let read = |dir: PathBuf| {
            let (key, platform) = split_entry_name(dir.file_name()?.to_str()?)?;
            let entry: Entry = serde_json::from_slice(&fs::read(dir.join("entry.json")).ok()?).ok()?;
            let path = dir.join(name.program());
            path.is_file().then(|| Kept {
                size: entry.size,
                binary: entry.binary(name, &key, path),
                platform,
            })
        };
        entries.flatten().filter_map(|entry| read(entry.path())).collect()
    }

    /// Takes everything away, one entry's lock after another; a run that has already started its binaries keeps them.
    ///
    /// Returns how many entries went, and their bytes.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Cache`] when something cannot be taken away.
    pub async fn clean(&self, progress: &Progress) -> Result<(usize, u64), ComponentError> {
        let (mut count, mut bytes) = (0, 0);
        for name in ComponentName::cached() {
            let Ok(entries) = fs::read_dir(self.folder(name)) else {
                continue;
            };
            let found: BTreeSet<_> = entries
                .flatten()
                .filter(|entry| !entry.file_name().as_encoded_bytes().ends_with(b".lock"))
                .filter_map(|entry| split_entry_name(finished(entry.file_name().to_str()?)))
                .collect();
            for (key, platform) in found {
                let Some((os, arch)) = platform.split_once('-') else {
                    continue;
                };
                // Taking the lock already sweeps away what a killed process left.
                let lock = self.lock(name, &key, &Platform::new(os, arch), progress).await?;
                if lock.dir.exists() {
                    bytes += stat(&lock.dir.join(name.program())).map_or(0, |(size, _)| size);
                    count += 1;
                }
                lock.remove()?;
            }
        }
        self.clean_seeds()
            .map_err(|error| self.error("remove what clusters start from in", error))?;
        match fs::remove_dir_all(self.node_images()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.error("remove what node images are made of in", error))
            }
            _ => Ok((count, bytes)),
        }
    }

    /// Takes away what a checkout was built to before, but for the newest few states: somebody may still run them.
    pub(super) fn sweep_states(&self, name: ComponentName, prefix: &str, now: &Binary, keep: usize) {
        let folder = self.folder(name);
        let touch = || {
            fs::File::open(now.file()?.parent()?)
                .ok()?
                .set_modified(SystemTime::now())
                .ok()
        };
        touch();
        let Ok(entries) = fs::read_dir(&folder) else {
            return;
        };
        let mut states: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        states.sort();
        states.reverse();
        for (_, dir) in states.into_iter().skip(keep) {
            let lock = File::options().write(true).open(lock_path(&dir));
            // Whoever holds it is just making this state again.
            if let Ok(lock) = lock
                && lock.try_lock().is_ok()
            {
                drop(fs::remove_dir_all(&dir));
            }
        }
    }

    /// Where what clusters start from is kept: etcd data directories that an API server has bootstrapped.
    ///
    /// Who changes something there holds the lock on its file [`SEEDS_LOCK`]; who copies from it shares it.
    #[must_use]
    pub fn seeds(&self) -> PathBuf {
        self.root().join("seeds")
    }

    /// Where what node images are made of is kept, besides components: root file systems of a distribution's packages.
    #[must_use]
    pub fn node_images(&self) -> PathBuf {
        self.root().join("node-image")
    }

    fn clean_seeds(&self) -> io::Result<()> {
        let seeds = self.seeds();
        if !seeds.is_dir() {
            return Ok(());
        }
        let lock = fs::File::create(seeds.join(SEEDS_LOCK))?;
        lock.lock()?;
        for entry in fs::read_dir(&seeds)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else if !path.ends_with(SEEDS_LOCK) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// An error of the cache's own disk: what was to be done, and why it was not.
    pub fn error(&self, action: &'static str, error: io::Error) -> ComponentError {
        ComponentError::of_cache(&self.root, action, error)
    }
}

/// The entry's name out of that of a directory in which it is being made.
fn finished(dir: &str) -> &str {
    let cut = |marker| {
        dir.strip_prefix('.')
            .and_then(|rest| Some(rest.split_once(marker)?.0))
    };
    cut(".new-")
        .or_else(|| cut(".old-"))
        .or_else(|| dir.strip_suffix(FAILED_LOG))
        .unwrap_or(dir)
}

/// `v1.37.0-rc.1-linux-amd64` → `v1.37.0-rc.1`, `linux-amd64`.
fn split_entry_name(entry: &str) -> Option<(Key, String)> {
    let (rest, arch) = entry.rsplit_once('-')?;
    let (key, os) = rest.rsplit_once('-')?;
    Some((Key::read(key)?, format!("{os}-{arch}")))
}

fn lock_path(entry: &Path) -> PathBuf {
    let mut path = entry.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}
