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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sighting;
    use crate::testing::{Draft, pod, s};

    #[test]
    fn a_life_has_the_first_time_of_each_stage() {
        let timeline = Draft::new("c3")
            .at(1.0)
            .pod("a", None)
            .at(2.0)
            .unschedulable("a")
            .at(3.0)
            .unschedulable("a")
            .at(4.0)
            .pod("a", Some("w1"))
            .at(5.0)
            .terminating("a", "w1")
            .at(6.0)
            .gone("a", "w1")
            .done();
        let life = &lives(&timeline)[0];
        assert_eq!((life.created, life.unschedulable), (s(1.0), Some(s(2.0))));
        assert_eq!((life.bound, life.ready), (Some(s(4.0)), Some(s(4.0))));
        assert_eq!((life.terminating, life.gone), (Some(s(5.0)), Some(s(6.0))));
        assert_eq!(life.failed, None);
    }

    #[test]
    fn what_never_came_is_none() {
        let life = &lives(&Draft::new("c3").pod("a", None).done())[0];
        assert_eq!((life.bound, life.ready, life.failed), (None, None, None));
        assert_eq!(
            (life.unschedulable, life.terminating, life.gone),
            (None, None, None)
        );
    }

    #[test]
    fn a_pod_that_vanishes_was_told_to_go_when_it_was_gone() {
        let vanished = What::Pod(Sighting {
            change: Change::Gone,
            state: pod("b", Some("w1")),
        });
        let timeline = Draft::new("c7")
            .failed("b", "w1")
            .at(1.0)
            .what(vanished)
            .pod("a", None)
            .done();
        let found = lives(&timeline);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].pod.uid.as_str(), found[1].pod.uid.as_str()), ("b", "a"));
        assert_eq!(
            (found[0].failed, found[0].terminating),
            (Some(s(0.0)), Some(s(1.0)))
        );
    }
}
