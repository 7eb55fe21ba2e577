//! Numbers of a cluster by the names that case files have for them: `deployment/web` `available`, `hpa/web` `cpu`, `nodes` `open`.

use super::world::place;
use super::{DEFAULT_NAMESPACE, HpaSeen, PodSeen, WorkloadRef, WorkloadSeen, World, skew};

/// An object whose numbers are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// What makes pods, or a pod of its own.
    Workload(WorkloadRef),
    /// A horizontal pod autoscaler, by [`World::hpas`]' key.
    Hpa(String),
    /// A pod disruption budget, by [`World::budgets`]' key.
    Budget(String),
    /// All worker nodes.
    Nodes,
    /// One of them.
    Node(String),
    /// All pods in all namespaces.
    Pods,
}

const OF_WORKLOADS: [&str; 11] = [
    "wanted",
    "replicas",
    "updated",
    "ready",
    "available",
    "pods",
    "running",
    "pending",
    "unschedulable",
    "terminating",
    "skew",
];
const OF_HPAS: [&str; 5] = ["min", "max", "current", "desired", "cpu"];
const OF_BUDGETS: [&str; 3] = ["floor", "healthy", "allowed"];
const OF_NODES: [&str; 3] = ["open", "ready", "all"];
const OF_A_NODE: [&str; 3] = ["ready", "cordoned", "pods"];
const OF_PODS: [&str; 5] = ["all", "running", "pending", "unschedulable", "terminating"];

impl Object {
    /// The object of a name: `deployment/web`, `hpa/shop/web`, `pdb/web`, `nodes`, `node/kind-worker`, `pods`.
    ///
    /// # Errors
    /// What the name should look like.
    pub fn named(text: &str) -> Result<Self, String> {
        match text {
            "nodes" => return Ok(Self::Nodes),
            "pods" => return Ok(Self::Pods),
            _ => {}
        }
        let name: WorkloadRef = text.parse()?;
        let key = || place(&name.namespace, &name.name);
        Ok(match name.kind.as_str() {
            "hpa" | "horizontalpodautoscaler" => Self::Hpa(key()),
            "pdb" | "poddisruptionbudget" => Self::Budget(key()),
            "node" if name.namespace == DEFAULT_NAMESPACE => Self::Node(name.name),
            _ => Self::Workload(name),
        })
    }

    /// The numbers that it has.
    #[must_use]
    pub fn numbers(&self) -> &'static [&'static str] {
        match self {
            Self::Workload(_) => &OF_WORKLOADS,
            Self::Hpa(_) => &OF_HPAS,
            Self::Budget(_) => &OF_BUDGETS,
            Self::Nodes => &OF_NODES,
            Self::Node(_) => &OF_A_NODE,
            Self::Pods => &OF_PODS,
        }
    }

    /// One of its numbers in a world; `None` where it is not there, or has no such number (yet).
    #[must_use]
    pub fn read(&self, number: &str, world: &World) -> Option<i64> {
        match self {
            Self::Workload(workload) => of_workload(workload, number, world),
            Self::Hpa(key) => of_hpa(world.hpas.get(key)?, number),
            Self::Budget(key) => {
                let budget = world.budgets.get(key)?;
                match number {
                    "floor" => Some(budget.floor),
                    "healthy" => Some(budget.healthy),
                    "allowed" => Some(budget.allowed),
                    _ => None,
                }
            }
            Self::Nodes => {
                let nodes = world.nodes.values();
                let count = match number {
                    "open" => nodes.filter(|node| node.ready && !node.cordoned).count(),
                    "ready" => nodes.filter(|node| node.ready).count(),
                    "all" => nodes.count(),
                    _ => return None,
                };
                Some(count as i64)
            }
            Self::Node(name) => {
                let node = world.nodes.get(name)?;
                match number {
                    "ready" => Some(i64::from(node.ready)),
                    "cordoned" => Some(i64::from(node.cordoned)),
                    "pods" => {
                        let on_it = |pod: &&PodSeen| pod.occupies() && pod.node.as_ref() == Some(name);
                        Some(world.pods.values().filter(on_it).count() as i64)
                    }
                    _ => None,
                }
            }
            Self::Pods => of_pods(world.pods.values(), number),
        }
    }
}

fn of_workload(workload: &WorkloadRef, number: &str, world: &World) -> Option<i64> {
    let of = |read: fn(&WorkloadSeen) -> i64| world.workloads.get(workload).map(read);
    match number {
        "wanted" => of(|w| w.wanted),
        "replicas" => of(|w| w.replicas),
        "updated" => of(|w| w.updated),
        "ready" => of(|w| w.ready),
        "available" => of(|w| w.available),
        "skew" => Some(skew(&world.placement_of(workload))),
        "pods" => {
            let active = world.pods_of_workload(workload).filter(|pod| pod.active());
            Some(active.count() as i64)
        }
        _ => of_pods(world.pods_of_workload(workload), number),
    }
}

fn of_hpa(hpa: &HpaSeen, number: &str) -> Option<i64> {
    match number {
        "min" => Some(hpa.min),
        "max" => Some(hpa.max),
        "current" => Some(hpa.current),
        "desired" => Some(hpa.desired),
        "cpu" => hpa.cpu_percent,
        _ => None,
    }
}

fn of_pods<'a>(pods: impl Iterator<Item = &'a PodSeen>, number: &str) -> Option<i64> {
    let count = match number {
        "all" => pods.count(),
        "running" => pods
            .filter(|p| p.active() && p.phase == "Running" && p.ready)
            .count(),
        "pending" => pods.filter(|p| p.active() && p.phase == "Pending").count(),
        "unschedulable" => {
            let waits = |p: &&PodSeen| p.active() && p.node.is_none() && p.unschedulable.is_some();
            pods.filter(waits).count()
        }
        "terminating" => pods.filter(|p| p.terminating).count(),
        _ => return None,
    };
    Some(count as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Draft, s};

    #[test]
    fn numbers_are_read_by_the_names_that_case_files_have_for_them() {
        let world = Draft::new("c1")
            .nodes(&["w1", "w2"])
            .deployment("web", 3, 2)
            .hpa("web", 3, Some(80))
            .done()
            .world_at(s(0.0));
        let read = |object: &str, number: &str| Object::named(object).unwrap().read(number, &world);
        assert_eq!(read("deploy/web", "available"), Some(2));
        assert_eq!(read("hpa/web", "cpu"), Some(80));
        assert_eq!(read("nodes", "open"), Some(2));
        assert_eq!(read("node/w1", "ready"), Some(1));
        assert_eq!(read("pods", "all"), Some(0));
        assert_eq!(read("deployment/other", "wanted"), None);
        assert_eq!(read("deployment/shop/web", "wanted"), None, "another namespace");
        assert!(Object::named("web").is_err());
    }

    #[test]
    fn every_number_that_is_listed_can_be_read() {
        let world = Draft::new("c1")
            .nodes(&["w1"])
            .deployment("web", 3, 2)
            .hpa("web", 3, Some(80))
            .done()
            .world_at(s(0.0));
        for object in ["deployment/web", "hpa/web", "nodes", "node/w1", "pods"] {
            let object = Object::named(object).unwrap();
            for number in object.numbers() {
                assert!(object.read(number, &world).is_some(), "{object:?} {number}");
            }
        }
    }
}
