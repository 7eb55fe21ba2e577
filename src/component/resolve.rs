//! The order of things: given path, cache, official release, build.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use tokio::sync::Mutex;

use super::build::{BuildFailure, Ground, Program};
use super::checkout::Checkout;
use super::entry::{Lock, Staging};
use super::go::Log;
use super::http::Failure;
use super::module::Workshop;
use super::{
    Binary, Builder, Cache, ComponentError, ComponentName, GoVersion, Http, Key, Look, Module, Origin,
    Patience, Platform, Selection, Sources, Spec, Version, container, download, given,
};
use crate::progress::{Progress, Task};

/// Turns specs into binaries on disk; cheap to clone.
///
/// Clones share what was learnt about hosts that do not answer.
#[derive(Debug, Clone)]
pub struct Resolver {
    pub(super) cache: Cache,
    pub(super) progress: Progress,
    pub(super) sources: Sources,
    pub(super) http: Http,
    pub(super) builder: Builder,
    pub(super) platform: Platform,
    /// Go uses all cores by itself; two builds at once would only double the memory.
    pub(super) building: Arc<Mutex<()>>,
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
        let (mut given, mut forks) = (BTreeMap::new(), BTreeMap::new());
        let mut groups: BTreeMap<(Module, Version), Vec<ComponentName>> = BTreeMap::new();
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        for name in &sorted {
            let (name, spec) = (twin(*name, selection, &sorted), selection.spec(*name));
            match spec {
                Spec::Path(path) => drop(given.insert(name, path)),
                Spec::Release(version) => {
                    let group = groups.entry((name.module(), version)).or_default();
                    if !group.contains(&name) {
                        group.push(name);
                    }
                }
                fork => drop(forks.insert(name, fork)),
            }
        }
        // What can be seen to be wrong is said before anything slow begins.
        let checkouts = collect(
            forks
                .iter()
                .filter_map(|(name, fork)| checkout(*name, fork))
                .collect(),
        );
        let binaries = collect(
            join_all(
                given
                    .into_iter()
                    .map(|(name, path)| given::check_in(name, path, &self.platform)),
            )
            .await,
        );
        let (checkouts, mut binaries) = match (checkouts, binaries) {
            (Ok(checkouts), Ok(binaries)) => (checkouts.into_iter().collect(), binaries),
            (checkouts, binaries) => {
                let errors = checkouts.err().into_iter().chain(binaries.err()).collect();
                return Err(ComponentError::all(errors).expect("one of them is an error"));
            }
        };
        let releases = groups
            .into_iter()
            .map(|((module, version), names)| self.release(module, version, names));
        let forks = forks
            .iter()
            .map(|(name, fork)| self.fork(*name, fork, &checkouts));
        let (releases, forks) = tokio::join!(join_all(releases), join_all(forks));
        let (releases, forks) = (collect(releases), collect(forks));
        match (releases, forks) {
            (Ok(releases), Ok(forks)) => binaries.extend(releases.into_iter().flatten().chain(forks)),
            (releases, forks) => {
                let errors = releases.err().into_iter().chain(forks.err()).collect();
                return Err(ComponentError::all(errors).expect("one of them is an error"));
            }
        }
        let found: BTreeMap<_, _> = binaries.into_iter().map(|binary| (binary.name, binary)).collect();
        let named = |name: &ComponentName| {
            let binary = found.get(&twin(*name, selection, &sorted))?.clone();
            Some((
                *name,
                Binary {
                    name: *name,
                    ..binary
                },
            ))
        };
        Ok(sorted.iter().filter_map(named).collect())
    }

    /// What is no release and no file.
    async fn fork(
        &self,
        name: ComponentName,
        spec: &Spec,
        checkouts: &BTreeMap<ComponentName, Checkout>,
    ) -> Result<Binary, ComponentError> {
        match (spec, checkouts.get(&name)) {
            (Spec::Go { package, version }, _) => self.package(name, package, version).await,
            (Spec::Source { .. }, Some(checkout)) => self.checkout(name, checkout).await,
            (Spec::Extract(reference), _) => self.extracted(name, reference).await,
            (Spec::Image(reference), _) => {
                container::resolve(name, reference.clone(), &self.platform, &self.progress).await
            }
            (other, _) => unreachable!("\"{other}\" is not resolved as a fork"),
        }
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
            match self.kept(name, &Key::release(name, &version)).await? {
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
    pub(super) async fn kept(
        &self,
        name: ComponentName,
        key: &Key,
    ) -> Result<Result<Binary, Lock>, ComponentError> {
        if let Look::Good(binary) = self.cache.look(name, key, &self.platform) {
            return Ok(Ok(binary));
        }
        let lock = self.cache.lock(name, key, &self.platform, &self.progress).await?;
        // Another process may have put it there while this one waited.
        let reason = match self.cache.look(name, key, &self.platform) {
            Look::Good(binary) => return Ok(Ok(binary)),
            Look::Missing => return Ok(Err(lock)),
            Look::Corrupted(reason) => reason,
            Look::Doubtful(entry) => match lock.verify(entry)? {
                Ok(binary) => return Ok(Ok(binary)),
                Err(reason) => reason,
            },
        };
        let dir = self.cache.entry(name, key, &self.platform);
        self.progress.println(format!(
            "{name} {key} in the cache is corrupted and is fetched again: {reason} (\"{}\")",
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
                let binary = lock.keep(staging, origin, None, task.elapsed())?;
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
        let Some(first) = wanted.first() else {
            return Ok(Vec::new());
        };
        let room = first.lock.stage()?;
        let turn = self.building.lock().await;
        let task = self.progress.task(format!("building {what}"));
        task.say("go is at work");
        self.progress.println(format!(
            "building {what}, which takes minutes the first time ({})",
            attempts.last().map_or("", String::as_str)
        ));
        let started = Instant::now();
        let built = self.build_release(module, version, &names, &room, &task).await;
        drop(turn);
        let go = match built {
            Ok(go) => go,
            Err(BuildFailure::Local(error)) => {
                return Err(self.cache.error("write the module to build", error));
            }
            Err(failure) => {
                let failure = failure.kept(&first.lock, &room);
                attempts.push(format!("go build: {failure}"));
                return Err(ComponentError::Unavailable {
                    what,
                    attempts,
                    help: advice(module, &names, &failure),
                });
            }
        };
        let took = started.elapsed();
        let origin = Origin::Built {
            module: format!("{}@{}", module.upstream(), version.tag()),
            package: None,
            go: go.0,
        };
        let mut binaries = Vec::new();
        for Wanted { lock, staging } in wanted {
            let move_in = || {
                std::fs::rename(room.dir().join(lock.name().program()), staging.path())?;
                std::fs::copy(room.beside(Log::NAME), staging.beside(Log::NAME))
            };
            move_in().map_err(|error| self.cache.error("move what was built", error))?;
            binaries.push(lock.keep(staging, origin.clone(), None, took)?);
        }
        task.finish("built");
        Ok(binaries)
    }

    /// A release from its embedded module, or from a wrapper where it is not the one that is embedded.
    async fn build_release(
        &self,
        module: Module,
        version: &Version,
        names: &[ComponentName],
        room: &Staging,
        task: &Task,
    ) -> Result<GoVersion, BuildFailure> {
        self.builder.go_version().await?;
        let log = Log::create(room.dir()).map_err(BuildFailure::Local)?;
        let folder = room.beside("module");
        std::fs::create_dir_all(&folder).map_err(BuildFailure::Local)?;
        let shop = Workshop {
            folder: &folder,
            log: &log,
            task,
            platform: &self.platform,
        };
        let programs: Vec<_> = names.iter().map(|name| Program::of(*name)).collect();
        if *version == Selection::pinned(module) {
            let ground = Ground::Embedded(module);
            return self.builder.build(ground, &programs, room.dir(), &shop).await;
        }
        let found = self.builder.find(module.upstream(), version.tag(), &shop).await?;
        let ground = Ground::Found(&found, version.tag());
        self.builder.build(ground, &programs, room.dir(), &shop).await
    }
}

/// The checkout that a spec names, if it names one.
fn checkout(name: ComponentName, spec: &Spec) -> Option<Result<(ComponentName, Checkout), ComponentError>> {
    match spec {
        Spec::Source { dir, package } => {
            Some(Checkout::open(name, dir, package.as_deref()).map(|checkout| (name, checkout)))
        }
        _ => None,
    }
}

/// Who is resolved in a component's place: a second scheduler that is the very build that the default one is shares its
/// binary.
fn twin(name: ComponentName, selection: &Selection, names: &[ComponentName]) -> ComponentName {
    let first = ComponentName::Scheduler;
    let same = name == ComponentName::SecondScheduler
        && names.contains(&first)
        && selection.spec(name) == selection.spec(first);
    if same { first } else { name }
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
        BuildFailure::NoModule { .. } | BuildFailure::NoSibling { .. } => {
            format!(
                "see whether there is such a release, and whether go reaches its module proxy; otherwise {other}"
            )
        }
        BuildFailure::Unchecked => format!("unset GOSUMDB (see \"go env GOSUMDB\"); otherwise {other}"),
        BuildFailure::Failed { tail, .. } if tail.contains("no space left") => {
            format!(
                "a disk is full: make room for the cache (KUBECLASH_CACHE moves it), for Go's own (GOCACHE) and for \
                 temporary files (TMPDIR); otherwise {other}"
            )
        }
        BuildFailure::Failed { .. } | BuildFailure::NoProgram { .. } | BuildFailure::Local(_) => {
            format!(
                "the build needs Go {} or newer and its module proxy; otherwise {other}",
                Builder::needs(module)
            )
        }
    }
}
