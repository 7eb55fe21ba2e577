//! The lives of pods, read from a timeline: when each was created, bound, ready, told to go, and gone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Change, PodSeen, Timeline, What};

/// The life of one pod, by UID. Times that never came are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct PodLife {
    /// Its last state.
    pub pod: PodSeen,
    /// When it was first seen.
    pub created: Duration,
    /// When it was bound to a node.
    pub bound: Option<Duration>,
    /// When it first was ready.
    pub ready: Option<Duration>,
    /// When its phase became `Failed`.
    pub failed: Option<Duration>,
    /// When the scheduler first said that no node fits.
    pub unschedulable: Option<Duration>,
    /// When its deletion began, or when it vanished without one being seen.
    pub terminating: Option<Duration>,
    /// When it was gone.
    pub gone: Option<Duration>,
}

/// The lives of all pods that a timeline has seen, in order of creation.
#[must_use]
pub fn lives(timeline: &Timeline) -> Vec<PodLife> {
    let mut order: Vec<String> = Vec::new();
    let mut lives: BTreeMap<String, PodLife> = BTreeMap::new();
    for entry in &timeline.entries {
        let What::Pod(sighting) = &entry.what else {
            continue;
        };
        let t = entry.t;
        let pod = &sighting.state;
        let life = lives.entry(pod.uid.clone()).or_insert_with(|| {
            order.push(pod.uid.clone());
            PodLife {
                pod: pod.clone(),
                created: t,
                bound: None,
                ready: None,
                failed: None,
                unschedulable: None,
                terminating: None,
                gone: None,
            }
        });
        let first = |at: &mut Option<Duration>, now: bool| {
            if now && at.is_none() {
                *at = Some(t);
            }
        };
        first(&mut life.bound, pod.node.is_some());
        first(&mut life.ready, pod.ready);
        first(&mut life.failed, pod.phase == "Failed");
        first(&mut life.unschedulable, pod.unschedulable.is_some());
        first(
            &mut life.terminating,
            pod.terminating || sighting.change == Change::Gone,
        );
        first(&mut life.gone, sighting.change == Change::Gone);
        life.pod = pod.clone();
    }
    order.into_iter().filter_map(|uid| lives.remove(&uid)).collect()
}
