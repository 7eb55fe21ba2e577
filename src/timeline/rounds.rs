//! Evict → recreate rounds: an owner's pod is taken away, comes back, and everything stands as it stood before.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Series, Timeline, lives};

/// The evict → recreate rounds of one app.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounds {
    /// When each pod of the app was told to go, in order.
    pub evictions: Vec<Duration>,
    /// When the first eviction of each complete round was.
    pub began: Vec<Duration>,
    /// When each round was complete: every replica bound again, the placement a multiset equal to the one before.
    pub restored: Vec<Duration>,
    /// How many evictions each complete round took.
    pub evictions_per_round: Vec<usize>,
    /// The multiset of pods per node that comes back, greatest first, e.g. `[3, 1, 1]`.
    pub placement: Vec<usize>,
}

impl Rounds {
    /// The time from the beginning of one complete round to that of the next: the median, as the study has it.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        let mut gaps: Vec<Duration> = self
            .began
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied()
    }

    /// Evictions a minute, over all evictions.
    #[must_use]
    pub fn per_minute(&self) -> Option<f64> {
        mean_gap(&self.evictions).map(|gap| 60.0 / gap.as_secs_f64().max(1e-6))
    }
}

fn mean_gap(times: &[Duration]) -> Option<Duration> {
    let (first, last) = (times.first()?, times.last()?);
    let gaps = u32::try_from(times.len() - 1).ok().filter(|&n| n > 0)?;
    Some(last.saturating_sub(*first) / gaps)
}

/// The rounds of an app of `replicas` pods, since a time.
///
/// An eviction is a pod's deletion that begins; it is read from the pod, not from an Event, and so is the same for
/// every release. That the owner's `spec.replicas` stands meanwhile is for the judge to say: a scale-down looks the
/// same from here. Where not all replicas are bound at `since`, there is nothing to come back to, and no round. A round is complete when all replicas are bound and
/// none of them is terminating: the scheduler has had its say, whether or not containers already run.
#[must_use]
pub fn rounds(timeline: &Timeline, app: &str, replicas: usize, since: Duration) -> Rounds {
    let evictions: Vec<Duration> = {
        let mut at: Vec<Duration> = lives(timeline)
            .into_iter()
            .filter(|life| life.pod.labels.get("app").map(String::as_str) == Some(app))
            .filter_map(|life| life.terminating.filter(|&t| t >= since))
            .collect();
        at.sort();
        at
    };
    let placements: Series<Option<Vec<usize>>> = timeline.series(|world| {
        let active: Vec<_> = world.pods_of(app).filter(|pod| pod.active()).collect();
        let whole = active.len() == replicas && active.iter().all(|pod| pod.node.is_some());
        whole.then(|| multiset(&world.placement(app)))
    });
    let start = placements.at(since).clone();
    let mut found = Rounds {
        evictions,
        began: Vec::new(),
        restored: Vec::new(),
        evictions_per_round: Vec::new(),
        placement: start.clone().unwrap_or_default(),
    };
    let Some(start) = start else { return found };
    let mut counted = 0;
    for (t, placement) in placements.points().iter().filter(|(t, _)| *t > since) {
        if placement.as_ref() != Some(&start) {
            continue;
        }
        let until = found.evictions.partition_point(|e| e <= t);
        if until > counted {
            found.began.push(found.evictions[counted]);
            found.restored.push(*t);
            found.evictions_per_round.push(until - counted);
            counted = until;
        }
    }
    found
}

fn multiset(placement: &BTreeMap<String, usize>) -> Vec<usize> {
    let mut counts: Vec<usize> = placement.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::drawn::{Draft, s};

    /// Five pods, three of them on the first worker; the descheduler begins at 5 s.
    fn settled() -> Draft {
        Draft::new("c5_remove_duplicates_loop")
            .nodes(&["w1", "w2", "w3"])
            .deployment("web", 5, 5)
            .pods(&[("a", "w1"), ("b", "w1"), ("c", "w1"), ("d", "w2"), ("e", "w3")])
            .at(5.0)
            .mark("watch")
    }

    #[test]
    fn a_pod_that_is_evicted_and_comes_back_every_10_s_makes_rounds() {
        let timeline = settled()
            .round(7.0, ("a", "w1"), ("f", "w1"))
            .round(17.0, ("f", "w1"), ("g", "w1"))
            .round(27.0, ("b", "w1"), ("h", "w1"))
            .done();
        let found = rounds(&timeline, "web", 5, s(5.0));
        assert_eq!(found.placement, [3, 1, 1]);
        assert_eq!(found.evictions, [s(7.0), s(17.0), s(27.0)]);
        assert_eq!(found.began, found.evictions);
        assert_eq!(found.restored, [s(9.0), s(19.0), s(29.0)]);
        assert_eq!(found.evictions_per_round, [1, 1, 1]);
        assert_eq!(found.period(), Some(s(10.0)));
        assert_eq!(found.per_minute(), Some(6.0));
    }

    #[test]
    fn the_same_multiset_on_other_nodes_is_the_same_placement() {
        let timeline = settled()
            .round(7.0, ("a", "w1"), ("f", "w2"))
            .round(17.0, ("b", "w1"), ("g", "w2"))
            .done();
        let found = rounds(&timeline, "web", 5, s(5.0));
        // 2/2/1 is not what it was; 1/3/1 is, and took both evictions.
        assert_eq!(found.restored, [s(19.0)]);
        assert_eq!(found.evictions_per_round, [2]);
    }

    #[test]
    fn a_placement_that_gets_better_and_stays_so_is_no_round() {
        let timeline = settled().round(7.0, ("a", "w1"), ("f", "w2")).done();
        let found = rounds(&timeline, "web", 5, s(5.0));
        assert_eq!(found.evictions.len(), 1);
        assert!(found.restored.is_empty());
        assert_eq!((found.period(), found.per_minute()), (None, None));
    }

    #[test]
    fn two_evictions_a_round_count_as_two_evictions_and_one_round() {
        let two = |draft: Draft, at: f64, old: [&str; 2], new: [&str; 2]| {
            draft
                .at(at)
                .terminating(old[0], "w1")
                .at(at + 1.0)
                .terminating(old[1], "w1")
                .at(at + 2.0)
                .gone(old[0], "w1")
                .gone(old[1], "w1")
                .at(at + 3.0)
                .pods(&[(new[0], "w1"), (new[1], "w1")])
        };
        let draft = two(settled(), 10.0, ["a", "b"], ["f", "g"]);
        let timeline = two(draft, 20.0, ["f", "g"], ["h", "i"]).done();
        let found = rounds(&timeline, "web", 5, s(5.0));
        assert_eq!(found.restored, [s(13.0), s(23.0)]);
        assert_eq!(found.evictions_per_round, [2, 2]);
        assert_eq!(found.period(), Some(s(10.0)), "of rounds, not of evictions");
        assert_eq!(found.per_minute().map(f64::round), Some(16.0), "four in 11 s");
    }

    #[test]
    fn an_eviction_that_is_in_progress_at_the_end_is_no_round() {
        let timeline = settled()
            .round(7.0, ("a", "w1"), ("f", "w1"))
            .at(17.0)
            .terminating("f", "w1")
            .pod("g", None)
            .done();
        let found = rounds(&timeline, "web", 5, s(5.0));
        assert_eq!(found.evictions.len(), 2);
        assert_eq!(found.restored, [s(9.0)]);
    }

    #[test]
    fn an_eviction_at_the_very_mark_counts_and_one_before_it_does_not() {
        let timeline = settled()
            .round(7.0, ("a", "w1"), ("f", "w1"))
            .round(17.0, ("f", "w1"), ("g", "w1"))
            .done();
        assert_eq!(rounds(&timeline, "web", 5, s(9.5)).evictions, [s(17.0)]);
        let mut at_once = settled().terminating("a", "w1").pod("f", None).at(6.0);
        at_once = at_once.pods(&[("f", "w1")]);
        // What stood at the mark is what came before the eviction in it, so nothing was whole at 5 s.
        assert_eq!(rounds(&at_once.done(), "web", 5, s(5.0)).evictions, [s(5.0)]);
    }

    #[test]
    fn without_a_whole_placement_to_begin_with_there_is_no_round() {
        let timeline = settled().round(7.0, ("a", "w1"), ("f", "w1")).done();
        let found = rounds(&timeline, "web", 6, s(5.0));
        assert!(found.restored.is_empty() && found.placement.is_empty());
        assert!(rounds(&timeline, "other", 5, s(5.0)).evictions.is_empty());
    }
}
