//! A session on kind: which programs come in the node image, and which are under test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubeclash_cluster::{Asked, Kit, NodeImage, ProviderError, Tuning, TuningError};
use kubeclash_components::{
    Binary, ComponentName, Origin, Platform, Program, Resolver, Selection, Spec, Version,
};
use kubeclash_host::engine::{Engine, preflight};
use kubeclash_host::progress::Progress;
use kubeclash_host::shell::on_path;
use kubeclash_timeline::Pace;

use super::{SessionError, Settings};

/// What the flags say that only kind asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnKind {
    /// The node image by name.
    pub image: Option<String>,
    /// The release of Kubernetes in it.
    pub kubernetes: Option<Spec>,
    /// How many clusters there may be at once; 0 is one.
    pub at_once: u64,
    /// Whether clusters are used again.
    pub reuse: bool,
    /// Which components were chosen one by one.
    pub chosen: Vec<ComponentName>,
}

/// What comes in a node image, and in no other way.
const IN_IMAGE: [ComponentName; 4] = [
    ComponentName::Etcd,
    ComponentName::Apiserver,
    ComponentName::ControllerManager,
    ComponentName::Kwok,
];

impl OnKind {
    /// The node image that is asked for.
    ///
    /// # Errors
    /// When something is asked for that kind can't be given.
    pub(super) fn asked(&self) -> Result<Asked, TuningError> {
        let refused: Vec<&str> = self
            .chosen
            .iter()
            .filter(|name| IN_IMAGE.contains(name))
            .map(|name| name.flag())
            .collect();
        if !refused.is_empty() {
            return Err(TuningError::OnKind(format!(
                "{} on kind: that comes in the node image; --kind-image names another, and \"kubeclash node-image build\" \
                 makes one of any build",
                refused.join(", ")
            )));
        }
        Asked::of(self.kubernetes.as_ref(), self.image.as_deref()).map_err(TuningError::OnKind)
    }

    /// The user's own kind where there is one, unless they name another.
    fn own_kind(&self) -> Option<PathBuf> {
        on_path("kind").filter(|_| !self.chosen.contains(&ComponentName::Kind))
    }

    /// Whether the scheduler is another than the node image's own, or is started in another way.
    fn forks_scheduler(&self, tuning: &Tuning) -> bool {
        let chosen = self.chosen.contains(&ComponentName::Scheduler);
        let tuned = tuning.scheduler_config.is_some() || !tuning.scheduler_args.is_empty();
        tuning.scheduler_name.is_none() && (chosen || tuned)
    }
}

/// Finds kind, the engine and the node image, and resolves what is under test.
///
/// # Errors
/// When one of them is not to be had.
pub(super) async fn open(
    settings: &Settings,
    resolver: &Resolver,
    progress: &Progress,
) -> Result<(Kit, BTreeMap<ComponentName, Binary>), SessionError> {
    let Settings {
        on_kind,
        selection,
        tuning,
        ..
    } = settings;
    let metrics = selection.spec(ComponentName::MetricsServer);
    if matches!(metrics, Spec::Image(_)) && settings.pace == Pace::Fast {
        return Err(TuningError::OnKind(format!(
            "--metrics-server {metrics} takes no resolution below 10 s, and at pace fast that is {:.2} s; use --pace \
             recorded, or leave it out",
            settings.pace.scale(Duration::from_secs(10)).as_secs_f64()
        ))
        .into());
    }
    let asked = on_kind.asked()?;
    let engine = Engine::of_environment().map_err(|why| ProviderError::Setup {
        what: "use kind".to_owned(),
        why,
    })?;
    let own = on_kind.own_kind();
    let cgroup_v1 = fit(engine, own.as_deref(), on_kind.at_once, &asked).await?;
    let with_kind = match own {
        Some(path) => selection.clone().with(ComponentName::Kind, Spec::Path(path)),
        None => selection.clone(),
    };
    let kind = resolver.resolve(&with_kind, &[ComponentName::Kind]).await?;
    let kit = Kit::prepare(
        engine,
        &kind[&ComponentName::Kind].program,
        cgroup_v1,
        &asked,
        on_kind.reuse,
        progress,
    )
    .await?;
    let mut names = vec![ComponentName::Descheduler];
    let forked = on_kind.forks_scheduler(tuning);
    if forked {
        names.push(ComponentName::Scheduler);
    }
    if tuning.scheduler_name.is_some() {
        names.push(ComponentName::SecondScheduler);
    }
    let selection = of_release(selection.clone(), on_kind, &kit.image);
    let mut binaries = resolver.resolve(&selection, &names).await?;
    // What uses CPU, and what measures it, runs on the nodes. Not every case needs it; it is there in no time once it was built.
    let on_nodes = resolver
        .clone()
        .with_platform(Platform::new("linux", Platform::host().arch));
    let programs = [ComponentName::Burn, ComponentName::MetricsServer];
    binaries.extend(on_nodes.resolve(&selection, &programs).await?);
    let mut of_image = vec![ComponentName::Apiserver, ComponentName::ControllerManager];
    if !forked {
        of_image.push(ComponentName::Scheduler);
    }
    for name in of_image {
        binaries.insert(name, in_image(name, &kit.image));
    }
    binaries.extend(kind);
    Ok((kit, binaries))
}

/// Asks for all that would keep kind from making so many clusters, before anything is fetched, built or made; and says
/// whether the engine's cgroups are version 1's.
///
/// # Errors
/// All of it together.
async fn fit(
    engine: Engine,
    kind: Option<&Path>,
    at_once: u64,
    asked: &Asked,
) -> Result<bool, ProviderError> {
    let plan = preflight::Plan {
        engine,
        kind,
        image: asked.image.as_deref(),
        clusters: at_once.max(1),
    };
    let examined = preflight::examine(&plan).await;
    for note in &examined.notes {
        tracing::debug!(note);
    }
    if examined.problems.is_empty() {
        Ok(examined.cgroup_v1)
    } else {
        Err(ProviderError::Unfit(examined.problems))
    }
}

/// A scheduler that nobody chose is of the node image's release.
fn of_release(selection: Selection, on_kind: &OnKind, image: &NodeImage) -> Selection {
    let release = image.version.parse::<Version>().map(Spec::Release);
    match release {
        Ok(release) if !on_kind.chosen.contains(&ComponentName::Scheduler) => selection
            .with(ComponentName::Scheduler, release.clone())
            .with(ComponentName::SecondScheduler, release),
        _ => selection,
    }
}

fn in_image(name: ComponentName, image: &NodeImage) -> Binary {
    Binary {
        name,
        version: image.version.clone(),
        program: Program::Image {
            image: image.id.clone(),
            command: vec![name.as_str().to_owned()],
        },
        sha256: image.id.trim_start_matches("sha256:").to_owned(),
        origin: Origin::NodeImage {
            reference: image.reference.clone(),
        },
        build_log: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[ComponentName]) -> OnKind {
        OnKind {
            chosen: names.to_vec(),
            ..OnKind::default()
        }
    }

    #[test]
    fn what_comes_in_the_node_image_is_refused_by_name() {
        let refused = chosen(&[ComponentName::Etcd, ComponentName::Scheduler, ComponentName::Kwok])
            .asked()
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with("--etcd, --kwok on kind"), "{refused}");
        assert!(
            chosen(&[ComponentName::Scheduler, ComponentName::Descheduler])
                .asked()
                .is_ok()
        );
    }

    #[test]
    fn the_image_s_own_scheduler_stays_until_another_is_asked_for() {
        let tuned = Tuning {
            scheduler_args: vec!["--v=5".to_owned()],
            ..Tuning::default()
        };
        let second = Tuning {
            scheduler_name: Some("mine".to_owned()),
            ..tuned.clone()
        };
        let scheduler = chosen(&[ComponentName::Scheduler]);
        assert!(!OnKind::default().forks_scheduler(&Tuning::default()));
        assert!(scheduler.forks_scheduler(&Tuning::default()));
        assert!(OnKind::default().forks_scheduler(&tuned));
        assert!(
            !scheduler.forks_scheduler(&second),
            "the default one stays beside it"
        );
    }
}
