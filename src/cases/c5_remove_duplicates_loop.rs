//! C5: RemoveDuplicates evicts a pod that the scheduler can only put back where it was.
//!
//! In conflict: the descheduler, and the scheduler.
//! Mechanism: two of three nodes are almost full. Three of one owner's pods on one node are too many for the
//! descheduler; none of the others has room for the one that it evicts.

use super::{ONE, Study, by, loops, window};
use crate::scenario::{Arm, Card, Scenario, secs};
use crate::timeline::{Timeline, deployment};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c5_remove_duplicates_loop",
    variants: ONE,
    local_only: false,
    app: APP,
    since: loops::STARTED,
    steps,
    judge,
    pulse,
};

const APP: &str = "nginx";
const REPLICAS: usize = 5;

fn steps(card: &Card, arm: Arm, _: Option<&str>) -> Scenario {
    Scenario::of(card, arm)
        .apply("10-background.yaml")
        .settle(
            deployment("background-1")
                .running()
                .is(1)
                .and(deployment("background-2").running().is(1)),
            secs(60),
        )
        .apply("20-nginx.yaml")
        .settle(deployment(APP).running().is(REPLICAS as i64), secs(60))
        .mark(loops::STARTED)
        .descheduler(by(arm, "policy.yaml", "policy-node-fit.yaml"))
        .observe(window(card, arm))
}

fn judge(timeline: &Timeline) -> Judgement {
    loops::judge(timeline, APP, REPLICAS)
}

fn pulse(timeline: &Timeline) -> String {
    loops::pulse(timeline, APP, REPLICAS)
}
