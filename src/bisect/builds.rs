//! The builds of a search, in order: releases, or the commits of a checkout.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use kubeclash_components::{ComponentName, Selection, Spec, SpecError};

/// What is replaced by the builds of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// API server, controller-manager and scheduler at once.
    Kubernetes,
    /// One component.
    One(ComponentName),
}

impl Part {
    /// A selection with this part replaced.
    ///
    /// # Errors
    /// When a spec can't stand for this part.
    pub fn put(self, selection: Selection, spec: &Spec) -> Result<Selection, SpecError> {
        match self {
            Self::Kubernetes => selection.with_kubernetes(spec),
            Self::One(name) => Ok(selection.with(name, spec.clone())),
        }
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "kubernetes" => Self::Kubernetes,
            "apiserver" => Self::One(ComponentName::Apiserver),
            "controller-manager" => Self::One(ComponentName::ControllerManager),
            "scheduler" => Self::One(ComponentName::Scheduler),
            "descheduler" => Self::One(ComponentName::Descheduler),
            "etcd" => Self::One(ComponentName::Etcd),
            "kwok" => Self::One(ComponentName::Kwok),
            _ => {
                return Err(
                    "it must be kubernetes, apiserver, controller-manager, scheduler, descheduler, etcd or kwok".to_owned(),
                );
            }
        })
    }
}

/// A build of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// What it is called: a release, or a commit's full hash.
    pub name: String,
    /// A commit's author and subject; of a release nothing.
    pub subject: String,
}

/// Why there are no builds, or one can't be had.
#[derive(Debug, thiserror::Error)]
pub enum BuildsError {
    /// git is not there, or refused.
    #[error("git {what}: {why}")]
    Git {
        /// What it was to do.
        what: String,
        /// What it said.
        why: String,
    },
    /// The ends are not in one line of history.
    #[error("\"{old}\" is no ancestor of \"{new}\" along first parents")]
    NoLine {
        /// The older end.
        old: String,
        /// The newer end.
        new: String,
    },
    /// The build command failed.
    #[error("{why}; its output is in \"{}\"", .log.display())]
    Command {
        /// How.
        why: String,
        /// All that it said.
        log: PathBuf,
    },
    /// A file or folder.
    #[error("\"{}\": {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Where a build command finds the path that its program has to be written to.
pub const OUT: &str = "KUBECLASH_OUT";

/// A copy of a repository in which commits are checked out: the user's own is only read.
#[derive(Debug)]
pub struct Copy {
    dir: PathBuf,
}

impl Copy {
    /// Makes the copy, or takes the one that an earlier search left; it shares the objects of the user's repository.
    ///
    /// # Errors
    /// When git is not there or refuses.
    pub async fn of(repo: &Path, dir: PathBuf) -> Result<Self, BuildsError> {
        if !dir.join(".git").exists() {
            let (from, to) = (repo.display().to_string(), dir.display().to_string());
            git(
                None,
                &["clone", "--shared", "--no-checkout", "--quiet", &from, &to],
            )
            .await?;
        }
        Ok(Self { dir })
    }

    /// Checks a commit out, and gives the folder.
    ///
    /// # Errors
    /// When git refuses.
    pub async fn at(&self, commit: &str) -> Result<&Path, BuildsError> {
        git(
            Some(&self.dir),
            &["checkout", "--quiet", "--force", "--detach", commit],
        )
        .await?;
        git(Some(&self.dir), &["clean", "--quiet", "-ffdx"]).await?;
        Ok(&self.dir)
    }
}

/// The full hash of a revision of a repository.
///
/// # Errors
/// When git knows none.
pub async fn commit(repo: &Path, revision: &str) -> Result<String, BuildsError> {
    let named = format!("{revision}^{{commit}}");
    let hash = git(
        Some(repo),
        &["rev-parse", "--verify", "--quiet", "--end-of-options", &named],
    )
    .await;
    hash.map(|hash| hash.trim().to_owned())
        .map_err(|_| BuildsError::Git {
            what: "rev-parse".to_owned(),
            why: format!("\"{}\" has no commit \"{revision}\"", repo.display()),
        })
}

/// The commits from one to another, along first parents, both included and the oldest first; and whether the first is the
/// newer one of the two.
///
/// # Errors
/// When neither is an ancestor of the other.
pub async fn commits(repo: &Path, one: &str, other: &str) -> Result<(Vec<Build>, bool), BuildsError> {
    for (old, new, turned) in [(one, other, false), (other, one, true)] {
        let range = format!("{old}..{new}");
        let format = "--format=%H%x00%an%x00%s";
        let told = git(
            Some(repo),
            &["log", "--first-parent", "--reverse", format, &range],
        )
        .await?;
        let parents = git(Some(repo), &["rev-list", "--first-parent", new]).await?;
        if old != new && parents.lines().any(|line| line == old) {
            let first = git(Some(repo), &["log", "-1", format, old]).await?;
            let lines = first.lines().chain(told.lines());
            return Ok((lines.filter_map(build).collect(), turned));
        }
    }
    Err(BuildsError::NoLine {
        old: one.to_owned(),
        new: other.to_owned(),
    })
}

fn build(line: &str) -> Option<Build> {
    let mut fields = line.split('\0');
    let (name, author, subject) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Build {
        name: name.to_owned(),
        subject: format!("{subject} ({author})"),
    })
}

/// Runs a build command in a checkout, and gives the program that it made.
///
/// # Errors
/// When it fails, takes too long, or makes nothing.
pub async fn made(
    command: &str,
    checkout: &Path,
    program: PathBuf,
    log: PathBuf,
    within: Duration,
) -> Result<PathBuf, BuildsError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildsError::Io { path, source }
    };
    for path in [&program, &log] {
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent).map_err(io(parent))?;
    }
    let out = std::fs::File::create(&log).map_err(io(&log))?;
    let err = out.try_clone().map_err(io(&log))?;
    let failed = |why: String| BuildsError::Command {
        why,
        log: log.clone(),
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(checkout)
        .env(OUT, &program)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(format!("the build command did not start: {e}")))?;
    match tokio::time::timeout(within, child.wait()).await {
        Ok(Ok(status)) if status.success() => {}
        Ok(Ok(status)) => return Err(failed(format!("the build command ended with {status}"))),
        Ok(Err(error)) => return Err(failed(format!("the build command was lost: {error}"))),
        Err(_) => return Err(failed(format!("the build command was not over after {within:?}"))),
    }
    if program.is_file() {
        Ok(program)
    } else {
        Err(failed(format!(
            "the build command made no \"{}\" (${OUT})",
            program.display()
        )))
    }
}

/// How long git may take: a large repository is only read.
const GIT: Duration = Duration::from_secs(300);

async fn git(dir: Option<&Path>, args: &[&str]) -> Result<String, BuildsError> {
    let failed = |why: String| BuildsError::Git {
        what: args[0].to_owned(),
        why,
    };
    let mut command = Command::new("git");
    if let Some(dir) = dir {
        command.arg("-C").arg(dir);
    }
    // Hooks and pagers of the user's are not for this.
    let run = command
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "advice.detachedHead=false",
        ])
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(GIT, run).await;
    let output = output
        .map_err(|_| failed(format!("it was not over after {GIT:?}")))?
        .map_err(|e| failed(format!("it can't be run: {e}")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}
