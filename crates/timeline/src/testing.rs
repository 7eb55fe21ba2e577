//! Hand-drawn series and timelines, for tests.

use std::time::Duration;

use super::{
    Change, ComponentVersion, Entry, EventSeen, Gap, Header, HpaSeen, NodeSeen, OwnerRef, PodSeen,
    RequestSeen, Series, Sighting, Timeline, What, WorkloadSeen,
};
use crate::{Arm, Pace, Shape};

/// Seconds.
pub fn s(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6).round() as u64)
}

/// A series with one value a second: `"5 5 1 1 3 5"` begins at 0 s and ends at 6 s.
pub fn draw(values: &str) -> Series<i64> {
    let values: Vec<i64> = values
        .split_whitespace()
        .map(|v| v.parse().expect("numbers"))
        .collect();
    let mut series = Series::starting(Duration::ZERO, values[0]);
    for (at, value) in values.iter().enumerate() {
        series.push(s(at as f64), *value);
    }
    series.push(s(values.len() as f64), values[values.len() - 1]);
    series
}

/// A timeline that is drawn entry by entry, at the time that [`Draft::at`] last set.
pub struct Draft {
    now: Duration,
    owner: Option<OwnerRef>,
    timeline: Timeline,
}

impl Draft {
    /// An empty one of a case, at the fast pace.
    pub fn new(case: &str) -> Self {
        Self {
            now: Duration::ZERO,
            owner: None,
            timeline: Timeline::new(Header {
                case: case.to_owned(),
                arm: Arm::Broken,
                variant: None,
                provider: "local".to_owned(),
                pace: Pace::Recorded,
                date: "2026-01-02T03:04:05Z".to_owned(),
                shape: Shape {
                    workers: 3,
                    worker_cpu: 8,
                },
                components: std::collections::BTreeMap::new(),
                inputs_sha256: "00".to_owned(),
                lacks: Vec::new(),
            }),
        }
    }

    /// The time of all that is drawn from here on, in seconds.
    pub fn at(mut self, seconds: f64) -> Self {
        self.now = s(seconds);
        self
    }

    /// Anything.
    pub fn what(mut self, what: What) -> Self {
        self.timeline.entries.push(Entry { t: self.now, what });
        self
    }

    /// A mark.
    pub fn mark(self, name: &str) -> Self {
        self.what(What::Mark(name.to_owned()))
    }

    /// A step that was carried out.
    pub fn step(self, name: &str) -> Self {
        self.what(What::Step(name.to_owned()))
    }

    /// A gap of a watch.
    pub fn gap(self, watch: &str) -> Self {
        self.what(What::Gap(Gap {
            watch: watch.to_owned(),
            why: "too old resource version".to_owned(),
        }))
    }

    /// A cycle of the descheduler.
    pub fn cycle(self) -> Self {
        self.what(What::Cycle("descheduler".to_owned()))
    }

    /// Nodes of 8 CPU, open.
    pub fn nodes(mut self, names: &[&str]) -> Self {
        for name in names {
            self = self.what(What::Node(seen(node(name, 8_000))));
        }
        self
    }

    /// The numbers of a deployment.
    pub fn deployment(self, name: &str, wanted: i64, available: i64) -> Self {
        self.what(What::Workload(seen(WorkloadSeen {
            kind: "deployment".to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            wanted,
            replicas: wanted,
            updated: wanted,
            ready: available,
            available,
            ..WorkloadSeen::default()
        })))
    }

    /// The numbers of an autoscaler.
    pub fn hpa(self, name: &str, desired: i64, cpu_percent: Option<i64>) -> Self {
        self.what(What::Hpa(seen(HpaSeen {
            name: name.to_owned(),
            min: 1,
            max: 6,
            current: desired,
            desired,
            cpu_percent,
            namespace: "default".to_owned(),
            ..HpaSeen::default()
        })))
    }

    /// An Event.
    pub fn event(self, reason: &str) -> Self {
        self.what(What::Event(EventSeen {
            reason: reason.to_owned(),
            ..EventSeen::default()
        }))
    }

    /// Of which release a component was.
    pub fn component(mut self, name: &str, version: &str) -> Self {
        let component = ComponentVersion {
            version: version.to_owned(),
            sha256: "00".to_owned(),
            origin: "test".to_owned(),
        };
        self.timeline.header.components.insert(name.to_owned(), component);
        self
    }

    /// A request that was granted: `("kube-scheduler/scheduler", "create pods/binding", "web-a")`.
    pub fn request(self, request: (&str, &str, &str)) -> Self {
        self.asked(request, |_| ())
    }

    /// The same with more known of it.
    pub fn asked(self, (agent, what, name): (&str, &str, &str), with: impl FnOnce(&mut RequestSeen)) -> Self {
        let (verb, resource) = what.split_once(' ').expect("a verb and a resource");
        let mut request = RequestSeen {
            agent: agent.to_owned(),
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            code: 200,
            ..RequestSeen::default()
        };
        with(&mut request);
        self.what(What::Request(request))
    }

    /// Pods that are drawn from here on belong to the replica set `web-1` of deployment `web`.
    pub fn owned(self) -> Self {
        self.owned_by("ReplicaSet", "web-1").replica_set("web-1", 0)
    }

    /// Pods that are drawn from here on belong to this.
    pub fn owned_by(mut self, kind: &str, name: &str) -> Self {
        self.owner = Some(OwnerRef {
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
        });
        self
    }

    /// A replica set of deployment `web`.
    pub fn replica_set(self, name: &str, wanted: i64) -> Self {
        self.what(What::Workload(seen(WorkloadSeen {
            kind: "replicaset".to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            owner: Some(OwnerRef {
                kind: "Deployment".to_owned(),
                name: "web".to_owned(),
                uid: "uid-web".to_owned(),
            }),
            wanted,
            ..WorkloadSeen::default()
        })))
    }

    /// A workload with more known of it.
    pub fn workload(self, kind: &str, name: &str, with: impl FnOnce(&mut WorkloadSeen)) -> Self {
        let mut state = WorkloadSeen {
            kind: kind.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            ..WorkloadSeen::default()
        };
        with(&mut state);
        self.what(What::Workload(seen(state)))
    }

    /// A pod of `web`, named by its UID, on a node or pending.
    pub fn pod(self, uid: &str, node: Option<&str>) -> Self {
        self.pod_with(uid, node, |_| ())
    }

    /// The same with more known of it.
    pub fn pod_with(self, uid: &str, node: Option<&str>, with: impl FnOnce(&mut PodSeen)) -> Self {
        let mut state = pod(uid, node);
        state.owner.clone_from(&self.owner);
        with(&mut state);
        self.what(What::Pod(seen(state)))
    }

    /// Pods.
    pub fn pods(mut self, uids_and_nodes: &[(&str, &str)]) -> Self {
        for (uid, node) in uids_and_nodes {
            self = self.pod(uid, Some(node));
        }
        self
    }

    /// Unschedulable.
    pub fn unschedulable(self, uid: &str) -> Self {
        self.refused(uid, "0/3 nodes are available")
    }

    /// The scheduler finds no node for a pod, in these words.
    pub fn refused(self, uid: &str, message: &str) -> Self {
        self.pod_with(uid, None, |pod| pod.unschedulable = Some(message.to_owned()))
    }

    /// Failed.
    pub fn failed(self, uid: &str, node: &str) -> Self {
        self.rejected(uid, node, "TaintToleration")
    }

    /// A kubelet does not run a pod, for a reason.
    pub fn rejected(self, uid: &str, node: &str, reason: &str) -> Self {
        self.pod_with(uid, Some(node), |pod| {
            pod.phase = "Failed".to_owned();
            pod.ready = false;
            pod.reason = Some(reason.to_owned());
        })
    }

    /// Terminating.
    pub fn terminating(self, uid: &str, node: &str) -> Self {
        self.pod_with(uid, Some(node), |pod| pod.terminating = true)
    }

    /// Gone.
    pub fn gone(self, uid: &str, node: &str) -> Self {
        let mut state = pod(uid, Some(node));
        state.owner.clone_from(&self.owner);
        state.terminating = true;
        self.what(What::Pod(Sighting {
            change: Change::Gone,
            state,
        }))
    }

    /// `old` is evicted from `node` at a time; `new` is created at once, and bound to `to` two seconds later.
    pub fn round(self, at: f64, old: (&str, &str), new: (&str, &str)) -> Self {
        self.at(at)
            .terminating(old.0, old.1)
            .at(at + 0.01)
            .pod(new.0, None)
            .at(at + 1.5)
            .gone(old.0, old.1)
            .at(at + 2.0)
            .pod(new.0, Some(new.1))
    }

    /// Every step was carried out.
    pub fn end(self) -> Timeline {
        self.what(What::End(super::Ending::Complete)).done()
    }

    /// Done.
    pub fn done(self) -> Timeline {
        self.timeline
    }
}

/// There, in this state.
pub fn seen<T>(state: T) -> Sighting<T> {
    Sighting {
        change: Change::Seen,
        state,
    }
}

/// A ready node.
pub fn node(name: &str, cpu_m: u64) -> NodeSeen {
    NodeSeen {
        name: name.to_owned(),
        ready: true,
        cpu_m,
        ..NodeSeen::default()
    }
}

/// A pod of `web` that asks for 2000m: running where it has a node, else pending.
pub fn pod(uid: &str, node: Option<&str>) -> PodSeen {
    PodSeen {
        uid: uid.to_owned(),
        name: format!("web-{uid}"),
        namespace: "default".to_owned(),
        labels: std::collections::BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        node: node.map(str::to_owned),
        phase: if node.is_some() { "Running" } else { "Pending" }.to_owned(),
        ready: node.is_some(),
        cpu_request_m: 2_000,
        ..PodSeen::default()
    }
}
