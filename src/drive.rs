//! Runs one arm of one case, from nothing to a verdict: the only place that knows every stage.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Taint;
use tokio_util::sync::CancellationToken;

use crate::cases::{Case, Folder, LibraryError, load};
use crate::component::{Binary, ComponentError, ComponentName, skew, versions};
use crate::evidence::Outcome;
use crate::expectation::Expected;
use crate::inject::{self, DrainOptions, InjectError, ObjectRef};
use crate::observe::{Recorder, RecorderError};
use crate::provider::{Cluster, Order, Provider, ProviderError, Tuning, TuningError};
use crate::scenario::{Arm, Manifest, NodePick, Pace, PolicyApi, Scenario, Step, policies_in, yaml};
use crate::timeline::{ComponentVersion, Ending, Header, Timeline, What, World, fullest, refusal, undone};

/// One arm that is to be run, and on what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of which case.
    pub case: &'static Case,
    /// Which half of the experiment.
    pub arm: Arm,
    /// Which of the case's variants.
    pub variant: Option<&'static str>,
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
    /// A folder of cases to read in place of the embedded ones.
    pub manifests: Option<PathBuf>,
    /// Below which folder the evidence goes.
    pub out: PathBuf,
    /// How long each component may take to become ready.
    pub ready_timeout: Duration,
    /// Whether the cluster's run directory is left in place.
    pub keep: bool,
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

/// An arm that has a verdict.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub timeline: Timeline,
    /// The CPU time that each component took, by name.
    pub cpu_times: BTreeMap<String, Duration>,
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
            Self::Library(_) | Self::Recorder(_) | Self::Step { .. } | Self::NoFile { .. } | Self::Interrupted => None,
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
) -> Result<Finished, DriveError> {
    let folder = plan.in_effect(load(plan.case, plan.manifests.as_deref())?);
    let scenario = plan.case.scenario(&folder.card, plan.arm, plan.variant);
    needed_files(&scenario, &folder, plan.policy_api())?;
    let evidence = evidence_dir(plan, &folder)?;
    let order = Order {
        binaries: plan.binaries.clone(),
        shape: scenario.shape,
        pace: plan.pace,
        tuning: plan.tuning.clone(),
        load: scenario.load.clone(),
        logs: evidence.join("logs"),
        seeds: plan.seeds.clone(),
        ready_timeout: plan.ready_timeout,
        keep: plan.keep,
    };
    let start = Instant::now();
    say("starting the control plane");
    let mut cluster = tokio::select! {
        up = plan.provider.up(order) => up?,
        () = interrupt.cancelled() => return Err(DriveError::Interrupted),
    };
    let stage = Stage {
        plan,
        folder: &folder,
        scenario: &scenario,
        evidence: &evidence,
        say,
    };
    let ready = cluster.ready_after();
    let timeline = tokio::select! {
        timeline = stage.play(&mut cluster) => timeline,
        () = interrupt.cancelled() => Err(DriveError::Interrupted),
    };
    if plan.keep {
        say("kept");
    }
    let cpu_times = cluster.cpu_times();
    cluster.down().await;
    let timeline = timeline?;
    let mut outcome = stage.outcome(&timeline, start.elapsed(), ready);
    outcome.judged(plan.case.judge(&timeline));
    let file = evidence.join("verdict.json");
    fs::write(
        &file,
        serde_json::to_string_pretty(&outcome).expect("an outcome is plain data") + "\n",
    )
    .map_err(|source| DriveError::Evidence { path: file, source })?;
    Ok(Finished {
        outcome,
        timeline,
        cpu_times,
    })
}

/// How long the API server may take to answer when everything has been watched.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the number that the verdict hangs on is told while it is watched.
const PULSE: Duration = Duration::from_millis(500);

/// What the steps of one arm need.
struct Stage<'a> {
    plan: &'a Plan,
    folder: &'a Folder,
    scenario: &'a Scenario,
    evidence: &'a Path,
    say: &'a (dyn Fn(&str) + Sync),
}

impl Stage<'_> {
    /// Carries the steps out under a recorder that is armed before the first.
    async fn play(&self, cluster: &mut Cluster) -> Result<Timeline, DriveError> {
        let client = cluster.client().clone();
        let file = self.evidence.join("timeline.jsonl");
        let recorder = Recorder::arm(&client, self.header(), &file, cluster.audit_log().as_deref()).await?;
        let limit = self.limit();
        let ending = match tokio::time::timeout(limit, self.steps(cluster, &recorder)).await {
            Ok(ending) => ending?,
            Err(_) => Ending::Broken(format!(
                "not over after {:.0} s, which is all it gets",
                limit.as_secs_f64()
            )),
        };
        recorder.catch_up(&client).await;
        Ok(recorder.finish(ending)?)
    }

    /// How long the steps may take: what the study's script ran, and a control twice that, because it watches twice as long.
    fn limit(&self) -> Duration {
        let expected = self.folder.card.expected_runtime;
        let recorded = match self.plan.arm {
            Arm::Broken => expected,
            Arm::Control => expected * 2,
        };
        // A floor at the fast pace, where start-up and a slow machine weigh more than any interval.
        self.plan
            .pace
            .scale(recorded)
            .max(Duration::from_secs(120).min(recorded))
    }

    async fn steps(&self, cluster: &mut Cluster, recorder: &Recorder) -> Result<Ending, DriveError> {
        let mut drained = None;
        for step in &self.scenario.steps {
            (self.say)(&step.to_string());
            if let Step::Mark { name } = step {
                recorder.note(What::Mark((*name).to_owned()));
                continue;
            }
            recorder.note(What::Step(step.to_string()));
            match step {
                Step::Settle { condition, within } => {
                    let wait = recorder.wait(condition, self.plan.pace.deadline(*within));
                    if let Err(missing) = while_alive(cluster, wait).await? {
                        return Ok(Ending::Broken(
                            recorder.look(|_, world| unsettled(missing, world)),
                        ));
                    }
                }
                Step::AwaitUpTo { condition, within } => {
                    // What it means that it did not come is the judge's business.
                    let wait = recorder.wait(condition, self.plan.pace.deadline(*within));
                    let _ = while_alive(cluster, wait).await?;
                }
                Step::Observe {
                    window,
                    until_verdict,
                } => while_alive(cluster, self.observe(recorder, *window, *until_verdict)).await?,
                Step::StartDescheduler { policy } => {
                    let policy_text = self.folder.policies.get(*policy);
                    let policy = policy_text.ok_or_else(|| no_file(step, policy))?;
                    let note = recorder.noter();
                    let on_cycle = move || note(What::Cycle(ComponentName::Descheduler.to_string()));
                    cluster.start_descheduler(policy, Box::new(on_cycle)).await?;
                }
                Step::StopDescheduler => cluster.stop_descheduler().await,
                step => {
                    let client = cluster.client().clone();
                    let act = self.act(client, recorder, step, &mut drained);
                    if let Err(error) = while_alive(cluster, act).await? {
                        // A component that has died is the better reason.
                        return Err(cluster.trouble().map_or(error, DriveError::from));
                    }
                }
            }
            recorder.check()?;
            if let Some(trouble) = cluster.trouble() {
                return Err(trouble.into());
            }
        }
        self.alive(cluster).await
    }

    /// Nothing seen means nothing only if somebody could have been seen.
    async fn alive(&self, cluster: &Cluster) -> Result<Ending, DriveError> {
        let answer = tokio::time::timeout(ANSWER, cluster.client().apiserver_version()).await;
        Ok(match answer {
            Ok(Ok(_)) => match cluster.answers().await {
                Ok(()) => Ending::Complete,
                Err(who) => Ending::Broken(who),
            },
            Ok(Err(error)) => Ending::Broken(format!("the API server did not answer at the end: {error}")),
            Err(_) => Ending::Broken("the API server did not answer at the end".to_owned()),
        })
    }

    async fn observe(&self, recorder: &Recorder, window: Duration, until_verdict: bool) {
        let (pace, case) = (self.plan.pace, self.plan.case);
        let window = match self.scenario.arm {
            // At a fast pace a broken arm gets as long as a slow machine needs.
            Arm::Broken if until_verdict => pace.deadline(window),
            _ if until_verdict => pace.window(window),
            _ => pace.scale(window),
        };
        let stops = until_verdict && pace != Pace::Recorded;
        let end = tokio::time::Instant::now() + window;
        let mut said = None;
        recorder
            .watch(end, |timeline| {
                // Nobody reads faster, and it takes the whole timeline to say it.
                if said.is_none_or(|said: Instant| said.elapsed() >= PULSE) {
                    (self.say)(&case.pulse(timeline));
                    said = Some(Instant::now());
                }
                stops && case.reproduced(timeline)
            })
            .await;
    }

    async fn act(
        &self,
        client: kube::Client,
        recorder: &Recorder,
        step: &Step,
        drained: &mut Option<String>,
    ) -> Result<(), DriveError> {
        let failed = |source| DriveError::Step {
            step: step.to_string(),
            source: Box::new(source),
        };
        match step {
            Step::Apply { file } => {
                for object in self.manifest(file)?.at(self.plan.pace).objects {
                    inject::client_side_apply(&client, &object)
                        .await
                        .map_err(failed)?;
                }
            }
            Step::Label { node, key, value } => {
                inject::label(&client, &ObjectRef::node(node), key, Some(value))
                    .await
                    .map_err(failed)?;
            }
            Step::Taint {
                node,
                key,
                value,
                effect,
            } => {
                let taint = Taint {
                    key: (*key).to_owned(),
                    value: Some((*value).to_owned()),
                    effect: (*effect).to_owned(),
                    time_added: None,
                };
                inject::taint(&client, node, &taint).await.map_err(failed)?;
            }
            Step::Drain { node } => {
                let node = match node {
                    NodePick::Named(name) => name.clone(),
                    NodePick::Fullest { deployment } => {
                        recorder.look(|_, world| fullest(&world.placement(deployment)))
                    }
                };
                let options = DrainOptions {
                    retry_every: self.plan.pace.scale(Duration::from_secs(5)),
                    ..DrainOptions::default()
                };
                inject::drain(&client, &node, &options).await.map_err(failed)?;
                *drained = Some(node);
            }
            Step::Uncordon => {
                if let Some(node) = drained.take() {
                    inject::uncordon(&client, &node).await.map_err(failed)?;
                }
            }
            Step::Mark { .. }
            | Step::Settle { .. }
            | Step::AwaitUpTo { .. }
            | Step::Observe { .. }
            | Step::StartDescheduler { .. }
            | Step::StopDescheduler => {}
        }
        Ok(())
    }

    fn manifest(&self, file: &str) -> Result<&Manifest, DriveError> {
        let missing = || DriveError::NoFile {
            step: "apply".to_owned(),
            file: file.to_owned(),
        };
        self.folder.manifest(file).ok_or_else(missing)
    }

    fn header(&self) -> Header {
        let plan = self.plan;
        let components = plan.binaries.values().map(|binary| {
            let version = ComponentVersion {
                version: binary.version.clone(),
                sha256: binary.sha256.clone(),
                origin: binary.origin.to_string(),
            };
            (binary.name.to_string(), version)
        });
        Header {
            case: plan.case.folder.to_owned(),
            arm: plan.arm,
            variant: plan.variant.map(str::to_owned),
            provider: plan.provider.to_string(),
            pace: plan.pace,
            date: jiff::Timestamp::now().to_string(),
            shape: self.scenario.shape,
            components: components.collect(),
            manifests_sha256: Manifest::digest(&self.folder.manifests, &self.folder.policies),
            lacks: skew::lacks(&versions(&plan.binaries))
                .into_iter()
                .filter(|lack| lack.bars_absence)
                .map(|lack| lack.what)
                .collect(),
        }
    }

    fn outcome(&self, timeline: &Timeline, elapsed: Duration, ready: Duration) -> Outcome {
        let ms = |t: Duration| u64::try_from(t.as_millis()).unwrap_or(u64::MAX);
        Outcome {
            case: timeline.header.case.clone(),
            arm: self.plan.arm,
            variant: timeline.header.variant.clone(),
            verdict: String::new(),
            expected: self.plan.expected.verdict,
            ok: false,
            change: None,
            expected_why: self.plan.expected.why.clone(),
            elapsed_ms: ms(elapsed),
            ready_ms: ms(ready),
            needed_ms: None,
            watched_ms: 0,
            provider: timeline.header.provider.clone(),
            pace: self.plan.pace,
            components: timeline.header.components.clone(),
            evidence: self.evidence.to_owned(),
            why: String::new(),
            fight: None,
            attribution: Vec::new(),
            facts: serde_json::Map::new(),
            runs: Vec::new(),
            spread: BTreeMap::new(),
        }
    }
}

/// Goes on with some work for as long as every component lives; one that dies is the error, at once.
async fn while_alive<T>(cluster: &mut Cluster, work: impl Future<Output = T>) -> Result<T, DriveError> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        died = cluster.died() => Err(died.into()),
    }
}

/// What was waited for in vain, and whose turn it was.
fn unsettled(missing: String, world: &World) -> String {
    match undone(world).or_else(|| refusal(world)) {
        Some(who) => format!("{missing}; {who}"),
        None => missing,
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
            _ => None,
        };
        if let Some(file) = missing {
            return Err(no_file(step, &file));
        }
    }
    Ok(())
}

/// Makes the evidence folder of a new run, with the case's manifests and policies at the run's pace.
fn evidence_dir(plan: &Plan, folder: &Folder) -> Result<PathBuf, DriveError> {
    let arm = plan.variant.map_or_else(
        || plan.arm.to_string(),
        |variant| format!("{}-{variant}", plan.arm),
    );
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let id = &uuid::Uuid::new_v4().simple().to_string()[..6];
    let dir = plan
        .out
        .join(plan.case.folder)
        .join(arm)
        .join(format!("{date}-{id}"));
    let failed = |path: PathBuf| move |source| DriveError::Evidence { path, source };
    fs::create_dir_all(dir.join("logs")).map_err(failed(dir.clone()))?;
    let manifests = dir.join("manifests");
    fs::create_dir_all(&manifests).map_err(failed(manifests.clone()))?;
    let objects = folder
        .manifests
        .iter()
        .map(|manifest| (&manifest.file, manifest.at(plan.pace).objects));
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
