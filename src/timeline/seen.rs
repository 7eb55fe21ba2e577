//! What a timeline is made of. These types are its file format as well; see [`super::format`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::experiment::{Arm, LivenessChange, Pace, Shape};

/// Where, with what, and at which pace a timeline was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The case's folder.
    pub case: String,
    /// Which half of the experiment.
    pub arm: Arm,
    /// Which of the case's variants, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The provider's name: `local` or `kind`.
    pub provider: String,
    /// At which pace.
    pub pace: Pace,
    /// When the recorder was armed, RFC 3339.
    pub date: String,
    /// The nodes.
    pub shape: Shape,
    /// What took part, by name.
    pub components: BTreeMap<String, ComponentVersion>,
    /// SHA-256 of the manifests.
    pub manifests_sha256: String,
    /// What the releases that took part lack, each a sentence that takes the meaning of an absence away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

/// One component that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentVersion {
    /// Its release, or what it was given as.
    pub version: String,
    /// SHA-256 of the binary.
    pub sha256: String,
    /// Where it came from, in words.
    pub origin: String,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Since the recorder was armed; milliseconds in the file.
    #[serde(rename = "t_ms", with = "milliseconds")]
    pub t: Duration,
    /// What was seen or done.
    #[serde(flatten)]
    pub what: What,
}

/// What was seen or done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A named point of the scenario.
    Mark(String),
    /// A step of the scenario began.
    Step(String),
    /// A pod changed.
    Pod(Sighting<PodSeen>),
    /// A node changed.
    Node(Sighting<NodeSeen>),
    /// A deployment changed.
    Deployment(Sighting<DeploymentSeen>),
    /// A replica set changed.
    ReplicaSet(Sighting<ReplicaSetSeen>),
    /// A horizontal pod autoscaler changed.
    Hpa(Sighting<HpaSeen>),
    /// A descheduler went through a cycle; its component's name.
    Cycle(String),
    /// Something befell the API server, which is asked whether it lives.
    Liveness(LivenessChange),
    /// An Event was written. Kept for the reader; never judged, because the event recorder drops.
    Event(EventSeen),
    /// Somebody asked the API server for a change, and it answered: a line of its audit log.
    Request(RequestSeen),
    /// A watch had to list again: what happened in between was not seen.
    Gap(Gap),
    /// The recorder was watching, and nothing had changed: so that a still cluster has a time, too.
    Still(()),
    /// Nothing comes after this.
    End(Ending),
}

/// Whether an object is there or has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is there, in this state.
    Seen,
    /// It has gone; the state is its last.
    Gone,
}

/// An object's state, at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting<T> {
    /// Is it there?
    pub change: Change,
    /// Its state.
    #[serde(flatten)]
    pub state: T,
}

/// The controller that an object belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OwnerRef {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// What is kept of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSeen {
    /// Its UID: pods are counted by it.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The value of its `app` label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The controller that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerRef>,
    /// Its `schedulerName`, where it is not the default scheduler's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// The node that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// Its Ready condition.
    pub ready: bool,
    /// Whether its deletion has begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminating: bool,
    /// `status.reason`, e.g. `TaintToleration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The scheduler's message, while it finds no node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unschedulable: Option<String>,
    /// The reason of its DisruptionTarget condition, e.g. `EvictionByEvictionAPI`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption: Option<String>,
    /// CPU requested by its containers, in millicores.
    pub cpu_request_m: u64,
}

impl PodSeen {
    /// Whether it holds resources of a node: bound, and neither finished nor gone.
    #[must_use]
    pub fn occupies(&self) -> bool {
        self.node.is_some() && self.phase != "Failed" && self.phase != "Succeeded"
    }

    /// Whether it counts as one of its owner's replicas: not terminating, not finished.
    #[must_use]
    pub fn active(&self) -> bool {
        !self.terminating && self.phase != "Failed" && self.phase != "Succeeded"
    }
}

/// What is kept of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// Its Ready condition.
    pub ready: bool,
    /// Whether it is cordoned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cordoned: bool,
    /// Its taints, `key=value:Effect`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Allocatable CPU in millicores.
    pub cpu_m: u64,
}

/// What is kept of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentSeen {
    /// Its name.
    pub name: String,
    /// `spec.replicas`.
    pub wanted: i64,
    /// `status.replicas`.
    pub replicas: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
    /// `status.availableReplicas`.
    pub available: i64,
}

/// What is kept of a replica set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSetSeen {
    /// Its UID.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// `spec.replicas`.
    pub wanted: i64,
    /// `status.replicas`.
    pub replicas: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
}

/// What is kept of a horizontal pod autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaSeen {
    /// Its name.
    pub name: String,
    /// `spec.minReplicas`.
    pub min: i64,
    /// `spec.maxReplicas`.
    pub max: i64,
    /// `status.currentReplicas`.
    pub current: i64,
    /// `status.desiredReplicas`.
    pub desired: i64,
    /// CPU utilisation in percent of the request, once there is a metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<i64>,
}

/// What is kept of an Event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSeen {
    /// What it is about, `Kind/name`.
    pub about: String,
    /// Its reason, e.g. `FailedScheduling`.
    pub reason: String,
    /// Who wrote it.
    pub source: String,
    /// Its message.
    pub message: String,
    /// How often, as the writer counts.
    pub count: i64,
}

/// What is kept of a request, out of the API server's audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSeen {
    /// Who asked: the program and, of one with several clients, which, e.g. `kube-controller-manager/replicaset-controller`.
    pub agent: String,
    /// The field manager that it named, e.g. `kubectl-client-side-apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// The verb, e.g. `create`.
    pub verb: String,
    /// What was to change, with its subresource, e.g. `pods/eviction`.
    pub resource: String,
    /// Its name.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// The node that a pod was bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `spec.replicas` after a change of a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i64>,
    /// Whether a node is cordoned after a change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cordoned: Option<bool>,
    /// The reason that an eviction gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl RequestSeen {
    /// Whether it was granted.
    #[must_use]
    pub fn granted(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// A watch that had to list again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Which watch, e.g. `pods`.
    pub watch: String,
    /// Why.
    pub why: String,
}

/// How a timeline ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Every step was carried out.
    Complete,
    /// A step failed, or the run was interrupted; why.
    Broken(String),
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(t: &Duration, to: S) -> Result<S::Ok, S::Error> {
        // Three decimals: watch events arrive microseconds apart, and finer is noise.
        to.serialize_f64(t.as_micros() as f64 / 1_000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let ms = f64::deserialize(from)?;
        if !ms.is_finite() || !(0.0..=1e12).contains(&ms) {
            return Err(serde::de::Error::custom(format!("t_ms: {ms} is not a time")));
        }
        Ok(Duration::from_micros((ms * 1_000.0).round() as u64))
    }
}
