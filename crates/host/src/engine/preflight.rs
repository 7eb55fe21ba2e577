//! What would keep kind from making a cluster here, told before anything is made: each problem with its remedy.
//!
//! Everything is asked at once, and nothing is waited for longer than 5 s. What can't be looked at (the disk of
//! an engine on another machine) is no problem.

mod info;
mod inotify;

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use indicatif::HumanBytes;
use nix::unistd::getuid;
use serde::Serialize;
use tokio::process::Command;

use super::{Engine, Failed, PROVIDER_VARIABLE};
use crate::disk;
use info::Info;

/// How long each answer is waited for. An engine that is well answers at once.
const ANSWER: Duration = Duration::from_secs(5);

/// What the nodes' containers of a cluster write at most.
const DISK: u64 = 4 << 30;

/// The oldest kind whose node images and configuration are those of today.
const OLDEST_KIND: [u64; 3] = [0, 27, 0];

/// Something that keeps kind from making a cluster here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong, as a sentence without its stop.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Who makes the nodes.
    pub engine: Engine,
    /// The kind that would be run; without one it would be fetched or built.
    pub kind: Option<&'a Path>,
    /// The node image, if it is known already.
    pub image: Option<&'a str>,
    /// How many clusters at once.
    pub clusters: u64,
}

/// What there is, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// The engine's release, if it answers.
    pub engine_version: Option<String>,
    /// Kind's release, if there is one.
    pub kind_version: Option<String>,
    /// Whether the engine's cgroups are version 1's.
    #[serde(skip)]
    pub cgroup_v1: bool,
    /// What is good to know.
    pub notes: Vec<String>,
    /// What keeps kind from making a cluster.
    pub problems: Vec<Problem>,
}

/// Looks at everything at once.
pub async fn examine(plan: &Plan<'_>) -> Examined {
    let engine = plan.engine;
    let image = async {
        let args = ["image", "inspect", "--format", "{{.Architecture}}", plan.image?];
        // One that is not there would be pulled, for the right architecture.
        let found = within(engine.run(&args)).await?.ok()?;
        Some((plan.image?, found))
    };
    let kind = async {
        let path = plan.kind?;
        let mut command = Command::new(path);
        command.arg("version").stdin(Stdio::null()).kill_on_drop(true);
        Some(kind_version(path, within(command.output()).await))
    };
    let info = async {
        let answer = within(engine.run(&engine.info_args())).await;
        Info::read(engine, answer)
    };
    let (info, image, kind) = tokio::join!(info, image, kind);

    let mut examined = Examined::default();
    match kind {
        Some(Ok(version)) => examined.kind_version = Some(version),
        Some(Err(problem)) => examined.problems.push(problem),
        None => {}
    }
    match info {
        Err(problem) => examined.problems.push(problem),
        Ok(info) => examined.add_engine(plan, info, image),
    }
    examined
}

impl Examined {
    fn add_engine(&mut self, plan: &Plan<'_>, info: Info, image: Option<(&str, String)>) {
        let here = info.is_here();
        let image = image.and_then(|(name, found)| foreign(&info, name, &found));
        let disk = info.data.as_deref().filter(|_| here).and_then(|data| {
            let room = disk::room(data)?;
            too_little(plan, data, room)
        });
        self.problems.extend([image, disk].into_iter().flatten());
        self.problems.extend(info.rootless_on_old_cgroups());
        if here {
            let user = if info.rootless { getuid() } else { 0.into() };
            let used = inotify::used(Path::new("/proc"), user);
            self.problems
                .extend(inotify::too_low(inotify::limits(), used, plan.clusters));
        }
        self.cgroup_v1 = info.cgroup == Some(1);
        if self.cgroup_v1 {
            self.notes.push(
                "this machine has cgroup v1: kubelets from v1.35 on start there only because they are told to".to_owned(),
            );
        }
        self.engine_version = Some(info.version);
    }
}

/// An answer, or nothing when it takes too long.
async fn within<T>(answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(ANSWER, answer).await.ok()
}

/// Why an engine that was asked for its state can't be used.
fn unusable(engine: Engine, failed: Option<Failed>) -> Problem {
    let Some(Failed { command, why }) = failed else {
        return Problem::new(
            format!("{engine} does not answer within {ANSWER:?}"),
            format!("see what \"{engine} info\" waits for, and start its service again"),
        );
    };
    let says = |words: &[&str]| words.iter().any(|word| why.to_lowercase().contains(word));
    if says(&["failed: there is no"]) {
        return Problem::new(
            format!("there is no {engine} on PATH"),
            format!("install it, or name another engine with {PROVIDER_VARIABLE}"),
        );
    }
    // Docker says both where it may not, and this before the other.
    if says(&["permission denied", "operation not permitted"]) {
        let remedy = match engine {
            Engine::Docker => {
                "join its group (\"sudo usermod -aG docker $USER\", then log in again), or take a rootless Docker"
                    .to_owned()
            }
            Engine::Podman | Engine::Nerdctl => format!("see what \"{engine} info\" says, or run as root"),
        };
        return Problem::new(
            format!("{engine} may not be used: no permission on its socket"),
            remedy,
        );
    }
    if says(&[
        "cannot connect",
        "can't connect",
        "failed to connect",
        "daemon running",
        "connection refused",
        "no such file or directory",
    ]) {
        let remedy = match engine {
            Engine::Docker => "start it (\"sudo systemctl start docker\"), or name another with DOCKER_HOST",
            Engine::Podman => {
                "start it (\"systemctl --user start podman.socket\", or \"podman machine start\")"
            }
            Engine::Nerdctl => "start containerd (\"sudo systemctl start containerd\")",
        };
        return Problem::new(
            format!("{engine} does not run: nothing listens where its command looks"),
            remedy,
        );
    }
    Problem::new(
        format!("\"{command}\" {why}"),
        format!("see what \"{engine} info\" says"),
    )
}

/// A node image that is for other processors than the engine's.
fn foreign(info: &Info, image: &str, found: &str) -> Option<Problem> {
    let wanted = info::go_arch(info.architecture.as_deref()?);
    let found = info::go_arch(found);
    (!found.is_empty() && found != wanted).then(|| {
        Problem::new(
            format!("the node image \"{image}\" is for {found}, and this engine's machine is {wanted}"),
            format!(
                "name one for {wanted} with --kind-image, or make one with \"kubeclash node-image build\""
            ),
        )
    })
}

fn too_little(plan: &Plan<'_>, data: &Path, room: u64) -> Option<Problem> {
    let needed = plan.clusters.max(1) * DISK;
    (room < needed).then(|| {
        Problem::new(
            format!(
                "there are {} of room in \"{}\", where {} keeps its data, and nodes may need {}",
                HumanBytes(room),
                data.display(),
                plan.engine,
                HumanBytes(needed)
            ),
            format!(
                "make room (\"{} system prune\" removes what nothing uses), or run fewer arms side by side with --jobs",
                plan.engine
            ),
        )
    })
}

/// What a program says that should be kind, as in `kind v0.33.0 go1.26.1 linux/amd64`.
fn kind_version(path: &Path, answer: Option<io::Result<Output>>) -> Result<String, Problem> {
    let shown = path.display();
    let remedy = "name another with --kind: a file, or a release, which is fetched or built";
    let answer = match answer {
        None => Err(format!("does not answer within {ANSWER:?}")),
        Some(Err(error)) => Err(format!("can't be run: {error}")),
        Some(Ok(output)) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
    };
    let said = answer.map_err(|why| Problem::new(format!("\"{shown}\" {why}"), remedy))?;
    let mut words = said.split_whitespace();
    let version = (words.next() == Some("kind")).then(|| words.next()).flatten();
    let numbers = version.and_then(numbers);
    let (Some(version), Some(numbers)) = (version, numbers) else {
        let said = said.lines().next().unwrap_or_default();
        return Err(Problem::new(
            format!("\"{shown}\" is not kind: asked for its version, it says \"{said}\""),
            remedy,
        ));
    };
    if numbers < OLDEST_KIND {
        let [major, minor, patch] = OLDEST_KIND;
        return Err(Problem::new(
            format!("kind {version}, \"{shown}\", is older than v{major}.{minor}.{patch}"),
            remedy,
        ));
    }
    Ok(version.to_owned())
}

/// The numbers of `v0.33.0-alpha+1`; of two that differ in the rest only, neither is older.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let plain = version.strip_prefix('v')?.split(['-', '+']).next()?;
    let numbers: Option<Vec<u64>> = plain.split('.').map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
