//! Building releases with `go build` from the modules that are embedded in this binary.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use include_dir::{Dir, include_dir};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{ComponentName, Module, Platform, Selection, Version};
use crate::progress::Task;

static MODULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/components");

/// How many of go's last lines an error quotes.
const TAIL: usize = 12;

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
    #[error("only {pinned} can be built: the embedded {module} module pins it, and nothing pins {wanted}")]
    NotPinned {
        module: Module,
        pinned: String,
        wanted: String,
    },
    #[error("go build {status}; it said:\n{tail}")]
    Failed { status: String, tail: String },
    #[error("cannot write: {0}")]
    Local(std::io::Error),
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

    /// The oldest Go that builds a module, from its go.mod.
    #[must_use]
    pub fn needs(module: Module) -> &'static str {
        go_mod(module)
            .lines()
            .find_map(|line| line.strip_prefix("go "))
            .unwrap_or_default()
            .trim()
    }

    /// Whether a release can be built at all, before anything is started.
    pub(super) fn can(module: Module, version: &Version) -> Result<(), BuildFailure> {
        let pinned = Selection::pinned(module);
        if *version == pinned {
            return Ok(());
        }
        let shown = |version: &Version| version.shown_by(module).to_owned();
        Err(BuildFailure::NotPinned {
            module,
            pinned: shown(&pinned),
            wanted: shown(version),
        })
    }

    /// Builds packages of one module into `out`, each named as its component. Whoever drops the future kills go
    /// and all that it started.
    pub(super) async fn build(
        &self,
        module: Module,
        version: &Version,
        names: &[ComponentName],
        platform: &Platform,
        out: &Path,
        task: &Task,
    ) -> Result<GoVersion, BuildFailure> {
        Self::can(module, version)?;
        let go = self.version().await.map_err(|reason| BuildFailure::NoGo {
            go: self.go.clone(),
            reason,
        })?;
        let source = out.join("module");
        unpack(module, &source).map_err(BuildFailure::Local)?;
        let mut command = self.command(&source, module, version, platform);
        match names {
            // With a file named, as go itself would call etcd's package `server`.
            [name] => command.arg("-o").arg(out.join(name.as_str())),
            _ => command.arg("-o").arg(out),
        };
        command.args(names.iter().map(|name| name.package()));
        match run(command, task).await {
            // go.mod may have made go fetch a newer one, which is here by now.
            Ok(()) => Ok(self.version_in(&source, &[]).await.unwrap_or(go)),
            Err(Ended::Start(error)) => Err(BuildFailure::NoGo {
                go: self.go.clone(),
                reason: error.to_string(),
            }),
            Err(Ended::Badly { status, tail }) => Err(BuildFailure::Failed { status, tail }),
        }
    }

    fn command(&self, source: &Path, module: Module, version: &Version, platform: &Platform) -> Command {
        let mut command = Command::new(&self.go);
        command
            .args(["build", "-v", "-trimpath", "-ldflags", &ldflags(module, version)])
            .current_dir(source)
            // Static, and never with what the user has set for projects of their own.
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env("GOFLAGS", "-mod=readonly")
            .env("GO111MODULE", "on")
            .env("GOOS", &platform.os)
            .env("GOARCH", &platform.arch)
            .env_remove("GOBIN")
            .env_remove("GOEXPERIMENT")
            .envs(self.env.iter().cloned());
        command
    }
}

/// What makes a binary report its release as the official one does; without it, kube-apiserver calls itself
/// `v0.0.0-master+$Format:%H$` and clients refuse it.
fn ldflags(module: Module, version: &Version) -> String {
    let variable = match module {
        Module::Etcd => return "-s -w".to_owned(),
        Module::Kubernetes => "k8s.io/component-base/version.gitVersion",
        Module::Kwok => "sigs.k8s.io/kwok/pkg/consts.Version",
        Module::Descheduler => "sigs.k8s.io/descheduler/pkg/version.version",
    };
    format!("-s -w -X {variable}={}", version.tag())
}

fn go_mod(module: Module) -> &'static str {
    MODULES
        .get_file(format!("{module}/go.mod"))
        .and_then(|file| file.contents_utf8())
        .expect("every module has a go.mod in UTF-8, which a test checks")
}

fn unpack(module: Module, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let files = MODULES.get_dir(module.as_str()).into_iter().flat_map(Dir::files);
    for file in files {
        std::fs::write(
            to.join(file.path().file_name().unwrap_or_default()),
            file.contents(),
        )?;
    }
    Ok(())
}

enum Ended {
    Start(std::io::Error),
    Badly { status: String, tail: String },
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

async fn run(mut command: Command, task: &Task) -> Result<(), Ended> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut group = Group(command.spawn().map_err(Ended::Start)?);
    let mut tail = VecDeque::new();
    if let Some(stderr) = group.0.stderr.take() {
        let mut lines = BufReader::new(stderr).split(b'\n');
        let mut count = 0;
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
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
    let status = group.0.wait().await.map_err(Ended::Start)?;
    if status.success() {
        return Ok(());
    }
    let tail = tail
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n");
    Err(Ended::Badly {
        status: format!("ended with {status}"),
        tail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Module; 4] = [
        Module::Etcd,
        Module::Kubernetes,
        Module::Kwok,
        Module::Descheduler,
    ];

    #[test]
    fn what_is_pinned_here_is_what_the_modules_pin() {
        for module in ALL {
            let line = format!("{} {}", module.upstream(), Selection::pinned(module));
            let pins = |text: &str| text.trim_start_matches("require ").trim() == line;
            assert!(
                go_mod(module).lines().any(pins),
                "components/{module}/go.mod does not require {line}"
            );
            assert!(!Builder::needs(module).is_empty());
        }
    }

    #[test]
    fn every_package_is_named_by_its_modules_tools() {
        for name in ComponentName::ALL.into_iter().chain([ComponentName::Kwokctl]) {
            let tools = MODULES.get_file(format!("{}/tools.go", name.module())).unwrap();
            let import = format!("_ \"{}\"", name.package());
            assert!(tools.contents_utf8().unwrap().contains(&import), "{name}");
        }
    }

    #[test]
    fn go_versions_are_compared_by_number() {
        let go = |text: &str| GoVersion(text.to_owned());
        assert!(go("go1.26.8").at_least("1.26.0"));
        assert!(go("go1.100.0").at_least("1.26.0"));
        assert!(!go("go1.9.2").at_least("1.26.0"));
        assert!(!go("devel").at_least("1.26.0"));
    }
}
