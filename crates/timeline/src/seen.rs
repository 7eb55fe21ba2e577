//! What a timeline is made of. These types are its file format as well; see [`super::format`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Arm, ArmId, LivenessChange, Pace, Shape};

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
    /// SHA-256 of all inputs of the arm: the case as it stands in its folder, with the values of arm and variant. In recordings
    /// of format 1 it was of manifests and policies only.
    #[serde(alias = "manifests_sha256")]
    pub inputs_sha256: String,
    /// What the releases that took part lack, each a sentence that takes the meaning of an absence away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

impl Header {
    /// Which arm of which case it is of.
    #[must_use]
    pub fn arm_id(&self) -> ArmId {
        ArmId::new(&self.case, self.arm, self.variant.as_deref())
    }
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
    /// What makes pods changed: a deployment, a replica set, a stateful set, a daemon set, a job, a cron job.
    Workload(Sighting<WorkloadSeen>),
    /// A horizontal pod autoscaler changed.
    Hpa(Sighting<HpaSeen>),
    /// A pod disruption budget changed.
    Budget(Sighting<BudgetSeen>),
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
    /// Its labels: any of them may be what a selector or a spread constraint goes by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
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
    /// CPU that a scheduler counts it with, in millicores: its containers and sidecars, or the init container that needs more.
    pub cpu_request_m: u64,
    /// Memory that a scheduler counts it with, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory_request: u64,
    /// The node labels that it asks for (`spec.nodeSelector`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// The taints that it tolerates, without those that every pod gets (`node.kubernetes.io/not-ready` and `unreachable`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<TolerationSeen>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is kept of a toleration; as in the API, an empty field matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TolerationSeen {
    /// The taint's key; empty for any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The taint's value; `None` for any (`operator: Exists`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The taint's effect; empty for any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub effect: String,
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
    /// Allocatable memory in bytes; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory: u64,
    /// How many pods it takes; 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pods: u64,
}

/// What is kept of an object that makes pods.
///
/// Each kind's own fields are told in one vocabulary:
///
/// | field | Deployment, ReplicaSet, StatefulSet | DaemonSet | Job |
/// |---|---|---|---|
/// | `wanted` | `spec.replicas` | `status.desiredNumberScheduled` | `spec.parallelism`, or the completions that are missing where they are fewer; 0 once it has finished, and while it is suspended |
/// | `replicas` | `status.replicas` | `status.currentNumberScheduled` | `status.active` |
/// | `updated` | `status.updatedReplicas`, of a ReplicaSet 0 | `status.updatedNumberScheduled` | 0 |
/// | `ready` | `status.readyReplicas` | `status.numberReady` | `status.ready` |
/// | `available` | `status.availableReplicas` | `status.numberAvailable` | `status.ready` |
///
/// A CronJob wants nothing itself. Any other kind that owns pods is seen by its `spec.replicas` and `status.replicas`, where it
/// has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSeen {
    /// Its kind, as kubectl has it in the singular: `deployment`, `replicaset`.
    pub kind: String,
    /// Its namespace.
    #[serde(default = "default_namespace", skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID; empty in recordings of format 1 where it was not kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The controller that it belongs to: a replica set's deployment, a job's cron job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerRef>,
    /// How many pods are wanted.
    pub wanted: i64,
    /// How many there are.
    pub replicas: i64,
    /// How many of them are of the newest template.
    #[serde(default)]
    pub updated: i64,
    /// How many are ready.
    pub ready: i64,
    /// How many are available.
    #[serde(default)]
    pub available: i64,
    /// How many pods a rolling update may take away, as a number of pods; `None` where the kind or the strategy has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<i64>,
    /// How often a new replica set's name was taken (`status.collisionCount`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collisions: Option<i64>,
    /// What its controller says is wrong: the messages of conditions such as `ReplicaFailure`, or a `Progressing` that is
    /// false; `type: reason: message`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
    /// The labels by which it finds its pods (`spec.selector.matchLabels`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// The topology spread constraints of its pod template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<SpreadSeen>,
    /// `metadata.generation` and `status.observedGeneration` differ: its controller has not seen its last change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn is_default(namespace: &str) -> bool {
    namespace == "default"
}

/// What is kept of a topology spread constraint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpreadSeen {
    /// `topologyKey`.
    pub key: String,
    /// `maxSkew`.
    pub max_skew: i64,
    /// Whether it binds the scheduler (`DoNotSchedule`) or is one score among others (`ScheduleAnyway`).
    pub hard: bool,
    /// `labelSelector.matchLabels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// `matchLabelKeys`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_label_keys: Vec<String>,
}

/// What is kept of a pod disruption budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSeen {
    /// Its namespace.
    #[serde(default = "default_namespace", skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The labels by which it finds its pods (`spec.selector.matchLabels`).
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    /// `status.desiredHealthy`: how many pods must stay healthy.
    pub floor: i64,
    /// `status.currentHealthy`.
    pub healthy: i64,
    /// `status.disruptionsAllowed`.
    pub allowed: i64,
}

/// What is kept of a horizontal pod autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaSeen {
    /// Its namespace.
    #[serde(default = "default_namespace", skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it scales, `kind/name` as kubectl has it: `deployment/web`. In recordings of format 1 the deployment of its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
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
    /// The CPU utilisation that it aims at, in percent of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_percent: Option<i64>,
    /// Its conditions by type, each `status: reason`, e.g. `False: AmbiguousSelector` of `ScalingActive`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, String>,
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
    /// The user that it is known as, where that is one of a controller that a case brings: `controller:keeper`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The field manager that it named, e.g. `kubectl-client-side-apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// The verb, e.g. `create`.
    pub verb: String,
    /// What was to change, with its subresource, e.g. `pods/eviction`.
    pub resource: String,
    /// Its namespace; empty for what has none.
    #[serde(default = "default_namespace", skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// The node that a pod was bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `spec.replicas` after a change of a workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i64>,
    /// Whether a node is cordoned after a change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cordoned: Option<bool>,
    /// The reason that an eviction gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why it was refused: the answer's reason, its message, and what that names as the cause, e.g. `TooManyRequests: Cannot evict
    /// pod as it would violate the pod's disruption budget. (The disruption budget web needs 3 healthy pods and has 3 currently)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
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
