//! One arm of a case that is a folder: its files as they are applied, and its steps under a recorder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::evidence_dir::{self, failed};
use super::in_effect::InEffect;
use super::steps::{self, Steps};
use super::{DriveError, Need, Plan};
use crate::case::{Case, Scenario};
use crate::evidence::{CASE, TIMELINE};
use crate::observe::Recorder;
use kubeclash_cluster::{Cluster, ClusterSpec, Controller, Order, PolicyApi, ProviderError, tagged};
use kubeclash_components::{ComponentName, skew, took_part, versions};
use kubeclash_timeline::{Arm, ComponentVersion, Ending, Header, Shape, Timeline, claim};

/// One arm of a case, ready to be carried out.
pub(super) struct CaseArm<'a> {
    plan: &'a Plan,
    case: &'a Case,
    scenario: &'a Scenario,
    in_effect: InEffect,
    spec: ClusterSpec,
    controllers: Vec<Controller>,
    /// The folder of its evidence.
    pub(super) evidence: PathBuf,
    say: &'a (dyn Fn(&str) + Sync),
}

impl<'a> CaseArm<'a> {
    /// Checks that the arm can be carried out, and makes its folder of evidence.
    ///
    /// # Errors
    /// When a step can't be carried out on the provider, a file is missing, or the evidence can't be written.
    pub(super) fn new(
        plan: &'a Plan,
        case: &'a Case,
        controllers: Vec<Controller>,
        say: &'a (dyn Fn(&str) + Sync),
    ) -> Result<Self, DriveError> {
        let variant = plan.id.variant.as_deref();
        let scenario = case
            .scenario(plan.id.arm, variant)
            .ok_or_else(|| DriveError::NoVariant { arm: plan.id.clone() })?;
        let images = plan.kit.as_ref().zip(plan.binaries.get(&ComponentName::Burn));
        let images = images.map(|(kit, burn)| scenario.images(kit.pause(), tagged("burn", burn)));
        let api = plan.policy_api();
        let in_effect = InEffect::of(scenario, plan.pace, &plan.tuning, api, images.as_ref());
        steps::check(scenario, &in_effect, plan.provider)?;
        let spec = scenario.cluster().map_err(|error| ProviderError::Setup {
            what: "the case's cluster".to_owned(),
            why: error.to_string(),
        })?;
        let documents = in_effect
            .manifests
            .iter()
            .map(|(file, manifest)| (file.as_str(), manifest.objects.clone()));
        let policies = in_effect
            .policies
            .iter()
            .map(|(file, policy)| (file.as_str(), vec![policy.clone()]));
        let evidence = evidence_dir::make(plan, documents.chain(policies))?;
        copy(case, &evidence.join(CASE))?;
        Ok(Self {
            plan,
            case,
            scenario,
            in_effect,
            spec,
            controllers,
            evidence,
            say,
        })
    }

    /// What takes part: components, and the case's own controllers by their names.
    fn took_part(&self) -> BTreeMap<String, ComponentVersion> {
        let mut components = took_part(&self.spec.binaries(&self.plan.binaries));
        for controller in &self.controllers {
            let binary = &controller.binary;
            let version = ComponentVersion {
                version: binary.version.clone(),
                sha256: binary.sha256.clone(),
                origin: binary.origin.to_string(),
            };
            components.insert(controller.name.clone(), version);
        }
        components
    }

    /// The cluster that it needs.
    pub(super) fn order(&self) -> Order {
        let plan = self.plan;
        Order {
            binaries: plan.binaries.clone(),
            spec: self.spec.clone(),
            pace: plan.pace,
            tuning: plan.tuning.clone(),
            logs: self.evidence.join("logs"),
            seeds: plan.seeds.clone(),
            ready_timeout: plan.ready_timeout,
            keep: plan.keep,
            kit: plan.kit.clone(),
            scale: None,
        }
    }

    /// Carries the steps out under a recorder that is armed before the first.
    ///
    /// # Errors
    /// When a step fails, or something that the cluster is made of has died.
    pub(super) async fn play(&self, cluster: &mut Cluster) -> Result<Timeline, DriveError> {
        let client = cluster.client().clone();
        let file = self.evidence.join(TIMELINE);
        let recorder = Recorder::arm(&client, self.header(), &file, cluster.audit_log().as_deref()).await?;
        let limit = self.limit();
        let playing = async {
            let steps = Steps {
                scenario: self.scenario,
                pace: self.plan.pace,
                in_effect: &self.in_effect,
                controllers: &self.controllers,
                say: self.say,
                pulse: &|timeline| claim::pulse(&self.scenario.claims(), timeline),
                complete: &|timeline| claim::reproduced(&self.scenario.claims(), timeline),
            };
            let ending = steps.carry_out(cluster, &recorder).await?;
            if ending == Ending::Complete {
                self.beside_the_broken_arm(&recorder).await;
            }
            Ok::<_, DriveError>(ending)
        };
        let ending = match tokio::time::timeout(limit, playing).await {
            Ok(ending) => ending?,
            Err(_) => Ending::Broken(format!(
                "not over after {:.0} s, which is all it gets",
                limit.as_secs_f64()
            )),
        };
        recorder.catch_up(&client).await;
        Ok(recorder.finish(ending)?)
    }

    /// How long the steps may take; a control twice as long as a broken arm, because it watches twice as long.
    fn limit(&self) -> Duration {
        let expected = self.scenario.file.expected_runtime.0;
        let recorded = match self.plan.id.arm {
            Arm::Broken => expected,
            Arm::Control => expected * 2,
        };
        // A floor at the fast pace, where start-up and a slow machine weigh more than any interval.
        self.plan
            .pace
            .scale(recorded)
            .max(Duration::from_secs(180).min(recorded))
    }

    /// A control is watched on until the broken arm of the same run has ended, and at least twice as long as that one needed.
    async fn beside_the_broken_arm(&self, recorder: &Recorder) {
        let (Some(sibling), Arm::Control) = (&self.plan.sibling, self.plan.id.arm) else {
            return;
        };
        if sibling.need() == Need::Unknown {
            (self.say)("watching on: the broken arm is not over yet");
            let far = tokio::time::Instant::now() + self.limit();
            tokio::select! {
                _ = sibling.told() => {}
                () = recorder.watch(far, |_| false) => {}
            }
        }
        let Need::Known(needed) = sibling.need() else {
            return;
        };
        let watched = recorder.look(|timeline, _| claim::judge(&self.scenario.claims(), timeline).watched);
        if watched < needed * 2 {
            (self.say)("watching on: twice as long as the broken arm needed");
            // A little more, so that the last look is not before the time.
            let end = tokio::time::Instant::now() + (needed * 2 - watched) + Duration::from_millis(100);
            recorder.watch(end, |_| false).await;
        }
    }

    fn header(&self) -> Header {
        let plan = self.plan;
        Header {
            case: self.case.folder().to_owned(),
            arm: plan.id.arm,
            variant: plan.id.variant.clone(),
            provider: plan.provider.to_string(),
            pace: plan.pace,
            date: jiff::Timestamp::now().to_string(),
            shape: Shape {
                workers: self.spec.nodes.len(),
                worker_cpu: self.spec.nodes.first().map_or(0, |node| {
                    u32::try_from(node.cpu_m.div_ceil(1_000)).unwrap_or(u32::MAX)
                }),
            },
            components: self.took_part(),
            inputs_sha256: self.scenario.inputs_sha256.clone(),
            lacks: skew::lacks(&versions(&plan.binaries))
                .into_iter()
                .filter(|lack| lack.bars_absence)
                .map(|lack| lack.what)
                .collect(),
        }
    }
}

impl Plan {
    /// The API version of descheduler policies that its descheduler knows.
    pub(super) fn policy_api(&self) -> PolicyApi {
        let descheduler = self.binaries.get(&ComponentName::Descheduler);
        PolicyApi::for_descheduler(descheduler.map_or("unknown", |binary| &binary.version))
    }
}

/// The case as it stands in its folder: it is part of the evidence, so that a replay needs nothing else.
fn copy(case: &Case, to: &Path) -> Result<(), DriveError> {
    for (file, text) in case.files() {
        let path = to.join(file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed(folder.to_owned()))?;
        }
        std::fs::write(&path, text).map_err(failed(path.clone()))?;
    }
    Ok(())
}
