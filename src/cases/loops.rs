//! What C5 and C8 share: the judge of an evict → recreate loop.

use std::time::Duration;

use crate::scenario::secs;
use crate::timeline::{Does, Finding, Rounds, Timeline, WorkloadRef, deeds, deployment, rounds};
use crate::verdict::Judgement;

/// Where a loop's rounds are counted from.
pub(super) const STARTED: &str = "descheduler";

/// How many rounds make a loop.
const ROUNDS: usize = 3;

/// The study's descheduling interval.
pub(super) const CYCLE: Duration = secs(10);

/// At least three evict → recreate rounds of one owner, one a descheduling cycle, with the same multiset of nodes after
/// each, while as many replicas are wanted as ever.
pub(super) fn judge(timeline: &Timeline, app: &'static str, replicas: usize) -> Judgement {
    Judgement::since(timeline, STARTED, |started| {
        let rounds = rounds(timeline, app, replicas, started);
        let placed = Finding::when(
            (rounds.placement.iter().sum::<usize>() == replicas).then_some(started),
            format!("{replicas} pods of {app} were not all placed before the descheduler started"),
        );
        let wanted = timeline
            .series(|w| deployment(app).wanted().read(w))
            .since(started);
        let constant = wanted.holds("as many replicas wanted", |&n| n == replicas as i64);
        let cycle = timeline.header.pace.scale(CYCLE);
        let looped = in_cycles_of_their_own(&rounds, cycle);
        let (evictions, back) = (rounds.evictions.len(), rounds.restored.len());
        let failure = match looped.get(ROUNDS - 1) {
            Some(&at) => Finding::seen(
                at,
                format!(
                    "{back} rounds of evict and recreate, each back at {:?}",
                    rounds.placement
                ),
            ),
            None if evictions == 0 => Finding::not_seen("no pod was evicted"),
            None => Finding::not_seen(format!(
                "{evictions} evictions, and {} rounds that came back to {:?} in a cycle of their own",
                looped.len(),
                rounds.placement
            )),
        };
        // A few evictions that lead somewhere are no loop; evictions that go on are no absence of one.
        let quiet = rounds
            .evictions
            .last()
            .is_none_or(|&last| timeline.end().saturating_sub(last) >= cycle * 3);
        let settled = Finding::when(
            (failure.holds() || quiet).then_some(started),
            format!("{}; and they go on", failure.why),
        );
        // Nothing evicted by a descheduler that does nothing is no absence, either.
        let worked = timeline.descheduled(started, timeline.end(), cycle, ROUNDS);
        let worked = Finding::when((failure.holds() || worked.holds()).then_some(started), worked.why);
        let since = |t: Option<&Duration>| t.map(|t| t.saturating_sub(started));
        let per_minute = rounds
            .per_minute()
            .map_or(0.0, |rate| (rate * 10.0).round() / 10.0);
        Judgement::of(&failure)
            .provided(&placed)
            .provided(&constant)
            .provided(&settled)
            .provided(&worked)
            .fact("rounds", rounds.restored.len())
            .fact("evictions", rounds.evictions.len())
            .fact("evictions_per_min", per_minute)
            .fact("placement", rounds.placement.clone())
            .seconds("first_eviction_s", since(rounds.evictions.first()))
            .seconds("period_s", rounds.period())
            .fight(|| {
                let deeds = deeds(timeline, &WorkloadRef::deployment(app), started);
                format!(
                    "{}: {per_minute:.1} rounds/min, {} rounds{}",
                    deeds.chain(&[&[Does::Evicts, Does::Deletes], &[Does::Creates], &[Does::Binds]]),
                    rounds.restored.len(),
                    deeds.caveat()
                )
            })
    })
}

/// When each round was complete that began in another descheduling cycle than the one before: half an interval apart.
fn in_cycles_of_their_own(rounds: &Rounds, cycle: Duration) -> Vec<Duration> {
    let mut last: Option<Duration> = None;
    let mut complete = Vec::new();
    for (&began, &restored) in rounds.began.iter().zip(&rounds.restored) {
        if last.is_none_or(|last| began.saturating_sub(last) >= cycle / 2) {
            complete.push(restored);
            last = Some(began);
        }
    }
    complete
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::drawn::Draft;
    use crate::verdict::Verdict;

    /// Five pods that nobody evicts, and a descheduler that goes through cycles at these times.
    fn quiet(cycles: &[f64]) -> Judgement {
        let settled = Draft::new("c5_remove_duplicates_loop")
            .nodes(&["w1", "w2", "w3"])
            .deployment("web", 5, 5)
            .pods(&[("a", "w1"), ("b", "w1"), ("c", "w1"), ("d", "w2"), ("e", "w3")])
            .at(5.0)
            .mark(STARTED);
        let cycled = cycles.iter().fold(settled, |draft, &at| draft.at(at).cycle());
        let timeline = cycled.at(65.0).deployment("web", 5, 5).done();
        judge(&timeline, "web", 5)
    }

    #[test]
    fn an_absence_needs_a_descheduler_that_works_to_the_end() {
        assert_eq!(
            quiet(&[6.0, 16.0, 26.0, 36.0, 46.0, 56.0]).verdict,
            Verdict::Absent
        );
        let hung = quiet(&[6.0, 16.0, 26.0]).verdict;
        assert!(
            matches!(&hung, Verdict::Inconclusive(why) if why.contains("3 cycles")),
            "{hung:?}"
        );
        assert_eq!(quiet(&[]).verdict, Verdict::Absent, "recorded before cycles were");
    }
}
