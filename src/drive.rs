//! Runs one arm of one case, from nothing to a verdict: the only place that knows every stage.

mod condition;
mod controllers;
mod evidence_dir;
pub mod in_effect;
mod of_case;
mod of_liveness;
mod sibling;
pub mod steps;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::of_case::CaseArm;
use self::of_liveness::LivenessArm;
use self::sibling::Promise;
pub use self::sibling::{Need, Sibling, too_short};
use crate::case::Substitutes;
use crate::cases::{Case, LibraryError};
use crate::evidence::{Outcome, RunContext, VERDICT};
use crate::expectation::Expected;
use crate::inject::InjectError;
use crate::observe::RecorderError;
use kubeclash_cluster::{Cluster, Controller, Kit, Order, Provider, ProviderError, Tuning, TuningError};
use kubeclash_components::{Binary, ComponentError, ComponentName, Resolver};
use kubeclash_load::LoadError;
use kubeclash_timeline::{Arm, ArmId, Judgement, Pace, Timeline, Verdict};

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
    /// What finds the programs of the case's controllers.
    pub resolver: Resolver,
    /// What takes the place of some of them.
    pub substitutes: Substitutes,
    /// The link to the other arm of the case, where both are run together.
    pub sibling: Option<Sibling>,
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
    /// The case has no such variant.
    #[error("the case has no variant as in \"{arm}\"")]
    NoVariant {
        /// Of which arm.
        arm: ArmId,
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

impl From<LoadError> for DriveError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Provider(error) => Self::Provider(error),
            LoadError::Evidence { path, source } => Self::Evidence { path, source },
            LoadError::Interrupted => Self::Interrupted,
        }
    }
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
            Self::Library(_) | Self::Recorder(_) | Self::Step { .. } | Self::Unfit { .. } | Self::NoVariant { .. } | Self::NoFile { .. } | Self::Interrupted => None,
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

/// What is carried out.
enum Play<'a> {
    Case(CaseArm<'a>),
    Liveness(LivenessArm<'a>),
}

impl<'a> Play<'a> {
    fn new(
        plan: &'a Plan,
        controllers: Vec<Controller>,
        say: &'a (dyn Fn(&str) + Sync),
    ) -> Result<Self, DriveError> {
        match (plan.case.as_folder(), plan.case.liveness()) {
            (Some(case), _) => Ok(Self::Case(CaseArm::new(plan, case, controllers, say)?)),
            (None, Some(study)) => Ok(Self::Liveness(LivenessArm::new(plan, study, say)?)),
            (None, None) => unreachable!("a case is one of the two"),
        }
    }

    fn order(&self) -> Order {
        match self {
            Self::Case(arm) => arm.order(),
            Self::Liveness(arm) => arm.order(),
        }
    }

    fn evidence(&self) -> &Path {
        match self {
            Self::Case(arm) => &arm.evidence,
            Self::Liveness(arm) => &arm.evidence,
        }
    }

    async fn carry_out(&self, cluster: &mut Cluster) -> Result<Timeline, DriveError> {
        match self {
            Self::Case(arm) => arm.play(cluster).await,
            Self::Liveness(arm) => arm.play(cluster).await,
        }
    }
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
    let controllers = controllers::of(plan).await?;
    let play = Play::new(plan, controllers, say)?;
    let start = Instant::now();
    say("starting the control plane");
    let mut cluster = tokio::select! {
        up = plan.provider.up(play.order(), say) => up?,
        () = interrupt.cancelled() => return Err(DriveError::Interrupted),
    };
    let ready = cluster.ready_after();
    let created = cluster.created_after();
    let timeline = tokio::select! {
        timeline = play.carry_out(&mut cluster) => timeline,
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
    let run = RunContext {
        id: plan.id.clone(),
        expected: plan.expected.verdict,
        expected_why: plan.expected.why.clone(),
        elapsed,
        ready,
        created,
        provider: timeline.header.provider.clone(),
        pace: plan.pace,
        components: timeline.header.components.clone(),
        evidence: play.evidence().to_owned(),
    };
    let outcome = Outcome::new(run, beside(plan, plan.case.judge(&timeline)));
    let file = play.evidence().join(VERDICT);
    let text = serde_json::to_string_pretty(&outcome).expect("an outcome is plain data") + "\n";
    fs::write(&file, text).map_err(evidence_dir::failed(file.clone()))?;
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

/// That a step names a file which is not there.
fn no_file_of(step: &impl std::fmt::Display, file: &str) -> DriveError {
    DriveError::NoFile {
        step: step.to_string(),
        file: file.to_owned(),
    }
}
