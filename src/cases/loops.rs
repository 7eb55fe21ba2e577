//! What C5 and C8 share: the judge of an evict → recreate loop.

use std::time::Duration;

use crate::timeline::{Finding, Timeline, rounds};
use crate::verdict::Judgement;

/// Where a loop's rounds are counted from.
pub(super) const STARTED: &str = "descheduler";

/// How many rounds make a loop.
const ROUNDS: usize = 3;

/// At least three evict → recreate rounds of one owner, one eviction each, with the same multiset of nodes after each.
pub(super) fn judge(timeline: &Timeline, app: &str, replicas: usize, plugin: &str) -> Judgement {
    Judgement::since(timeline, STARTED, |started| {
        let rounds = rounds(timeline, app, replicas, started);
        let placed = Finding::when(
            (rounds.placement.iter().sum::<usize>() == replicas).then_some(started),
            format!("{replicas} pods of {app} were not all placed before the descheduler started"),
        );
        let single = rounds
            .evictions_per_round
            .iter()
            .filter(|&&evictions| evictions == 1)
            .count();
        let failure = match rounds.restored.get(ROUNDS - 1) {
            Some(&at) if single >= ROUNDS => Finding::seen(
                at,
                format!(
                    "{} rounds of evict and recreate, each back at {:?}",
                    rounds.restored.len(),
                    rounds.placement
                ),
            ),
            _ => Finding::not_seen(match rounds.evictions.len() {
                0 => "no pod was evicted".to_owned(),
                n => format!(
                    "{n} evictions, but only {} rounds that came back to {:?}",
                    rounds.restored.len(),
                    rounds.placement
                ),
            }),
        };
        let since = |t: Option<&Duration>| t.map(|t| t.saturating_sub(started));
        let per_minute = rounds
            .per_minute()
            .map_or(0.0, |rate| (rate * 10.0).round() / 10.0);
        Judgement::of(&failure)
            .provided(&placed)
            .fact("rounds", rounds.restored.len())
            .fact("evictions", rounds.evictions.len())
            .fact("evictions_per_min", per_minute)
            .fact("placement", rounds.placement.clone())
            .seconds("first_eviction_s", since(rounds.evictions.first()))
            .seconds("period_s", rounds.period())
            .fight(|| {
                format!(
                    "descheduler evicts pod ({plugin}) → replicaset-controller creates → kube-scheduler binds to where it was: \
                     {per_minute:.1} rounds/min, {} rounds",
                    rounds.restored.len()
                )
            })
    })
}

/// How many pods were evicted so far.
pub(super) fn pulse(timeline: &Timeline, app: &str, replicas: usize) -> String {
    let Some(started) = timeline.marked(STARTED) else {
        return "waiting for pods".to_owned();
    };
    let rounds = rounds(timeline, app, replicas, started);
    format!(
        "{} evictions, {} rounds",
        rounds.evictions.len(),
        rounds.restored.len()
    )
}
