//! C7: a pod bound by `nodeName` to a tainted node is created and thrown away for ever.
//!
//! In conflict: the ReplicaSet controller, and the taint-eviction controller (with the kubelet's admission).
//! Mechanism: `nodeName` bypasses the scheduler, so nobody asks whether the pod tolerates the node's NoExecute taint.

use std::collections::BTreeMap;

use super::{ONE, Study, by, window};
use crate::scenario::{Arm, Card, Scenario, worker};
use crate::timeline::{Does, Finding, PodLife, Timeline, WorkloadRef, World, deeds, deployment, lives};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c7_taint_recreate_loop",
    variants: ONE,
    local_only: false,
    app: APP,
    since: "applied",
    steps,
    judge,
    pulse,
};

const APP: &str = "php-apache";
/// How many pods of one ReplicaSet make a loop.
const MANY: usize = 20;

fn steps(card: &Card, arm: Arm, _: Option<&str>) -> Scenario {
    Scenario::of(card, arm)
        .taint(worker(1), "key1", "value1", "NoExecute")
        .mark("applied")
        .apply(by(arm, "10-web.yaml", "10-web-node-selector.yaml"))
        .observe(window(card, arm))
}

fn judge(timeline: &Timeline) -> Judgement {
    Judgement::since(timeline, "applied", |applied| {
        let pods = pods(timeline);
        let mut by_owner: BTreeMap<&str, Vec<&PodLife>> = BTreeMap::new();
        for life in &pods {
            if let Some(owner) = life.pod.owner.as_ref().filter(|owner| owner.kind == "ReplicaSet") {
                by_owner.entry(&owner.uid).or_default().push(life);
            }
        }
        let most = by_owner.into_values().max_by_key(Vec::len).unwrap_or_default();
        let many = match most.get(MANY - 1) {
            Some(life) => Finding::seen(
                life.created,
                format!(
                    "{} distinct pods of one ReplicaSet, none of them ever ready",
                    most.len()
                ),
            ),
            None => Finding::not_seen(format!(
                "{} of one ReplicaSet's pods, and {MANY} make a loop",
                most.len()
            )),
        };
        let ready = timeline
            .series(|w| deployment(APP).ready().read(w))
            .since(applied);
        let wanted = timeline
            .series(|w| deployment(APP).wanted().read(w))
            .since(applied);
        let there = wanted.first(|&n| n > 0);
        let constant = there.map(|at| wanted.since(at).holds("as many replicas wanted", |&n| n == 1));
        let created = Finding::when(there, "the deployment was never seen");
        let failure = many
            .and(ready.holds("no pod ready", |&n| n == 0))
            .and(constant.unwrap_or_else(|| created.clone()));
        let taint = |w: &World| {
            w.nodes
                .values()
                .any(|n| n.taints.iter().any(|t| t.ends_with(":NoExecute")))
        };
        let tainted = timeline.series(taint).since(applied).first(|&tainted| tainted);
        let tainted = Finding::when(tainted, "no node was tainted");
        let made = Finding::when(most.first().map(|life| life.created), "no pod was ever created");
        let terminating = timeline
            .series(|w| w.pods_of(APP).filter(|pod| pod.terminating).count())
            .max();
        let watched = timeline.end().saturating_sub(applied).as_secs_f64().max(1e-3);
        let per_minute = (most.len() as f64 / watched * 60.0).round();
        let end = |life: &&PodLife| life.failed.into_iter().chain(life.terminating).min();
        let first = most.iter().filter_map(end).min();
        Judgement::of(&failure)
            .provided(&created)
            .provided(&tainted)
            .provided(&made)
            .fact("distinct_pods", most.len())
            .fact("pods_per_min", per_minute)
            .fact("max_terminating", terminating)
            .seconds("first_eviction_s", first.map(|t| t.saturating_sub(applied)))
            .fight(|| {
                let deeds = deeds(timeline, &WorkloadRef::deployment(APP), applied);
                format!(
                    "{}: {per_minute:.0} pods/min{}",
                    deeds.chain(&[&[Does::Creates], &[Does::Rejects], &[Does::Deletes, Does::Evicts]]),
                    deeds.caveat()
                )
            })
    })
}

fn pods(timeline: &Timeline) -> Vec<PodLife> {
    lives(timeline)
        .into_iter()
        .filter(|life| life.pod.labels.get("app").map(String::as_str) == Some(APP))
        .collect()
}

fn pulse(timeline: &Timeline) -> String {
    format!("{} pods created", pods(timeline).len())
}
