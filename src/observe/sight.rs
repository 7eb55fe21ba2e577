//! What is kept of an object of the API.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::timeline::{
    Change, EventSeen, HpaSeen, NodeSeen, OwnerRef, PodSeen, Sighting, What, WorkloadSeen, kind,
};

/// An object that the recorder watches.
pub(super) trait Sight {
    /// What is kept of it.
    fn sight(&self, change: Change) -> What;
}

impl Sight for Pod {
    fn sight(&self, change: Change) -> What {
        let status = self.status.clone().unwrap_or_default();
        let spec = self.spec.clone().unwrap_or_default();
        let condition = |kind: &str| status.conditions.iter().flatten().find(|c| c.type_ == kind);
        let owner = self
            .owner_references()
            .iter()
            .find(|o| o.controller == Some(true));
        let unschedulable = condition("PodScheduled")
            .filter(|c| c.status == "False" && c.reason.as_deref() == Some("Unschedulable"))
            .map(|c| c.message.clone().unwrap_or_default());
        let requests = spec
            .containers
            .iter()
            .filter_map(|c| c.resources.as_ref()?.requests.as_ref()?.get("cpu"));
        What::Pod(Sighting {
            change,
            state: PodSeen {
                uid: self.uid().unwrap_or_default(),
                name: self.name_any(),
                namespace: self.namespace().unwrap_or_default(),
                labels: self.labels().clone(),
                owner: owner.map(|o| OwnerRef {
                    kind: o.kind.clone(),
                    name: o.name.clone(),
                    uid: o.uid.clone(),
                }),
                cpu_request_m: requests.map(millicores).sum(),
                scheduler: spec.scheduler_name.filter(|name| name != "default-scheduler"),
                node: spec.node_name,
                ready: condition("Ready").is_some_and(|c| c.status == "True"),
                terminating: self.metadata.deletion_timestamp.is_some(),
                unschedulable,
                disruption: condition("DisruptionTarget")
                    .filter(|c| c.status == "True")
                    .and_then(|c| c.reason.clone()),
                phase: status.phase.unwrap_or_default(),
                reason: status.reason,
                ..PodSeen::default()
            },
        })
    }
}

impl Sight for Node {
    fn sight(&self, change: Change) -> What {
        let status = self.status.clone().unwrap_or_default();
        let spec = self.spec.clone().unwrap_or_default();
        let taints = spec.taints.unwrap_or_default();
        What::Node(Sighting {
            change,
            state: NodeSeen {
                name: self.name_any(),
                ready: status
                    .conditions
                    .iter()
                    .flatten()
                    .any(|c| c.type_ == "Ready" && c.status == "True"),
                cordoned: spec.unschedulable.unwrap_or_default(),
                taints: taints
                    .iter()
                    .map(|t| {
                        format!(
                            "{}={}:{}",
                            t.key,
                            t.value.as_deref().unwrap_or_default(),
                            t.effect
                        )
                    })
                    .collect(),
                labels: self.labels().clone(),
                cpu_m: status
                    .allocatable
                    .iter()
                    .flatten()
                    .find(|(k, _)| *k == "cpu")
                    .map_or(0, |(_, q)| millicores(q)),
                ..NodeSeen::default()
            },
        })
    }
}

impl Sight for Deployment {
    fn sight(&self, change: Change) -> What {
        let status = self.status.clone().unwrap_or_default();
        let wanted = self.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        What::Workload(Sighting {
            change,
            state: WorkloadSeen {
                kind: "deployment".to_owned(),
                namespace: self.namespace().unwrap_or_default(),
                name: self.name_any(),
                uid: self.uid().unwrap_or_default(),
                wanted: wanted.into(),
                replicas: status.replicas.unwrap_or_default().into(),
                ready: status.ready_replicas.unwrap_or_default().into(),
                available: status.available_replicas.unwrap_or_default().into(),
                ..WorkloadSeen::default()
            },
        })
    }
}

impl Sight for ReplicaSet {
    fn sight(&self, change: Change) -> What {
        let status = self.status.clone().unwrap_or_default();
        let owner = self
            .owner_references()
            .iter()
            .find(|o| o.controller == Some(true));
        What::Workload(Sighting {
            change,
            state: WorkloadSeen {
                kind: "replicaset".to_owned(),
                namespace: self.namespace().unwrap_or_default(),
                uid: self.uid().unwrap_or_default(),
                name: self.name_any(),
                owner: owner.map(|o| OwnerRef {
                    kind: o.kind.clone(),
                    name: o.name.clone(),
                    uid: o.uid.clone(),
                }),
                wanted: self.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1).into(),
                replicas: status.replicas.into(),
                ready: status.ready_replicas.unwrap_or_default().into(),
                ..WorkloadSeen::default()
            },
        })
    }
}

impl Sight for HorizontalPodAutoscaler {
    fn sight(&self, change: Change) -> What {
        let spec = &self.spec;
        let status = self.status.clone().unwrap_or_default();
        let cpu = status.current_metrics.iter().flatten().find_map(|metric| {
            let resource = metric.resource.as_ref().filter(|r| r.name == "cpu")?;
            resource.current.average_utilization
        });
        What::Hpa(Sighting {
            change,
            state: HpaSeen {
                namespace: self.namespace().unwrap_or_default(),
                name: self.name_any(),
                target: format!(
                    "{}/{}",
                    kind(&spec.scale_target_ref.kind),
                    spec.scale_target_ref.name
                ),
                min: spec.min_replicas.unwrap_or(1).into(),
                max: spec.max_replicas.into(),
                current: status.current_replicas.unwrap_or_default().into(),
                desired: status.desired_replicas.into(),
                cpu_percent: cpu.map(i64::from),
                ..HpaSeen::default()
            },
        })
    }
}

impl Sight for Event {
    fn sight(&self, _: Change) -> What {
        let about = &self.involved_object;
        let source = self.reporting_component.clone().filter(|s| !s.is_empty());
        What::Event(EventSeen {
            about: format!(
                "{}/{}",
                about.kind.as_deref().unwrap_or("?"),
                about.name.as_deref().unwrap_or("?")
            ),
            reason: self.reason.clone().unwrap_or_default(),
            source: source
                .or_else(|| self.source.as_ref().and_then(|s| s.component.clone()))
                .unwrap_or_default(),
            message: self.message.clone().unwrap_or_default(),
            count: self
                .series
                .as_ref()
                .and_then(|s| s.count)
                .or(self.count)
                .unwrap_or(1)
                .into(),
        })
    }
}

/// A CPU quantity in millicores, rounded up; 0 for what is none.
fn millicores(quantity: &Quantity) -> u64 {
    let text = quantity.0.as_str();
    let (number, factor) = match text.strip_suffix(['m', 'u', 'n', 'k']) {
        Some(number) if text.ends_with('m') => (number, 1.0),
        Some(number) if text.ends_with('u') => (number, 1e-3),
        Some(number) if text.ends_with('n') => (number, 1e-6),
        Some(number) => (number, 1e6),
        None => (text, 1e3),
    };
    number
        .parse::<f64>()
        .map_or(0, |n| (n * factor).ceil().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_quantities_become_millicores() {
        for (text, m) in [
            ("100m", 100),
            ("2", 2000),
            ("0.5", 500),
            ("1500u", 2),
            ("1k", 1_000_000),
            ("x", 0),
        ] {
            assert_eq!(millicores(&Quantity(text.into())), m, "{text}");
        }
    }
}
