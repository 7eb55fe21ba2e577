//! What is kept of an object that makes pods, in the one vocabulary of [`WorkloadSeen`].

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::{Sight, owner};
use kubeclash_timeline::{Change, Sighting, SpreadSeen, What, WorkloadSeen};

/// What every kind has: its names, its owner.
fn of(kind: &str, object: &impl ResourceExt) -> WorkloadSeen {
    WorkloadSeen {
        kind: kind.to_owned(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        owner: owner(object),
        ..WorkloadSeen::default()
    }
}

fn seen(change: Change, state: WorkloadSeen) -> What {
    What::Workload(Sighting { change, state })
}

impl Sight for Deployment {
    fn sight(&self, change: Change) -> What {
        let spec = self.spec.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        let wanted = spec.replicas.unwrap_or(1).into();
        let strategy = spec.strategy.unwrap_or_default();
        let rolls = strategy.type_.as_deref().unwrap_or("RollingUpdate") == "RollingUpdate";
        let rolling = strategy.rolling_update.unwrap_or_default();
        let conditions = status.conditions.iter().flatten();
        let state = WorkloadSeen {
            wanted,
            replicas: number(status.replicas),
            updated: number(status.updated_replicas),
            ready: number(status.ready_replicas),
            available: number(status.available_replicas),
            max_unavailable: rolls.then(|| {
                let surge = rolling.max_surge.as_ref();
                of_a_deployment(surge, rolling.max_unavailable.as_ref(), wanted)
            }),
            collisions: status.collision_count.map(i64::from),
            troubles: conditions
                .filter_map(|c| trouble(&c.type_, &c.status, c.reason.as_deref(), c.message.as_deref()))
                .collect(),
            selector: labels(Some(spec.selector)),
            spread: spread(&spec.template),
            behind: behind(self, status.observed_generation),
            ..of("deployment", self)
        };
        seen(change, state)
    }
}

impl Sight for ReplicaSet {
    fn sight(&self, change: Change) -> What {
        let spec = self.spec.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        let conditions = status.conditions.iter().flatten();
        let state = WorkloadSeen {
            wanted: spec.replicas.unwrap_or(1).into(),
            replicas: status.replicas.into(),
            ready: number(status.ready_replicas),
            available: number(status.available_replicas),
            troubles: conditions
                .filter_map(|c| trouble(&c.type_, &c.status, c.reason.as_deref(), c.message.as_deref()))
                .collect(),
            selector: labels(Some(spec.selector)),
            spread: spec.template.as_ref().map(spread).unwrap_or_default(),
            behind: behind(self, status.observed_generation),
            ..of("replicaset", self)
        };
        seen(change, state)
    }
}

impl Sight for StatefulSet {
    fn sight(&self, change: Change) -> What {
        let spec = self.spec.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        let wanted = spec.replicas.unwrap_or(1).into();
        let strategy = spec.update_strategy.unwrap_or_default();
        let rolls = strategy.type_.as_deref().unwrap_or("RollingUpdate") == "RollingUpdate";
        let rolling = strategy.rolling_update.unwrap_or_default();
        let conditions = status.conditions.iter().flatten();
        let state = WorkloadSeen {
            wanted,
            replicas: status.replicas.into(),
            updated: number(status.updated_replicas),
            ready: number(status.ready_replicas),
            available: number(status.available_replicas),
            // As pkg/controller/statefulset has it (`getStatefulSetMaxUnavailable`): never less than one.
            max_unavailable: rolls.then(|| {
                scaled(
                    rolling.max_unavailable.as_ref(),
                    &IntOrString::Int(1),
                    wanted,
                    false,
                )
                .max(1)
            }),
            collisions: status.collision_count.map(i64::from),
            troubles: conditions
                .filter_map(|c| trouble(&c.type_, &c.status, c.reason.as_deref(), c.message.as_deref()))
                .collect(),
            selector: labels(Some(spec.selector)),
            spread: spread(&spec.template),
            behind: behind(self, status.observed_generation),
            ..of("statefulset", self)
        };
        seen(change, state)
    }
}

impl Sight for DaemonSet {
    fn sight(&self, change: Change) -> What {
        let spec = self.spec.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        let wanted = status.desired_number_scheduled.into();
        let strategy = spec.update_strategy.unwrap_or_default();
        let rolls = strategy.type_.as_deref().unwrap_or("RollingUpdate") == "RollingUpdate";
        let rolling = strategy.rolling_update.unwrap_or_default();
        let conditions = status.conditions.iter().flatten();
        let state = WorkloadSeen {
            wanted,
            replicas: status.current_number_scheduled.into(),
            updated: number(status.updated_number_scheduled),
            ready: status.number_ready.into(),
            available: number(status.number_available),
            // As pkg/controller/daemon/util has it (`UnavailableCount`): rounded up.
            max_unavailable: rolls.then(|| {
                scaled(
                    rolling.max_unavailable.as_ref(),
                    &IntOrString::Int(1),
                    wanted,
                    true,
                )
            }),
            collisions: status.collision_count.map(i64::from),
            troubles: conditions
                .filter_map(|c| trouble(&c.type_, &c.status, c.reason.as_deref(), c.message.as_deref()))
                .collect(),
            selector: labels(Some(spec.selector)),
            spread: spread(&spec.template),
            behind: behind(self, status.observed_generation),
            ..of("daemonset", self)
        };
        seen(change, state)
    }
}

impl Sight for Job {
    fn sight(&self, change: Change) -> What {
        let spec = self.spec.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        let conditions = status.conditions.iter().flatten();
        let finished = conditions
            .clone()
            .any(|c| ["Complete", "Failed"].contains(&c.type_.as_str()) && c.status == "True");
        let left = spec
            .completions
            .map_or(i64::MAX, |all| (i64::from(all) - number(status.succeeded)).max(0));
        let wanted = if finished || spec.suspend == Some(true) {
            0
        } else {
            i64::from(spec.parallelism.unwrap_or(1)).min(left)
        };
        let state = WorkloadSeen {
            wanted,
            replicas: number(status.active),
            ready: number(status.ready),
            available: number(status.ready),
            troubles: conditions
                .filter_map(|c| trouble(&c.type_, &c.status, c.reason.as_deref(), c.message.as_deref()))
                .collect(),
            selector: labels(spec.selector),
            spread: spread(&spec.template),
            ..of("job", self)
        };
        seen(change, state)
    }
}

impl Sight for CronJob {
    fn sight(&self, change: Change) -> What {
        let template = self.spec.job_template.spec.as_ref();
        let state = WorkloadSeen {
            spread: template.map(|job| spread(&job.template)).unwrap_or_default(),
            ..of("cronjob", self)
        };
        seen(change, state)
    }
}

fn number(number: Option<i32>) -> i64 {
    number.unwrap_or_default().into()
}

fn labels(selector: Option<LabelSelector>) -> BTreeMap<String, String> {
    selector.and_then(|s| s.match_labels).unwrap_or_default()
}

fn behind(object: &impl ResourceExt, observed: Option<i64>) -> bool {
    object
        .meta()
        .generation
        .is_some_and(|generation| observed != Some(generation))
}

/// What a condition says is wrong, if it does.
pub(super) fn trouble(
    kind: &str,
    status: &str,
    reason: Option<&str>,
    message: Option<&str>,
) -> Option<String> {
    let wrong = match status {
        "True" => kind.contains("Fail") || kind == "Degraded",
        "False" => kind == "Progressing",
        _ => false,
    };
    let parts = [Some(kind), reason, message];
    let told: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    wrong.then(|| told.join(": "))
}

fn spread(template: &PodTemplateSpec) -> Vec<SpreadSeen> {
    template.spec.as_ref().map(spread_of).unwrap_or_default()
}

/// The topology spread constraints of pods.
pub(super) fn spread_of(spec: &PodSpec) -> Vec<SpreadSeen> {
    let constraints = spec.topology_spread_constraints.iter().flatten();
    constraints
        .map(|constraint| SpreadSeen {
            key: constraint.topology_key.clone(),
            max_skew: constraint.max_skew.into(),
            hard: constraint.when_unsatisfiable == "DoNotSchedule",
            selector: labels(constraint.label_selector.clone()),
            match_label_keys: constraint.match_label_keys.clone().unwrap_or_default(),
        })
        .collect()
}

/// How many pods a deployment may lack, as pkg/controller/deployment/util has it (`MaxUnavailable`, `ResolveFenceposts`):
/// rounded down, but one where it may have no more pods either; and never more than there are.
fn of_a_deployment(surge: Option<&IntOrString>, unavailable: Option<&IntOrString>, wanted: i64) -> i64 {
    let quarter = IntOrString::String("25%".to_owned());
    let surge = scaled(surge, &quarter, wanted, true);
    let unavailable = scaled(unavailable, &quarter, wanted, false);
    if surge == 0 && unavailable == 0 {
        wanted.min(1)
    } else {
        unavailable.min(wanted)
    }
}

/// A number of pods, or a percentage of them.
fn scaled(value: Option<&IntOrString>, default: &IntOrString, of: i64, up: bool) -> i64 {
    match value.unwrap_or(default) {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(text) => {
            let percent: i64 = text.strip_suffix('%').and_then(|n| n.parse().ok()).unwrap_or(0);
            (percent * of + if up { 99 } else { 0 }).div_euclid(100)
        }
    }
}

#[cfg(test)]
#[path = "workload_tests.rs"]
mod tests;
