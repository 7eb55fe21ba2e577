//! C6: maintenance leaves pods unbalanced, and the next maintenance then takes down two of three at once.
//!
//! In conflict: draining and uncordoning, and a scheduler that looks at spreading only when it schedules.
//! The study's scripts hard-coded the second node and sometimes drained an empty one; this drains the fullest. They
//! also forgot to label the nodes, which made the constraint inert: the variant without it is kept.

use std::time::Duration;

use super::{Study, by, loops};
use crate::scenario::{Arm, Card, NodePick, Scenario, secs, worker};
use crate::timeline::{Does, Finding, Timeline, WorkloadRef, closed_nodes, deeds, deployment, lives, skew};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c6_maintenance_imbalance",
    variants: &[Some("with-constraint"), Some("without-constraint")],
    local_only: false,
    app: APP,
    since: "drain",
    steps,
    judge,
    pulse,
};

const APP: &str = "php-apache";
const REPLICAS: i64 = 3;
const MAX_SKEW: i64 = 1;

fn steps(card: &Card, arm: Arm, variant: Option<&str>) -> Scenario {
    let constrained = variant != Some("without-constraint");
    let web = deployment(APP);
    // The control watches twice as long for what must not be seen.
    let hold = by(arm, card.observe, card.observe * 2);
    let whole = || web.running().is(REPLICAS).and(web.available().is(REPLICAS));
    // The watch on nodes may tell of the uncordon later than that on pods tells of the last pod.
    let maintained = || whole().and(closed_nodes().is(0));
    let mut scenario = Scenario::of(card, arm);
    for n in 1..=3 {
        scenario = scenario.label(worker(n), "node", n.to_string());
    }
    let balance = |scenario: Scenario| match arm {
        Arm::Broken => scenario,
        Arm::Control => scenario
            .descheduler(if constrained {
                "policy.yaml"
            } else {
                "policy-duplicates.yaml"
            })
            .await_up_to(web.skew().is_at_most(MAX_SKEW).and(whole()), secs(60)),
    };
    scenario = scenario
        .mark("applied")
        .apply(if constrained {
            "10-web.yaml"
        } else {
            "10-web-without-constraint.yaml"
        })
        .settle(whole().and(web.skew().is(0)), secs(60))
        .mark("drain")
        .drain(NodePick::Named(worker(1)))
        .uncordon_drained()
        .settle(maintained(), secs(60));
    scenario = balance(scenario)
        .mark("maintained")
        .watch(hold)
        .stop_descheduler();
    scenario = scenario
        .mark("drain again")
        .drain(NodePick::Fullest { deployment: APP })
        .uncordon_drained()
        .settle(maintained(), secs(60));
    balance(scenario).mark("maintained again").watch(hold)
}

fn judge(timeline: &Timeline) -> Judgement {
    let (Some(again), Some(over)) = (
        timeline.marked("drain again"),
        timeline.marked("maintained again"),
    ) else {
        return Judgement::inconclusive("the run ended before the second maintenance was over");
    };
    Judgement::since(timeline, "maintained", |maintained| {
        let unbalanced = timeline
            .series(|w| skew(&w.placement(APP)))
            .since(maintained)
            .until(again);
        let open = timeline
            .series(|w| w.all_nodes_open())
            .since(maintained)
            .until(again);
        let churn = lives(timeline)
            .iter()
            .filter(|life| life.pod.labels.get("app").map(String::as_str) == Some(APP))
            .flat_map(|life| [Some(life.created), life.terminating])
            .flatten()
            .filter(|&t| t > maintained && t < again)
            .count();
        let still = churn == 0 && open.spans(|&open| !open).is_empty();
        let quiet = Finding::when(
            still.then_some(maintained),
            format!("{churn} times a pod came or went between the two maintenances, or a node was closed"),
        );
        let available = timeline
            .series(|w| deployment(APP).available().read(w))
            .since(again)
            .until(over);
        let down = available.falls_to(REPLICAS - 2);
        let skewed = unbalanced.holds("skewed", |&skew| skew > MAX_SKEW);
        let low: Option<Duration> = available
            .longest(|&n| n <= REPLICAS - 2)
            .map(|span| span.length());
        let (after, drained, last) = (
            unbalanced.max(),
            available.min(),
            timeline.world_at(timeline.end()).placement(APP),
        );
        let failure = skewed.and(down);
        // The control's premise, in both of the times that it watches.
        let cycle = timeline.header.pace.scale(loops::CYCLE);
        let balanced = timeline
            .descheduled(maintained, again, cycle, 1)
            .and(timeline.descheduled(over, timeline.end(), cycle, 1));
        let mut judgement = Judgement::of(&failure);
        judgement.why = format!(
            "skew {after} after the first maintenance, {drained} of {REPLICAS} available in the second"
        );
        judgement
            .provided(&balanced)
            .provided(&quiet)
            .fact("skew_after_maintenance", after)
            .fact("least_available", drained)
            .fact("skew_at_the_end", skew(&last))
            .seconds("available_low_for_s", low)
            .fight(|| {
                let deeds = deeds(timeline, &WorkloadRef::deployment(APP), timeline.marked("drain").unwrap_or(maintained));
                format!(
                    "{}, which brings nothing back: skew {after}, {drained} of {REPLICAS} available in the next drain{}",
                    deeds.chain(&[
                        &[Does::Evicts, Does::Deletes],
                        &[Does::Creates],
                        &[Does::Binds],
                        &[Does::Uncordons]
                    ]),
                    deeds.caveat()
                )
            })
    })
}

fn pulse(timeline: &Timeline) -> String {
    let placement = timeline.world_at(timeline.end()).placement(APP);
    let counts: Vec<String> = placement.values().map(ToString::to_string).collect();
    format!("pods by node {}", counts.join("/"))
}
