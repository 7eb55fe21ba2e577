//! One arm of the experiment with the API server's liveness: a load test, again and again, under a recorder.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{DriveError, Plan, evidence_dir};
use crate::cases::{Folder, Study};
use crate::evidence::TIMELINE;
use crate::observe::Recorder;
use kubeclash_cluster::{Cluster, Order, Scale};
use kubeclash_components::{skew, took_part, versions};
use kubeclash_timeline::{Arm, Header, Liveness, LoadStep, Timeline, What};

/// How often the number that the verdict hangs on is told while it is watched.
const PULSE: Duration = Duration::from_millis(500);

/// One arm, ready to be carried out.
pub(super) struct LivenessArm<'a> {
    plan: &'a Plan,
    study: &'static Study,
    folder: Folder,
    /// The folder of its evidence.
    pub(super) evidence: PathBuf,
    say: &'a (dyn Fn(&str) + Sync),
}

impl<'a> LivenessArm<'a> {
    /// Reads the experiment's files, and makes its folder of evidence.
    ///
    /// # Errors
    /// When the evidence can't be written.
    pub(super) fn new(
        plan: &'a Plan,
        study: &'static Study,
        say: &'a (dyn Fn(&str) + Sync),
    ) -> Result<Self, DriveError> {
        let folder = study.load()?;
        let evidence = evidence_dir::make(plan, std::iter::empty())?;
        Ok(Self {
            plan,
            study,
            folder,
            evidence,
            say,
        })
    }

    /// The cluster that it needs.
    pub(super) fn order(&self) -> Order {
        let plan = self.plan;
        let mut tuning = plan.tuning.clone();
        // Of a load test's thousands of requests nobody asks who sent which.
        tuning.audit = false;
        Order {
            binaries: plan.binaries.clone(),
            spec: self.folder.card.shape().into(),
            pace: plan.pace,
            tuning,
            logs: self.evidence.join("logs"),
            seeds: plan.seeds.clone(),
            ready_timeout: plan.ready_timeout,
            keep: plan.keep,
            kit: plan.kit.clone(),
            scale: Some(Scale {
                apiserver_cpu: (self.study.apiserver_cpu)(plan.id.arm),
                liveness: Some(Liveness::default().at(plan.pace)),
                ..kubeclash_load::scale(&self.folder.profile.says)
            }),
        }
    }

    /// Runs the load test again and again under a recorder that is armed before it.
    ///
    /// # Errors
    /// When something that the cluster is made of has died, or the evidence can't be written.
    pub(super) async fn play(&self, cluster: &mut Cluster) -> Result<Timeline, DriveError> {
        let client = cluster.client().clone();
        let file = self.evidence.join(TIMELINE);
        let recorder = Recorder::arm(&client, self.header(), &file, cluster.audit_log().as_deref()).await?;
        let note = recorder.noter();
        cluster.on_liveness(Box::new(move |event| note(What::Liveness(event.change.clone()))));
        if let Some(bound) = cluster.bounded_by() {
            recorder.note(What::Step(format!("kube-apiserver: {bound}")));
        }
        recorder.note(What::Mark(self.study.started.to_owned()));
        recorder.note(What::Step("load test".to_owned()));
        let load = self.load_test(client.clone(), &recorder);
        let watch = self.observe(&recorder);
        let end = async {
            tokio::select! {
                () = watch => Ok(()),
                failed = load => failed,
            }
        };
        super::steps::while_alive(cluster, end).await??;
        recorder.check()?;
        let ending = super::steps::alive(cluster).await;
        recorder.catch_up(&client).await;
        Ok(recorder.finish(ending)?)
    }

    /// The load test, again and again; returns only when it can't go on.
    ///
    /// Boxed: the compiler can't tell for itself that what it borrows may go from thread to thread.
    fn load_test<'r>(
        &'r self,
        client: kube::Client,
        recorder: &'r Recorder,
    ) -> BoxFuture<'r, Result<(), DriveError>> {
        let load = async move {
            let logs = self.evidence.join("logs");
            let on_step = |step: LoadStep| recorder.note(What::Step(format!("load test: {step}")));
            match kubeclash_load::again_and_again(client, &self.folder.profile.says, &logs, &on_step).await {
                Ok(never) => match never {},
                Err(source) => Err(DriveError::Evidence { path: logs, source }),
            }
        };
        load.boxed()
    }

    async fn observe(&self, recorder: &Recorder) {
        let card = &self.folder.card;
        let (pace, study) = (self.plan.pace, self.study);
        let window = match self.plan.id.arm {
            // At a fast pace a broken arm gets as long as a slow machine needs.
            Arm::Broken => pace.deadline(card.observe),
            Arm::Control => pace.window(card.needs * 2),
        };
        let end = tokio::time::Instant::now() + window;
        let mut said = None;
        recorder
            .watch(end, |timeline| {
                if said.is_none_or(|said: Instant| said.elapsed() >= PULSE) {
                    (self.say)(&study.pulse(timeline));
                    said = Some(Instant::now());
                }
                // A load test has no rates to be watched to the end for.
                study.reproduced(timeline)
            })
            .await;
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
            shape: self.folder.card.shape(),
            components: took_part(&plan.binaries),
            inputs_sha256: self.folder.profile.digest(),
            lacks: skew::lacks(&versions(&plan.binaries))
                .into_iter()
                .filter(|lack| lack.bars_absence)
                .map(|lack| lack.what)
                .collect(),
        }
    }
}
