//! A Go checkout on this machine, built where it is, as whoever works there builds it.
//!
//! Its own go.mod, go.work or vendor directory counts, and so does what its owner has set for go. Whether its sources
//! have changed is not looked for here: `go build` is asked each time, and go's own cache knows what is left to do.
//! Nothing is written into the checkout.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::build::ldflags;
use super::builder::BuildFailure;
use super::builder::Workshop;
use super::go::run;
use super::wrapper::is_version;
use super::{Builder, ComponentError, ComponentName, GoVersion};

/// How long git may take to say what is checked out; large trees take it a second.
const ASK: Duration = Duration::from_secs(20);

/// A main package in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkout {
    /// The folder, absolute.
    pub(super) dir: PathBuf,
    /// The package, as in `./cmd/descheduler`.
    pub(super) package: String,
}

/// What git says is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its hash, in full.
    pub(super) hash: String,
    /// The last tag of a version, and what came after it; or the beginning of the hash where no tag is known.
    pub(super) described: String,
    /// Whether there is something that is not committed.
    pub(super) dirty: bool,
}

impl Commit {
    /// As in `v0.35.1-3-g0123456789ab-dirty`.
    pub(super) fn version(&self) -> String {
        let dirty = if self.dirty { "-dirty" } else { "" };
        format!("{}{dirty}", self.described)
    }
}

impl Checkout {
    /// Looks whether there is such a folder with such a package.
    pub(super) fn open(
        name: ComponentName,
        dir: &Path,
        package: Option<&str>,
    ) -> Result<Self, ComponentError> {
        Self::look(name, dir, package).map_err(|(reason, help)| ComponentError::Given {
            flag: name.flag(),
            env: name.env(),
            path: dir.to_owned(),
            reason,
            help,
        })
    }

    /// As [`open`](Self::open), with what is wrong as the rest of a sentence, and what to do about it.
    pub(super) fn look(
        name: ComponentName,
        dir: &Path,
        package: Option<&str>,
    ) -> Result<Self, (String, Option<String>)> {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        match std::fs::metadata(&dir) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err((
                    "is a file, and src: names the folder of a Go checkout".to_owned(),
                    None,
                ));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(("does not exist".to_owned(), None));
            }
            Err(error) => return Err((format!("cannot be looked at: {error}"), None)),
        }
        let tried = package.map_or_else(|| usual(name), |package| vec![package.to_owned()]);
        let found = tried.iter().find(|package| dir.join(package).is_dir());
        match found {
            Some(package) => Ok(Self {
                package: package.clone(),
                dir,
            }),
            None => {
                let help = commands(&dir).map(|there| {
                    format!(
                        "write src:DIR#./cmd/NAME with one that is there: {}",
                        there.join(", ")
                    )
                });
                Err((format!("has no {}", tried.join(" and no ")), help))
            }
        }
    }

    /// What tells it from all others.
    pub(super) fn place(&self) -> String {
        format!("{}#{}", self.dir.display(), self.package)
    }

    /// What is checked out, where git knows.
    pub(super) async fn commit(&self) -> Option<Commit> {
        let hash = self.git(&["rev-parse", "HEAD"]).await?;
        let describe = ["describe", "--tags", "--match", "v[0-9]*", "--abbrev=12"];
        let described = match self.git(&describe).await {
            Some(described) => described,
            None => hash.get(..12).unwrap_or(&hash).to_owned(),
        };
        let dirty = self
            .git(&["status", "--porcelain"])
            .await
            .is_none_or(|changes| !changes.is_empty());
        Some(Commit {
            hash,
            described,
            dirty,
        })
    }

    async fn git(&self, args: &[&str]) -> Option<String> {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(&self.dir)
            .args(args)
            // Looking must not write an index that was only refreshed.
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(ASK, command.output()).await.ok()?.ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }
}

/// Where a component's main package is, if nobody says.
fn usual(name: ComponentName) -> Vec<String> {
    if name == ComponentName::Controller {
        return vec![".".to_owned()];
    }
    let mut usual = vec![format!("./cmd/{}", name.program())];
    // Schedulers out of tree are called so.
    if matches!(name, ComponentName::Scheduler | ComponentName::SecondScheduler) {
        usual.push("./cmd/scheduler".to_owned());
    }
    usual
}

/// What there is in `cmd/`.
fn commands(dir: &Path) -> Option<Vec<String>> {
    let folders = std::fs::read_dir(dir.join("cmd")).ok()?.flatten();
    let mut names: Vec<_> = folders
        .filter(|entry| entry.path().is_dir())
        .map(|entry| format!("./cmd/{}", entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    names.truncate(20);
    (!names.is_empty()).then_some(names)
}

impl Builder {
    /// Builds a checkout's program to `out`.
    pub(super) async fn build_checkout(
        &self,
        checkout: &Checkout,
        commit: Option<&Commit>,
        out: &Path,
        shop: &Workshop<'_>,
    ) -> Result<GoVersion, BuildFailure> {
        let mut command = self.command_in(checkout, shop);
        command.args([
            "list",
            "-f",
            "{{.Name}} {{with .Module}}{{.Path}}{{end}}",
            "--",
            &checkout.package,
        ]);
        let listed = self.said(command, shop).await?;
        let (kind, module) = listed.split_once(' ').unwrap_or((&listed, ""));
        if kind != "main" {
            return Err(BuildFailure::NoProgram {
                package: checkout.package.clone(),
                dir: checkout.dir.clone(),
                kind: kind.to_owned(),
            });
        }
        let mut command = self.command_in(checkout, shop);
        command.args(["env", "GOFLAGS"]);
        let flags = self.said(command, shop).await?;
        let mut command = self.command_in(checkout, shop);
        // What is checked out is asked of git here. go would ask as well, and fail where git does, as in a container
        // that runs as somebody else than who owns the files.
        command
            .args(["build", "-v", "-trimpath", "-buildvcs=false", "-o"])
            .arg(out);
        let version = commit.map(Commit::version).filter(|version| is_version(version));
        if let (Some(version), false) = (version, flags.contains("-ldflags")) {
            command.args(["-ldflags", &ldflags(module, &version)]);
        }
        command.args(["--", &checkout.package]);
        run(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        self.used(&checkout.dir).await
    }

    async fn said(&self, command: Command, shop: &Workshop<'_>) -> Result<String, BuildFailure> {
        let answer = run(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        Ok(String::from_utf8_lossy(&answer).trim().to_owned())
    }

    /// go as it is where the checkout's owner works.
    fn command_in(&self, checkout: &Checkout, shop: &Workshop<'_>) -> Command {
        let mut command = Command::new(&self.go);
        command
            .current_dir(&checkout.dir)
            .env("GOOS", &shop.platform.os)
            .env("GOARCH", &shop.platform.arch)
            .envs(self.env.iter().cloned());
        if std::env::var_os("CGO_ENABLED").is_none() {
            // Static, unless somebody wants otherwise.
            command.env("CGO_ENABLED", "0");
        }
        command
    }
}
