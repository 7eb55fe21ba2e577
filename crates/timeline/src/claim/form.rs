//! The failure of a case: claims, premises and facts.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::property::{Kind, Property};
use crate::words::{Condition, Count, OneOrMany, Range, Scalar, Span};

/// The failure: one violation of a property, or several that must all be there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Failure {
    /// All of them; some of them alone are neither the failure nor its absence.
    All {
        /// Which.
        all: Vec<Claim>,
    },
    /// One.
    One(Box<Claim>),
}

impl Failure {
    /// What is claimed, one or several.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        match self {
            Self::All { all } => all,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

/// A property, and how exactly it is violated: what, of which workload, by whom, why, and how much of it.
///
/// One of the eight properties must be given. Whatever else is given must be so; a violation of the same property that differs in
/// it is another failure, and is told as that.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claim {
    /// After the last outside change the cluster comes to rest, and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Violated>,
    /// Every pod that is wanted gets a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Violated>,
    /// Available replicas stay at or above what was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps_floor: Option<Violated>,
    /// At rest, pods are spread within the skew that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps_spread: Option<Violated>,
    /// Replicas follow the load that was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales_with_load: Option<Violated>,
    /// A rollout, a drain, a scale-down ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progresses: Option<Violated>,
    /// No node is asked for more than it has, and no kubelet rejects what was bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Violated>,
    /// Control plane and nodes stay up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays_up: Option<Violated>,
    /// Which kind of violation.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Of which workload; of nodes (`stays-up`) `node/kind-worker`, or `nodes` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// On which node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Who takes part: all of these must have acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Why: the reason of the eviction, of the condition or of the rejection, or a part of its words. Every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<OneOrMany<String>>,
    /// How often: `3 rounds`, `20 pods`, `2 nodes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Count>,
    /// For how long without interruption.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Span>,
    /// What holds all the while, from its beginning until it is complete.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub meanwhile: Option<Meanwhile>,
    /// From which mark on; `applied` without it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "from")]
    pub since: Option<String>,
    /// Until which mark; the end without it.
    #[serde(default, rename = "to", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of `keeps-floor`: what was promised, `hpa.min`, `pdb`, `max-unavailable`, `replicas`, `replicas - 1`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Scalar>,
    /// Of `keeps-floor`: what must not fall below it, `available` (without it) or `wanted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Of `keeps-spread`: the topology key; `kubernetes.io/hostname` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Of `keeps-spread`: the skew that is allowed; the constraint's own, or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_skew: Option<i64>,
    /// Of `scales-with-load`: up to how many, `hpa.max` or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Scalar>,
    /// What comes after it, and by whom; without it the failure is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// The one thing that is said of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Violated {
    /// It does not hold.
    Violated,
}

/// What holds all the while.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Meanwhile {
    /// How many of the workload's pods are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Range>,
    /// How many are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Range>,
    /// How many run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Range>,
    /// How many nodes are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_nodes: Option<Range>,
    /// Whether a node has room for the pod that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_elsewhere: Option<bool>,
    /// That no pod of the workload comes or goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_churn: Option<bool>,
    /// That it is offered no load: its CPU curve comes from its pods' own start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_load: Option<bool>,
}

/// What comes after a violation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Then {
    /// Wanted replicas come back to this: `hpa.min`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_at: Option<Scalar>,
    /// Wanted replicas fall to this: `hpa.max / 2`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub falls_to: Option<Scalar>,
    /// Who does that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// What must hold for a verdict to mean anything.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Premise {
    /// That this was so at some time between the marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Condition>,
    /// That this was so at every time between the marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<Condition>,
    /// From which mark on; the beginning of the steps without it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "from")]
    pub since: Option<String>,
    /// Until which mark; the end without it.
    #[serde(default, rename = "to", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A number to report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fact {
    /// The greatest value of a number: `{deployment/web: wanted}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<IndexMap<String, String>>,
    /// The least value of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<IndexMap<String, String>>,
    /// The value of a number at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<IndexMap<String, String>>,
    /// After how many seconds a condition first held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Condition>,
    /// For how many seconds a condition held without interruption, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<Condition>,
    /// Only after the time of this other fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// From which mark on; the failure's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "from")]
    pub since: Option<String>,
    /// Until which mark; the end without it.
    #[serde(default, rename = "to", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Claim {
    /// The property that it is about; the first one that is given.
    #[must_use]
    pub fn property(&self) -> Option<Property> {
        let given = [
            (self.rests, Property::Rests),
            (self.schedules, Property::Schedules),
            (self.keeps_floor, Property::KeepsFloor),
            (self.keeps_spread, Property::KeepsSpread),
            (self.scales_with_load, Property::ScalesWithLoad),
            (self.progresses, Property::Progresses),
            (self.fits, Property::Fits),
            (self.stays_up, Property::StaysUp),
        ];
        given
            .into_iter()
            .find_map(|(violated, property)| violated.map(|_| property))
    }
}
