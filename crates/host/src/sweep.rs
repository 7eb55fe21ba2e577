//! What killed runs left, found and removed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::docker;
use crate::engine::Engine;
use crate::engine::labelled::{self, Thing, What};
use crate::run_dir::{
    CGROUP, CONTAINERS, KEPT, KIND, OWNER, PREFIX, PROCESSES, RUN_VARIABLE, Registered, clear,
    clear_if_unused, guard, root,
};

/// What a killed run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Its run directory.
    pub run: PathBuf,
    /// Its processes that still run: (name, process id).
    pub processes: Vec<(String, u32)>,
    /// Its containers, whether they run or not: (component, Docker's id).
    pub containers: Vec<(String, String)>,
    /// Its networks: (name, the engine's id).
    pub networks: Vec<(String, String)>,
    /// Its images, which have no names: (component, the engine's id).
    pub images: Vec<(String, String)>,
    /// Why its containers could not be looked for, where it had some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_problem: Option<String>,
    /// Why nothing of its kind cluster could be looked for, where it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_problem: Option<String>,
    /// Whether the run ended well, and its directory was to be kept.
    pub kept: bool,
    /// Whether Docker has something of it, asked by its API.
    #[serde(skip)]
    docker: bool,
    /// Which engines have, asked by their commands.
    #[serde(skip)]
    engines: Vec<Engine>,
}

impl Leftover {
    fn of(run: PathBuf, processes: Vec<(String, u32)>) -> Self {
        Self {
            processes,
            containers: Vec::new(),
            networks: Vec::new(),
            images: Vec::new(),
            docker_problem: None,
            engine_problem: None,
            kept: run.join(KEPT).exists(),
            docker: false,
            engines: Vec::new(),
            run,
        }
    }

    fn add(&mut self, thing: Thing) {
        let these = match thing.what {
            What::Container => &mut self.containers,
            What::Network => &mut self.networks,
            What::Image => &mut self.images,
        };
        // Docker is asked twice: by its API, and as kind asks it.
        if these.iter().all(|(_, id)| *id != thing.id) {
            these.push((thing.name, thing.id));
        }
    }
}

/// How long an engine may take to list what it has of all runs.
const LIST: Duration = Duration::from_secs(8);

/// How long it may take to kill and remove what it has of one.
const REMOVAL: Duration = Duration::from_secs(30);

/// How long it may refuse to: what holds a thing may be on its way out.
const REFUSED: Duration = Duration::from_secs(3);

/// Finds what killed runs left. Runs whose owner is alive are not leftovers.
#[must_use]
pub fn leftovers() -> Vec<Leftover> {
    let root = root();
    let mut found = leftovers_in(&root);
    // One that does not answer holds up the other no longer than it must.
    let (of_docker, of_engines) = thread::scope(|scope| {
        let of_docker = scope.spawn(|| docker::labelled(LIST));
        let everywhere = async { Ok(labelled::everywhere(LIST).await) };
        (of_docker.join(), docker::wait(everywhere, 2 * LIST))
    });
    let of_docker = of_docker.unwrap_or_else(|_| Err("can't be asked".to_owned()));
    add_containers(&root, &mut found, of_docker);
    add_things(&root, &mut found, of_engines.unwrap_or_default());
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
        let thing = Thing {
            what: What::Container,
            run,
            name: component,
            id,
        };
        if let Some(leftover) = leftover_of(root, found, &thing.run) {
            leftover.add(thing);
            leftover.docker = true;
        }
    }
}

/// What there is of kind clusters: the same, by the commands of the engines.
fn add_things(root: &Path, found: &mut Vec<Leftover>, asked: Vec<(Engine, Result<Vec<Thing>, String>)>) {
    for leftover in &mut *found {
        let Some(engine) = engine_of(&leftover.run) else {
            continue;
        };
        let why = match asked.iter().find(|(asked, _)| *asked == engine) {
            Some((_, Err(why))) => why.clone(),
            Some((_, Ok(_))) => continue,
            None => format!("there is no {engine} on PATH"),
        };
        leftover.engine_problem = Some(why);
    }
    for (engine, listed) in asked {
        for thing in listed.unwrap_or_default() {
            let Some(leftover) = leftover_of(root, found, &thing.run) else {
                continue;
            };
            leftover.add(thing);
            if !leftover.engines.contains(&engine) {
                leftover.engines.push(engine);
            }
        }
    }
}

/// Which engine has a run's kind cluster.
fn engine_of(run: &Path) -> Option<Engine> {
    fs::read_to_string(run.join(KIND)).ok()?.parse().ok()
}

/// The leftover with this run directory: one that was found, or one whose directory is gone.
fn leftover_of<'a>(root: &Path, found: &'a mut Vec<Leftover>, run: &Path) -> Option<&'a mut Leftover> {
    let known = match found.iter().position(|leftover| leftover.run == run) {
        Some(known) => known,
        None if is_run(root, run) && !run.exists() => {
            found.push(Leftover::of(run.to_owned(), Vec::new()));
            found.len() - 1
        }
        // Of a run that is alive, or of another user's.
        None => return None,
    };
    found.get_mut(known)
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
    // The last run may have ended between the two looks: the guard has made its root anew then, and nobody else clears it away.
    if matches!(guard, Some(Some(_))) {
        clear_if_unused(root);
    }
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
/// When its directory can't be removed, a process doesn't end, or an engine doesn't remove what it has of it.
pub fn sweep(leftover: &Leftover) -> io::Result<()> {
    if let Some(why) = &leftover.docker_problem {
        return Err(io::Error::other(format!(
            "its containers can't be removed: Docker {why}"
        )));
    }
    if let Some(why) = &leftover.engine_problem {
        return Err(io::Error::other(format!(
            "its kind cluster can't be removed: {why}"
        )));
    }
    // First: a container without its process is left, a process without its container is not.
    if leftover.docker {
        docker::remove_run(&leftover.run, REMOVAL)
            .map_err(|why| io::Error::other(format!("its containers can't be removed: Docker {why}")))?;
    }
    let killed = end_processes(&leftover.run)?;
    // After whatever could ask for more of it: kind itself.
    let late = if killed { labelled::LATE } else { Duration::ZERO };
    let mut engines = leftover.engines.clone();
    engines.extend(engine_of(&leftover.run).filter(|engine| !leftover.engines.contains(engine)));
    for engine in engines {
        let removed = labelled::remove_run(engine, leftover.run.clone(), REFUSED, late);
        docker::wait(removed, REMOVAL)
            .map_err(|why| io::Error::other(format!("what {engine} has of it can't be removed: {why}")))?;
    }
    remove_cgroup(&leftover.run)?;
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

/// Removes the cgroup of a run whose processes have ended.
fn remove_cgroup(run: &Path) -> io::Result<()> {
    let Ok(path) = fs::read_to_string(run.join(CGROUP)).map(PathBuf::from) else {
        return Ok(());
    };
    // No other than one that this very run can have made.
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    let its_own = path
        .file_name()
        .is_some_and(|file| file.to_string_lossy() == format!("kubeclash-{name}"));
    if !its_own || !path.starts_with("/sys/fs/cgroup") {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match fs::remove_dir(&path) {
            // What was killed is on its way out.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(()),
        }
    }
}

/// Kills every process of a run, and says whether there was one.
fn end_processes(run: &Path) -> io::Result<bool> {
    let mut killed = false;
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        // Looked at anew each time: a process id may have been given to somebody else since, and one that we kill
        // may have started another.
        let left = processes_of(&all_processes(), run);
        if left.is_empty() {
            return Ok(killed);
        }
        killed = true;
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
        thread::sleep(Duration::from_millis(10));
    }
}

fn all_processes() -> System {
    let mut system = System::new();
    let what = ProcessRefreshKind::nothing()
        .with_environ(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    system
}

/// Whether the kubeclash of a run lives, by the run's id.
pub fn lives(id: &str) -> bool {
    let run = root().join(format!("{PREFIX}{id}"));
    // An id comes from elsewhere, too.
    id.bytes().all(|byte| byte.is_ascii_hexdigit()) && owner_lives(&all_processes(), &run)
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
#[path = "sweep_tests.rs"]
mod tests;
