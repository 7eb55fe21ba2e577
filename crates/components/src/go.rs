//! Running go: its process group, and what it says.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use kubeclash_host::progress::Task;
use kubeclash_host::shell::quoted;

/// How many of go's last lines an error quotes.
const TAIL: usize = 12;

/// What a build says, line by line, in a file; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Log {
    file: Arc<Mutex<File>>,
}

impl Log {
    /// The name of a build's log, wherever it lies.
    pub(super) const NAME: &'static str = "build.log";

    /// Makes it in a folder.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let file = File::create(folder.join(Self::NAME))?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Adds a line. A disk that is full stops the build itself soon enough.
    pub(super) fn line(&self, line: impl AsRef<str>) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        drop(writeln!(file, "{}", line.as_ref()));
    }
}

/// How go ended when it did not end well.
#[derive(Debug)]
pub(super) enum Ended {
    /// It could not be started.
    Start(io::Error),
    /// It failed.
    Badly {
        /// As in `ended with exit status: 1`.
        status: String,
        /// Its last lines.
        tail: String,
    },
}

/// Kills a whole process group on drop: go leaves its compilers behind otherwise.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // No id means that it was waited for: the number may belong to somebody else by now.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

/// Runs go and returns what it wrote to standard output; what it says on standard error goes to the task and the log.
pub(super) async fn run(command: Command, log: &Log, task: &Task) -> Result<Vec<u8>, Ended> {
    let (status, out, tail) = run_any(command, log, task).await?;
    if status.success() {
        Ok(out)
    } else {
        Err(Ended::Badly {
            status: format!("ended with {status}"),
            tail,
        })
    }
}

/// As [`run`], for those of go's commands that put what went wrong into their answer.
pub(super) async fn run_any(
    mut command: Command,
    log: &Log,
    task: &Task,
) -> Result<(ExitStatus, Vec<u8>, String), Ended> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    log.line(written(&command));
    let mut group = Group(command.spawn().map_err(Ended::Start)?);
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let answer = async {
        let mut bytes = Vec::new();
        if let Some(mut stdout) = stdout {
            stdout.read_to_end(&mut bytes).await.map_err(Ended::Start)?;
        }
        Ok(bytes)
    };
    let said = async {
        let mut tail = VecDeque::new();
        if let Some(stderr) = stderr {
            listen(BufReader::new(stderr), log, task, &mut tail).await;
        }
        tail
    };
    let (answer, tail) = tokio::join!(answer, said);
    let status = group.0.wait().await.map_err(Ended::Start)?;
    let tail: Vec<_> = tail.iter().map(|line| format!("    {line}")).collect();
    Ok((status, answer?, tail.join("\n")))
}

async fn listen(
    stderr: BufReader<tokio::process::ChildStderr>,
    log: &Log,
    task: &Task,
    tail: &mut VecDeque<String>,
) {
    let mut lines = stderr.split(b'\n');
    let mut count = 0;
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        log.line(&line);
        // `-v` prints import paths, one a line, which have no spaces; all else is there to be read.
        if !line.contains(' ') {
            count += 1;
            task.say(format!("{count} packages, now {line}"));
            continue;
        }
        if line.starts_with("go: downloading") {
            task.say(line.clone());
        }
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

/// The command as a shell takes it, with the environment that was set for it.
fn written(command: &Command) -> String {
    let command = command.as_std();
    let quoted = |text: &OsStr| quoted(&text.to_string_lossy());
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(quoted);
    let folder = command
        .get_current_dir()
        .map(|dir| format!("cd {} && ", quoted(dir.as_os_str())));
    let words: Vec<_> = set.chain(words).collect();
    format!("$ {}{}", folder.unwrap_or_default(), words.join(" "))
}
