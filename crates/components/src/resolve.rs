//! The order of things: given path, cache, official release, build.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::Mutex;

use super::checkout::Checkout;
use super::entry::Lock;
use super::{
    Binary, Builder, Cache, ComponentError, ComponentName, Http, Key, Look, Module, Patience, Platform,
    Selection, Sources, Spec, Version, container, given,
};
use kubeclash_host::progress::Progress;

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
        let mut images = Vec::new();
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
                Spec::Image(reference) => {
                    let (platform, progress) = (&self.platform, &self.progress);
                    images.push(container::resolve(name, reference, platform, progress));
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
        let (checkouts, binaries) = both(checkouts, binaries)?;
        let checkouts = checkouts.into_iter().collect();
        let images = collect(join_all(images).await)?;
        let releases = groups
            .into_iter()
            .map(|((module, version), names)| self.release(module, version, names));
        let forks = forks
            .iter()
            .map(|(name, fork)| self.fork(*name, fork, &checkouts));
        let (releases, forks) = tokio::join!(join_all(releases), join_all(forks));
        let (releases, forks) = both(collect(releases), collect(forks))?;
        let releases = releases.into_iter().flatten();
        let all = binaries.into_iter().chain(images).chain(releases).chain(forks);
        let found: BTreeMap<_, _> = all.map(|binary| (binary.name, binary)).collect();
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

    /// A program that takes part as a controller of a case.
    ///
    /// # Errors
    ///
    /// [`ComponentError`], also of a release: a controller is none of Kubernetes' own.
    pub async fn controller(&self, spec: &Spec) -> Result<Binary, ComponentError> {
        let name = ComponentName::Controller;
        if let Spec::Release(version) = spec {
            return Err(ComponentError::Unavailable {
                what: format!("controller {version}"),
                attempts: vec!["a release of what it does not say".to_owned()],
                help: "write path:FILE, src:DIR, go:MODULE/cmd/name@VERSION, image:REF or image+extract:REF"
                    .to_owned(),
            });
        }
        let selection = Selection::default().with(name, spec.clone());
        let mut found = self.resolve(&selection, &[name]).await?;
        Ok(found.remove(&name).expect("it was asked for and is there"))
    }

    /// The same in place of one that a case brings.
    ///
    /// # Errors
    ///
    /// As [`controller`](Self::controller); it names the flag that asked for it.
    pub async fn substitute(&self, spec: &Spec) -> Result<Binary, ComponentError> {
        let found = self.controller(spec).await;
        found.map_err(|error| error.asked_by("--with", "KUBECLASH_WITH"))
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
            (Spec::Image(_) | Spec::Release(_) | Spec::Path(_) | Spec::Source { .. }, _) => {
                unreachable!("these were resolved before, and each checkout was opened")
            }
        }
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

/// Both, or all that is wrong with either.
fn both<A, B>(
    one: Result<A, ComponentError>,
    other: Result<B, ComponentError>,
) -> Result<(A, B), ComponentError> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(ComponentError::all(vec![one, other]).expect("there are two")),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

pub(super) fn collect<T>(results: Vec<Result<T, ComponentError>>) -> Result<Vec<T>, ComponentError> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    ComponentError::all(errors).map_or(Ok(values), Err)
}
