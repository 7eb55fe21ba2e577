//! The directory of one run, and what a killed run left: `sweep`.
//!
//! ```text
//! $TMPDIR/kubeclash-<uid>/     0700; goes when the last run has
//!   lock                       held while a run is begun, judged or cleared away
//!   run-<id>/                  0700
//!     owner.json               locked by the kubeclash that works here, as long as it lives
//!     processes.jsonl          what it started, with start times
//!     containers               only where some of that is Docker's
//! ```
//!
//! Whether a run's owner lives is asked of the kernel, which lets go of a lock when its holder dies: no process id
//! to be given away again, no clock to be set. A process is ours if it carries our run directory in its
//! environment, or if it has the recorded id *and* start time; a container, if it carries it in its label. Names are
//! never looked at, so nothing of anybody else's is ever touched.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use serde::{Deserialize, Serialize};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::docker;

/// The environment variable by which a child process says whose it is.
pub(crate) const RUN_VARIABLE: &str = "KUBECLASH_RUN";

const LOCK: &str = "lock";
const PREFIX: &str = "run-";
const OWNER: &str = "owner.json";
const PROCESSES: &str = "processes.jsonl";
const CONTAINERS: &str = "containers";
const KEPT: &str = "kept";

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

    fn create_in(root: &Path) -> io::Result<Self> {
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

    /// Leaves the directory in place when this value is dropped.
    pub fn keep(&mut self) {
        self.kept = true;
        // Tells a later `sweep` that somebody wanted it.
        let _ = File::create(self.path.join(KEPT));
    }

    /// Records that Docker runs some of this run's components, before the first of them is asked for.
    pub(crate) fn register_containers(&self) -> io::Result<()> {
        File::create(self.path.join(CONTAINERS)).map(drop)
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
fn guard(root: &Path) -> io::Result<File> {
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
fn clear(root: &Path) {
    if root.is_dir()
        && let Ok(_guard) = guard(root)
    {
        clear_if_unused(root);
    }
}

/// The same for one who holds the guard.
fn clear_if_unused(root: &Path) {
    let Ok(mut entries) = fs::read_dir(root) else {
        return;
    };
    let unused = entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK));
    if unused {
        let _ = fs::remove_file(root.join(LOCK));
        let _ = fs::remove_dir(root);
    }
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
    /// Its containers, whether they run or not: (component, Docker's id).
    pub containers: Vec<(String, String)>,
    /// Why its containers could not be looked for, where it had some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_problem: Option<String>,
    /// Whether the run ended well, and its directory was to be kept.
    pub kept: bool,
}

impl Leftover {
    fn of(run: PathBuf, processes: Vec<(String, u32)>) -> Self {
        Self {
            processes,
            containers: Vec::new(),
            docker_problem: None,
            kept: run.join(KEPT).exists(),
            run,
        }
    }
}

/// How long Docker may take to list containers.
const LIST: Duration = Duration::from_secs(10);

/// How long Docker may take to kill and remove those of a run.
const REMOVAL: Duration = Duration::from_secs(30);

/// Finds what killed runs left. Runs whose owner is alive are not leftovers.
#[must_use]
pub fn leftovers() -> Vec<Leftover> {
    let mut found = leftovers_in(&root());
    add_containers(&root(), &mut found, docker::labelled(LIST));
    found
}

/// How many killed runs left something that was not to be kept, without asking Docker, which may take its time.
#[must_use]
pub fn killed_runs() -> usize {
    leftovers_in(&root())
        .iter()
        .filter(|leftover| !leftover.kept)
        .count()
}

/// Docker's part: containers of dead runs, and those that outlived their run's directory.
fn add_containers(root: &Path, found: &mut Vec<Leftover>, listed: Result<Vec<docker::Found>, String>) {
    let listed = match listed {
        Ok(listed) => listed,
        Err(why) => {
            // Where Docker is not there, it has nothing of a run that never asked it for anything.
            for leftover in found
                .iter_mut()
                .filter(|leftover| leftover.run.join(CONTAINERS).exists())
            {
                leftover.docker_problem = Some(why.clone());
            }
            return;
        }
    };
    for docker::Found { run, component, id } in listed {
        let known = found.iter().position(|leftover| leftover.run == run);
        let known = match known {
            Some(known) => known,
            None if is_run(root, &run) && !run.exists() => {
                found.push(Leftover::of(run, Vec::new()));
                found.len() - 1
            }
            // Of a run that is alive, or of another user's.
            None => continue,
        };
        found[known].containers.push((component, id));
    }
}

fn leftovers_in(root: &Path) -> Vec<Leftover> {
    // A run that is just being begun has no owner yet. Without a guard (a full disk) that is a risk of microseconds.
    let guard = root.is_dir().then(|| guard(root).ok());
    let system = all_processes();
    // A root that has come since belongs to a run that is just being begun.
    let entries = guard.is_some().then(|| fs::read_dir(root).ok()).flatten();
    let runs = entries.into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = runs
        .map(|entry| entry.path())
        .filter(|path| is_run(root, path) && path.is_dir() && !owner_lives(&system, path))
        .chain(orphans(&system, root))
        .collect();
    drop(guard);
    runs.sort();
    runs.dedup();
    runs.into_iter()
        .map(|run| {
            let processes = processes_of(&system, &run);
            Leftover::of(run, processes)
        })
        .collect()
}

fn is_run(root: &Path, path: &Path) -> bool {
    path.parent() == Some(root)
        && path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// The run directories of processes that outlived theirs: one that was begun in the moment of a kill and a sweep.
fn orphans(system: &System, root: &Path) -> Vec<PathBuf> {
    let marked = system.processes().values().filter(|process| alive(process));
    marked
        .filter_map(|process| {
            let run = process.environ().iter().find_map(|variable| {
                let text = variable.to_string_lossy();
                Some(PathBuf::from(text.strip_prefix(RUN_VARIABLE)?.strip_prefix('=')?))
            })?;
            (is_run(root, &run) && !run.exists()).then_some(run)
        })
        .collect()
}

/// Kills what a killed run left, and removes its directory.
///
/// # Errors
/// When its directory can't be removed, a process doesn't end, or Docker doesn't remove a container.
pub fn sweep(leftover: &Leftover) -> io::Result<()> {
    if let Some(why) = &leftover.docker_problem {
        return Err(io::Error::other(format!(
            "its containers can't be removed: Docker {why}"
        )));
    }
    // First: a container without its process is left, a process without its container is not.
    if !leftover.containers.is_empty() {
        docker::remove_run(&leftover.run, REMOVAL)
            .map_err(|why| io::Error::other(format!("its containers can't be removed: Docker {why}")))?;
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        // Looked at anew each time: a process id may have been given to somebody else since, and one that we kill
        // may have started another.
        let left = processes_of(&all_processes(), &leftover.run);
        if left.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            let names: Vec<String> = left.iter().map(|(name, pid)| format!("{name} ({pid})")).collect();
            return Err(io::Error::other(format!(
                "still there 5 s after SIGKILL: {}",
                names.join(", ")
            )));
        }
        for (_, pid) in left {
            let _ = kill(
                Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)),
                Signal::SIGKILL,
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    match fs::remove_dir_all(&leftover.run) {
        // Somebody else swept it.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(root) = leftover.run.parent() {
        clear(root);
    }
    Ok(())
}

fn all_processes() -> System {
    let mut system = System::new();
    let what = ProcessRefreshKind::nothing()
        .with_environ(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    system
}

/// The lock tells. Where a file system has none, the recorded process does; a garbled record is nobody.
fn owner_lives(system: &System, run: &Path) -> bool {
    let Ok(file) = File::open(run.join(OWNER)) else {
        return false;
    };
    if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return true;
    }
    serde_json::from_reader::<_, Registered>(&file).is_ok_and(|owner| is(system, &owner))
}

fn is(system: &System, registered: &Registered) -> bool {
    system
        .process(sysinfo::Pid::from_u32(registered.pid))
        .is_some_and(|process| {
            // The start time is whole seconds derived from the boot time, which may be off by one between two readings.
            registered.start_time > 0
                && process.start_time().abs_diff(registered.start_time) <= 1
                && alive(process)
        })
}

/// A zombie has nothing left but its exit status.
fn alive(process: &sysinfo::Process) -> bool {
    process.status() != sysinfo::ProcessStatus::Zombie
}

fn processes_of(system: &System, run: &Path) -> Vec<(String, u32)> {
    let text = fs::read_to_string(run.join(PROCESSES)).unwrap_or_default();
    let mut found: Vec<(String, u32)> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Registered>(line).ok())
        .filter(|registered| is(system, registered))
        .map(|registered| (registered.name, registered.pid))
        .collect();
    let mine = format!("{RUN_VARIABLE}={}", run.display());
    for (pid, process) in system.processes() {
        let marked = process
            .environ()
            .iter()
            .any(|variable| variable.to_string_lossy() == mine);
        if marked && alive(process) && found.iter().all(|(_, known)| *known != pid.as_u32()) {
            found.push((process.name().to_string_lossy().into_owned(), pid.as_u32()));
        }
    }
    found
}

#[cfg(test)]
#[path = "rundir_tests.rs"]
mod tests;
