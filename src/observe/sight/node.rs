//! What is kept of a node.

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;

use super::Sight;
use super::quantity::{millicores, number};
use kubeclash_timeline::{Change, NodeSeen, Sighting, What};

impl Sight for Node {
    fn sight(&self, change: Change) -> What {
        let status = self.status.as_ref();
        let spec = self.spec.as_ref();
        let mut conditions = status.iter().flat_map(|s| s.conditions.iter().flatten());
        let allocatable = |name: &str| status.and_then(|s| s.allocatable.as_ref()?.get(name));
        let taints = spec.iter().flat_map(|s| s.taints.iter().flatten());
        What::Node(Sighting {
            change,
            state: NodeSeen {
                name: self.name_any(),
                ready: conditions.any(|c| c.type_ == "Ready" && c.status == "True"),
                cordoned: spec.and_then(|s| s.unschedulable).unwrap_or_default(),
                taints: taints
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
                cpu_m: allocatable("cpu").map_or(0, millicores),
                memory: allocatable("memory").map_or(0, number),
                pods: allocatable("pods").map_or(0, number),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::sight::object;

    #[test]
    fn a_node_has_what_it_can_give_and_what_keeps_pods_away() {
        let node: Node = object(json!({
            "metadata": {"name": "w1", "labels": {"lifecycle": "spot"}},
            "spec": {"unschedulable": true, "taints": [{"key": "gpu", "effect": "NoSchedule"}]},
            "status": {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let What::Node(seen) = node.sight(Change::Seen) else {
            panic!()
        };
        let expected = NodeSeen {
            name: "w1".to_owned(),
            ready: true,
            cordoned: true,
            taints: vec!["gpu=:NoSchedule".to_owned()],
            labels: [("lifecycle".to_owned(), "spot".to_owned())].into(),
            cpu_m: 8_000,
            memory: 17_179_869_184,
            pods: 110,
        };
        assert_eq!(seen.state, expected);
    }
}
