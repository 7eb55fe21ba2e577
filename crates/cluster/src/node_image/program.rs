//! Programs that a step runs: what they say is shown, and none of them outlives it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use kubeclash_host::progress::Task;
use kubeclash_host::run_dir::{RUN_VARIABLE, RunDir};

/// How many of a program's last lines an error quotes.
const TAIL: usize = 12;

/// How long a program that is killed may take to be gone, with the processes of its own.
const END: Duration = Duration::from_secs(10);

/// A child process that is killed, and waited for, when it is dropped; a sweep finds it when we are killed.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Starts it; it gets no input.
    pub(super) fn start(command: &mut Command, run_dir: &RunDir) -> std::io::Result<Self> {
        let child = command
            .env(RUN_VARIABLE, run_dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(pid) = child.id() {
            let program = command.as_std().get_program();
            let name = Path::new(program).file_name().unwrap_or(program);
            run_dir.register(&name.to_string_lossy(), pid);
        }
        Ok(Self(child))
    }
}

/// The processes that a process has started.
fn children(pid: i32) -> Vec<i32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

impl Drop for Running {
    fn drop(&mut self) {
        // No id means that it was waited for: the number may belong to somebody else by now.
        let Some(pid) = self.0.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        // Those of a process that is the first of its namespace die with it, before it is gone itself.
        let children = children(pid);
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        let deadline = Instant::now() + END;
        let lives = |pid: &i32| Path::new("/proc").join(pid.to_string()).exists();
        while matches!(self.0.try_wait(), Ok(None)) || children.iter().any(lives) {
            if Instant::now() > deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Runs a program to its end, and shows the last line that it said.
///
/// # Errors
/// When it can't be started, or ends badly; in words, with its last lines.
pub(super) async fn run(command: &mut Command, run_dir: &RunDir, task: &Task) -> Result<(), String> {
    let name = command.as_std().get_program().display().to_string();
    let mut running =
        Running::start(command, run_dir).map_err(|error| format!("\"{name}\" can't be started: {error}"))?;
    let mut tail = Vec::new();
    if let Some(said) = running.0.stderr.take() {
        let mut lines = BufReader::new(said).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let line = line.trim().to_owned();
            task.say(line.trim_start_matches("I: "));
            if tail.len() == TAIL {
                tail.remove(0);
            }
            tail.push(line);
        }
    }
    let status = running.0.wait().await.map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!(
            "\"{name}\" ended with {status}; it said:\n{}",
            tail.join("\n")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_host::progress::Progress;

    #[tokio::test]
    async fn a_program_that_fails_is_quoted() {
        let task = Progress::hidden().task("x");
        let mut command = Command::new("sh");
        let script = "i=1; while [ $i -le 20 ]; do echo line $i >&2; i=$((i + 1)); done; exit 3";
        let error = run(command.args(["-c", script]), &RunDir::create().unwrap(), &task)
            .await
            .unwrap_err();
        assert!(
            error.contains("exit status: 3") && error.ends_with("line 20"),
            "{error}"
        );
        assert!(!error.contains("line 8\n"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_dropped_has_ended() {
        let run_dir = RunDir::create().unwrap();
        let mut running = Running::start(Command::new("sleep").arg("100"), &run_dir).unwrap();
        let pid = Pid::from_raw(i32::try_from(running.0.id().unwrap()).unwrap());
        assert!(running.0.try_wait().unwrap().is_none());
        drop(running);
        assert!(kill(pid, None).is_err(), "it lives");
    }
}
