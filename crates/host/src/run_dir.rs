//! The directory of one run, and what a killed run left: `sweep`.
//!
//! ```text
//! $TMPDIR/kubeclash-<uid>/     0700; goes when the last run has
//!   lock                       held while a run is begun, judged or cleared away
//!   run-<id>/                  0700
//!     owner.json               locked by the kubeclash that works here, as long as it lives
//!     processes.jsonl          what it started, with start times
//!     containers               only where some of that is Docker's
//!     kind                     only where there is a kind cluster: the name of the engine that kind drives
//!     cgroup                   only where a component's CPU is bounded: the cgroup that was made for it
//! ```
//!
//! Whether a run's owner lives is asked of the kernel, which lets go of a lock when its holder dies: no process id
//! to be given away again, no clock to be set. A process is ours if it carries our run directory in its
//! environment, or if it has the recorded id *and* start time; a container, a network or an image, if it carries it in
//! its label. Names are never looked at, so nothing of anybody else's is ever touched.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::unistd::getuid;
use serde::{Deserialize, Serialize};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// The environment variable by which a child process says whose it is.
pub const RUN_VARIABLE: &str = "KUBECLASH_RUN";

pub(crate) const LOCK: &str = "lock";
pub(crate) const PREFIX: &str = "run-";
pub(crate) const OWNER: &str = "owner.json";
pub(crate) const PROCESSES: &str = "processes.jsonl";
pub(crate) const CONTAINERS: &str = "containers";
pub(crate) const KIND: &str = "kind";
pub(crate) const CGROUP: &str = "cgroup";
pub(crate) const KEPT: &str = "kept";

/// A process, unmistakably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Seconds since the epoch, as the system has it.
    pub(crate) start_time: u64,
}

/// The directory of one run. Removed when dropped, unless it is to be kept.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    registry: Mutex<File>,
    kept: bool,
    /// Says that we live, by the lock on it.
    _owner: File,
}

impl RunDir {
    /// Creates the directory of a new run below [`root`].
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn create() -> io::Result<Self> {
        Self::create_in(&root())
    }

    pub(crate) fn create_in(root: &Path) -> io::Result<Self> {
        let _guard = guard(root)?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let path = root.join(format!("{PREFIX}{}", &id[..12]));
        DirBuilder::new().mode(0o700).create(&path)?;
        let made = || -> io::Result<Self> {
            let mut owner = private(&path.join(OWNER))?;
            owner.lock()?;
            owner.write_all(&serde_json::to_vec(&described("kubeclash", std::process::id()))?)?;
            let registry = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path.join(PROCESSES))?;
            Ok(Self {
                path: path.clone(),
                registry: Mutex::new(registry),
                kept: false,
                _owner: owner,
            })
        };
        made().inspect_err(|_| {
            let _ = fs::remove_dir_all(&path);
            clear_if_unused(root);
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is called, unmistakably: twelve hexadecimal digits.
    pub fn id(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.strip_prefix(PREFIX))
            .unwrap_or_default()
    }

    /// Leaves the directory in place when this value is dropped.
    pub fn keep(&mut self) {
        self.kept = true;
        // Tells a later `sweep` that somebody wanted it.
        let _ = File::create(self.path.join(KEPT));
    }

    /// Records that Docker runs some of this run's components, before the first of them is asked for.
    pub fn register_containers(&self) -> io::Result<()> {
        File::create(self.path.join(CONTAINERS)).map(drop)
    }

    /// Records which engine has this run's kind cluster, before anything is asked of it.
    pub fn register_engine(&self, engine: &str) -> io::Result<()> {
        private(&self.path.join(KIND))?.write_all(engine.as_bytes())
    }

    /// Records the cgroup that is made for this run, before it is.
    pub fn register_cgroup(&self, path: &Path) -> io::Result<()> {
        private(&self.path.join(CGROUP))?.write_all(path.as_os_str().as_bytes())
    }

    /// Records a process of this run, for a [sweep](mod@crate::sweep).
    pub fn register(&self, name: &str, pid: u32) {
        let line = serde_json::to_string(&described(name, pid)).unwrap_or_default() + "\n";
        if let Ok(mut file) = self.registry.lock() {
            // A full disk must not stop a run: the process carries its run directory in its environment as well.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let root = self.path.parent().unwrap_or(&self.path).to_owned();
        // Under the guard, because a directory that has lost its owner's file, and no more, looks like a killed run's.
        let guard = guard(&root);
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, run = %self.path.display(), "the run directory was not removed");
        }
        if guard.is_ok() {
            clear_if_unused(&root);
        }
    }
}

/// Where the run directories of this user are: `$TMPDIR/kubeclash-<uid>`.
#[must_use]
pub fn root() -> PathBuf {
    std::env::temp_dir().join(format!("kubeclash-{}", getuid()))
}

/// Creates `root` where it is missing, and holds it: while the guard lives, nobody begins a run or clears one away.
pub(crate) fn guard(root: &Path) -> io::Result<File> {
    let path = root.join(LOCK);
    loop {
        our_own(root)?;
        let file = match private(&path) {
            // The last run went in between, and the root with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        file.lock()?;
        let ours = file.metadata()?.ino();
        if fs::metadata(&path).is_ok_and(|there| there.ino() == ours) {
            return Ok(file);
        }
    }
}

/// A directory in a place where everybody may write: it must be ours, and nobody else may look into it.
fn our_own(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(dir) {
        // It was there, and may be gone by now.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let there = match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there?,
    };
    if !there.is_dir() || there.uid() != getuid().as_raw() {
        let why = format!(
            "\"{}\" belongs to somebody else; set TMPDIR to a directory of your own",
            dir.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    if there.mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Removes the root when no run is left in it.
pub(crate) fn clear(root: &Path) {
    if root.is_dir()
        && let Ok(_guard) = guard(root)
    {
        clear_if_unused(root);
    }
}

/// The same for one who holds the guard.
pub(crate) fn clear_if_unused(root: &Path) {
    let Ok(mut entries) = fs::read_dir(root) else {
        return;
    };
    let unused = entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK));
    if unused {
        let _ = fs::remove_file(root.join(LOCK));
        let _ = fs::remove_dir(root);
    }
}

pub(crate) fn described(name: &str, pid: u32) -> Registered {
    let mut system = System::new();
    let id = sysinfo::Pid::from_u32(pid);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[id]),
        false,
        ProcessRefreshKind::nothing(),
    );
    let start_time = system.process(id).map_or(0, sysinfo::Process::start_time);
    Registered {
        name: name.to_owned(),
        pid,
        start_time,
    }
}
