//! The container engine that kind drives, by its command: Docker, Podman or nerdctl.
//!
//! By the command and not by its API, because kind does so: the user's context and credentials are the same
//! then. What is run as a component goes through testcontainers instead (the `docker` module).

pub mod labelled;
pub mod preflight;

use std::fmt;
use std::io;
use std::process::Stdio;
use std::str::FromStr;

use tokio::process::Command;

use crate::run_dir::{RUN_VARIABLE, RunDir};
use crate::shell::on_path;

/// The variable by which kind is told which engine to drive.
pub const PROVIDER_VARIABLE: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// Which container engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `docker`.
    Docker,
    /// `podman`.
    Podman,
    /// `nerdctl`.
    Nerdctl,
}

/// A command of the engine's that did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{command}\" {why}")]
pub struct Failed {
    /// The command, as it could be given by hand.
    pub command: String,
    /// What it said, as the rest of a sentence.
    pub why: String,
}

impl Engine {
    /// In the order in which kind looks for them.
    const ALL: [Self; 3] = [Self::Docker, Self::Nerdctl, Self::Podman];

    /// As kind finds it: the one that `KIND_EXPERIMENTAL_PROVIDER` names, or else the first whose command is there.
    ///
    /// # Errors
    /// When there is none; in words.
    pub fn of_environment() -> Result<Self, String> {
        match std::env::var(PROVIDER_VARIABLE)
            .ok()
            .filter(|name| !name.is_empty())
        {
            Some(name) => name.parse(),
            None => Self::ALL
                .into_iter()
                .find(|engine| on_path(engine.as_str()).is_some())
                .ok_or_else(|| "there is no docker, podman or nerdctl on PATH".to_owned()),
        }
    }

    /// Its command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
        }
    }

    /// Its command with some arguments, which gets no input and ends when it is no longer waited for.
    pub fn command(self, args: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(self.as_str());
        command
            .args(args.iter().map(AsRef::as_ref))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it, and gives what it said on its standard output, without the last line's end.
    ///
    /// # Errors
    /// When it can't be started, or ends badly; with what it said on its standard error.
    pub async fn run(self, args: &[impl AsRef<str>]) -> Result<String, Failed> {
        let output = self.command(args).output().await;
        self.said(args, output)
    }

    /// The same for what makes something of a run: a sweep ends it before it looks for that.
    pub async fn run_of(self, run: &RunDir, args: &[impl AsRef<str>]) -> Result<String, Failed> {
        let mut command = self.command(args);
        command.env(RUN_VARIABLE, run.path());
        self.said(args, command.output().await)
    }

    fn said(
        self,
        args: &[impl AsRef<str>],
        output: io::Result<std::process::Output>,
    ) -> Result<String, Failed> {
        let failed = |why: String| Failed {
            command: self.shown(args),
            why,
        };
        let output = output.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => failed(format!("failed: there is no {} on PATH", self.as_str())),
            _ => failed(format!("failed: {error}")),
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        Err(failed(if said.is_empty() {
            format!("ended with {}", output.status)
        } else {
            format!("said: {said}")
        }))
    }

    fn shown(self, args: &[impl AsRef<str>]) -> String {
        let words = args.iter().map(|arg| crate::shell::quoted(arg.as_ref()));
        std::iter::once(self.as_str().to_owned())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|engine| engine.as_str() == name)
            .ok_or_else(|| {
                format!("{PROVIDER_VARIABLE} is \"{name}\": kubeclash knows docker, podman and nerdctl")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_the_name_of_its_command() {
        assert_eq!("podman".parse(), Ok(Engine::Podman));
        let unknown = "finch".parse::<Engine>().unwrap_err();
        assert!(
            unknown.contains("\"finch\"") && unknown.contains("nerdctl"),
            "{unknown}"
        );
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        use std::os::unix::process::ExitStatusExt;
        let output = |code: i32, stdout: &str, stderr: &str| {
            Ok(std::process::Output {
                status: std::process::ExitStatus::from_raw(code << 8),
                stdout: stdout.into(),
                stderr: stderr.into(),
            })
        };
        let said = |output| Engine::Docker.said(&["image", "inspect", "a b"], output);
        assert_eq!(said(output(0, "sha256:0\n", "")), Ok("sha256:0".to_owned()));
        assert_eq!(
            said(output(1, "[]\n", "Error: No such image\n"))
                .unwrap_err()
                .to_string(),
            "\"docker image inspect 'a b'\" said: Error: No such image"
        );
        let missing = said(Err(io::ErrorKind::NotFound.into())).unwrap_err().to_string();
        assert!(missing.contains("no docker on PATH"), "{missing}");
    }
}
