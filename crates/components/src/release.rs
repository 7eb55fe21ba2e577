//! Releases: downloaded, or built where that is not to be had.

use std::time::Instant;

use futures::future::join_all;

use super::build::{Ground, Program};
use super::builder::BuildFailure;
use super::builder::{Workshop, set_up};
use super::entry::{Lock, Staging};
use super::go::Log;
use super::http::Failure;
use super::resolve::collect;
use super::{
    Binary, Builder, ComponentError, ComponentName, GoVersion, Key, Module, Origin, Resolver, Selection,
    Version, download,
};
use kubeclash_host::progress::Task;

/// A release that one lock is held for, on its way into the cache.
struct Wanted {
    lock: Lock,
    staging: Staging,
}

impl Resolver {
    /// Binaries of one module at one version; the names are sorted, which keeps two processes from waiting for each
    /// other's locks.
    pub(super) async fn release(
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
        // What is never published needs no word about it.
        if module.mirror().is_none() {
            left = std::mem::take(&mut wanted);
        }
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
            attempts
                .last()
                .map_or("kubeclash always builds it itself", String::as_str)
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
            let shown = version.shown(lock.name());
            let told = (lock.key().as_str() != shown).then(|| shown.to_owned());
            binaries.push(lock.keep(staging, origin.clone(), told, took)?);
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
        let (folder, log) = set_up(room)?;
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

/// What a user can do next when nothing worked.
fn advice(module: Module, names: &[ComponentName], failure: &BuildFailure) -> String {
    let flag = names.first().map_or("", |name| name.flag());
    let other = match (flag, module.mirror()) {
        ("", _) => "there is no other way to it".to_owned(),
        (flag, None) => format!("name a binary with {flag} path:FILE"),
        (flag, Some(mirror)) => format!("name a binary with {flag} path:FILE, or a mirror with {mirror}"),
    };
    let needs = Builder::needs(module);
    match (failure.advice(), failure) {
        (Some(advice), _) => format!("{advice}; otherwise {other}"),
        (None, BuildFailure::NoGo { .. }) => {
            format!("install Go {needs} or newer (https://go.dev/dl), {other}")
        }
        (None, _) => format!("the build needs Go {needs} or newer and its module proxy; otherwise {other}"),
    }
}
