//! What the arms of one invocation share: binaries, pace, provider, places. The command and `cargo test` both have one.

mod builder;
mod environment;
mod on_kind;
mod setting;
pub(crate) mod notes;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::case::Substitutes;
use crate::cases::Case;
use crate::drive::{DriveError, Plan};
use crate::expectation::{Expected, Versions};
use crate::report;
use kubeclash_cluster::{ClusterSpec, Kit, Order, Provider, ProviderError, Tuning, TuningError, prepare};
use kubeclash_components::{
    Binary, Cache, ComponentError, ComponentName, Resolver, Selection, skew, took_part, versions,
};
use kubeclash_host::progress::Progress;
use kubeclash_load::LoadPlan;
use kubeclash_timeline::{ArmId, Pace, Shape};

pub use builder::SettingsBuilder;
pub(crate) use builder::selection;
pub use environment::{CASES, EXPECT, Environment, EnvironmentError};
pub use on_kind::OnKind;
pub use setting::{Setting, SettingError};
pub(crate) use setting::{descheduler_policy, kind, kubernetes, scheduler_config, scheduler_name, time};

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which build of each component.
    pub selection: Selection,
    /// How scheduler and descheduler are started.
    pub tuning: Tuning,
    /// What takes the place of controllers that cases bring; one for a controller that a case does not bring is for other cases.
    pub substitutes: Substitutes,
    /// On whose cluster.
    pub provider: Provider,
    /// What only kind asks for.
    pub on_kind: OnKind,
    /// At which pace.
    pub pace: Pace,
    /// Below which folder the evidence goes.
    pub out: PathBuf,
    /// How long each component may take to become ready.
    pub ready_timeout: Duration,
    /// Whether run directories are left in place.
    pub keep: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Settings {
    /// Settings, to be chosen one by one.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }
}

/// Settings with everything that they need: resolved binaries, and what clusters start from.
#[derive(Debug, Clone)]
pub struct Session {
    settings: Settings,
    binaries: BTreeMap<ComponentName, Binary>,
    seeds: PathBuf,
    kit: Option<Kit>,
    resolver: Resolver,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A component can't be had.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// What clusters start from can't be made.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A component can't be started as it was asked for.
    #[error(transparent)]
    Tuning(#[from] TuningError),
}

impl From<SessionError> for DriveError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Component(error) => Self::Component(Box::new(error)),
            SessionError::Provider(error) => Self::Provider(error),
            SessionError::Tuning(error) => Self::Tuning(error),
        }
    }
}

impl Session {
    /// Finds, downloads or builds the components, and makes what clusters start from.
    ///
    /// # Errors
    /// When a component can't be had, does not start, or does not know what it is given.
    pub async fn open(settings: Settings, progress: &Progress) -> Result<Self, SessionError> {
        settings.tuning.check()?;
        if let Some(refusal) = skew::too_old(&settings.selection.releases()) {
            // Before it is fetched or built.
            return Err(TuningError::TooOld(refusal).into());
        }
        let cache = Cache::open(None)?;
        let seeds = cache.seeds();
        let resolver = Resolver::new(cache, progress.clone())?;
        let (kit, binaries) = match settings.provider {
            Provider::Local => (None, local(&settings, &resolver).await?),
            Provider::Kind => {
                let (kit, binaries) = on_kind::open(&settings, &resolver, progress).await?;
                (Some(kit), binaries)
            }
        };
        settings.tuning.fits(&binaries)?;
        let session = Self {
            settings,
            binaries,
            seeds,
            kit,
            resolver,
        };
        if session.settings.provider == Provider::Local {
            let smallest = Shape {
                workers: 1,
                worker_cpu: 1,
            };
            let order = Order {
                tuning: Tuning::default(),
                seeds: None,
                ..session.order(smallest, PathBuf::new())
            };
            prepare(&order, &session.seeds, progress).await?;
        }
        Ok(session)
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The versions of what takes part.
    #[must_use]
    pub fn versions(&self) -> Versions {
        versions(&self.binaries)
    }

    /// What takes part, as evidence has it.
    #[must_use]
    pub fn took_part(&self) -> BTreeMap<String, kubeclash_timeline::ComponentVersion> {
        took_part(&self.binaries)
    }

    /// Runs a load test, and leaves its evidence with a page for people.
    ///
    /// # Errors
    /// When there is no cluster, the evidence can't be written, or it is interrupted.
    pub async fn load_test(
        &self,
        plan: &LoadPlan,
        interrupt: &CancellationToken,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<kubeclash_load::Finished, DriveError> {
        let shape = ClusterSpec::default();
        let order = Order {
            keep: self.settings.keep,
            ..self.order(shape, PathBuf::new())
        };
        let finished = kubeclash_load::run(plan, self.settings.provider, order, interrupt, say).await?;
        let views = [
            ("load.md", report::load::markdown(&finished.run)),
            ("load.html", report::load::page(&finished.run)),
        ];
        for (name, text) in views {
            let path = finished.evidence.join(name);
            fs::write(&path, text).map_err(|source| DriveError::Evidence { path, source })?;
        }
        if finished.interrupted {
            return Err(DriveError::Interrupted);
        }
        Ok(finished)
    }

    /// What clusters of kind are made with; nothing on the local provider.
    #[must_use]
    pub fn kit(&self) -> Option<&Kit> {
        self.kit.as_ref()
    }

    /// Removes the clusters that wait for another arm.
    pub async fn close(&self) {
        if let Some(pool) = self.kit.as_ref().and_then(|kit| kit.pool.as_ref()) {
            pool.drain().await;
        }
    }

    /// The plan for one arm.
    #[must_use]
    pub fn plan(&self, case: &Case, id: ArmId, expected: Expected) -> Plan {
        Plan {
            case: case.clone(),
            id,
            expected,
            pace: self.settings.pace,
            tuning: self.settings.tuning.clone(),
            provider: self.settings.provider,
            binaries: self.binaries.clone(),
            seeds: Some(self.seeds.clone()),
            out: self.settings.out.clone(),
            ready_timeout: self.settings.ready_timeout,
            keep: self.settings.keep,
            kit: self.kit.clone(),
            resolver: self.resolver.clone(),
            substitutes: self.settings.substitutes.clone(),
            sibling: None,
        }
    }

    /// What a cluster of this session is asked to be.
    #[must_use]
    pub fn order(&self, spec: impl Into<ClusterSpec>, logs: PathBuf) -> Order {
        Order {
            binaries: self.binaries.clone(),
            spec: spec.into(),
            pace: self.settings.pace,
            tuning: self.settings.tuning.clone(),
            logs,
            seeds: Some(self.seeds.clone()),
            ready_timeout: self.settings.ready_timeout,
            keep: false,
            kit: self.kit.clone(),
            scale: None,
        }
    }
}

/// Everything that a local cluster is made of.
async fn local(
    settings: &Settings,
    resolver: &Resolver,
) -> Result<BTreeMap<ComponentName, Binary>, ComponentError> {
    let second = settings.tuning.scheduler_name.as_ref();
    let names: Vec<ComponentName> = ComponentName::ALL
        .into_iter()
        .chain(second.map(|_| ComponentName::SecondScheduler))
        .collect();
    resolver.resolve(&settings.selection, &names).await
}
