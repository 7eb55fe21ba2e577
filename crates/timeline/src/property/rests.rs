//! `rests`: after the last outside change the cluster comes to rest, and stays.
//!
//! It pins returns to an earlier state, at least three of them, and growth without end:
//! - `evict-loop`, `preemption-loop`, `placement-swap`: pods are taken away and made anew, and the placement comes back as a
//!   multiset of pods by node, while as many are wanted as before ([`rounds`]); evictions that are refused again and again;
//! - `recreate-loop`: pods are made and thrown away, and none of them ever gets ready ([`recreation`]);
//! - `replica-oscillation`: wanted replicas return to a number that they had ([`oscillation`]);
//! - `replicaset-explosion`: a deployment makes replica sets although nobody changed it ([`explosion`]).
//!
//! It leaves out whatever moves without coming back (a rollout, a scale-up), pods that their own controller takes away, and loops
//! of objects that are on no timeline.

mod explosion;
mod oscillation;
mod recreation;
mod rounds;

use serde_json::{Map, Value};

use super::{Kind, Question, Violation};
use crate::{History, WorkloadRef};

/// All violations.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let mut found = Vec::new();
    let asked = |kinds: &[Kind]| question.kind.is_none_or(|kind| kinds.contains(&kind));
    for workload in question.workloads(history) {
        if asked(&[Kind::EvictLoop, Kind::PreemptionLoop, Kind::PlacementSwap]) {
            found.extend(rounds::violations(history, question, &workload));
        }
        if asked(&[Kind::RecreateLoop]) {
            found.extend(recreation::violation(history, question, &workload));
        }
        if asked(&[Kind::ReplicaOscillation]) {
            found.extend(oscillation::violation(history, question, &workload));
        }
        if asked(&[Kind::ReplicasetExplosion]) {
            found.extend(explosion::violation(history, question, &workload));
        }
    }
    found
}

/// The numbers of a kind; of all loops of placement without one.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    kind: Option<Kind>,
    of: &WorkloadRef,
) -> Map<String, Value> {
    match kind {
        Some(Kind::RecreateLoop) => recreation::figures(history, question, of),
        Some(Kind::ReplicaOscillation) => oscillation::figures(history, question, of),
        Some(Kind::ReplicasetExplosion) => explosion::figures(history, question, of),
        _ => rounds::figures(history, question, of),
    }
}
