//! The state of a cluster as the watches have it, and the numbers that are read from it.

use std::collections::BTreeMap;

use super::{
    BudgetSeen, Change, DEFAULT_NAMESPACE, HpaSeen, NodeSeen, PodSeen, Sighting, What, WorkloadRef,
    WorkloadSeen,
};

/// The state of a cluster at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    /// Pods, by UID.
    pub pods: BTreeMap<String, PodSeen>,
    /// Nodes, by name.
    pub nodes: BTreeMap<String, NodeSeen>,
    /// What makes pods, by kind, namespace and name.
    pub workloads: BTreeMap<WorkloadRef, WorkloadSeen>,
    /// Horizontal pod autoscalers, by `name`, or `namespace/name` outside of `default`.
    pub hpas: BTreeMap<String, HpaSeen>,
    /// Pod disruption budgets, by `name`, or `namespace/name` outside of `default`.
    pub budgets: BTreeMap<String, BudgetSeen>,
}

impl World {
    /// Takes one more sighting in.
    pub fn see(&mut self, what: &What) {
        match what {
            What::Pod(pod) => keep(&mut self.pods, &pod.state.uid, pod),
            What::Node(node) => keep(&mut self.nodes, &node.state.name, node),
            What::Workload(workload) => {
                let name = workload.state.reference();
                match workload.change {
                    Change::Seen => drop(self.workloads.insert(name, workload.state.clone())),
                    Change::Gone => drop(self.workloads.remove(&name)),
                }
            }
            What::Hpa(hpa) => keep(&mut self.hpas, &place(&hpa.state.namespace, &hpa.state.name), hpa),
            What::Budget(budget) => {
                let name = place(&budget.state.namespace, &budget.state.name);
                keep(&mut self.budgets, &name, budget);
            }
            What::Mark(_)
            | What::Step(_)
            | What::Cycle(_)
            | What::Event(_)
            | What::Request(_)
            | What::Gap(_)
            | What::Still(())
            | What::Liveness(_)
            | What::End(_) => {}
        }
    }

    /// The deployment of a name in the default namespace.
    #[must_use]
    pub fn deployment(&self, name: &str) -> Option<&WorkloadSeen> {
        self.workloads.get(&WorkloadRef::deployment(name))
    }

    /// The workload at the top of a pod's owners: the deployment of its replica set, or the pod itself where nobody owns it.
    ///
    /// An owner that was not seen (yet) stands for itself.
    #[must_use]
    pub fn workload_of(&self, pod: &PodSeen) -> WorkloadRef {
        let Some(owner) = &pod.owner else {
            return WorkloadRef::new("pod", &pod.namespace, &pod.name);
        };
        let mut top = WorkloadRef::new(&owner.kind, &pod.namespace, &owner.name);
        // An owner of an owner of an owner is more than Kubernetes itself has; a circle ends here, too.
        for _ in 0..4 {
            let Some(above) = self.workloads.get(&top).and_then(|seen| seen.owner.as_ref()) else {
                break;
            };
            top = WorkloadRef::new(&above.kind, &pod.namespace, &above.name);
        }
        top
    }

    /// The pods of a workload, terminating ones included.
    pub fn pods_of_workload<'a>(&'a self, workload: &'a WorkloadRef) -> impl Iterator<Item = &'a PodSeen> {
        self.pods
            .values()
            .filter(move |pod| pod.namespace == workload.namespace && self.workload_of(pod) == *workload)
    }

    /// How many active pods of a workload each node has; nodes without one stand at 0.
    #[must_use]
    pub fn placement_of(&self, workload: &WorkloadRef) -> BTreeMap<String, usize> {
        let mut placement: BTreeMap<String, usize> =
            self.nodes.keys().map(|name| (name.clone(), 0)).collect();
        for pod in self.pods_of_workload(workload).filter(|pod| pod.active()) {
            if let Some(node) = &pod.node {
                *placement.entry(node.clone()).or_default() += 1;
            }
        }
        placement
    }

    /// The pods of an app, terminating ones included.
    pub fn pods_of<'a>(&'a self, app: &'a str) -> impl Iterator<Item = &'a PodSeen> {
        self.pods
            .values()
            .filter(move |pod| pod.labels.get("app").map(String::as_str) == Some(app))
    }

    /// How many active pods of an app each node has; nodes without one stand at 0.
    #[must_use]
    pub fn placement(&self, app: &str) -> BTreeMap<String, usize> {
        let mut placement: BTreeMap<String, usize> =
            self.nodes.keys().map(|name| (name.clone(), 0)).collect();
        for pod in self.pods_of(app).filter(|pod| pod.active()) {
            if let Some(node) = &pod.node {
                *placement.entry(node.clone()).or_default() += 1;
            }
        }
        placement
    }

    /// Whether some ready, schedulable node has this much CPU free, in millicores.
    #[must_use]
    pub fn has_room(&self, cpu_m: u64) -> bool {
        self.nodes
            .values()
            .filter(|n| n.ready && !n.cordoned)
            .any(|node| {
                let used: u64 = self
                    .pods
                    .values()
                    .filter(|p| p.occupies() && p.node.as_deref() == Some(&node.name))
                    .map(|p| p.cpu_request_m)
                    .sum();
                used + cpu_m <= node.cpu_m
            })
    }

    /// Whether every node is ready and takes pods.
    #[must_use]
    pub fn all_nodes_open(&self) -> bool {
        !self.nodes.is_empty() && self.closed_nodes() == 0
    }

    fn closed_nodes(&self) -> i64 {
        self.nodes.values().filter(|n| !n.ready || n.cordoned).count() as i64
    }
}

/// `name`, or `namespace/name` outside of `default`.
pub(super) fn place(namespace: &str, name: &str) -> String {
    if namespace == DEFAULT_NAMESPACE || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}/{name}")
    }
}

impl WorkloadSeen {
    /// How it is named.
    #[must_use]
    pub fn reference(&self) -> WorkloadRef {
        WorkloadRef::new(&self.kind, &self.namespace, &self.name)
    }
}

fn keep<T: Clone>(map: &mut BTreeMap<String, T>, key: &str, sighting: &Sighting<T>) {
    match sighting.change {
        Change::Seen => {
            map.insert(key.to_owned(), sighting.state.clone());
        }
        Change::Gone => {
            map.remove(key);
        }
    }
}

/// The difference between the fullest and the emptiest node: what `maxSkew` bounds.
#[must_use]
pub fn skew(placement: &BTreeMap<String, usize>) -> i64 {
    let most = placement.values().max().copied().unwrap_or(0);
    let least = placement.values().min().copied().unwrap_or(0);
    most as i64 - least as i64
}

/// The node with the most pods; the first by name where several have as many.
#[must_use]
pub fn fullest(placement: &BTreeMap<String, usize>) -> String {
    let most = placement.values().max().copied().unwrap_or(0);
    placement
        .iter()
        .find(|(_, count)| **count == most)
        .map(|(name, _)| name.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Draft, node, pod, s, seen};

    /// Two workers of 8000m with three and one pods of 2000m.
    fn world() -> World {
        Draft::new("c5")
            .nodes(&["w1", "w2"])
            .pods(&[("a", "w1"), ("b", "w1"), ("c", "w1"), ("d", "w2")])
            .done()
            .world_at(s(0.0))
    }

    fn with(mut world: World, what: What) -> World {
        world.see(&what);
        world
    }

    #[test]
    fn there_is_room_as_long_as_one_open_node_has_it() {
        assert!(world().has_room(6_000));
        assert!(!world().has_room(6_001));
    }

    #[test]
    fn a_cordoned_or_dead_node_has_no_room() {
        let mut closed = node("w2", 8_000);
        closed.cordoned = true;
        let cordoned = with(world(), What::Node(seen(closed)));
        assert!(cordoned.has_room(2_000) && !cordoned.has_room(2_001));
        assert!(!cordoned.all_nodes_open());
        assert_eq!(cordoned.closed_nodes(), 1);
        let mut dead = node("w2", 8_000);
        dead.ready = false;
        assert!(!with(world(), What::Node(seen(dead))).has_room(2_001));
        assert!(world().all_nodes_open() && !World::default().all_nodes_open());
    }

    #[test]
    fn a_terminating_pod_takes_room_and_a_failed_one_does_not() {
        let mut leaving = pod("d", Some("w2"));
        leaving.terminating = true;
        assert!(!with(world(), What::Pod(seen(leaving))).has_room(6_001));
        let mut failed = pod("d", Some("w2"));
        failed.phase = "Failed".to_owned();
        assert!(with(world(), What::Pod(seen(failed))).has_room(8_000));
    }

    #[test]
    fn skew_is_between_the_fullest_and_the_emptiest_node() {
        assert_eq!(skew(&world().placement("web")), 2);
        let third = with(world(), What::Node(seen(node("w3", 8_000))));
        assert_eq!(skew(&third.placement("web")), 3, "a node without a pod counts");
        assert_eq!(skew(&world().placement("other")), 0);
        assert_eq!(skew(&BTreeMap::new()), 0);
    }

    #[test]
    fn what_is_gone_is_no_longer_in_the_world() {
        let timeline = Draft::new("c5")
            .nodes(&["w1"])
            .pods(&[("a", "w1")])
            .at(2.0)
            .gone("a", "w1")
            .done();
        assert_eq!(timeline.world_at(s(1.9)).pods.len(), 1);
        assert_eq!(timeline.world_at(s(2.0)).pods.len(), 0);
    }
}
