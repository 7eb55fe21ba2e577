//! Where there is room: whether a node would take a pod, by CPU, memory, number of pods, taints, and the labels that the pod asks for.
//!
//! It leaves out affinity, volumes, ports and topology constraints: those are reasons to stay away from a node that has room.

use std::collections::BTreeMap;

use crate::{Change, History, NodeSeen, PodSeen, Series, TolerationSeen, What, WorkloadRef, set, there};

/// What the pods on a node ask for, together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Millicores.
    pub(super) cpu_m: u64,
    /// Bytes.
    pub(super) memory: u64,
    /// Pods.
    pub(super) pods: u64,
}

/// Nodes and what is asked of them, as they change.
#[derive(Debug, Default)]
pub(super) struct Rooms<'a> {
    nodes: BTreeMap<&'a str, &'a NodeSeen>,
    pods: BTreeMap<&'a str, &'a PodSeen>,
    loads: BTreeMap<&'a str, Load>,
}

impl<'a> Rooms<'a> {
    /// Takes one more sighting in.
    pub(super) fn see(&mut self, what: &'a What) {
        match what {
            What::Node(node) => set(&mut self.nodes, node.state.name.as_str(), there(node)),
            What::Pod(pod) => {
                let before = match pod.change {
                    Change::Seen => self.pods.insert(&pod.state.uid, &pod.state),
                    Change::Gone => self.pods.remove(pod.state.uid.as_str()),
                };
                if let Some(before) = before {
                    self.ask(before, u64::saturating_sub);
                }
                if pod.change == Change::Seen {
                    self.ask(&pod.state, u64::saturating_add);
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, pod: &'a PodSeen, change: fn(u64, u64) -> u64) {
        if let Some(node) = pod.node.as_deref().filter(|_| pod.occupies()) {
            let load = self.loads.entry(node).or_default();
            load.cpu_m = change(load.cpu_m, pod.cpu_request_m);
            load.memory = change(load.memory, pod.memory_request);
            load.pods = change(load.pods, 1);
        }
    }

    /// Whether an open node has room for a pod.
    pub(super) fn elsewhere(&self, pod: &PodSeen) -> bool {
        self.nodes.values().any(|node| {
            node.ready
                && !node.cordoned
                && pod
                    .node_selector
                    .iter()
                    .all(|label| node.labels.get_key_value(label.0) == Some(label))
                && node.taints.iter().all(|taint| tolerates(pod, taint))
                && self.over(node, Some(pod)).is_none()
        })
    }

    /// Of what a node has not enough for its pods, and one more; `None` where it has. A number that is not known bounds nothing.
    pub(super) fn over(&self, node: &NodeSeen, more: Option<&PodSeen>) -> Option<&'static str> {
        let load = self.loads.get(node.name.as_str()).copied().unwrap_or_default();
        let cpu = load.cpu_m + more.map_or(0, |pod| pod.cpu_request_m);
        let memory = load.memory + more.map_or(0, |pod| pod.memory_request);
        let pods = load.pods + u64::from(more.is_some());
        if cpu > node.cpu_m {
            Some("cpu")
        } else if node.memory > 0 && memory > node.memory {
            Some("memory")
        } else if node.pods > 0 && pods > node.pods {
            Some("pods")
        } else {
            None
        }
    }

    /// A node, as it is.
    pub(super) fn node(&self, name: &str) -> Option<&'a NodeSeen> {
        self.nodes.get(name).copied()
    }

    /// What is asked of a node.
    pub(super) fn load(&self, name: &str) -> Load {
        self.loads.get(name).copied().unwrap_or_default()
    }
}

/// Whether a pod tolerates a taint, `key=value:Effect`. `PreferNoSchedule` keeps nobody away.
fn tolerates(pod: &PodSeen, taint: &str) -> bool {
    let (taint, effect) = taint.rsplit_once(':').unwrap_or((taint, ""));
    let (key, value) = taint.split_once('=').unwrap_or((taint, ""));
    let matches = |toleration: &TolerationSeen| {
        (toleration.key.is_empty() || toleration.key == key)
            && (toleration.effect.is_empty() || toleration.effect == effect)
            && toleration.value.as_deref().is_none_or(|wanted| wanted == value)
    };
    effect == "PreferNoSchedule" || pod.tolerations.iter().any(matches)
}

/// Whether a pod of a workload that finds no node would have room on one, over time.
pub(crate) fn room_elsewhere(history: &History<'_>, workload: &WorkloadRef) -> Series<bool> {
    let mut rooms = Rooms::default();
    let mut waiting: BTreeMap<&str, &PodSeen> = BTreeMap::new();
    let mine: std::collections::BTreeSet<&str> = history
        .pods_of(workload)
        .map(|pod| pod.last().uid.as_str())
        .collect();
    let mut series = Series::starting(std::time::Duration::ZERO, false);
    for entry in &history.timeline.entries {
        rooms.see(&entry.what);
        if let What::Pod(pod) = &entry.what
            && mine.contains(pod.state.uid.as_str())
        {
            let waits = there(pod).filter(|pod| waits(pod));
            set(&mut waiting, pod.state.uid.as_str(), waits);
        }
        if matches!(entry.what, What::Pod(_) | What::Node(_)) {
            series.push(entry.t, waiting.values().any(|pod| rooms.elsewhere(pod)));
        }
    }
    series.lasting(history.end())
}

/// Whether a pod waits for a node that its scheduler does not find.
pub(super) fn waits(pod: &PodSeen) -> bool {
    pod.active() && pod.node.is_none() && pod.unschedulable.is_some()
}
