//! What a cluster should keep, and how it is violated: pure functions of a timeline.
//!
//! Eight properties, each a file of its own that opens with what it pins and what it leaves out. Each looks at every workload of
//! any kind in any namespace, and finds violations; which of them is a case's failure is for [`claim`](crate::claim) to say. A violation is
//! *complete* at a time from which on nothing later can take it back: judging a prefix and judging the whole agree.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::words::Unit;
use crate::{Act, History, WorkloadRef};

mod fits;
mod keeps_floor;
mod keeps_spread;
mod progresses;
pub(crate) mod question;
mod rests;
pub(crate) mod room;
mod scales_with_load;
pub(crate) mod schedules;
mod stays_up;
pub(crate) mod words;

pub use question::{Floor, Question, UpTo};

/// What a cluster should keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// After the last outside change the cluster comes to rest, and stays.
    Rests,
    /// Every pod that is wanted gets a node.
    Schedules,
    /// Available replicas stay at or above what was promised.
    KeepsFloor,
    /// At rest, pods are spread within the skew that is allowed.
    KeepsSpread,
    /// Replicas follow the load that was offered.
    ScalesWithLoad,
    /// A rollout, a drain, a scale-down ends.
    Progresses,
    /// No node is asked for more than it has, and no kubelet rejects what was bound to it.
    Fits,
    /// Control plane and nodes stay up.
    StaysUp,
}

/// How a property is violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `rests`: a pod is evicted, made anew and put back, again and again; refused evictions that go on are one as well.
    EvictLoop,
    /// `rests`: pods are made and thrown away, and none ever gets ready.
    RecreateLoop,
    /// `rests`: wanted replicas go to and fro.
    ReplicaOscillation,
    /// `rests`: pods are preempted, made anew, and preempted again.
    PreemptionLoop,
    /// `rests`: a deployment makes replica sets without end.
    ReplicasetExplosion,
    /// `rests`: pods change places and the placement comes back, without an eviction by a descheduler.
    PlacementSwap,
    /// `schedules`: a pod finds no node for longer than the scheduler's longest backoff.
    Unschedulable,
    /// `keeps-floor`: available (or wanted) replicas fall below what was promised.
    Dip,
    /// `keeps-spread`: the skew is larger than allowed, and stays so.
    Skew,
    /// `scales-with-load`: replicas rise without load.
    OverScale,
    /// `scales-with-load`: replicas fall, and the load does not explain it.
    UnexplainedFall,
    /// `progresses`: it goes no further, and each side waits for another.
    Deadlock,
    /// `fits`: a kubelet rejects a pod that was bound to it.
    Rejection,
    /// `fits`: pods on a node ask for more than it has.
    Overcommit,
    /// `stays-up`: nodes stop one after the other under the pods that the last one left.
    Cascade,
    /// `stays-up`: the API server is killed and started again.
    Restarts,
}

/// A violation of a property.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Of which property.
    pub property: Property,
    /// How.
    pub kind: Kind,
    /// Of which workload; `node/kind-worker` where it is about a node.
    pub workload: WorkloadRef,
    /// When it began, since the recorder was armed.
    #[serde(with = "seconds")]
    pub since: Duration,
    /// When it was complete: from then on nothing can take it back. `None` of one that has begun, goes on at the end of what was
    /// seen, and is not complete.
    #[serde(skip_serializing_if = "Option::is_none", with = "maybe_seconds")]
    pub complete: Option<Duration>,
    /// When it was last seen.
    #[serde(with = "seconds")]
    pub until: Duration,
    /// How often: rounds of a loop, pods that were thrown away, nodes that stopped; 1 for what is a state.
    pub rounds: usize,
    /// The time from one round to the next, the median; where there are at least three.
    #[serde(skip_serializing_if = "Option::is_none", with = "maybe_seconds")]
    pub period: Option<Duration>,
    /// Rounds a minute, over the time from the first to the last; left out below three rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<f64>,
    /// Who took part until it was complete, in order of their first act; with a note where kubeclash itself played them. `somebody`
    /// where nothing says who.
    pub actors: Vec<String>,
    /// Why, until it was complete: the reasons of evictions, conditions or rejections; constraint keys.
    pub causes: Vec<String>,
    /// On which nodes, until it was complete.
    pub nodes: Vec<String>,
    /// One round of it as a person reads it: `evict web-x from w1 (RemoveDuplicates) → create web-y → bind to w1`.
    pub cycle: Vec<String>,
    /// Numbers, by the names that reports have for them.
    pub figures: Map<String, Value>,
}

impl Violation {
    /// One that begins, of which nothing more is known yet.
    fn begins(kind: Kind, workload: &WorkloadRef, since: Duration) -> Self {
        Self {
            property: kind.property(),
            kind,
            workload: workload.clone(),
            since,
            complete: None,
            until: since,
            rounds: 1,
            period: None,
            per_minute: None,
            actors: Vec::new(),
            causes: Vec::new(),
            nodes: Vec::new(),
            cycle: Vec::new(),
            figures: Map::new(),
        }
    }

    /// Adds who took part, each once.
    fn acted<'a>(&mut self, acts: impl IntoIterator<Item = &'a Act>) {
        for act in acts {
            note(&mut self.actors, act.actor_told());
        }
    }
}

/// A time in seconds with three decimals.
pub(crate) fn as_seconds(t: Duration) -> Value {
    Value::from((t.as_secs_f64() * 1_000.0).round() / 1_000.0)
}

/// Adds a word to a list that has each once.
fn note(list: &mut Vec<String>, word: impl Into<String>) {
    let word = word.into();
    if !word.is_empty() && !list.contains(&word) {
        list.push(word);
    }
}

/// The median time from one event to the next; where there are at least three.
fn period(times: &[Duration]) -> Option<Duration> {
    let mut gaps: Vec<Duration> = times
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().filter(|_| times.len() >= 3)
}

/// Events a minute, from the first to the last, with one decimal; where there are at least three.
fn per_minute(times: &[Duration]) -> Option<f64> {
    let (first, last) = (times.first()?, times.last()?);
    let took = last.saturating_sub(*first).as_secs_f64();
    (times.len() >= 3 && took > 0.0).then(|| ((times.len() - 1) as f64 / took * 600.0).round() / 10.0)
}

impl Property {
    /// All violations of it, complete ones and those that have begun and go on at the end.
    #[must_use]
    pub fn violations(self, history: &History<'_>, question: &Question) -> Vec<Violation> {
        match self {
            Self::Rests => rests::violations(history, question),
            Self::Schedules => schedules::violations(history, question),
            Self::KeepsFloor => keeps_floor::violations(history, question),
            Self::KeepsSpread => keeps_spread::violations(history, question),
            Self::ScalesWithLoad => scales_with_load::violations(history, question),
            Self::Progresses => progresses::violations(history, question),
            Self::Fits => fits::violations(history, question),
            Self::StaysUp => stays_up::violations(history, question),
        }
    }

    /// Why it was not kept, or not put to the test, although no violation of it was seen; `None` where it was kept.
    pub(crate) fn doubt(self, history: &History<'_>, question: &Question) -> Option<String> {
        match self {
            Self::KeepsFloor => keeps_floor::doubt(history, question),
            Self::KeepsSpread => keeps_spread::doubt(history, question),
            Self::ScalesWithLoad => scales_with_load::doubt(history, question),
            Self::Progresses => progresses::doubt(history, question),
            Self::Fits => fits::doubt(history, question),
            Self::StaysUp => stays_up::doubt(history, question),
            // Who left a pod unplaced, or a loop undone, is asked of the components.
            Self::Rests | Self::Schedules => None,
        }
    }

    /// Its numbers of a workload, by the names that reports have for them, whether or not it is violated.
    #[must_use]
    pub fn figures(
        self,
        history: &History<'_>,
        question: &Question,
        kind: Option<Kind>,
        of: &WorkloadRef,
    ) -> Map<String, Value> {
        match self {
            Self::Rests => rests::figures(history, question, kind, of),
            Self::Schedules => schedules::figures(history, question, of),
            Self::KeepsFloor => keeps_floor::figures(history, question, of),
            Self::KeepsSpread => keeps_spread::figures(history, question, of),
            Self::ScalesWithLoad => scales_with_load::figures(history, question, of),
            Self::Progresses => progresses::figures(history, question, of),
            Self::Fits => fits::figures(history, question, of),
            Self::StaysUp => stays_up::figures(history, question),
        }
    }
}

mod seconds {
    use std::time::Duration;

    use serde::Serializer;

    pub(super) fn serialize<S: Serializer>(t: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64((t.as_secs_f64() * 1_000.0).round() / 1_000.0)
    }
}

mod maybe_seconds {
    use std::time::Duration;

    use serde::Serializer;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(t: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match t {
            Some(t) => super::seconds::serialize(t, to),
            None => to.serialize_none(),
        }
    }
}

impl Property {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::Rests,
        Self::Schedules,
        Self::KeepsFloor,
        Self::KeepsSpread,
        Self::ScalesWithLoad,
        Self::Progresses,
        Self::Fits,
        Self::StaysUp,
    ];
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rests => "rests",
            Self::Schedules => "schedules",
            Self::KeepsFloor => "keeps-floor",
            Self::KeepsSpread => "keeps-spread",
            Self::ScalesWithLoad => "scales-with-load",
            Self::Progresses => "progresses",
            Self::Fits => "fits",
            Self::StaysUp => "stays-up",
        })
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::EvictLoop,
        Self::RecreateLoop,
        Self::ReplicaOscillation,
        Self::PreemptionLoop,
        Self::ReplicasetExplosion,
        Self::PlacementSwap,
        Self::Unschedulable,
        Self::Dip,
        Self::Skew,
        Self::OverScale,
        Self::UnexplainedFall,
        Self::Deadlock,
        Self::Rejection,
        Self::Overcommit,
        Self::Cascade,
        Self::Restarts,
    ];

    /// The property that it violates.
    #[must_use]
    pub fn property(self) -> Property {
        match self {
            Self::EvictLoop
            | Self::RecreateLoop
            | Self::ReplicaOscillation
            | Self::PreemptionLoop
            | Self::ReplicasetExplosion
            | Self::PlacementSwap => Property::Rests,
            Self::Unschedulable => Property::Schedules,
            Self::Dip => Property::KeepsFloor,
            Self::Skew => Property::KeepsSpread,
            Self::OverScale | Self::UnexplainedFall => Property::ScalesWithLoad,
            Self::Deadlock => Property::Progresses,
            Self::Rejection | Self::Overcommit => Property::Fits,
            Self::Cascade | Self::Restarts => Property::StaysUp,
        }
    }

    /// What `at-least` counts of it; `None` of what is a state, which has a `for`.
    #[must_use]
    pub fn counted_in(self) -> Option<Unit> {
        match self {
            Self::EvictLoop
            | Self::ReplicaOscillation
            | Self::PreemptionLoop
            | Self::PlacementSwap
            | Self::Restarts => Some(Unit::Rounds),
            Self::RecreateLoop | Self::Rejection => Some(Unit::Pods),
            Self::ReplicasetExplosion => Some(Unit::ReplicaSets),
            Self::Cascade => Some(Unit::Nodes),
            Self::Unschedulable
            | Self::Dip
            | Self::Skew
            | Self::OverScale
            | Self::UnexplainedFall
            | Self::Deadlock
            | Self::Overcommit => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EvictLoop => "evict-loop",
            Self::RecreateLoop => "recreate-loop",
            Self::ReplicaOscillation => "replica-oscillation",
            Self::PreemptionLoop => "preemption-loop",
            Self::ReplicasetExplosion => "replicaset-explosion",
            Self::PlacementSwap => "placement-swap",
            Self::Unschedulable => "unschedulable",
            Self::Dip => "dip",
            Self::Skew => "skew",
            Self::OverScale => "over-scale",
            Self::UnexplainedFall => "unexplained-fall",
            Self::Deadlock => "deadlock",
            Self::Rejection => "rejection",
            Self::Overcommit => "overcommit",
            Self::Cascade => "cascade",
            Self::Restarts => "restarts",
        })
    }
}
