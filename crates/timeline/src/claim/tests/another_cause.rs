//! What looks like the named failure and is not it: somebody else had a hand in it, or something else made it.

use super::loops::{EXPLODES, RECREATES, TAINT, in_turns, thrown_away};
use super::rests::{DESCHEDULER, EVICTS, SWAPS, by, evict_for, round, rounds, settled, without_requests};
use super::scales_with_load::{bounded, scaled};
use super::{HPA, KEEPER, KUBECTL, SCHEDULER, Said, keeps_floor, progresses, replicas, stays_up, still, web};
use crate::testing::{Draft, seen};
use crate::{HpaSeen, Timeline, What};

const TWO_AUTOSCALERS: &str = "
failure: {rests: violated, as: replica-oscillation, of: deployment/web, by: [horizontal-pod-autoscaler], at-least: 3 rounds}
";

const EVICTS_FOR_ANY_REASON: &str = "
failure: {rests: violated, as: evict-loop, of: deployment/web, by: [descheduler, kube-scheduler], at-least: 3 rounds}
";

const TO_SIX: &str = "
failure: {scales-with-load: violated, as: over-scale, of: deployment/web, up-to: 6, by: [horizontal-pod-autoscaler]}
";

const SWINGING_LOAD: &str = "
steps:
  - apply: 10-web.yaml
  - cpu: {of: deployment/web, all-pods: [{for: 20s, use: 400m}, {for: 20s, use: 0}, {use: 400m}]}
failure: {rests: violated, as: replica-oscillation, of: deployment/web, by: [horizontal-pod-autoscaler], at-least: 3 rounds}
";

fn turns(first: &'static str, second: &'static str) -> Timeline {
    let turns: Vec<(&str, i64)> = (0..3).flat_map(|_| [(first, 3), (second, 5)]).collect();
    still(in_turns(&turns), 70.0).end()
}

/// The first round is by the descheduler, the others are by somebody else.
fn joined(take: &impl Fn(Draft, &str) -> Draft) -> Timeline {
    let draft = round(settled(), 10.0, "a", "d", "w1", &evict_for("RemoveDuplicates"));
    let draft = round(draft, 20.0, "d", "e", "w1", take);
    still(round(draft, 30.0, "e", "f", "w1", take), 40.0).end()
}

/// All pods that were thrown away but the first are deleted by somebody.
fn cleared_away_by(agent: &str) -> Timeline {
    let mut timeline = still(thrown_away(&[TAINT; 5], "w1"), 8.0).end();
    for entry in &mut timeline.entries {
        if let What::Request(request) = &mut entry.what
            && request.verb == "delete"
            && request.name != "web-p0"
        {
            agent.clone_into(&mut request.agent);
        }
    }
    timeline
}

/// The autoscaler makes five of three, and somebody six of five.
fn raised_on(agent: &str) -> Timeline {
    let draft = bounded(web(3).at(1.0).deployment("web", 3, 3), 1);
    still(scaled(scaled(draft, 10.0, HPA, 5), 20.0, agent, 6), 30.0).end()
}

fn raised_minimum() -> Timeline {
    let draft = bounded(web(3).at(1.0).deployment("web", 3, 3), 1);
    still(scaled(bounded(draft.at(5.0), 6), 10.0, HPA, 6), 30.0).end()
}

/// An apply takes one of six away, and somebody else goes below the floor.
fn pushed_down() -> Timeline {
    let draft = keeps_floor::hpa(web(6).at(1.0).deployment("web", 6, 6), 3);
    let draft = keeps_floor::apply(draft.at(10.0), 5);
    let draft = scaled(draft, 12.0, "keeper", 1);
    still(scaled(draft, 20.0, HPA, 5), 30.0).end()
}

/// An apply goes below the floor, and two bring it back.
fn brought_back_by_two() -> Timeline {
    let draft = keeps_floor::apply(keeps_floor::scaled().at(10.0), 1);
    let draft = scaled(draft, 15.0, "keeper", 2);
    still(scaled(draft, 20.0, HPA, 5), 30.0).end()
}

/// Jobs of a cron job, one after the other, whose pods do what they should and are cleaned away.
fn jobs() -> Timeline {
    let mut draft = Draft::new("t")
        .nodes(&["w1"])
        .mark("applied")
        .workload("cronjob", "web", |_| ());
    for n in 0..6 {
        let (job, uid) = (format!("web-{n}"), format!("p{n}"));
        draft = draft
            .at(f64::from(n) * 5.0 + 1.0)
            .workload("job", &job, |seen| {
                seen.wanted = 1;
                seen.owner = Some(crate::OwnerRef {
                    kind: "CronJob".to_owned(),
                    name: "web".to_owned(),
                    uid: "uid-web".to_owned(),
                });
            })
            .owned_by("Job", &job)
            .pod_with(&uid, Some("w1"), |pod| pod.ready = false)
            .at(f64::from(n) * 5.0 + 2.0)
            .pod_with(&uid, Some("w1"), |pod| {
                (pod.ready, pod.phase) = (false, "Succeeded".to_owned());
            })
            .at(f64::from(n) * 5.0 + 3.0)
            .pod_with(&uid, Some("w1"), |pod| {
                (pod.ready, pod.phase, pod.terminating) = (false, "Succeeded".to_owned(), true);
            });
    }
    still(draft, 33.0).end()
}

/// Three pods of a rollout without a surge, each in the place of an old one; nobody wrote down who did it.
fn rollout_unaudited() -> Timeline {
    let draft = settled();
    let pairs = [("a", "d", "w1"), ("b", "e", "w1"), ("c", "f", "w2")];
    let draft = pairs
        .into_iter()
        .zip([10.0, 20.0, 30.0])
        .fold(draft, |draft, ((old, new, node), at)| {
            draft
                .at(at)
                .owned()
                .terminating(old, node)
                .owned_by("ReplicaSet", "web-2")
                .replica_set("web-2", 3)
                .pod(new, None)
                .at(at + 1.0)
                .owned()
                .gone(old, node)
                .at(at + 2.0)
                .owned_by("ReplicaSet", "web-2")
                .pod(new, Some(node))
        });
    without_requests(still(draft, 40.0).end())
}

/// The same placement comes back under another revision each time.
fn revisions() -> Timeline {
    let mut draft = settled();
    for (n, (old, new)) in [("a", "d"), ("d", "e"), ("e", "f")].into_iter().enumerate() {
        let set = format!("web-{}", n + 2);
        draft = draft
            .at(10.0 * (n + 1) as f64)
            .asked((KEEPER, "delete pods", &format!("web-{old}")), |_| ())
            .terminating(old, "w1")
            .owned_by("ReplicaSet", &set)
            .replica_set(&set, 3)
            .pod(new, Some("w1"));
        for other in ["b", "c"] {
            draft = draft.pod(other, Some(if other == "b" { "w1" } else { "w2" }));
        }
    }
    still(draft, 40.0).end()
}

/// A rollout that waits for a pod, while an autoscaler writes with what it read too long ago.
fn conflicting() -> Timeline {
    let draft = web(3).at(1.0).workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.updated, web.available) = (3, 3, 2, 2);
    });
    let conflict = |draft: Draft, at: f64| {
        draft.at(at).asked((HPA, "update deployments/scale", "web"), |r| {
            r.code = 409;
            r.refusal =
                Some("Conflict: Operation cannot be fulfilled on deployments.apps \"web\"".to_owned());
        })
    };
    still([10.0, 20.0, 30.0].into_iter().fold(draft, conflict), 90.0).end()
}

/// Each entry comes twice.
fn told_twice(mut timeline: Timeline) -> Timeline {
    let end = timeline.entries.pop();
    timeline.entries = timeline
        .entries
        .into_iter()
        .flat_map(|entry| [entry.clone(), entry])
        .collect();
    timeline.entries.extend(end);
    timeline
}

/// Two nodes stop because the scenario stops them, the second under the pod of the first.
fn stopped_by_hand(both: bool) -> Timeline {
    let draft = stays_up::settled().at(9.0).step("stop w1");
    let draft = stays_up::stops(draft, 10.0, "w1");
    let draft = stays_up::moves(draft, 15.0, ("a", "w1"), ("b", "w2"));
    let draft = if both {
        draft.at(19.0).step("stop w2")
    } else {
        draft
    };
    still(stays_up::stops(draft, 20.0, "w2"), 40.0).end()
}

fn forbidden_evictions() -> Timeline {
    let mut timeline = still(progresses::drained(KUBECTL, &[403; 7]), 45.0).end();
    for entry in &mut timeline.entries {
        if let What::Request(request) = &mut entry.what
            && request.code == 403
        {
            request.refusal = Some("Forbidden: cannot create resource \"pods/eviction\"".to_owned());
        }
    }
    timeline
}

/// Replica sets that somebody else makes in the deployment's name.
fn foreign_replica_sets() -> Timeline {
    let mut draft = web(1).deployment("web", 1, 1);
    for n in 2..6 {
        let name = format!("web-{n}");
        draft = draft
            .at(f64::from(n))
            .asked(("keeper", "create replicasets", &name), replicas(0))
            .replica_set(&name, 0);
    }
    still(draft, 10.0).end()
}

/// An apply takes three of six away before the mark, and the autoscaler brings them back. What takes them away after the mark is
/// not written down.
fn fallen_again() -> Timeline {
    let hpa = |draft: Draft, desired: i64| {
        draft.what(What::Hpa(seen(HpaSeen {
            min: 1,
            max: 9,
            current: desired,
            desired,
            cpu_percent: Some(60),
            target_percent: Some(50),
            ..super::hpa_of_web()
        })))
    };
    let draft = hpa(web(6).at(1.0).deployment("web", 6, 6), 6);
    let draft = keeps_floor::apply(draft.at(10.0), 3);
    let draft = hpa(scaled(draft, 15.0, HPA, 6), 6).at(20.0).mark("again");
    still(draft.at(25.0).deployment("web", 3, 6), 40.0).end()
}

/// Pods of a stateful set, evicted one after the other, of which only Events say why.
fn evicted_by_events(reasons: &[&str]) -> Timeline {
    let mut draft = Draft::new("t")
        .nodes(&["w1", "w2"])
        .mark("applied")
        .workload("statefulset", "web", |seen| seen.wanted = 1)
        .owned_by("StatefulSet", "web")
        .at(1.0)
        .pod_with("a", Some("w1"), |pod| pod.name = "web-0".to_owned());
    let names = ["a", "b", "c", "d"];
    for ((pair, reason), at) in names.windows(2).zip(reasons).zip([10.0, 20.0, 30.0]) {
        draft = draft
            .at(at)
            .request((DESCHEDULER, "create pods/eviction", "web-0"))
            .at(at + 0.1)
            .what(What::Event(crate::EventSeen {
                about: "Pod/web-0".to_owned(),
                reason: (*reason).to_owned(),
                source: "sigs.k8s.io/descheduler".to_owned(),
                ..crate::EventSeen::default()
            }))
            .at(at + 0.2)
            .pod_with(pair[0], Some("w1"), |pod| {
                (pod.name, pod.terminating) = ("web-0".to_owned(), true);
            })
            .what(What::Pod(crate::Sighting {
                change: crate::Change::Gone,
                state: crate::PodSeen {
                    name: "web-0".to_owned(),
                    terminating: true,
                    owner: Some(crate::OwnerRef {
                        kind: "StatefulSet".to_owned(),
                        name: "web".to_owned(),
                        uid: "uid-web".to_owned(),
                    }),
                    ..crate::testing::pod(pair[0], Some("w1"))
                },
            }))
            .pod_with(pair[1], None, |pod| pod.name = "web-0".to_owned())
            .at(at + 1.0)
            .asked((SCHEDULER, "create pods/binding", "web-0"), |r| {
                r.node = Some("w1".to_owned())
            })
            .pod_with(pair[1], Some("w1"), |pod| pod.name = "web-0".to_owned());
    }
    still(draft, 40.0).end()
}

const FOR_DUPLICATES: &str = "
failure: {rests: violated, as: evict-loop, of: statefulset/web, by: [descheduler], because: RemoveDuplicates, at-least: 3 rounds}
";

const FALLS: &str = "
failure: {scales-with-load: violated, as: unexplained-fall, of: deployment/web, since: again, by: [kubectl apply]}
";

super::drawings! {
    an_oscillation_that_somebody_else_keeps_up_is_another_failure:
        TWO_AUTOSCALERS, turns("keeper", HPA) => Said::Inconclusive("also by keeper");
    an_oscillation_of_the_named_alone_is_the_failure:
        TWO_AUTOSCALERS, turns(HPA, HPA) => Said::Reproduced;
    replicas_that_follow_a_load_that_swings_are_another_failure:
        SWINGING_LOAD, turns(HPA, HPA) => Said::Inconclusive("the load that was offered changed");
    a_loop_that_somebody_else_goes_on_with_is_another_failure:
        EVICTS_FOR_ANY_REASON, joined(&by(KUBECTL, "create pods/eviction")) => Said::Inconclusive("also by kubectl drain");
    a_loop_that_somebody_goes_on_with_by_deletions_is_another_failure:
        EVICTS_FOR_ANY_REASON, joined(&by(KUBECTL, "delete pods")) => Said::Inconclusive("evict");
    what_somebody_does_after_a_loop_was_complete_takes_nothing_back:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, by: [descheduler], at-least: 3 rounds}",
        still(round(rounds(&[10.0, 20.0, 30.0], "w1", &evict_for("RemoveDuplicates")), 40.0, "f", "g", "w1", &by(SCHEDULER, "delete pods")), 50.0)
            .end() => Said::Reproduced;
    pods_that_somebody_else_clears_away_are_another_failure:
        RECREATES, cleared_away_by(KUBECTL) => Said::Inconclusive("also by kubectl");
    a_rise_that_somebody_else_ends_is_another_failure:
        TO_SIX, raised_on(KUBECTL) => Said::Inconclusive("also by kubectl");
    a_rise_to_a_number_by_the_named_alone_is_the_failure:
        TO_SIX, raised_on(HPA) => Said::Reproduced;
    a_rise_to_the_minimum_is_no_over_scale:
        TO_SIX, raised_minimum() => Said::Absent;
    a_dip_that_somebody_else_makes_deeper_is_another_failure:
        keeps_floor::UNDERCUT, pushed_down() => Said::Inconclusive("also by keeper");
    a_dip_that_somebody_else_helps_to_mend_is_another_failure:
        keeps_floor::UNDERCUT, brought_back_by_two() => Said::Inconclusive("keeper");
    a_drain_that_takes_one_while_another_is_lost_by_itself_did_not_make_the_dip:
        keeps_floor::DRAINED, still(settled().at(10.0).request((KUBECTL, "create pods/eviction", "web-a")).at(10.1).terminating("a", "w1")
            .deployment("web", 3, 2).at(12.0).deployment("web", 3, 1), 30.0).end() => Said::Inconclusive("also by somebody");
    pods_of_jobs_that_did_what_they_should_are_not_thrown_away:
        "failure: {rests: violated, as: recreate-loop, of: cronjob/web, at-least: 3 pods}", jobs() => Said::Absent;
    a_rollout_is_no_loop_even_where_nothing_says_who_did_it:
        "failure: {rests: violated, as: placement-swap, of: deployment/web, at-least: 2 rounds}",
        rollout_unaudited() => Said::Inconclusive("has begun");
    a_loop_that_was_complete_before_it_was_scaled_was_one:
        EVICTS, still(rounds(&[10.0, 20.0, 30.0], "w1", &evict_for("RemoveDuplicates")).at(40.0).deployment("web", 1, 3), 90.0).end()
            => Said::Reproduced;
    a_loop_that_is_told_twice_has_as_many_rounds:
        EVICTS, told_twice(still(rounds(&[10.0, 20.0], "w1", &evict_for("RemoveDuplicates")), 90.0).end()) => Said::Absent;
    places_that_come_back_to_another_revision_are_no_loop:
        SWAPS, revisions() => Said::Inconclusive("it is a replicaset-explosion, and no placement-swap");
    nodes_that_the_scenario_stops_are_no_cascade:
        "failure: {stays-up: violated, as: cascade, of: nodes, at-least: 2 nodes}", stopped_by_hand(true) => Said::Absent;
    a_cascade_may_begin_with_a_node_that_the_scenario_stops:
        "failure: {stays-up: violated, as: cascade, of: nodes, at-least: 2 nodes}", stopped_by_hand(false) => Said::Reproduced;
    evictions_that_are_forbidden_are_not_held_up_by_a_budget:
        progresses::DRAIN, forbidden_evictions() => Said::Inconclusive("cannot create resource");
    a_write_that_comes_too_late_and_is_done_again_holds_no_rollout_up:
        "failure: {progresses: violated, of: deployment/web, for: 60s}", conflicting() => Said::Inconclusive("2 of 3 pods are of the newest template");
    replicas_that_go_to_nothing_and_come_back_oscillate:
        TWO_AUTOSCALERS, still(in_turns(&[(HPA, 0), (HPA, 5), (HPA, 0), (HPA, 5), (HPA, 0), (HPA, 5)]), 70.0).end() => Said::Reproduced;
    replica_sets_that_somebody_else_makes_are_no_explosion:
        EXPLODES, foreign_replica_sets() => Said::Absent;
    a_fall_that_nobody_is_known_to_have_made_is_not_an_earlier_ones:
        FALLS, fallen_again() => Said::Absent;
    each_eviction_has_the_reason_of_its_own_event:
        FOR_DUPLICATES, evicted_by_events(&["RemoveDuplicates", "LowNodeUtilization", "LowNodeUtilization"])
            => Said::Inconclusive("for LowNodeUtilization, not for RemoveDuplicates");
    evictions_of_one_name_for_the_named_reason_are_the_failure:
        FOR_DUPLICATES, evicted_by_events(&["RemoveDuplicates"; 3]) => Said::Reproduced;
}
