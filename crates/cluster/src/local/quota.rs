//! A bound on the CPU that a process gets: a cgroup's quota where one can be made, and else stopping and continuing it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use kubeclash_host::run_dir::RunDir;

/// Over which time a bound holds, as the kernel has it by default.
const PERIOD: Duration = Duration::from_millis(100);

/// A bound on the CPU of the processes that are put below it, one after another.
#[derive(Debug)]
pub(super) struct Quota {
    cores: f64,
    how: How,
}

#[derive(Debug)]
enum How {
    /// The kernel's scheduler holds it: a cgroup of our own.
    Cgroup(PathBuf),
    /// A thread of ours stops the process for a part of every period, as cpulimit does.
    Stopping(Arc<Stopping>),
}

#[derive(Debug, Default)]
struct Stopping {
    pid: Mutex<Option<Pid>>,
    over: AtomicBool,
}

impl Quota {
    /// Makes one of so many cores.
    pub(super) fn of(cores: f64, run: &RunDir) -> Self {
        let how = match cgroup(cores, run) {
            Ok(path) => How::Cgroup(path),
            Err(error) => {
                tracing::debug!(%error, "no cgroup can be made: the process is stopped and continued");
                stopping(cores)
            }
        };
        Self { cores, how }
    }

    /// How it is held, in words.
    pub(super) fn told(&self) -> String {
        match self.how {
            How::Cgroup(_) => format!("{} cores by a cgroup's quota", self.cores),
            How::Stopping(_) => format!("{} cores by stopping and continuing it", self.cores),
        }
    }

    /// Puts a process below it.
    pub(super) fn hold(&self, pid: u32) -> io::Result<()> {
        match &self.how {
            How::Cgroup(path) => fs::write(path.join("cgroup.procs"), pid.to_string()),
            How::Stopping(stopping) => {
                let pid = i32::try_from(pid).map_err(io::Error::other)?;
                *stopping.pid.lock().unwrap_or_else(PoisonError::into_inner) = Some(Pid::from_raw(pid));
                Ok(())
            }
        }
    }

    /// Lets go of a process that is about to end: what is stopped can't, and its id may be another's soon.
    pub(super) fn release(&self) {
        if let How::Stopping(stopping) = &self.how {
            let mut pid = stopping.pid.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(pid) = pid.take() {
                let _ = kill(pid, Signal::SIGCONT);
            }
        }
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.release();
        match &self.how {
            How::Stopping(stopping) => stopping.over.store(true, Ordering::Relaxed),
            // Its processes have ended, or are ending: the kernel takes a moment.
            How::Cgroup(path) => {
                for _ in 0..100 {
                    match fs::remove_dir(path) {
                        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                            std::thread::sleep(Duration::from_millis(10));
                        }
                        _ => return,
                    }
                }
            }
        }
    }
}

/// Starts a thread that will stop and continue whatever is held.
fn stopping(cores: f64) -> How {
    let stopping = Arc::<Stopping>::default();
    let shared = Arc::clone(&stopping);
    // A runtime that is busy would make it uneven.
    let thread = std::thread::Builder::new().name("cpu quota".to_owned());
    let _ = thread.spawn(move || stop_and_go(&shared, cores));
    How::Stopping(stopping)
}

/// Makes a cgroup with a quota: of the unified hierarchy, or of version 1's CPU controller.
fn cgroup(cores: f64, run: &RunDir) -> io::Result<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let period = PERIOD.as_micros();
    let quota = (cores * period as f64).round().max(1_000.0);
    let controllers = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
    let (parent, settings) = if controllers.split_whitespace().any(|word| word == "cpu") {
        (root.to_owned(), vec![("cpu.max", format!("{quota} {period}"))])
    } else {
        let settings = vec![
            ("cpu.cfs_period_us", period.to_string()),
            ("cpu.cfs_quota_us", quota.to_string()),
        ];
        (root.join("cpu"), settings)
    };
    let name = run.path().file_name().unwrap_or_default().to_string_lossy();
    let path = parent.join(format!("kubeclash-{name}"));
    // Known before it is there: whoever kills us leaves nothing that can't be found.
    run.register_cgroup(&path)?;
    fs::create_dir(&path)?;
    for (file, value) in settings {
        if let Err(error) = fs::write(path.join(file), value) {
            let _ = fs::remove_dir(&path);
            return Err(error);
        }
    }
    Ok(path)
}

fn stop_and_go(shared: &Stopping, cores: f64) {
    let going = PERIOD.mul_f64(cores.clamp(0.01, 1.0));
    // Of one core: a process that runs on several for so long gets more, but never more than it would without this.
    while !shared.over.load(Ordering::Relaxed) {
        let signal = |signal| {
            // Under the lock, so that nobody lets go of it meanwhile.
            let pid = shared.pid.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(pid) = *pid {
                let _ = kill(pid, signal);
            }
        };
        signal(Signal::SIGCONT);
        std::thread::sleep(going);
        signal(Signal::SIGSTOP);
        std::thread::sleep(PERIOD - going);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::Instant;

    use super::*;

    struct Busy(Child);

    impl Busy {
        fn start() -> Self {
            let mut command = Command::new("/bin/sh");
            Self(command.args(["-c", "while :; do :; done"]).spawn().unwrap())
        }

        /// The cores that it gets, from now on for a while.
        fn cores(&self) -> f64 {
            let (start, before) = (Instant::now(), crate::cpu_time(self.0.id()));
            std::thread::sleep(Duration::from_secs(2));
            let took = crate::cpu_time(self.0.id()) - before;
            took.as_secs_f64() / start.elapsed().as_secs_f64()
        }

        fn stopped(&self) -> bool {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
            stat.contains(") T ")
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_process_gets_no_more_than_its_bound_however_it_is_held() {
        let run = RunDir::create().unwrap();
        let ways = [cgroup(0.2, &run).map(How::Cgroup), Ok(stopping(0.2))];
        for how in ways.into_iter().flatten() {
            let busy = Busy::start();
            let quota = Quota { cores: 0.2, how };
            quota.hold(busy.0.id()).unwrap();
            let cores = busy.cores();
            assert!(cores > 0.02 && cores < 0.4, "{cores} cores: {}", quota.told());
            quota.release();
            assert!(!busy.stopped(), "{}", quota.told());
            drop(busy);
            let cgroup = match &quota.how {
                How::Cgroup(path) => Some(path.clone()),
                How::Stopping(_) => None,
            };
            drop(quota);
            assert!(cgroup.is_none_or(|path| !path.exists()));
        }
    }
}
