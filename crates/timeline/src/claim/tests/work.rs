//! An absence takes a descheduler that went through its cycles, in each of its runs.

use super::rests::{EVICTS_IN_CYCLES, settled};
use super::{Said, still};
use crate::Timeline;
use crate::testing::Draft;

const OF_ANYBODY: &str = "
steps: [{apply: 10-web.yaml}, {descheduler: {policy: policy.yaml, every: 10s}}]
failure: {rests: violated, as: evict-loop, of: deployment/web}
";

/// A descheduler that is started at 2 s and goes through cycles at these times.
fn started(times: &[f64]) -> Draft {
    cycles(settled().at(2.0).step("start descheduler"), times)
}

fn cycles(draft: Draft, times: &[f64]) -> Draft {
    times.iter().fold(draft, |draft, &at| draft.at(at).cycle())
}

/// One that is stopped at 8 s and started again at 20 s.
fn twice(first: &[f64]) -> Timeline {
    let draft = started(first)
        .at(8.0)
        .step("stop descheduler")
        .at(20.0)
        .step("start descheduler");
    still(cycles(draft, &[22.0, 32.0, 42.0]), 50.0).end()
}

/// A recording from before cycles were recorded.
fn old(mut timeline: Timeline) -> Timeline {
    timeline.format = 1;
    timeline
}

super::drawings! {
    a_descheduler_that_works_and_evicts_nothing_shows_an_absence:
        EVICTS_IN_CYCLES, still(started(&[10.0, 20.0, 30.0]), 40.0).end() => Said::Absent;
    one_without_a_cycle_shows_nothing:
        EVICTS_IN_CYCLES, still(started(&[]), 40.0).end() => Said::Inconclusive("did not go through a single cycle");
    where_cycles_were_not_recorded_they_are_not_asked_for:
        EVICTS_IN_CYCLES, old(still(started(&[]), 40.0).end()) => Said::Absent;
    a_loop_of_three_rounds_takes_three_cycles:
        EVICTS_IN_CYCLES, still(started(&[10.0, 20.0]), 30.0).end() => Said::Inconclusive("went through 2 cycles");
    of_a_descheduler_that_is_not_named_one_cycle_says_that_it_works:
        OF_ANYBODY, still(started(&[10.0]), 30.0).end() => Said::Absent;
    of_a_run_before_the_last_one_cycle_says_that_it_works:
        EVICTS_IN_CYCLES, twice(&[5.0]) => Said::Absent;
    a_run_without_a_cycle_shows_nothing_whatever_the_next_one_does:
        EVICTS_IN_CYCLES, twice(&[]) => Said::Inconclusive("did not go through a single cycle");
    after_a_descheduler_was_stopped_it_has_no_cycles:
        OF_ANYBODY, still(started(&[5.0]).at(8.0).step("stop descheduler").at(9.0).step("wait 50s"), 60.0).end() => Said::Absent;
}
