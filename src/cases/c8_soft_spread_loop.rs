//! C8: the descheduler enforces a soft spread constraint that the scheduler outweighs with node affinity.
//!
//! In conflict: the descheduler, and the scheduler.
//! Mechanism: for the scheduler, `ScheduleAnyway` is one score among others, and a preferred node affinity weighs more
//! (recorded scores 756 against 736). The descheduler treats it like a hard constraint and evicts what violates it.

use super::{ONE, Study, by, loops, window};
use crate::scenario::{Arm, Card, Scenario, secs, worker};
use crate::timeline::{Timeline, deployment};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c8_soft_spread_loop",
    variants: ONE,
    local_only: false,
    app: APP,
    since: loops::STARTED,
    steps,
    judge,
    pulse,
};

const APP: &str = "nginx";
const REPLICAS: usize = 4;

fn steps(card: &Card, arm: Arm, _: Option<&str>) -> Scenario {
    let mut scenario = Scenario::of(card, arm);
    for (n, lifecycle) in [(1, "spot"), (2, "spot"), (3, "on-demand")] {
        scenario = scenario.label(worker(n), "lifecycle", lifecycle);
    }
    scenario
        .apply(by(arm, "10-nginx.yaml", "10-nginx-without-affinity.yaml"))
        .settle(deployment(APP).running().is(REPLICAS as i64), secs(60))
        .mark(loops::STARTED)
        .descheduler("policy.yaml")
        .observe(window(card, arm))
}

fn judge(timeline: &Timeline) -> Judgement {
    loops::judge(timeline, APP, REPLICAS)
}

fn pulse(timeline: &Timeline) -> String {
    loops::pulse(timeline, APP, REPLICAS)
}
