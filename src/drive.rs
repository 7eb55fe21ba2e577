//! Runs one arm of one case, from nothing to a verdict: the only place that knows every stage.

pub mod in_effect;
mod sibling;
mod stage;
pub mod steps;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::sibling::Promise;
pub use self::sibling::{Need, Sibling, too_short};
use self::stage::{Stage, in_effect};
use crate::cases::{Case, Folder, LibraryError};
use crate::component::{Binary, ComponentError, ComponentName};
use crate::evidence::{Outcome, VERDICT};
use crate::expectation::Expected;
use crate::experiment::{ArmId, Liveness};
use crate::inject::InjectError;
use crate::load;
use crate::observe::RecorderError;
use crate::provider::{ClusterSpec, Kit, Order, Provider, ProviderError, Scale, Tuning, TuningError};
use crate::scenario::{Arm, Images, Pace, PolicyApi, Scenario, Step, policies_in, yaml};
use crate::timeline::Timeline;
use crate::verdict::{Judgement, Verdict};

/// One arm that is to be run, and on what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of which case.
    pub case: Case,
    /// Which arm of it.
    pub id: ArmId,
    /// What it is expected to end with.
    pub expected: Expected,
    /// At which pace.
    pub pace: Pace,
    /// How scheduler and descheduler are started.
    pub tuning: Tuning,
    /// On whose cluster.
    pub provider: Provider,
    /// Of which binaries.
    pub binaries: BTreeMap<ComponentName, Binary>,
    /// Where clusters' starting points are kept.
    pub seeds: Option<PathBuf>,
    /// Below which folder the evidence goes.
    pub out: PathBuf,
    /// How long each component may take to become ready.
    pub ready_timeout: Duration,
    /// Whether the cluster's run directory is left in place.
    pub keep: bool,
    /// What clusters of kind are made with.
    pub kit: Option<Kit>,
    /// The link to the other arm of the case, where both are run together.
    pub sibling: Option<Sibling>,
}

impl Plan {
    /// A case's files as this plan applies them: pods assigned to the scheduler that is asked for, and under each
    /// policy's name the user's, or the one of the API version that the descheduler knows.
    fn in_effect(&self, mut folder: Folder) -> Folder {
        if let Some(name) = &self.tuning.scheduler_name {
            let assigned = folder
                .manifests
                .iter()
                .map(|manifest| manifest.scheduled_by(name));
            folder.manifests = assigned.collect();
        }
        folder.policies = match &self.tuning.descheduler_policy {
            Some(policy) => {
                let names = policies_in(PolicyApi::V1alpha2, &folder.policies).into_keys();
                names.map(|name| (name, policy.document.clone())).collect()
            }
            None => policies_in(self.policy_api(), &folder.policies),
        };
        folder
    }

    /// The API version of the cases' own policies that its descheduler knows.
    fn policy_api(&self) -> PolicyApi {
        let descheduler = self.binaries.get(&ComponentName::Descheduler);
        PolicyApi::for_descheduler(descheduler.map_or("unknown", |binary| &binary.version))
    }
}

/// A run of an arm that came to a verdict.
#[derive(Debug)]
pub struct ArmRun {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub timeline: Timeline,
    /// The CPU time that each component took, by name.
    pub cpu_times: BTreeMap<String, Duration>,
    /// How its cluster is got at, where that was to be kept.
    pub kept: Option<String>,
}

/// Why an arm has no verdict: a failure of the harness or of what it needs, never of the case.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The case's files have mistakes.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A component can't be had.
    #[error(transparent)]
    Component(Box<ComponentError>),
    /// There is no cluster, or it broke.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A component can't be started as it was asked for.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// Nothing could be recorded.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// A step could not be carried out.
    #[error("step \"{step}\" failed: {source}")]
    Step {
        /// Which.
        step: String,
        /// Why.
        source: Box<InjectError>,
    },
    /// A step can't be carried out as it is written, or as things are.
    #[error("step \"{step}\" can't be carried out: {why}")]
    Unfit {
        /// Which.
        step: String,
        /// Why not.
        why: String,
    },
    /// A file that the steps name is not there.
    #[error("step \"{step}\" needs \"{file}\", which the case's folder has not")]
    NoFile {
        /// Which step.
        step: String,
        /// Which file.
        file: String,
    },
    /// The evidence could not be written.
    #[error("failed to write the evidence to \"{}\": {source}", .path.display())]
    Evidence {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A mistake in kubeclash itself; the cluster is gone.
    #[error("kubeclash panicked: {0}")]
    Panicked(String),
    /// Ctrl-C or SIGTERM; the cluster is gone.
    #[error("interrupted; the cluster is torn down")]
    Interrupted,
}

impl DriveError {
    /// What to do next, where there is something to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        use miette::Diagnostic;
        match self {
            Self::Component(error) => error.help().map(|help| help.to_string()),
            Self::Provider(error) => error.help(),
            Self::Tuning(error) => Some(error.help()),
            Self::Evidence { .. } | Self::Recorder(RecorderError::Timeline(_)) => {
                Some("the evidence needs a folder that can be written and has some MiB of room: --out names another".to_owned())
            }
            Self::Panicked(_) => {
                Some("that is a bug, please report it; RUST_BACKTRACE=1 says where".to_owned())
            }
            Self::Library(_) | Self::Recorder(_) | Self::Step { .. } | Self::Unfit { .. } | Self::NoFile { .. } | Self::Interrupted => None,
        }
    }
}

/// Runs an arm, and says what it is at through `say`: phase, and the number that the verdict hangs on.
///
/// # Errors
/// When there is no verdict. Whatever was started is gone then, too.
pub async fn drive(
    plan: &Plan,
    interrupt: &CancellationToken,
    say: &(dyn Fn(&str) + Sync),
) -> Result<ArmRun, DriveError> {
    let sibling = plan.sibling.as_ref().filter(|_| plan.id.arm == Arm::Broken);
    let _promise = sibling.map(Promise);
    let finished = one_arm(plan, interrupt, say).await;
    if let Some(sibling) = sibling {
        let needed = finished
            .as_ref()
            .ok()
            .and_then(|finished| finished.outcome.needed_ms);
        sibling.tell(needed.map(Duration::from_millis));
    }
    finished
}

async fn one_arm(
    plan: &Plan,
    interrupt: &CancellationToken,
    say: &(dyn Fn(&str) + Sync),
) -> Result<ArmRun, DriveError> {
    if plan.case.local_only() && plan.provider != Provider::Local {
        return Err(ProviderError::Unable {
            provider: plan.provider,
            what: format!("run {}", plan.case.folder()),
            why: "it bounds the API server's CPU and restarts it".to_owned(),
        }
        .into());
    }
    let folder = plan.in_effect(plan.case.load()?);
    let scenario = plan
        .case
        .scenario(&folder.card, plan.id.arm, plan.id.variant.as_deref());
    needed_files(&scenario, &folder, plan.policy_api())?;
    let burn = plan.binaries.get(&ComponentName::Burn);
    let images = plan.kit.as_ref().zip(burn);
    let images = images.map(|(kit, burn)| kit.images(scenario.load.as_ref(), burn));
    let evidence = evidence_dir(plan, &folder, images.as_ref())?;
    let mut order = Order {
        binaries: plan.binaries.clone(),
        spec: ClusterSpec {
            metrics: scenario.load.is_some(),
            ..scenario.shape.into()
        },
        pace: plan.pace,
        tuning: plan.tuning.clone(),
        logs: evidence.join("logs"),
        seeds: plan.seeds.clone(),
        ready_timeout: plan.ready_timeout,
        keep: plan.keep,
        kit: plan.kit.clone(),
        scale: scale(&scenario, &folder, plan.pace),
    };
    if scenario.overload.is_some() {
        // Of a load test's thousands of requests nobody asks who sent which.
        order.tuning.audit = false;
    }
    let start = Instant::now();
    say("starting the control plane");
    let mut cluster = tokio::select! {
        up = plan.provider.up(order, say) => up?,
        () = interrupt.cancelled() => return Err(DriveError::Interrupted),
    };
    let stage = Stage {
        plan,
        folder: &folder,
        scenario: &scenario,
        images: images.as_ref(),
        evidence: &evidence,
        say,
    };
    if let Some(load) = &scenario.load {
        cluster.set_cpu(&load.cpu_use());
    }
    let ready = cluster.ready_after();
    let created = cluster.created_after();
    let timeline = tokio::select! {
        timeline = stage.play(&mut cluster) => timeline,
        () = interrupt.cancelled() => Err(DriveError::Interrupted),
    };
    let kept = plan.keep.then(|| cluster.kept());
    let elapsed = start.elapsed();
    let cpu_times = cluster.cpu_times();
    // Where something broke off, the cluster may be what is broken.
    let well = timeline
        .as_ref()
        .is_ok_and(|timeline| timeline.broken_off().is_none());
    cluster.down(well).await;
    let timeline = timeline.inspect_err(|_| {
        if let Some(kept) = &kept {
            tracing::warn!("{kept}");
        }
    })?;
    let run = stage.context(&timeline, elapsed, ready, created);
    let outcome = Outcome::new(run, beside(plan, plan.case.judge(&timeline)));
    let file = evidence.join(VERDICT);
    fs::write(
        &file,
        serde_json::to_string_pretty(&outcome).expect("an outcome is plain data") + "\n",
    )
    .map_err(|source| DriveError::Evidence { path: file, source })?;
    Ok(ArmRun {
        outcome,
        timeline,
        cpu_times,
        kept,
    })
}

/// A control's judgement beside the broken arm of the same run.
fn beside(plan: &Plan, judgement: Judgement) -> Judgement {
    let (Some(sibling), Arm::Control, Verdict::Absent) = (&plan.sibling, plan.id.arm, &judgement.verdict)
    else {
        return judgement;
    };
    match sibling.need() {
        Need::Known(needed) => match too_short(judgement.watched, needed) {
            Some(why) => judgement.unless(why),
            None => judgement,
        },
        Need::Unknown | Need::None => judgement,
    }
}

/// What a cluster is given that is about to be overloaded.
fn scale(scenario: &Scenario, folder: &Folder, pace: Pace) -> Option<Scale> {
    let overload = scenario.overload?;
    let profile = folder.profiles.get(overload.profile)?;
    Some(Scale {
        apiserver_cpu: overload.apiserver_cpu,
        liveness: Some(Liveness::default().at(pace)),
        ..load::scale(&profile.says)
    })
}

/// That a step names a file which is not there.
fn no_file_of(step: &impl std::fmt::Display, file: &str) -> DriveError {
    DriveError::NoFile {
        step: step.to_string(),
        file: file.to_owned(),
    }
}

fn no_file(step: &Step, file: &str) -> DriveError {
    DriveError::NoFile {
        step: step.to_string(),
        file: file.to_owned(),
    }
}

/// Before any cluster: that every file which the steps name is there.
fn needed_files(scenario: &Scenario, folder: &Folder, api: PolicyApi) -> Result<(), DriveError> {
    for step in &scenario.steps {
        let missing = match step {
            Step::Apply { file } => folder.manifest(file).is_none().then(|| (*file).to_owned()),
            Step::StartDescheduler { policy } => {
                (!folder.policies.contains_key(*policy)).then(|| api.file(policy))
            }
            Step::LoadTest { .. } => {
                let file = scenario.overload.map_or("", |overload| overload.profile);
                (!folder.profiles.contains_key(file)).then(|| file.to_owned())
            }
            _ => None,
        };
        if let Some(file) = missing {
            return Err(no_file(step, &file));
        }
    }
    Ok(())
}

/// Makes the evidence folder of a new run, with the case's manifests and policies at the run's pace.
fn evidence_dir(plan: &Plan, folder: &Folder, images: Option<&Images>) -> Result<PathBuf, DriveError> {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let id = &uuid::Uuid::new_v4().simple().to_string()[..6];
    let dir = plan
        .out
        .join(&plan.id.case)
        .join(plan.id.folder())
        .join(format!("{date}-{id}"));
    let failed = |path: PathBuf| move |source| DriveError::Evidence { path, source };
    fs::create_dir_all(dir.join("logs")).map_err(failed(dir.clone()))?;
    let manifests = dir.join("manifests");
    fs::create_dir_all(&manifests).map_err(failed(manifests.clone()))?;
    let objects = folder
        .manifests
        .iter()
        .map(|manifest| (&manifest.file, in_effect(manifest, plan, images).objects));
    let policies = folder
        .policies
        .iter()
        .map(|(file, policy)| (file, vec![policy.clone()]));
    for (file, documents) in objects.chain(policies) {
        let texts: Vec<String> = documents.iter().map(yaml::text).collect();
        let path = manifests.join(file);
        fs::write(&path, texts.join("---\n")).map_err(failed(path.clone()))?;
    }
    for binary in plan.binaries.values() {
        let log = binary.build_log.as_ref().and_then(|log| fs::read(log).ok());
        // A cache that was cleaned just now is no reason to fail: the log is not what is judged.
        if let Some(log) = log {
            let path = dir.join("logs").join(format!("build-{}.log", binary.name));
            fs::write(&path, log).map_err(failed(path.clone()))?;
        }
    }
    Ok(dir)
}
