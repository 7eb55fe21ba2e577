//! What can be known of steps before there is a cluster.

use super::change::labels_of;
use super::unfit;
use crate::case::format::{CpuStep, Step};
use crate::case::{Scenario, cpu_use};
use crate::drive::condition::condition;
use crate::drive::in_effect::InEffect;
use crate::drive::{DriveError, no_file_of};
use crate::scenario::TIME_TO_COMPLETE;
use kubeclash_cluster::{CpuShare, Provider, ProviderError, taint_change};

/// That every step can be carried out: its files are there, what it says can be read, and the provider can do it.
///
/// # Errors
/// The first step that can't, and why.
pub fn check(scenario: &Scenario, in_effect: &InEffect, provider: Provider) -> Result<(), DriveError> {
    for step in &scenario.file.steps {
        files(step, in_effect)?;
        words(step, scenario)?;
    }
    if provider == Provider::Kind {
        on_kind(scenario)?;
    }
    let spec = scenario.cluster();
    let spec = spec.map_err(|error| ProviderError::Setup {
        what: "the case's cluster".to_owned(),
        why: error.to_string(),
    })?;
    Ok(provider.able(&spec)?)
}

fn files(step: &Step, in_effect: &InEffect) -> Result<(), DriveError> {
    let missing = match step {
        Step::Apply(apply) => {
            let mut files = apply.apply.as_slice().iter();
            files.find(|file| !in_effect.manifests.contains_key(*file))
        }
        Step::Descheduler(start) => {
            let policy = &start.descheduler.policy;
            (!in_effect.policies.contains_key(policy)).then_some(policy)
        }
        _ => None,
    };
    missing.map_or(Ok(()), |file| Err(no_file_of(step, file)))
}

fn words(step: &Step, scenario: &Scenario) -> Result<(), DriveError> {
    let read = match step {
        Step::Wait(wait) => condition(&wait.wait).map(drop),
        Step::Cpu(cpu) => cpu_use(&cpu.cpu).map(drop),
        Step::Label(label) => label
            .label
            .values()
            .try_for_each(|labels| labels_of(labels).map(drop)),
        Step::Taint(taint) => {
            let mut taints = taint.taint.values().flat_map(|taints| taints.as_slice());
            taints.try_for_each(|text| taint_change(text).map(drop))
        }
        Step::Start(start) => {
            let known = scenario
                .file
                .controllers
                .iter()
                .any(|one| one.name == start.start);
            known
                .then_some(())
                .ok_or_else(|| format!("the case has no controller \"{}\"", start.start))
        }
        _ => Ok(()),
    };
    read.map_err(|why| unfit(step, why))
}

/// What takes hollow nodes.
fn on_kind(scenario: &Scenario) -> Result<(), DriveError> {
    let mut cpus: Vec<&CpuStep> = Vec::new();
    for step in &scenario.file.steps {
        let why = match step {
            Step::AddNodes(_) => "its nodes are made with the cluster",
            Step::SetImage(_) => "its pods run the images that are on its nodes",
            Step::Cpu(cpu) => {
                cpus.push(cpu);
                let each_pod =
                    cpu_use(&cpu.cpu).is_ok_and(|cpu| cpu.share == CpuShare::EachPod && cpu.is_burst());
                if each_pod && cpus.len() == 1 {
                    continue;
                }
                "its pods use CPU for a while after their start, those of one workload"
            }
            _ => continue,
        };
        return Err(unable(&format!("carry out \"{step}\""), why));
    }
    let completes = |object: &serde_json::Value| object.to_string().contains(TIME_TO_COMPLETE);
    if scenario
        .manifests
        .values()
        .flat_map(|manifest| &manifest.objects)
        .any(completes)
    {
        let what = format!("end pods by themselves ({TIME_TO_COMPLETE})");
        return Err(unable(&what, "the program of its pods does not"));
    }
    Ok(())
}

fn unable(what: &str, why: &str) -> DriveError {
    ProviderError::Unable {
        provider: Provider::Kind,
        what: what.to_owned(),
        why: why.to_owned(),
    }
    .into()
}
