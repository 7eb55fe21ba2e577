//! Go as it is used here: which one it is, where it is asked, and why it could not build.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kubeclash_host::progress::Task;
use tokio::process::Command;

use super::Platform;
use super::entry::{Lock, Staging};
use super::go::{Ended, Log};

/// How long `go env` may take; it only reads a file or two.
const ASK: Duration = Duration::from_secs(10);

/// A Go release, as `go env GOVERSION` has it: `go1.26.8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoVersion(pub String);

impl GoVersion {
    /// Whether it is at least `wanted`, which is written as in go.mod (`1.26.0`). What cannot be read is not.
    #[must_use]
    pub fn at_least(&self, wanted: &str) -> bool {
        let numbers = |text: &str| -> Option<Vec<u32>> {
            let text = text.trim_start_matches("go").split([' ', '-', '+']).next()?;
            // `1.27rc1` is before 1.27.0, but close enough: go itself has the last word.
            text.split('.')
                .map(|part| part.split(char::is_alphabetic).next()?.parse().ok())
                .collect()
        };
        match (numbers(&self.0), numbers(wanted)) {
            (Some(have), Some(wanted)) => have >= wanted,
            _ => false,
        }
    }
}

/// Runs `go build`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// The `go` command: a name to be found on `PATH`, or a path.
    pub go: PathBuf,
    /// More environment for it.
    pub env: Vec<(OsString, OsString)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            go: "go".into(),
            env: Vec::new(),
        }
    }
}

/// Why a component could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildFailure {
    #[error("there is no \"{}\" to build with ({reason})", go.display())]
    NoGo { go: PathBuf, reason: String },
    #[error("there is no {package}@{query}: {reason}")]
    NoModule {
        package: String,
        query: String,
        reason: String,
    },
    #[error("{package} in \"{}\" is package {kind}, and a program is package main", dir.display())]
    NoProgram {
        package: String,
        dir: PathBuf,
        kind: String,
    },
    #[error("GOSUMDB is \"off\", so that nothing would vouch for what is built")]
    Unchecked,
    #[error("go {status}; it said:\n{tail}{}", kept(log.as_deref()))]
    Failed {
        status: String,
        tail: String,
        log: Option<PathBuf>,
    },
    #[error("cannot write: {0}")]
    Local(std::io::Error),
}

fn kept(log: Option<&Path>) -> String {
    log.map(|log| format!("\n    all of it is in \"{}\"", log.display()))
        .unwrap_or_default()
}

impl BuildFailure {
    /// What to do next, whatever was being built; nothing where that depends on it.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoModule { .. } => {
                Some("see whether there is such a version, and whether go reaches its module proxy")
            }
            Self::NoProgram { .. } => Some("write src:DIR#./cmd/NAME with the folder of a main package"),
            Self::Unchecked => Some("unset GOSUMDB (see \"go env GOSUMDB\")"),
            Self::Failed { tail, .. } if tail.contains("no space left") => Some(
                "a disk is full: make room for the cache (KUBECLASH_CACHE moves it), for Go's own (GOCACHE) and for \
                 temporary files (TMPDIR)",
            ),
            Self::NoGo { .. } | Self::Failed { .. } | Self::Local(_) => None,
        }
    }

    /// With all that go said kept beside the entry that could not be made.
    pub(super) fn kept(self, lock: &Lock, room: &Staging) -> Self {
        match self {
            Self::Failed {
                status,
                tail,
                log: None,
            } => Self::Failed {
                status,
                tail,
                log: lock.keep_failed(&room.beside(Log::NAME)),
            },
            other => other,
        }
    }
}

/// An empty folder to build in, and a log of what go says there: both within a staging.
pub(super) fn set_up(room: &Staging) -> Result<(PathBuf, Log), BuildFailure> {
    let log = Log::create(room.dir()).map_err(BuildFailure::Local)?;
    let folder = room.beside("module");
    std::fs::create_dir_all(&folder).map_err(BuildFailure::Local)?;
    Ok((folder, log))
}

/// Where go is asked, and where what it says goes.
pub(super) struct Workshop<'a> {
    /// A folder of our own with nothing of anybody else's above it that counts.
    pub(super) folder: &'a Path,
    /// What go says.
    pub(super) log: &'a Log,
    /// What is shown of it.
    pub(super) task: &'a Task,
    /// What is built for.
    pub(super) platform: &'a Platform,
}

impl Builder {
    /// The Go that is here, asked without letting it fetch another one.
    ///
    /// # Errors
    ///
    /// What the system says when there is none, or what go says.
    pub async fn version(&self) -> Result<GoVersion, String> {
        self.version_in(&std::env::temp_dir(), &[("GOTOOLCHAIN", "local")])
            .await
    }

    /// The Go that go.mod in a folder makes of it.
    async fn version_in(&self, folder: &Path, env: &[(&str, &str)]) -> Result<GoVersion, String> {
        let mut command = Command::new(&self.go);
        command
            .args(["env", "GOVERSION"])
            .envs(self.env.iter().cloned())
            .envs(env.iter().copied());
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = match tokio::time::timeout(ASK, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("\"go env\" did not answer within {} s", ASK.as_secs())),
        };
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(GoVersion(said(&output.stdout)))
        } else {
            Err(said(&output.stderr)
                .lines()
                .last()
                .unwrap_or("go env failed")
                .to_owned())
        }
    }

    /// The Go that is here, or that there is none.
    pub(super) async fn go_version(&self) -> Result<GoVersion, BuildFailure> {
        self.version().await.map_err(|reason| BuildFailure::NoGo {
            go: self.go.clone(),
            reason,
        })
    }

    /// The Go that builds in a folder: its go.mod may have made go fetch a newer one, which is here by now.
    pub(super) async fn used(&self, folder: &Path) -> Result<GoVersion, BuildFailure> {
        match self.version_in(folder, &[]).await {
            Ok(go) => Ok(go),
            Err(_) => self.go_version().await,
        }
    }

    pub(super) fn failed(&self, ended: Ended) -> BuildFailure {
        match ended {
            Ended::Start(error) => BuildFailure::NoGo {
                go: self.go.clone(),
                reason: error.to_string(),
            },
            Ended::Badly { status, tail } => BuildFailure::Failed {
                status,
                tail,
                log: None,
            },
        }
    }

    /// go without anything that the user has set for projects of their own; a toolchain, a proxy and a checksum
    /// database of theirs count.
    pub(super) fn command(&self, shop: &Workshop<'_>, mode: &str) -> Command {
        let mut command = Command::new(&self.go);
        command
            .current_dir(shop.folder)
            // Static.
            .env("CGO_ENABLED", "0")
            .env("GOOS", &shop.platform.os)
            .env("GOARCH", &shop.platform.arch)
            .env("GOWORK", "off")
            .env("GOFLAGS", mode)
            .env("GO111MODULE", "on")
            // Everything that is built here is public, and is checked.
            .env("GONOSUMDB", "none")
            .env("GOINSECURE", "none")
            .env_remove("GONOSUMCHECK")
            .env_remove("GOBIN")
            .env_remove("GOEXPERIMENT")
            .envs(self.env.iter().cloned());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_compared_by_number() {
        let go = |text: &str| GoVersion(text.to_owned());
        assert!(go("go1.26.8").at_least("1.26.0"));
        assert!(go("go1.100.0").at_least("1.26.0"));
        assert!(!go("go1.9.2").at_least("1.26.0"));
        assert!(!go("devel").at_least("1.26.0"));
    }
}
