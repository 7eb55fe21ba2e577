//! The order of things: given path, cache, official release, build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use tokio::process::Command;
use tokio::sync::Mutex;

use super::build::BuildFailure;
use super::cache::{Lock, Staging};
use super::download::{self, Failure};
use super::{
    Binary, Builder, Cache, ComponentError, ComponentName, Format, Http, Look, Module, Origin, Patience,
    Platform, Selection, Sha256, Sources, Spec, Version,
};
use crate::progress::Progress;

/// How long a given binary may take to say which version it is.
const ASK: Duration = Duration::from_secs(5);

/// Turns specs into binaries on disk; cheap to clone.
///
/// Clones share what was learnt about hosts that do not answer.
#[derive(Debug, Clone)]
pub struct Resolver {
    cache: Cache,
    progress: Progress,
    sources: Sources,
    http: Http,
    builder: Builder,
    platform: Platform,
    /// Go uses all cores by itself; two builds at once would only double the memory.
    building: Arc<Mutex<()>>,
}

/// A release that one lock is held for, on its way into the cache.
struct Wanted {
    lock: Lock,
    staging: Staging,
}

impl Resolver {
    /// With the official sources, or the mirrors that the environment names (see [`Sources`]).
    ///
    /// # Errors
    ///
    /// [`ComponentError::Mirror`] when one of those is no address that can be used.
    pub fn new(cache: Cache, progress: Progress) -> Result<Self, ComponentError> {
        Ok(Self {
            http: Http::new(Patience::default(), progress.clone()),
            cache,
            progress,
            sources: Sources::from_env()?,
            builder: Builder::default(),
            platform: Platform::host(),
            building: Arc::default(),
        })
    }

    /// With these sources.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// With this patience, and nothing known yet of any host.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.http = Http::new(patience, self.progress.clone());
        self
    }

    /// With this Go.
    #[must_use]
    pub fn with_builder(mut self, builder: Builder) -> Self {
        self.builder = builder;
        self
    }

    /// For another platform than this one.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// The cache that it fills.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The Go that it builds with.
    #[must_use]
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// A binary for each name: given, cached, downloaded or built, in this order.
    ///
    /// Given paths are looked at before anything slow begins. Dropping the future stops downloads and builds, and
    /// leaves nothing half done.
    ///
    /// # Errors
    ///
    /// [`ComponentError`]; all that is wrong is collected into one.
    pub async fn resolve(
        &self,
        selection: &Selection,
        names: &[ComponentName],
    ) -> Result<BTreeMap<ComponentName, Binary>, ComponentError> {
        let mut given = BTreeMap::new();
        let mut groups: BTreeMap<(Module, Version), Vec<ComponentName>> = BTreeMap::new();
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        for name in sorted {
            match selection.spec(name) {
                Spec::Path(path) => drop(given.insert(name, path)),
                Spec::Release(version) => groups.entry((name.module(), version)).or_default().push(name),
            }
        }
        let mut binaries =
            collect(join_all(given.into_iter().map(|(name, path)| self.given(name, path))).await)?;
        let releases = groups
            .into_iter()
            .map(|((module, version), names)| self.release(module, version, names));
        binaries.extend(collect(join_all(releases).await)?.into_iter().flatten());
        Ok(binaries.into_iter().map(|binary| (binary.name, binary)).collect())
    }

    async fn given(&self, name: ComponentName, path: PathBuf) -> Result<Binary, ComponentError> {
        let path = std::path::absolute(&path).unwrap_or(path);
        check(&path, &self.platform).map_err(|reason| {
            let help = reason.contains("does not exist").then(|| {
                format!(
                    "name a file that is there, or leave {} out to use {}",
                    name.flag(),
                    Selection::pinned(name.module()).shown(name)
                )
            });
            ComponentError::Given {
                flag: name.flag(),
                env: name.env(),
                path: path.clone(),
                reason,
                help,
            }
        })?;
        let file = path.clone();
        let digest = tokio::task::spawn_blocking(move || Sha256::of_file(&file)).await;
        let sha256 = digest
            .map_err(std::io::Error::other)
            .and_then(|digest| digest)
            .map_err(|error| {
                let reason = format!("cannot be read: {error}");
                ComponentError::Given {
                    flag: name.flag(),
                    env: name.env(),
                    path: path.clone(),
                    reason,
                    help: None,
                }
            })?;
        let version = ask(name, &path).await.unwrap_or_else(|| "unknown".to_owned());
        Ok(Binary {
            name,
            version,
            path,
            sha256,
            origin: Origin::Given,
        })
    }

    /// Binaries of one module at one version; the names are sorted, which keeps two processes from waiting for each
    /// other's locks.
    async fn release(
        &self,
        module: Module,
        version: Version,
        names: Vec<ComponentName>,
    ) -> Result<Vec<Binary>, ComponentError> {
        let mut binaries = Vec::new();
        let mut wanted = Vec::new();
        for name in names {
            match self.kept(name, &version).await? {
                Ok(binary) => binaries.push(binary),
                Err(lock) => wanted.push(Wanted {
                    staging: lock.stage()?,
                    lock,
                }),
            }
        }
        let mut attempts = Vec::new();
        let mut left = Vec::new();
        let fetched = join_all(wanted.into_iter().map(|wanted| self.download(wanted, &version))).await;
        for outcome in collect(fetched)? {
            match outcome {
                Ok(binary) => binaries.push(binary),
                Err((wanted, failure)) => {
                    attempts.push(format!("official release: {failure}"));
                    left.push(wanted);
                }
            }
        }
        if !left.is_empty() {
            attempts.dedup();
            binaries.extend(self.build(module, &version, left, attempts).await?);
        }
        Ok(binaries)
    }

    /// What the cache has, or the right to put it there.
    async fn kept(
        &self,
        name: ComponentName,
        version: &Version,
    ) -> Result<Result<Binary, Lock>, ComponentError> {
        if let Look::Good(binary) = self.cache.look(name, version, &self.platform) {
            return Ok(Ok(binary));
        }
        let lock = self
            .cache
            .lock(name, version, &self.platform, &self.progress)
            .await?;
        // Another process may have put it there while this one waited.
        let reason = match self.cache.look(name, version, &self.platform) {
            Look::Good(binary) => return Ok(Ok(binary)),
            Look::Missing => return Ok(Err(lock)),
            Look::Corrupted(reason) => reason,
            Look::Doubtful(entry) => match lock.verify(entry)? {
                Ok(binary) => return Ok(Ok(binary)),
                Err(reason) => reason,
            },
        };
        let (shown, dir) = (
            version.shown(name),
            self.cache.entry(name, version, &self.platform),
        );
        self.progress.println(format!(
            "{name} {shown} in the cache is corrupted and is fetched again: {reason} (\"{}\")",
            dir.display()
        ));
        Ok(Err(lock))
    }

    async fn download(
        &self,
        wanted: Wanted,
        version: &Version,
    ) -> Result<Result<Binary, (Wanted, Failure)>, ComponentError> {
        let Wanted { lock, staging } = wanted;
        let name = lock.name();
        let task = self.progress.task(format!("{name} {}", version.shown(name)));
        match download::fetch(
            &self.http,
            &self.sources,
            name,
            version,
            &self.platform,
            &staging,
            &task,
        )
        .await
        {
            Ok(origin) => {
                let binary = lock.keep(staging, origin, task.elapsed())?;
                task.finish(binary.origin.to_string());
                Ok(Ok(binary))
            }
            Err(Failure::Local(error)) => Err(self.cache.error("write a download", error)),
            Err(failure) => {
                match &failure {
                    Failure::Checksum { .. } => {
                        self.progress
                            .println(format!("WARNING: {failure}. It was thrown away."));
                    }
                    // Said once for all files of the host.
                    Failure::Unreachable { .. } => {}
                    _ => self
                        .progress
                        .println(format!("{name} {}: {failure}", version.shown(name))),
                }
                // A new place, as this one may hold half a download.
                Ok(Err((
                    Wanted {
                        staging: lock.stage()?,
                        lock,
                    },
                    failure,
                )))
            }
        }
    }

    async fn build(
        &self,
        module: Module,
        version: &Version,
        wanted: Vec<Wanted>,
        mut attempts: Vec<String>,
    ) -> Result<Vec<Binary>, ComponentError> {
        let names: Vec<_> = wanted.iter().map(|wanted| wanted.lock.name()).collect();
        let shown = version.shown(names.first().copied().unwrap_or(ComponentName::Apiserver));
        let what = format!(
            "{} {shown}",
            names
                .iter()
                .map(|name| name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        );
        let unavailable = |mut attempts: Vec<String>, failure: &BuildFailure| {
            attempts.push(format!("go build: {failure}"));
            ComponentError::Unavailable {
                what: what.clone(),
                attempts,
                help: advice(module, &names, failure),
            }
        };
        if let Err(failure) = Builder::can(module, version) {
            return Err(unavailable(attempts, &failure));
        }
        let Some(room) = wanted.first().map(|first| first.lock.stage()).transpose()? else {
            return Ok(Vec::new());
        };
        let turn = self.building.lock().await;
        let task = self.progress.task(format!("building {what}"));
        task.say("go is at work");
        self.progress.println(format!(
            "building {what}, which takes minutes the first time ({})",
            attempts.last().map_or("", String::as_str)
        ));
        let started = Instant::now();
        let built = self
            .builder
            .build(module, version, &names, &self.platform, room.dir(), &task)
            .await;
        drop(turn);
        let go = match built {
            Ok(go) => go,
            Err(BuildFailure::Local(error)) => {
                return Err(self.cache.error("write the module to build", error));
            }
            Err(failure) => return Err(unavailable(std::mem::take(&mut attempts), &failure)),
        };
        let took = started.elapsed();
        let origin = Origin::Built {
            module: format!("{}@{}", module.upstream(), version.tag()),
            go: go.0,
        };
        let mut binaries = Vec::new();
        for Wanted { lock, staging } in wanted {
            std::fs::rename(room.dir().join(lock.name().as_str()), staging.path())
                .map_err(|error| self.cache.error("move what was built", error))?;
            binaries.push(lock.keep(staging, origin.clone(), took)?);
        }
        task.finish("built");
        Ok(binaries)
    }

    /// What is there and what would be done about the rest, without doing it or asking the network.
    pub async fn probe(&self, selection: &Selection, names: &[ComponentName]) -> Vec<Finding> {
        let go = self.builder.version().await;
        let finding = |name: &ComponentName| {
            let name = *name;
            let version = match selection.spec(name) {
                Spec::Release(version) => version,
                Spec::Path(path) => {
                    let problem = check(&path, &self.platform).err();
                    let version = "given".to_owned();
                    return Finding {
                        name,
                        version,
                        state: State::Given { path, problem },
                        took_ms: None,
                    };
                }
            };
            let last = self.cache.last_time(name, &version, &self.platform);
            let mut plan = vec![match self.sources.describe(name, &version, &self.platform) {
                Ok(url) => format!("fetch {url}"),
                Err(failure) => failure.to_string(),
            }];
            plan.push(match (Builder::can(name.module(), &version), &go) {
                (Err(failure), _) => failure.to_string(),
                (Ok(()), Ok(go)) => format!("build {}@{} with {}", name.package(), version.tag(), go.0),
                (Ok(()), Err(reason)) => format!("no Go to build it with ({reason})"),
            });
            let state = match self.cache.look(name, &version, &self.platform) {
                Look::Good(binary) => State::Cached {
                    path: binary.path,
                    sha256: binary.sha256,
                    origin: binary.origin,
                },
                Look::Doubtful(entry) => State::Cached {
                    path: self
                        .cache
                        .entry(name, &version, &self.platform)
                        .join(name.as_str()),
                    sha256: entry.sha256,
                    origin: entry.origin,
                },
                Look::Corrupted(reason) => State::Corrupted { reason, plan },
                Look::Missing => State::Missing { plan },
            };
            let took_ms = last.map(|(took, _)| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            Finding {
                name,
                version: version.shown(name).to_owned(),
                state,
                took_ms,
            }
        };
        names.iter().map(finding).collect()
    }
}

/// What [`Resolver::probe`] finds of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which component.
    pub name: ComponentName,
    /// Which release, or `given`.
    pub version: String,
    /// What there is.
    #[serde(flatten)]
    pub state: State,
    /// How long this release took when it was last fetched or built here, in milliseconds.
    pub took_ms: Option<u64>,
}

/// Whether a component is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// The user named a file.
    Given {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        problem: Option<String>,
    },
    /// In the cache.
    Cached {
        /// Where.
        path: PathBuf,
        /// As recorded.
        sha256: String,
        /// Where it came from.
        origin: Origin,
    },
    /// In the cache, and of no use.
    Corrupted {
        /// What is wrong with it.
        reason: String,
        /// What would be tried, in this order.
        plan: Vec<String>,
    },
    /// Not there.
    Missing {
        /// What would be tried, in this order.
        plan: Vec<String>,
    },
}

fn collect<T>(results: Vec<Result<T, ComponentError>>) -> Result<Vec<T>, ComponentError> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    ComponentError::all(errors).map_or(Ok(values), Err)
}

/// Why a file cannot be a component, as the rest of a sentence.
fn check(path: &Path, platform: &Platform) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be looked at: {error}"),
    })?;
    if metadata.is_dir() {
        return Err("is a directory, not a file".to_owned());
    }
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    access(path, AccessFlags::X_OK).map_err(|_| "is not executable".to_owned())?;
    let mut head = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| {
            std::io::Read::read_to_end(&mut std::io::Read::take(file, Format::HEAD as u64), &mut head)
        })
        .map_err(|error| format!("cannot be read: {error}"))?;
    platform.refuses(&head).map_or(Ok(()), Err)
}

/// The version that a binary says it is; a fork that says nothing is no less welcome.
async fn ask(name: ComponentName, path: &Path) -> Option<String> {
    let argument = if name == ComponentName::Descheduler {
        "version"
    } else {
        "--version"
    };
    let mut command = Command::new(path);
    command
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(ASK, command.output()).await.ok()?.ok()?;
    version_in(name, &String::from_utf8_lossy(&output.stdout))
}

fn version_in(name: ComponentName, text: &str) -> Option<String> {
    let separators = [' ', '\n', '\t', ':', '{', '}', ',', '"'];
    text.split(separators).find_map(|word| {
        // Build metadata is no part of a release; official deschedulers say `v20260101-v0.36.0`.
        let word = word.split('+').next()?;
        let dated = word.split_once("-v").map(|(_, version)| version);
        let version: Version = [Some(word), dated]
            .into_iter()
            .flatten()
            .find_map(|word| word.parse().ok())?;
        Some(version.shown(name).to_owned())
    })
}

/// What a user can do next when nothing worked.
fn advice(module: Module, names: &[ComponentName], failure: &BuildFailure) -> String {
    let flag = names.first().map_or("", |name| name.flag());
    let mirror = module.as_str().to_uppercase();
    let other = format!("name a binary with {flag} path:FILE, or a mirror with KUBECLASH_{mirror}_MIRROR");
    match failure {
        BuildFailure::NoGo { .. } => {
            format!(
                "install Go {} or newer (https://go.dev/dl), {other}",
                Builder::needs(module)
            )
        }
        BuildFailure::NotPinned { pinned, .. } => format!("use {pinned}, {other}"),
        BuildFailure::Failed { tail, .. } if tail.contains("no space left") => {
            format!("the disk is full: make room for Go's build cache and its temporary files, or {other}")
        }
        BuildFailure::Failed { .. } | BuildFailure::Local(_) => {
            format!(
                "the build needs Go {} or newer and its module proxy; otherwise {other}",
                Builder::needs(module)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_binaries_print() {
        for (name, text, version) in [
            (ComponentName::Apiserver, "Kubernetes v1.36.3\n", "v1.36.3"),
            (
                ComponentName::Scheduler,
                "Kubernetes v1.36.3-rc.1+0123abc\n",
                "v1.36.3-rc.1",
            ),
            (
                ComponentName::Etcd,
                "etcd Version: 3.6.16\nGit SHA: x\nGo Version: go1.26.8\n",
                "3.6.16",
            ),
            (
                ComponentName::Kwok,
                "kwok version v0.8.0 go1.26.8 (linux/amd64)\n",
                "v0.8.0",
            ),
            (
                ComponentName::Descheduler,
                "Descheduler version {Major: Minor: GitVersion:v0.36.0 GitBranch:}",
                "v0.36.0",
            ),
            (
                ComponentName::Descheduler,
                "{Major:0 GitVersion:v20260101-v0.36.0 GitBranch:}",
                "v0.36.0",
            ),
        ] {
            assert_eq!(version_in(name, text).as_deref(), Some(version), "{text:?}");
        }
        assert_eq!(version_in(ComponentName::Scheduler, "my fork"), None);
    }
}
