//! Evict → recreate rounds: an owner's pod is taken away, comes back, and everything stands as it stood before.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Series, Timeline, lives};

/// The evict → recreate rounds of one app.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounds {
    /// When each pod of the app was told to go, in order.
    pub evictions: Vec<Duration>,
    /// When each round was complete: every replica bound again, the placement a multiset equal to the one before.
    pub restored: Vec<Duration>,
    /// How many evictions each complete round took.
    pub evictions_per_round: Vec<usize>,
    /// The multiset of pods per node that comes back, greatest first, e.g. `[3, 1, 1]`.
    pub placement: Vec<usize>,
}

impl Rounds {
    /// The mean time from one eviction to the next, over the evictions that complete rounds began with.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        let (first, last) = (self.evictions.first()?, self.evictions.last()?);
        let gaps = u32::try_from(self.evictions.len())
            .ok()?
            .checked_sub(1)
            .filter(|&n| n > 0)?;
        Some(last.saturating_sub(*first) / gaps)
    }

    /// Evictions a minute.
    #[must_use]
    pub fn per_minute(&self) -> Option<f64> {
        self.period().map(|period| 60.0 / period.as_secs_f64().max(1e-6))
    }
}

/// The rounds of an app of `replicas` pods, since a time.
///
/// An eviction is a pod's deletion that begins while the owner's `spec.replicas` stands; it is read from the pod,
/// not from an Event, and so is the same for every release. A round is complete when all replicas are bound and
/// none of them is terminating: the scheduler has had its say, whether or not containers already run.
#[must_use]
pub fn rounds(timeline: &Timeline, app: &str, replicas: usize, since: Duration) -> Rounds {
    let evictions: Vec<Duration> = {
        let mut at: Vec<Duration> = lives(timeline)
            .into_iter()
            .filter(|life| life.pod.app.as_deref() == Some(app))
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
        evictions: evictions.clone(),
        restored: Vec::new(),
        evictions_per_round: Vec::new(),
        placement: start.clone().unwrap_or_default(),
    };
    let Some(start) = start else { return found };
    let mut last = since;
    for (t, placement) in placements.points().iter().filter(|(t, _)| *t > since) {
        if placement.as_ref() != Some(&start) {
            continue;
        }
        let taken = evictions.iter().filter(|&&e| e > last && e <= *t).count();
        if taken > 0 {
            found.restored.push(*t);
            found.evictions_per_round.push(taken);
            last = *t;
        }
    }
    found
}

fn multiset(placement: &BTreeMap<String, usize>) -> Vec<usize> {
    let mut counts: Vec<usize> = placement.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}
