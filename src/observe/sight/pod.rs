//! What is kept of a pod.

use k8s_openapi::api::core::v1::{Pod, PodSpec, ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use super::quantity::{millicores, number};
use super::{Sight, owner};
use kubeclash_timeline::{Change, PodSeen, Sighting, TolerationSeen, What};

/// The taints that the API server has every pod tolerate for a while (its DefaultTolerationSeconds admission).
const TOLERATED_BY_ALL: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

impl Sight for Pod {
    fn sight(&self, change: Change) -> What {
        let status = self.status.clone().unwrap_or_default();
        let spec = self.spec.clone().unwrap_or_default();
        let condition = |kind: &str| status.conditions.iter().flatten().find(|c| c.type_ == kind);
        let unschedulable = condition("PodScheduled")
            .filter(|c| c.status == "False" && c.reason.as_deref() == Some("Unschedulable"))
            .map(|c| c.message.clone().unwrap_or_default());
        What::Pod(Sighting {
            change,
            state: PodSeen {
                uid: self.uid().unwrap_or_default(),
                name: self.name_any(),
                namespace: self.namespace().unwrap_or_default(),
                labels: self.labels().clone(),
                owner: owner(self),
                cpu_request_m: request(&spec, "cpu", millicores),
                memory_request: request(&spec, "memory", number),
                tolerations: spec.tolerations.iter().flatten().filter_map(toleration).collect(),
                node_selector: spec.node_selector.unwrap_or_default(),
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
            },
        })
    }
}

/// What a scheduler counts a pod as (k8s.io/component-helpers/resource: `PodRequests`): its containers and sidecars together,
/// or the init container that needs more, beside the sidecars that were started before it; or what it asks for as a whole;
/// and its overhead.
fn request(spec: &PodSpec, resource: &str, read: fn(&Quantity) -> u64) -> u64 {
    let of = |resources: &Option<ResourceRequirements>| {
        let requests = resources.as_ref()?.requests.as_ref()?;
        requests.get(resource).map(read)
    };
    let mut sidecars = 0;
    let mut first = 0;
    for container in spec.init_containers.iter().flatten() {
        let wants = of(&container.resources).unwrap_or(0);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars += wants;
            first = first.max(sidecars);
        } else {
            first = first.max(sidecars + wants);
        }
    }
    let together: u64 = spec.containers.iter().filter_map(|c| of(&c.resources)).sum();
    let whole = of(&spec.resources).unwrap_or_else(|| first.max(together + sidecars));
    let overhead = spec.overhead.as_ref().and_then(|overhead| overhead.get(resource));
    whole + overhead.map_or(0, read)
}

fn toleration(toleration: &Toleration) -> Option<TolerationSeen> {
    let key = toleration.key.clone().unwrap_or_default();
    if toleration.toleration_seconds.is_some() && TOLERATED_BY_ALL.contains(&key.as_str()) {
        return None;
    }
    let any = toleration.operator.as_deref() == Some("Exists");
    Some(TolerationSeen {
        key,
        value: (!any).then(|| toleration.value.clone().unwrap_or_default()),
        effect: toleration.effect.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::sight::object;

    fn seen(spec: Value) -> PodSeen {
        let pod: Pod = object(json!({"metadata": {"name": "web-1", "uid": "u"}, "spec": spec}));
        match pod.sight(Change::Seen) {
            What::Pod(seen) => seen.state,
            other => panic!("{other:?}"),
        }
    }

    fn container(cpu: &str, memory: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    fn sidecar(cpu: &str, memory: &str) -> Value {
        let mut sidecar = container(cpu, memory);
        sidecar["restartPolicy"] = json!("Always");
        sidecar
    }

    #[test]
    fn a_pod_counts_as_a_scheduler_counts_it() {
        let wants = |spec: Value| {
            let seen = seen(spec);
            (seen.cpu_request_m, seen.memory_request >> 20)
        };
        let two = json!([container("100m", "10Mi"), container("200m", "20Mi")]);
        assert_eq!(wants(json!({"containers": two})), (300, 30));
        let init = json!([container("1", "5Mi"), container("500m", "50Mi")]);
        assert_eq!(
            wants(json!({"containers": two, "initContainers": init})),
            (1_000, 50),
            "the one that needs most, by resource"
        );
        let sidecars = json!([
            container("1", "1Mi"),
            sidecar("100m", "8Mi"),
            container("950m", "1Mi")
        ]);
        assert_eq!(
            wants(json!({"containers": two, "initContainers": sidecars})),
            (1_050, 38),
            "a sidecar runs beside what comes after it"
        );
        let whole = json!({"containers": two, "resources": {"requests": {"cpu": "2"}}, "overhead": {"cpu": "50m", "memory": "1Mi"}});
        assert_eq!(wants(whole), (2_050, 31));
        assert_eq!(wants(json!({"containers": [{"name": "c"}]})), (0, 0));
    }

    #[test]
    fn tolerations_that_every_pod_has_are_left_out() {
        let tolerations = json!([
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
            {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
            {"key": "spot", "operator": "Equal"},
            {"operator": "Exists"},
        ]);
        let seen =
            seen(json!({"containers": [], "tolerations": tolerations, "nodeSelector": {"disk": "ssd"}}));
        let kept: Vec<(&str, Option<&str>, &str)> = seen
            .tolerations
            .iter()
            .map(|t| (t.key.as_str(), t.value.as_deref(), t.effect.as_str()))
            .collect();
        assert_eq!(
            kept,
            [
                ("node.kubernetes.io/unreachable", None, "NoExecute"),
                ("gpu", Some("yes"), "NoSchedule"),
                ("spot", Some(""), ""),
                ("", None, ""),
            ]
        );
        assert_eq!(seen.node_selector["disk"], "ssd");
    }
}
