//! One arm of one variant of a case, with its values put in: all that is needed to carry it out and to judge it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::format::{CaseFile, Step};
use crate::scenario::Manifest;
use kubeclash_timeline::claim::Claims;
use kubeclash_timeline::{Arm, Expect};

/// One arm of one variant of a case, with its values put in.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The case's folder, e.g. `c7_taint_recreate_loop`.
    pub case: String,
    /// Which half of the experiment.
    pub arm: Arm,
    /// Which of the case's variants; `None` where there is but one.
    pub variant: Option<String>,
    /// What `case.yaml` says, with the values of arm and variant put in and `nothing` left out of the steps.
    pub file: CaseFile,
    /// The manifests that the steps apply, by file, with the values put in.
    pub manifests: BTreeMap<String, Manifest>,
    /// The descheduler policies that the steps name, by file, and their twins of the older API version (`policy.v1alpha1.yaml`).
    pub policies: BTreeMap<String, Value>,
    /// The other files that the case names (configurations of schedulers), by file, with the values put in.
    pub configs: BTreeMap<String, String>,
    /// SHA-256 over what is done and how it is judged, in hexadecimal: two scenarios with the same are the same experiment.
    /// Prose is no part of it, nor is what arm and variant are called.
    pub inputs_sha256: String,
}

impl Scenario {
    /// What it ends with where nothing has changed: broken arms reproduce, controls do not, unless the case says otherwise of its
    /// broken arm.
    #[must_use]
    pub fn expected(&self) -> Expect {
        match (self.arm, self.file.expect) {
            (Arm::Broken, Some(said)) => said.broken,
            (arm, _) => Expect::of(arm),
        }
    }
}

/// The study's descheduling interval, where a step names none.
const DESCHEDULING_INTERVAL: Duration = Duration::from_secs(10);

impl Scenario {
    /// What it is judged by.
    #[must_use]
    pub fn claims(&self) -> Claims<'_> {
        let steps = &self.file.steps;
        let every = steps.iter().find_map(|step| match step {
            Step::Descheduler(step) => Some(step.descheduler.every),
            _ => None,
        });
        let loads = steps.iter().filter_map(|step| match step {
            Step::Cpu(step) => Some((step.cpu.of.clone(), step.cpu.all_pods.as_ref()?.len())),
            _ => None,
        });
        Claims {
            failure: &self.file.failure,
            premises: &self.file.premises,
            facts: &self.file.facts,
            descheduler_every: every.map(|every| every.map_or(DESCHEDULING_INTERVAL, |every| every.0)),
            loads: loads.collect(),
        }
    }
}

/// The digest of an experiment: cluster, controllers, steps, failure, premises and facts, and the files that they name.
pub(super) fn inputs_sha256(
    file: &CaseFile,
    manifests: &BTreeMap<String, Manifest>,
    policies: &BTreeMap<String, Value>,
    configs: &BTreeMap<String, String>,
) -> String {
    let objects: BTreeMap<&String, &Vec<Value>> = manifests
        .iter()
        .map(|(name, manifest)| (name, &manifest.objects))
        .collect();
    // A list of lists, whose text leaves no doubt about where a part of it ends.
    let whole = json!([
        file.format,
        file.cluster,
        file.controllers,
        file.steps,
        file.failure,
        file.premises,
        file.facts,
        objects,
        policies,
        configs,
    ]);
    let digest = Sha256::digest(whole.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
