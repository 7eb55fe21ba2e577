//! The directory of one run, and what a killed run left: `sweep`.
//!
//! Every cluster has a directory of its own (0700) that records its owner and each process that it starts, with
//! the process's start time. A process is ours if it carries our run directory in its environment, or if it has
//! the recorded id *and* start time; names are never looked at, so nothing of anybody else's is ever touched.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The environment variable by which a child process says whose it is.
pub(crate) const RUN_VARIABLE: &str = "KUBECLASH_RUN";

const OWNER: &str = "owner.json";
const PROCESSES: &str = "processes.jsonl";

/// A process, unmistakably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Registered {
    name: String,
    pid: u32,
    /// Seconds since the epoch, as the system has it.
    start_time: u64,
}

/// The directory of one run. Removed when dropped, unless it is to be kept.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    registry: Mutex<File>,
    kept: bool,
}

impl RunDir {
    /// Creates the directory of a new run below [`root`].
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn create() -> std::io::Result<Self> {
        let root = root();
        DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        let path = root.join(format!(
            "run-{}",
            &uuid::Uuid::new_v4().simple().to_string()[..12]
        ));
        DirBuilder::new().mode(0o700).create(&path)?;
        let made = || -> std::io::Result<Self> {
            let owner = described("kubeclash", std::process::id());
            fs::write(path.join(OWNER), serde_json::to_vec(&owner)?)?;
            let registry = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path.join(PROCESSES))?;
            Ok(Self {
                path: path.clone(),
                registry: Mutex::new(registry),
                kept: false,
            })
        };
        made().inspect_err(|_| {
            let _ = fs::remove_dir_all(&path);
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory in place when this value is dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Records a process of this run, for [`sweep`].
    pub(crate) fn register(&self, name: &str, pid: u32) {
        let line = serde_json::to_string(&described(name, pid)).unwrap_or_default() + "\n";
        if let Ok(mut file) = self.registry.lock() {
            // A full disk must not stop a run: the process carries its run directory in its environment as well.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Where the run directories of this user are: `$TMPDIR/kubeclash-<uid>`.
#[must_use]
pub fn root() -> PathBuf {
    std::env::temp_dir().join(format!("kubeclash-{}", nix::unistd::getuid()))
}

fn described(name: &str, pid: u32) -> Registered {
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

/// What a killed run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Its run directory.
    pub run: PathBuf,
    /// Its processes that still run: (name, process id).
    pub processes: Vec<(String, u32)>,
}

/// Finds what killed runs left. Runs whose owner is alive are not leftovers.
#[must_use]
pub fn leftovers() -> Vec<Leftover> {
    let system = all_processes();
    let Ok(entries) = fs::read_dir(root()) else {
        return Vec::new();
    };
    let mut found: Vec<Leftover> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with("run-"))
                && path.is_dir()
        })
        .filter(|path| !owner_lives(&system, path))
        .map(|run| Leftover {
            processes: processes_of(&system, &run),
            run,
        })
        .collect();
    found.sort_by(|a, b| a.run.cmp(&b.run));
    found
}

/// Kills what a killed run left, and removes its directory.
///
/// # Errors
/// When its directory can't be removed, or a process doesn't end.
pub fn sweep(leftover: &Leftover) -> std::io::Result<()> {
    // A second look just before: a process id may have been given to somebody else since.
    let mut system = all_processes();
    for (_, pid) in processes_of(&system, &leftover.run) {
        let _ = kill(
            Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)),
            Signal::SIGKILL,
        );
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while !processes_of(&system, &leftover.run).is_empty() {
        if std::time::Instant::now() > deadline {
            return Err(std::io::Error::other(format!(
                "processes of {} do not end",
                leftover.run.display()
            )));
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        system = all_processes();
    }
    fs::remove_dir_all(&leftover.run)
}

fn all_processes() -> System {
    let mut system = System::new();
    let what = ProcessRefreshKind::nothing()
        .with_environ(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    system
}

fn owner_lives(system: &System, run: &Path) -> bool {
    let owner = fs::read(run.join(OWNER))
        .ok()
        .and_then(|text| serde_json::from_slice::<Registered>(&text).ok());
    match owner {
        Some(owner) => is(system, &owner),
        // Just being created, or garbled: leave young ones alone.
        None => fs::metadata(run)
            .and_then(|m| m.modified())
            .is_ok_and(|t| t.elapsed().is_ok_and(|age| age.as_secs() < 60)),
    }
}

fn is(system: &System, registered: &Registered) -> bool {
    system
        .process(sysinfo::Pid::from_u32(registered.pid))
        .is_some_and(|process| {
            // The start time is whole seconds derived from the boot time, which may be off by one between two readings.
            process.start_time().abs_diff(registered.start_time) <= 1
                && process.status() != sysinfo::ProcessStatus::Zombie
        })
}

fn processes_of(system: &System, run: &Path) -> Vec<(String, u32)> {
    let text = fs::read_to_string(run.join(PROCESSES)).unwrap_or_default();
    let mut found: Vec<(String, u32)> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Registered>(line).ok())
        .filter(|registered| registered.start_time > 0 && is(system, registered))
        .map(|registered| (registered.name, registered.pid))
        .collect();
    let mine = format!("{RUN_VARIABLE}={}", run.display());
    for (pid, process) in system.processes() {
        let marked = process
            .environ()
            .iter()
            .any(|variable| variable.to_string_lossy() == mine);
        if marked
            && process.status() != sysinfo::ProcessStatus::Zombie
            && found.iter().all(|(_, known)| *known != pid.as_u32())
        {
            found.push((process.name().to_string_lossy().into_owned(), pid.as_u32()));
        }
    }
    found
}
