//! What is no release: packages of modules, checkouts, and programs out of images.

use std::path::Path;
use std::time::{Duration, Instant};

use super::build::{Ground, Program};
use super::builder::BuildFailure;
use super::builder::{Workshop, set_up};
use super::cache::STATES;
use super::checkout::{Checkout, Commit};
use super::entry::{Lock, Staging, make_executable};
use super::go::Log;
use super::http::Failure;
use super::image::{Pulled, Which};
use super::wrapper::is_version;
use super::{Binary, ComponentError, ComponentName, GoVersion, Key, Origin, Resolver, Sha256, given};
use kubeclash_host::progress::Task;

impl Resolver {
    /// A package of a public module. What is no version yet (`latest`, a branch) is looked up each time.
    pub(super) async fn package(
        &self,
        name: ComponentName,
        package: &str,
        query: &str,
    ) -> Result<Binary, ComponentError> {
        let unavailable =
            |failure: &BuildFailure| self.not_built(name, format!("{package}@{query}"), failure);
        let version = if is_version(query) {
            query.to_owned()
        } else {
            self.version_of(package, query)
                .await
                .map_err(|failure| unavailable(&failure))?
        };
        let lock = match self.kept(name, &Key::module(package, &version)).await? {
            Ok(binary) => return Ok(binary),
            Err(lock) => lock,
        };
        let room = lock.stage()?;
        let what = format!("{name} from {package}@{version}");
        let (task, _turn) = self.at_work(&what).await;
        let started = Instant::now();
        match self
            .build_package(name, package, &version, query, &room, &task)
            .await
        {
            Ok((module, go)) => {
                let origin = Origin::Built {
                    module,
                    package: Some(package.to_owned()),
                    go: go.0,
                };
                task.finish("built");
                lock.keep(room, origin, Some(version), started.elapsed())
            }
            Err(BuildFailure::Local(error)) => Err(self.cache.error("write the module to build", error)),
            Err(failure) => Err(unavailable(&failure.kept(&lock, &room))),
        }
    }

    /// The version that a query means now.
    async fn version_of(&self, package: &str, query: &str) -> Result<String, BuildFailure> {
        self.builder.go_version().await?;
        let scratch = tempfile::tempdir().map_err(BuildFailure::Local)?;
        let log = Log::create(scratch.path()).map_err(BuildFailure::Local)?;
        let task = self.progress.task(format!("looking up {package}@{query}"));
        let shop = Workshop {
            folder: scratch.path(),
            log: &log,
            task: &task,
            platform: &self.platform,
        };
        let found = self.builder.find(package, query, &shop).await?;
        task.finish(format!("is {}", found.version));
        Ok(found.version)
    }

    async fn build_package(
        &self,
        name: ComponentName,
        package: &str,
        version: &str,
        query: &str,
        room: &Staging,
        task: &Task,
    ) -> Result<(String, GoVersion), BuildFailure> {
        self.builder.go_version().await?;
        let (folder, log) = set_up(room)?;
        let shop = Workshop {
            folder: &folder,
            log: &log,
            task,
            platform: &self.platform,
        };
        let found = self.builder.find(package, version, &shop).await?;
        let programs = [Program {
            package: package.to_owned(),
            file: name.program(),
        }];
        let ground = Ground::Found(&found, query);
        let go = self.builder.build(ground, &programs, room.dir(), &shop).await?;
        std::fs::remove_dir_all(&folder).map_err(BuildFailure::Local)?;
        Ok((format!("{}@{}", found.module, found.version), go))
    }

    /// A checkout, built anew each time; go's own cache makes that cheap. What comes out is kept by its content, so
    /// that a run keeps its binary when somebody goes on working in the checkout.
    pub(super) async fn checkout(
        &self,
        name: ComponentName,
        checkout: &Checkout,
    ) -> Result<Binary, ComponentError> {
        let place = checkout.place();
        let at_work = Key::checkout(&place, Key::AT_WORK);
        // One at a time, as both would compile the same.
        let lock = self
            .cache
            .lock(name, &at_work, &self.platform, &self.progress)
            .await?;
        let room = lock.stage()?;
        let (task, turn) = self
            .at_work(&format!("{name} in {}", checkout.dir.display()))
            .await;
        let started = Instant::now();
        let commit = checkout.commit().await;
        let built = self.build_in(checkout, commit.as_ref(), &room, &task).await;
        drop(turn);
        let go = match built {
            Ok(go) => go,
            Err(BuildFailure::Local(error)) => return Err(self.cache.error("write a build's log", error)),
            Err(failure) => return Err(self.not_built(name, place, &failure.kept(&lock, &room))),
        };
        let took = started.elapsed();
        let (origin, version) = self.of_checkout(name, checkout, commit, go, &room.path()).await;
        let sha256 =
            Sha256::of_file(&room.path()).map_err(|error| self.cache.error("read a binary", error))?;
        let binary = match self.kept(name, &Key::checkout(&place, &sha256)).await? {
            Ok(binary) => binary,
            Err(entry) => entry.keep(room, origin.clone(), Some(version.clone()), took)?,
        };
        lock.built(&origin, took);
        self.cache
            .sweep_states(name, &Key::checkout_prefix(&place), &binary, STATES);
        task.finish(format!("is {version}"));
        // The same binary can come out of another commit.
        Ok(Binary {
            origin,
            version,
            ..binary
        })
    }

    async fn build_in(
        &self,
        checkout: &Checkout,
        commit: Option<&Commit>,
        room: &Staging,
        task: &Task,
    ) -> Result<GoVersion, BuildFailure> {
        self.builder.go_version().await?;
        let log = Log::create(room.dir()).map_err(BuildFailure::Local)?;
        let shop = Workshop {
            folder: &checkout.dir,
            log: &log,
            task,
            platform: &self.platform,
        };
        self.builder
            .build_checkout(checkout, commit, &room.path(), &shop)
            .await
    }

    /// What is to be said of a build: what the binary says it is, or else what git says.
    async fn of_checkout(
        &self,
        name: ComponentName,
        checkout: &Checkout,
        commit: Option<Commit>,
        go: GoVersion,
        file: &Path,
    ) -> (Origin, String) {
        // Kubernetes' word for a build that nobody gave a version.
        let told = given::ask(name, file)
            .await
            .filter(|version| !version.starts_with("v0.0.0-"));
        let described = commit.as_ref().map(Commit::version);
        let version = told.or(described).unwrap_or_else(|| "unknown".to_owned());
        let origin = Origin::Checkout {
            dir: checkout.dir.clone(),
            package: checkout.package.clone(),
            dirty: commit.as_ref().is_some_and(|commit| commit.dirty),
            commit: commit.map(|commit| commit.hash),
            go: go.0,
        };
        (origin, version)
    }

    /// The program of an image. What a tag means is asked each time.
    pub(super) async fn extracted(
        &self,
        name: ComponentName,
        reference: &str,
    ) -> Result<Binary, ComponentError> {
        let reference = &reference.replace('*', name.program());
        let task = self.progress.task(format!("{name} out of {reference}"));
        let unavailable = |failure: Failure| match failure {
            Failure::Local(error) => self.cache.error("write a layer", error),
            failure => ComponentError::Unavailable {
                what: name.to_string(),
                attempts: vec![format!("image+extract:{reference}: {failure}")],
                help: format!(
                    "see whether \"docker pull {reference}\" works, and whether its program is static; otherwise name a \
                     binary with {} path:FILE",
                    name.flag()
                ),
            },
        };
        let started = Instant::now();
        let pulled = Pulled::manifest(&self.http, reference, &self.platform, &task)
            .await
            .map_err(unavailable)?;
        let binary = match self
            .kept(name, &Key::image(&pulled.digest, name.program()))
            .await?
        {
            Ok(binary) => binary,
            Err(lock) => {
                let room = lock.stage()?;
                let origin = pulled
                    .fetch(Which::Program(name.program()), &room, &task)
                    .await
                    .map_err(unavailable)?;
                self.keep_extracted(name, &lock, room, origin, started.elapsed())
                    .await?
            }
        };
        task.finish(binary.origin.to_string());
        // The same image can have several names.
        Ok(match binary.origin {
            Origin::Image { digest, file, .. } => Binary {
                origin: Origin::Image {
                    reference: reference.clone(),
                    digest,
                    file,
                },
                ..binary
            },
            _ => binary,
        })
    }

    async fn keep_extracted(
        &self,
        name: ComponentName,
        lock: &Lock,
        room: Staging,
        origin: Origin,
        took: Duration,
    ) -> Result<Binary, ComponentError> {
        make_executable(&room.path()).map_err(|error| self.cache.error("keep a binary", error))?;
        let version = given::ask(name, &room.path())
            .await
            .unwrap_or_else(|| "unknown".to_owned());
        lock.keep(room, origin, Some(version), took)
    }

    /// Says that go is at work, and waits for its turn.
    async fn at_work(&self, what: &str) -> (Task, tokio::sync::MutexGuard<'_, ()>) {
        let turn = self.building.lock().await;
        let task = self.progress.task(format!("building {what}"));
        task.say("go is at work");
        (task, turn)
    }

    fn not_built(&self, name: ComponentName, what: String, failure: &BuildFailure) -> ComponentError {
        let other = format!("otherwise name a binary with {} path:FILE", name.flag());
        ComponentError::Unavailable {
            what: format!("{name} from {what}"),
            attempts: vec![format!("go build: {failure}")],
            help: match (failure.advice(), failure) {
                (Some(advice), _) => format!("{advice}; {other}"),
                (None, BuildFailure::NoGo { .. }) => format!("install Go (https://go.dev/dl); {other}"),
                (None, _) => format!("see whether the same \"go build\" works by hand; {other}"),
            },
        }
    }
}
