//! Owning a component, as a child process or as a container: its log, its end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

use super::ProviderError;
use super::log::{self, Ear};
use kubeclash_components::Program;
use kubeclash_host::docker::{Container, State};
use kubeclash_host::run_dir::RunDir;

/// A component that runs.
///
/// Dropping it kills it and waits for its end, so that not even a panic leaves one behind.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    log: PathBuf,
    body: Body,
    started: Instant,
    _log_keeper: AbortOnDropHandle<()>,
}

/// What is started, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Invocation<'a> {
    /// The program.
    pub(super) program: &'a Program,
    /// Its arguments.
    pub(super) args: &'a [String],
    /// More environment than every component has.
    pub(super) env: &'a [(String, String)],
}

/// What there is to be ended.
#[derive(Debug)]
enum Body {
    /// A child in a group of its own, which goes with it.
    Child {
        child: Child,
        group: Pid,
        /// Whether its end was noticed, and its group ended with it.
        ended: bool,
    },
    /// A container, which is removed.
    Container(Container),
}

impl Process {
    /// Starts a program. Its command line becomes the first line of its log, its output the rest; `ear` hears that.
    ///
    /// A container is not waited for here: [`exited`](Self::exited) tells if it could not be started.
    pub(super) fn start(
        run: &RunDir,
        log: &Path,
        name: &str,
        invocation: &Invocation<'_>,
        ear: Option<Ear>,
    ) -> Result<Self, ProviderError> {
        let Invocation { program, args, env } = *invocation;
        let (image, command) = match program {
            Program::File { path } => {
                let mut command = Self::isolated(run, path, args);
                command.envs(env.iter().map(|(key, value)| (key, value)));
                return Self::tool(run, log, name, command, ear);
            }
            Program::Image { image, command } => (image, command),
        };
        // What would start it by hand is written where that is known.
        Self::begin(log, name, None, ear, |out| {
            let container = super::container::start(run, log, out, name, (image, command), (args, env));
            let container = container.map_err(|e| format!("its container: {e}"))?;
            Ok(Body::Container(container))
        })
    }

    /// Starts a tool of the user's, which has the user's own environment: kind finds its container engine by it.
    pub(super) fn tool(
        run: &RunDir,
        log: &Path,
        name: &str,
        command: Command,
        ear: Option<Ear>,
    ) -> Result<Self, ProviderError> {
        let words = std::iter::once(command.as_std().get_program()).chain(command.as_std().get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let line = words.join(" ");
        Self::begin(log, name, Some(&line), ear, |out| {
            Self::child(run, out, name, command)
        })
    }

    /// Opens the log, writes the command line into it, and starts what goes on writing.
    fn begin(
        log: &Path,
        name: &str,
        line: Option<&str>,
        ear: Option<Ear>,
        start: impl FnOnce(File) -> Result<Body, String>,
    ) -> Result<Self, ProviderError> {
        let failed = |why: String| ProviderError::Start {
            component: name.to_owned(),
            why,
        };
        let unwritten = |e: std::io::Error| failed(format!("its log \"{}\": {e}", log.display()));
        let mut out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(unwritten)?;
        let keeper = log::keep(log.to_owned(), ear);
        if let Some(line) = line {
            writeln!(out, "# {line}").map_err(unwritten)?;
        }
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            body: start(out).map_err(failed)?,
            started: Instant::now(),
            _log_keeper: AbortOnDropHandle::new(tokio::spawn(keeper)),
        })
    }

    /// A program of ours, and nothing of the user's that it could read (~/.kube/config, ~/.kwok); no temporary file
    /// of its outlives the run.
    fn isolated(run: &RunDir, program: &Path, args: &[String]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .envs(std::env::vars_os().filter(|(key, _)| key == "PATH"))
            .env("HOME", run.path())
            .env("TMPDIR", run.path())
            .env("GOGC", "400");
        command
    }

    fn child(run: &RunDir, out: File, name: &str, mut command: Command) -> Result<Body, String> {
        let err = out
            .try_clone()
            .map_err(|e| format!("its log can't be written: {e}"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .env(kubeclash_host::run_dir::RUN_VARIABLE, run.path())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("\"{}\": {e}", command.as_std().get_program().display()))?;
        let pid = child.id().ok_or_else(|| "exited at once".to_owned())?;
        run.register(name, pid);
        Ok(Body::Child {
            child,
            group: Pid::from_raw(i32::try_from(pid).expect("a process id fits pid_t")),
            ended: false,
        })
    }

    /// Waits until it has ended by itself, as a tool does that has done its work.
    ///
    /// # Errors
    /// When it ended badly, as [`exited`](Self::exited) has it.
    pub(super) async fn done(&mut self) -> Result<(), ProviderError> {
        if let Body::Child { child, .. } = &mut self.body
            && child.wait().await.is_ok_and(|status| status.success())
        {
            return Ok(());
        }
        Err(self.died().await)
    }

    /// What went wrong, if the process has exited.
    pub(super) fn exited(&mut self) -> Option<ProviderError> {
        let status = match &mut self.body {
            Body::Child { child, group, ended } => {
                let status = child.try_wait().ok().flatten()?;
                if !std::mem::replace(ended, true) {
                    // What it started goes with it; later the id may be somebody else's.
                    let _ = killpg(*group, Signal::SIGKILL);
                }
                status.to_string()
            }
            Body::Container(container) => match container.state() {
                State::Starting | State::Running { .. } => return None,
                State::Exited(status) => status,
                State::Failed(why) => {
                    return Some(ProviderError::Start {
                        component: self.name.clone(),
                        why,
                    });
                }
            },
        };
        Some(ProviderError::Exited {
            component: self.name.clone(),
            status,
            after: self.started.elapsed(),
            last: self.last_lines(),
            log: self.log.clone(),
        })
    }

    /// What it has taken of CPU time so far; nothing once it has gone.
    pub(super) fn cpu_time(&self) -> (String, Duration) {
        let time = self.pid().map(|(_, pid)| crate::cpu_time(pid));
        (self.name.clone(), time.unwrap_or_default())
    }

    /// Its name and its process id; nothing once it has gone.
    pub(super) fn pid(&self) -> Option<(String, u32)> {
        let pid = match &self.body {
            Body::Child { child, .. } => child.id(),
            Body::Container(container) => match container.state() {
                State::Running { pid } => pid,
                State::Starting | State::Failed(_) | State::Exited(_) => None,
            },
        };
        pid.map(|pid| (self.name.clone(), pid))
    }

    /// Waits until it exits by itself, and says what went wrong. Can be given up and called again.
    pub(super) async fn died(&mut self) -> ProviderError {
        loop {
            let known = match &mut self.body {
                Body::Child { child, .. } => child.wait().await.is_ok(),
                Body::Container(container) => {
                    container.exited().await;
                    true
                }
            };
            if !known {
                // Nobody can know any more.
                std::future::pending::<()>().await;
            }
            if let Some(exited) = self.exited() {
                return exited;
            }
        }
    }

    /// That it did not become ready in time.
    pub(super) fn not_ready(&self, waited: Duration, seen: &str) -> ProviderError {
        ProviderError::NotReady {
            component: self.name.clone(),
            waited,
            seen: seen.to_owned(),
            last: self.last_lines(),
            log: self.log.clone(),
        }
    }

    /// Asks it to end, and makes it end after `patience`.
    pub(super) async fn stop(self, patience: Duration) {
        self.stop_within(patience).await;
    }

    /// The same; says whether it had to be made to.
    pub(super) async fn stop_within(mut self, patience: Duration) -> bool {
        match &mut self.body {
            Body::Child { child, group, .. } => {
                // The group may be gone already; then there is nobody to ask.
                let _ = killpg(*group, Signal::SIGTERM);
                let late = tokio::time::timeout(patience, child.wait()).await.is_err();
                // What did not end, and what it started.
                let _ = killpg(*group, Signal::SIGKILL);
                let _ = child.wait().await;
                late
            }
            Body::Container(container) => {
                container.ask();
                let late = tokio::time::timeout(patience, container.exited()).await.is_err();
                container.kill();
                container.gone().await;
                late
            }
        }
    }

    /// Kills it, and what it started, without waiting.
    pub(super) fn kill(&mut self) {
        match &mut self.body {
            // No id means that it was waited for: the number may belong to somebody else by now.
            Body::Child { child, group, .. } if child.id().is_some() => drop(killpg(*group, Signal::SIGKILL)),
            Body::Child { .. } => {}
            Body::Container(container) => container.kill(),
        }
    }

    /// Waits until it has gone.
    pub(super) async fn gone(&mut self) {
        match &mut self.body {
            Body::Child { child, .. } => drop(child.wait().await),
            Body::Container(container) => container.gone().await,
        }
    }

    fn last_lines(&self) -> String {
        match tail(&self.log, 5) {
            Ok(lines) if lines.is_empty() => "(it said nothing)".to_owned(),
            Ok(lines) => lines,
            Err(e) => format!("(no log: {e})"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // A container is waited for by its own drop.
        let Body::Child { child, .. } = &mut self.body else {
            return;
        };
        // Reaps it: a SIGKILLed child ends in milliseconds.
        let deadline = Instant::now() + Duration::from_secs(2);
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        // What it wrote since its log was last looked at.
        let _ = log::trim(&self.log);
    }
}

/// The most that is quoted of one line; some carry a stack trace.
const LINE: usize = 400;

/// The last lines of a log, without reading all of it.
pub(super) fn tail(log: &Path, lines: usize) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(8 * 1024)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // What an earlier start wrote, above the last command line, is not its.
    let started = |line: &str| line.starts_with("# ") && !line.ends_with(log::LEFT_OUT);
    let mut all: Vec<&str> = text.lines().collect();
    let from = all.iter().rposition(|line| started(line)).map_or(0, |at| at + 1);
    all.drain(..from);
    all.retain(|line| !line.starts_with('#') && !line.trim().is_empty());
    let last = all[all.len().saturating_sub(lines)..].iter().map(|line| {
        let mut characters = line.chars();
        let mut quoted: String = characters.by_ref().take(LINE).collect();
        if characters.next().is_some() {
            quoted.push('…');
        }
        quoted
    });
    Ok(last.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_quoted_and_no_more_of_a_line_than_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("etcd.log");
        let long = "é".repeat(LINE + 1);
        std::fs::write(&log, format!("# etcd --flag\nfirst\n\nsecond\n{long}\nlast")).unwrap();
        let cut = "é".repeat(LINE);
        assert_eq!(tail(&log, 3).unwrap(), format!("second\n{cut}…\nlast"));
        let again = "# etcd --flag\nof another start\n# etcd --flag\n# 7 MiB are left out here\nits own\n";
        std::fs::write(&log, again).unwrap();
        assert_eq!(tail(&log, 3).unwrap(), "its own");
    }

    /// What a component started goes with it, also when it ended by itself.
    #[tokio::test]
    async fn the_group_goes_with_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; exit 3", file.display());
        let start = || {
            Process::start(
                &run,
                &dir.path().join("sh.log"),
                "sh",
                &Invocation {
                    program: &Program::File {
                        path: "/bin/sh".into(),
                    },
                    args: &["-c".to_owned(), script.clone()],
                    env: &[],
                },
                None,
            )
        };
        let lives = |pid: i32| {
            // A zombie of nobody's is still there for a moment; it is not running.
            std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or_else(
                |_| nix::sys::signal::kill(Pid::from_raw(pid), None).is_ok() && !cfg!(target_os = "linux"),
                |stat| !stat.contains(") Z "),
            )
        };
        let mut process = start().unwrap();
        while process.exited().is_none() {
            tokio::task::yield_now().await;
        }
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let start = Instant::now();
        while lives(pid) {
            assert!(start.elapsed() < Duration::from_secs(10), "its child outlived it");
            tokio::task::yield_now().await;
        }
    }
}
