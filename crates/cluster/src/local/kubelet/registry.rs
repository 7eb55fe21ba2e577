//! What is known of the containers that run on hollow nodes, and of the nodes that stopped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use tokio::sync::Notify;

use crate::{CpuUse, NodeSpec};
use kubeclash_timeline::{WorkloadRef, kind};

/// The containers that run on the hollow nodes of a cluster, and how those nodes are. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::local) struct Registry {
    inner: Arc<Mutex<Inner>>,
    /// Told when a node starts again.
    pub(super) started: Arc<Notify>,
}

#[derive(Debug, Default)]
pub(in crate::local) struct Inner {
    /// The pods whose containers run, by UID.
    pub(in crate::local) running: BTreeMap<String, Container>,
    /// Pods that are bound to a node, by node; those that are terminating count only here.
    pub(in crate::local) bound: BTreeMap<String, BTreeMap<String, Bound>>,
    /// The owners of what owns pods, by its UID.
    pub(in crate::local) owners: BTreeMap<String, Owner>,
    /// What pods use, in the order in which it was set, each at its time.
    pub(in crate::local) uses: Vec<(CpuUse, Instant)>,
    /// Nodes whose kubelet does not run.
    pub(in crate::local) stopped: BTreeSet<String>,
    /// Nodes that stop of load: their CPU in millicores, and above which percentage.
    pub(in crate::local) mortal: BTreeMap<String, (u64, u32)>,
    /// What has changed, for who measures it later than now; kept only where somebody does.
    pub(in crate::local) changes: Option<VecDeque<(Instant, Change)>>,
}

/// A pod that is bound to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::local) struct Bound {
    /// Whether it is being deleted.
    pub(in crate::local) terminating: bool,
}

/// A pod whose containers run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::local) struct Container {
    pub(in crate::local) namespace: String,
    pub(in crate::local) pod: String,
    pub(in crate::local) node: String,
    pub(in crate::local) labels: BTreeMap<String, String>,
    /// The names of its containers.
    pub(in crate::local) names: Vec<String>,
    /// Who made it.
    pub(in crate::local) owner: Option<Owner>,
    /// When they were first seen running: to the millisecond, where the API has whole seconds.
    pub(in crate::local) since: Instant,
    /// Whether requests come to it: it is ready, and stays.
    pub(in crate::local) serves: bool,
}

/// The controller of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) struct Owner {
    /// Its kind, in the singular and small letters.
    pub(in crate::local) kind: String,
    pub(in crate::local) name: String,
    pub(in crate::local) uid: String,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::local) enum Change {
    /// A pod's containers run, or it serves or no longer does.
    Runs(String, Container),
    /// A pod's containers have ended.
    Ended(String),
    /// Pods use so much from now on.
    Uses(CpuUse),
    /// A node has stopped.
    Stopped(String),
    /// A node has started again.
    Started(String),
}

impl Owner {
    fn of(owners: &[OwnerReference]) -> Option<Self> {
        let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
        Some(Self {
            kind: kind(&owner.kind),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }
}

impl Container {
    /// Whether a workload made it: itself, or by others that it made.
    pub(in crate::local) fn is_of(&self, workload: &WorkloadRef, owners: &BTreeMap<String, Owner>) -> bool {
        if self.namespace != workload.namespace {
            return false;
        }
        if workload.kind == "pod" {
            return self.pod == workload.name;
        }
        // As long as there are owners, and no longer than any chain is.
        let chain = std::iter::successors(self.owner.as_ref(), |owner| owners.get(&owner.uid)).take(8);
        chain
            .into_iter()
            .any(|owner| owner.kind == workload.kind && owner.name == workload.name)
    }
}

impl Registry {
    /// Of a cluster's nodes.
    pub(in crate::local) fn of(nodes: &[NodeSpec]) -> Self {
        let registry = Self::default();
        registry.add(nodes);
        registry
    }

    /// Takes nodes in.
    pub(in crate::local) fn add(&self, nodes: &[NodeSpec]) {
        let mortal = nodes
            .iter()
            .filter_map(|node| Some((node.name.clone(), (node.cpu_m, node.dies_above?))));
        self.lock().mortal.extend(mortal);
    }

    pub(in crate::local) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what the pods of a workload use, from now on.
    pub(in crate::local) fn set_cpu(&self, cpu: CpuUse) {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.uses.retain(|(old, _)| old.of != cpu.of);
        inner.uses.push((cpu.clone(), now));
        inner.put(now, Change::Uses(cpu));
    }

    /// That a node's kubelet runs no more, or runs again.
    pub(in crate::local) fn set_stopped(&self, node: &str, stopped: bool) {
        let mut inner = self.lock();
        let change = if stopped {
            inner.stopped.insert(node.to_owned());
            Change::Stopped(node.to_owned())
        } else {
            inner.stopped.remove(node);
            Change::Started(node.to_owned())
        };
        inner.put(Instant::now(), change);
        drop(inner);
        if !stopped {
            self.started.notify_one();
        }
    }

    /// Whether a node's kubelet does not run.
    pub(super) fn is_stopped(&self, node: &str) -> bool {
        self.lock().stopped.contains(node)
    }

    /// Takes in what a pod is now.
    pub(super) fn see(&self, pod: &Pod) {
        let Some(uid) = pod.uid() else { return };
        let mut inner = self.lock();
        let status = pod.status.as_ref();
        let phase = status.and_then(|status| status.phase.as_deref());
        let terminating = pod.metadata.deletion_timestamp.is_some();
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
            let bound = inner.bound.entry(node).or_default();
            if matches!(phase, Some("Succeeded" | "Failed")) {
                bound.remove(&uid);
            } else {
                bound.insert(uid.clone(), Bound { terminating });
            }
        }
        if phase != Some("Running") {
            inner.end(&uid);
            return;
        }
        let mut conditions = status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten();
        let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let serves = ready && !terminating;
        let container = match inner.running.get(&uid) {
            Some(known) if known.serves == serves => return,
            Some(known) => Container {
                serves,
                ..known.clone()
            },
            None => {
                let spec = pod.spec.clone().unwrap_or_default();
                Container {
                    namespace: pod.namespace().unwrap_or_default(),
                    pod: pod.name_any(),
                    node: spec.node_name.unwrap_or_default(),
                    labels: pod.labels().clone(),
                    names: spec.containers.into_iter().map(|c| c.name).collect(),
                    owner: Owner::of(pod.owner_references()),
                    since: Instant::now(),
                    serves,
                }
            }
        };
        inner.put(Instant::now(), Change::Runs(uid.clone(), container.clone()));
        inner.running.insert(uid, container);
    }

    /// A pod has gone.
    pub(super) fn forget(&self, pod: &Pod) {
        let Some(uid) = pod.uid() else { return };
        let mut inner = self.lock();
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref())
            && let Some(bound) = inner.bound.get_mut(node)
        {
            bound.remove(&uid);
        }
        inner.end(&uid);
    }

    /// Takes in who owns what owns pods.
    pub(super) fn see_owner(&self, uid: Option<&str>, owners: &[OwnerReference]) {
        if let (Some(uid), Some(owner)) = (uid, Owner::of(owners)) {
            self.lock().owners.insert(uid.to_owned(), owner);
        }
    }

    /// Forgets it.
    pub(super) fn forget_owner(&self, uid: Option<&str>) {
        if let Some(uid) = uid {
            self.lock().owners.remove(uid);
        }
    }
}

impl Inner {
    fn end(&mut self, uid: &str) {
        if self.running.remove(uid).is_some() {
            self.put(Instant::now(), Change::Ended(uid.to_owned()));
        }
    }

    fn put(&mut self, at: Instant, change: Change) {
        if let Some(changes) = &mut self.changes {
            changes.push_back((at, change));
        }
    }
}
