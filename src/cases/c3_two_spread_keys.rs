//! C3: two DoNotSchedule spread constraints leave the sixth pod pending for good, with room to spare.
//!
//! In conflict: the scheduler's constraint on `zone`, its constraint on `node` (and the autoscaler that keeps
//! wanting six). Mechanism: with nodes in zones A, A, B, five pods stand 2/1/2 or 1/2/2; zone A would be 4 against 2,
//! node 3 would be 3 against 1.

use std::time::Duration;

use super::{Study, by, c1_cpu_spike_overscale::burst, window};
use crate::scenario::{Arm, Card, Scenario, secs, worker};
use crate::timeline::{Does, Finding, Timeline, WorkloadRef, World, deeds, deployment, lives};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c3_two_spread_keys",
    variants: &[Some("with-hpa"), Some("without-hpa")],
    local_only: false,
    app: APP,
    since: "applied",
    steps,
    judge,
    pulse,
};

const APP: &str = "h1-app";
const REPLICAS: i64 = 6;
/// For how long a pod must stay pending to count as stuck, at the recorded pace.
const STUCK: Duration = secs(30);

fn steps(card: &Card, arm: Arm, variant: Option<&str>) -> Scenario {
    let mut scenario = Scenario::of(card, arm);
    for (n, zone) in [(1, "A"), (2, "A"), (3, "B")] {
        scenario = scenario
            .label(worker(n), "zone", zone)
            .label(worker(n), "node", n.to_string());
    }
    if variant == Some("without-hpa") {
        return scenario
            .mark("applied")
            .apply(by(arm, "10-web-six.yaml", "10-web-six-soft-zone.yaml"))
            .settle(deployment(APP).running().is_at_least(5), secs(60))
            .observe(STUCK * 2 + secs(10));
    }
    scenario
        .load(burst())
        .mark("applied")
        .apply(by(arm, "10-web.yaml", "10-web-soft-zone.yaml"))
        .settle(deployment(APP).running().is(1), secs(60))
        .apply("20-hpa.yaml")
        .observe(window(card, arm))
}

fn judge(timeline: &Timeline) -> Judgement {
    Judgement::since(timeline, "applied", |applied| {
        let stuck_for = timeline.header.pace.scale(STUCK).max(Duration::from_secs(2));
        let wanted = timeline
            .series(|w| deployment(APP).wanted().read(w))
            .since(applied);
        let running = timeline
            .series(|w| deployment(APP).running().read(w))
            .since(applied);
        let asked = Finding::when(
            wanted.first(|&n| n >= REPLICAS),
            format!("never more than {} replicas wanted", wanted.max()),
        );
        // For good: to the end of what was seen.
        let stuck = timeline.series(stuck).since(applied);
        let stuck = stuck
            .spans(|&stuck| stuck)
            .pop()
            .filter(|span| span.to == stuck.end());
        let all_ran = Finding::when(
            (stuck.is_some() || running.max() >= REPLICAS).then_some(applied),
            format!(
                "no pod was stuck at the end, but only {} of {REPLICAS} ever ran",
                running.max()
            ),
        );
        let failure = match stuck {
            Some(span) if span.length() >= stuck_for => Finding::seen(
                span.from + stuck_for,
                format!(
                    "one pod pending for {:.1} s with room for it, five running",
                    span.length().as_secs_f64()
                ),
            ),
            Some(span) => Finding::not_seen(format!(
                "a pod was pending for only {:.1} s",
                span.length().as_secs_f64()
            )),
            None => Finding::not_seen(format!("no pod was stuck; {} of {REPLICAS} ran", running.max())),
        };
        let pending = lives(timeline)
            .into_iter()
            .filter(|life| life.pod.labels.get("app").map(String::as_str) == Some(APP))
            .find(|life| life.unschedulable.is_some() && life.bound.is_none());
        Judgement::of(&failure)
            .provided(&asked)
            .provided(&all_ran)
            .fact("running", running.max())
            .seconds(
                "pending_since_s",
                pending
                    .and_then(|life| life.unschedulable)
                    .map(|t| t.saturating_sub(applied)),
            )
            .seconds("pending_for_s", stuck.map(|span| span.length()))
            .fight(|| {
                let deeds = deeds(timeline, &WorkloadRef::deployment(APP), applied);
                let wanting = deeds.turns(Does::Scales).or_else(|| deeds.turns(Does::Writes));
                format!(
                    "{} → {}, for {:.1} s and with room for it{}",
                    wanting.unwrap_or_else(|| format!("somebody wants {REPLICAS}")),
                    deeds.chain(&[&[Does::Refuses]]),
                    stuck.map_or(0.0, |span| span.length().as_secs_f64()),
                    deeds.caveat()
                )
            })
    })
}

/// One pod that the scheduler finds no node for, though a node has room, while the other five run.
fn stuck(world: &World) -> bool {
    let pending: Vec<_> = world
        .pods_of(APP)
        .filter(|pod| pod.active() && pod.node.is_none())
        .collect();
    let [pod] = pending[..] else { return false };
    pod.unschedulable.is_some()
        && deployment(APP).running().read(world) == REPLICAS - 1
        && world.has_room(pod.cpu_request_m)
}

fn pulse(timeline: &Timeline) -> String {
    let running = timeline.series(|w| deployment(APP).running().read(w));
    let pending = timeline.series(|w| {
        w.pods_of(APP)
            .filter(|pod| pod.unschedulable.is_some() && pod.node.is_none())
            .count()
    });
    format!("{} running, {} unschedulable", running.last(), pending.last())
}
