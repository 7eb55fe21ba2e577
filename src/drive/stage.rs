//! The steps of one arm, carried out under a recorder that is armed before the first.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Taint;

use super::{DriveError, Need, Plan, no_file};
use crate::cases::Folder;
use crate::component::{ComponentName, skew, took_part, versions};
use crate::evidence::{RunContext, TIMELINE};
use crate::experiment::LoadStep;
use crate::inject::{self, DrainOptions, ObjectRef};
use crate::load;
use crate::observe::Recorder;
use crate::provider::Cluster;
use crate::scenario::{Arm, Images, Manifest, NodePick, Pace, Scenario, Step};
use crate::timeline::{Ending, Header, Timeline, What, World, fullest, refusal, undone};

/// How long the API server may take to answer when everything has been watched.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the number that the verdict hangs on is told while it is watched.
const PULSE: Duration = Duration::from_millis(500);

/// What the steps of one arm need.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a Folder,
    pub(super) scenario: &'a Scenario,
    pub(super) images: Option<&'a Images>,
    pub(super) evidence: &'a Path,
    pub(super) say: &'a (dyn Fn(&str) + Sync),
}

impl Stage<'_> {
    /// Carries the steps out under a recorder that is armed before the first.
    pub(super) async fn play(&self, cluster: &mut Cluster) -> Result<Timeline, DriveError> {
        let client = cluster.client().clone();
        let file = self.evidence.join(TIMELINE);
        let recorder = Recorder::arm(&client, self.header(), &file, cluster.audit_log().as_deref()).await?;
        let note = recorder.noter();
        cluster.on_liveness(Box::new(move |event| note(What::Liveness(event.change.clone()))));
        if let Some(bound) = cluster.bounded_by() {
            recorder.note(What::Step(format!("kube-apiserver: {bound}")));
        }
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
        let recorded = match self.plan.id.arm {
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
                Step::LoadTest { window } => {
                    let load = self.load_test(cluster.client().clone(), recorder);
                    let watch = self.observe(recorder, *window, true);
                    let end = async {
                        tokio::select! {
                            () = watch => Ok(()),
                            failed = load => failed,
                        }
                    };
                    while_alive(cluster, end).await??;
                }
                Step::StartDescheduler { policy } => {
                    let policy_text = self.folder.policies.get(*policy);
                    let policy = policy_text.ok_or_else(|| no_file(step, policy))?;
                    let note = recorder.noter();
                    let on_cycle = move || note(What::Cycle(ComponentName::Descheduler.to_string()));
                    let every = self.plan.pace.scale(Duration::from_secs(10));
                    cluster
                        .start_descheduler(policy, every, Box::new(on_cycle))
                        .await?;
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

    /// The scenario's load test, again and again; returns only when it can't go on.
    ///
    /// Boxed: the compiler can't tell for itself that what it borrows may go from thread to thread.
    fn load_test<'a>(
        &'a self,
        client: kube::Client,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<(), DriveError>> {
        let load = async move {
            let overload = self.scenario.overload;
            let profile = overload.and_then(|overload| self.folder.profiles.get(overload.profile));
            let Some(profile) = profile else { return Ok(()) };
            let logs = self.evidence.join("logs");
            let on_step = |step: LoadStep| recorder.note(What::Step(format!("load test: {step}")));
            match load::again_and_again(client, &profile.says, &logs, &on_step).await {
                Ok(never) => match never {},
                Err(source) => Err(DriveError::Evidence { path: logs, source }),
            }
        };
        load.boxed()
    }

    async fn observe(&self, recorder: &Recorder, window: Duration, until_verdict: bool) {
        let (pace, case) = (self.plan.pace, &self.plan.case);
        let window = match self.scenario.arm {
            // At a fast pace a broken arm gets as long as a slow machine needs.
            Arm::Broken if until_verdict => pace.deadline(window),
            _ if until_verdict => pace.window(window),
            _ => pace.scale(window),
        };
        // A load test has no rates to be watched to the end for.
        let stops = until_verdict && (pace != Pace::Recorded || self.scenario.overload.is_some());
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
        if until_verdict {
            self.beside_the_broken_arm(recorder).await;
        }
    }

    /// A control is watched on until the broken arm of the same run has ended, and at least twice as long as that one needed.
    async fn beside_the_broken_arm(&self, recorder: &Recorder) {
        let (Some(sibling), Arm::Control) = (&self.plan.sibling, self.plan.id.arm) else {
            return;
        };
        if sibling.need() == Need::Unknown {
            (self.say)("watching on: the broken arm is not over yet");
            let told = sibling.told();
            tokio::pin!(told);
            let far = tokio::time::Instant::now() + self.limit();
            tokio::select! {
                _ = &mut told => {}
                () = recorder.watch(far, |_| false) => {}
            }
        }
        let Need::Known(needed) = sibling.need() else {
            return;
        };
        let watched = recorder.look(|timeline, _| self.plan.case.judge(timeline).watched);
        if watched < needed * 2 {
            (self.say)("watching on: twice as long as the broken arm needed");
            // A little more, so that the last look is not before the time.
            let end = tokio::time::Instant::now() + (needed * 2 - watched) + Duration::from_millis(100);
            recorder.watch(end, |_| false).await;
        }
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
                for object in in_effect(self.manifest(file)?, self.plan, self.images).objects {
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
            | Step::LoadTest { .. }
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
        Header {
            case: plan.id.case.clone(),
            arm: plan.id.arm,
            variant: plan.id.variant.clone(),
            provider: plan.provider.to_string(),
            pace: plan.pace,
            date: jiff::Timestamp::now().to_string(),
            shape: self.scenario.shape,
            components: took_part(&plan.binaries),
            inputs_sha256: Manifest::digest(&self.folder.manifests, &self.folder.policies),
            lacks: skew::lacks(&versions(&plan.binaries))
                .into_iter()
                .filter(|lack| lack.bars_absence)
                .map(|lack| lack.what)
                .collect(),
        }
    }

    /// What is known of the run, but for what its judge says.
    pub(super) fn context(
        &self,
        timeline: &Timeline,
        elapsed: Duration,
        ready: Duration,
        created: Option<Duration>,
    ) -> RunContext {
        RunContext {
            id: self.plan.id.clone(),
            expected: self.plan.expected.verdict,
            expected_why: self.plan.expected.why.clone(),
            elapsed,
            ready,
            created,
            provider: timeline.header.provider.clone(),
            pace: self.plan.pace,
            components: timeline.header.components.clone(),
            evidence: self.evidence.to_owned(),
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

/// A manifest as it is applied: at the plan's pace, with images that are there.
pub(super) fn in_effect(manifest: &Manifest, plan: &Plan, images: Option<&Images>) -> Manifest {
    let paced = manifest.at(plan.pace);
    images.map_or_else(|| paced.clone(), |images| paced.running(images, plan.pace))
}

/// What was waited for in vain, and whose turn it was.
fn unsettled(missing: String, world: &World) -> String {
    match undone(world).or_else(|| refusal(world)) {
        Some(who) => format!("{missing}; {who}"),
        None => missing,
    }
}
