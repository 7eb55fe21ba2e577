//! Loops without places that come back: pods that never get ready, wanted replicas, replica sets.

use super::rests::{drawn, without_requests};
use super::{DEPLOYMENTS, HPA, KEEPER, KUBECTL, NODES, RS, Said, replicas, still, web};
use crate::testing::Draft;
use crate::{OwnerRef, Timeline};

pub(super) const RECREATES: &str = "
failure:
  rests: violated
  as: recreate-loop
  of: deployment/web
  on: w1
  by: [replicaset-controller, taint-eviction-controller]
  because: TaintToleration
  at-least: 4 pods
  while: {ready: 0, wanted: 1}
";

/// Pods that a kubelet rejects one after the other, each for a reason.
pub(super) fn thrown_away(reasons: &[&str], node: &str) -> Draft {
    let mut draft = web(1).deployment("web", 1, 0);
    for (n, reason) in reasons.iter().enumerate() {
        let (uid, at) = (format!("p{n}"), 1.0 + n as f64);
        let name = format!("web-{uid}");
        draft = draft
            .at(at)
            .request((RS, "create pods", &name))
            .pod_with(&uid, Some(node), |pod| {
                pod.ready = false;
                pod.phase = "Pending".to_owned();
            })
            .at(at + 0.1)
            .request(("kubelet/kubeclash", "patch pods/status", &name))
            .rejected(&uid, node, reason)
            .at(at + 0.2)
            .request((NODES, "delete pods", &name))
            .what(crate::What::Pod(crate::Sighting {
                change: crate::Change::Gone,
                state: crate::PodSeen {
                    phase: "Failed".to_owned(),
                    ready: false,
                    reason: Some((*reason).to_owned()),
                    disruption: Some("DeletionByTaintManager".to_owned()),
                    owner: Some(OwnerRef {
                        kind: "ReplicaSet".to_owned(),
                        name: "web-1".to_owned(),
                        uid: "uid-web-1".to_owned(),
                    }),
                    ..crate::testing::pod(&uid, Some(node))
                },
            }));
    }
    draft
}

pub(super) const TAINT: &str = "TaintToleration";

/// One that is deleted by the taint manager before a kubelet looks at it, and then others.
fn deleted_first() -> Timeline {
    let mut timeline = still(thrown_away(&[TAINT; 5], "w1"), 8.0).end();
    for entry in &mut timeline.entries {
        if let crate::What::Pod(pod) = &mut entry.what
            && pod.state.uid == "p0"
        {
            pod.state.reason = None;
            pod.state.phase = "Pending".to_owned();
        }
    }
    timeline
}

/// Three pods of so many that are wanted, of which some are thrown away from 4 s on, each for a reason.
fn made_before_thrown_away(wanted: i64, reasons: &[&str]) -> Timeline {
    let draft = ["p0", "p1", "p2"].into_iter().zip([1.0, 2.0, 3.0]).fold(
        web(wanted).at(0.5).mark("later"),
        |draft, (uid, at)| {
            draft.at(at).pod_with(uid, Some("w1"), |pod| {
                (pod.ready, pod.phase) = (false, "Pending".to_owned());
            })
        },
    );
    let draft = reasons.iter().enumerate().fold(draft, |draft, (n, reason)| {
        draft.at(4.0 + n as f64).rejected(&format!("p{n}"), "w1", reason)
    });
    still(draft, 8.0).end()
}

/// A pod that was ready goes while two of four are thrown away.
fn a_ready_one_goes() -> Timeline {
    let draft = web(1).at(0.5).pod("ready", Some("w1"));
    let pending = |draft: Draft, uid: &str| {
        draft.pod_with(uid, Some("w1"), |pod| {
            (pod.ready, pod.phase) = (false, "Pending".to_owned());
        })
    };
    let draft = ["p0", "p1", "p2", "p3"].into_iter().fold(draft.at(1.0), pending);
    let draft = draft.at(2.0).terminating("ready", "w1");
    let draft = draft.at(3.0).failed("p0", "w1").at(4.0).failed("p1", "w1");
    still(draft, 8.0).end()
}

/// The last of five is cleared away by somebody else.
fn last_cleared_away_by(agent: &str) -> Timeline {
    let mut timeline = still(thrown_away(&[TAINT; 5], "w1"), 8.0).end();
    for entry in &mut timeline.entries {
        if let crate::What::Request(request) = &mut entry.what
            && request.verb == "delete"
            && request.name == "web-p4"
        {
            agent.clone_into(&mut request.agent);
        }
    }
    timeline
}

fn one_gets_ready() -> Timeline {
    let draft = thrown_away(&[TAINT; 2], "w1").at(3.5).pod("ready", Some("w1"));
    still(draft.deployment("web", 1, 1), 60.0).end()
}

fn fewer_are_wanted() -> Timeline {
    let mut timeline = still(thrown_away(&[TAINT; 5], "w1"), 60.0).end();
    let change = Draft::new("t").at(3.5).deployment("web", 2, 0).done();
    timeline.insert(change.entries[0].clone());
    timeline
}

const OSCILLATES: &str = "
failure:
  rests: violated
  as: replica-oscillation
  of: deployment/web
  by: [keeper, horizontal-pod-autoscaler]
  at-least: 3 rounds
";

/// Replicas that are set in turns, from 5 on.
pub(super) fn in_turns(turns: &[(&str, i64)]) -> Draft {
    let mut draft = web(5).at(1.0).deployment("web", 5, 5);
    for (n, (agent, number)) in turns.iter().enumerate() {
        draft = draft
            .at(10.0 * (n + 1) as f64)
            .asked((agent, "update deployments/scale", "web"), replicas(*number))
            .deployment("web", *number, 5);
    }
    draft
}

fn contested(rounds: usize) -> Draft {
    let turns: Vec<(&str, i64)> = (0..rounds).flat_map(|_| [(KEEPER, 3), (HPA, 5)]).collect();
    in_turns(&turns)
}

/// Replica sets of which nothing but steps of the scenario could be the reason, one before each.
fn unaudited_sets(step: &str) -> Timeline {
    let mut timeline = without_requests(still(replica_sets(4, false), 10.0).end());
    for at in [1.5, 2.5, 3.5, 4.5] {
        let step = Draft::new("t").at(at).step(step).done();
        timeline.insert(step.entries[0].clone());
    }
    timeline
}

/// Replica sets, each after a write that was refused.
fn sets_after_refusals() -> Timeline {
    let mut timeline = still(replica_sets(4, true), 10.0).end();
    for entry in &mut timeline.entries {
        if let crate::What::Request(request) = &mut entry.what
            && request.verb == "patch"
        {
            request.code = 403;
        }
    }
    timeline
}

/// A deployment that had collisions before it was first seen.
fn collided_before() -> Timeline {
    let draft = Draft::new("t").nodes(&["w1"]).mark("applied").at(1.0);
    let draft = draft.workload("deployment", "web", |web| {
        (
            web.wanted,
            web.replicas,
            web.updated,
            web.available,
            web.collisions,
        ) = (1, 1, 1, 1, Some(3));
    });
    still(draft, 60.0).end()
}

pub(super) const EXPLODES: &str = "
failure: {rests: violated, as: replicaset-explosion, of: deployment/web, by: [deployment-controller], at-least: 3 replicasets}
";

/// Replica sets that are made one after the other; with a write of the deployment before each, or not.
pub(super) fn replica_sets(count: usize, written: bool) -> Draft {
    let mut draft = web(1).deployment("web", 1, 1);
    for n in 2..2 + count {
        draft = draft.at(n as f64);
        if written {
            draft = draft.asked((KUBECTL, "patch deployments", "web"), replicas(1));
        }
        let name = format!("web-{n}");
        draft = draft.at(n as f64 + 0.1).replica_set(&name, 0);
        draft = draft.asked((DEPLOYMENTS, "create replicasets", &name), replicas(0));
    }
    draft
}

super::drawings! {
    pods_that_a_kubelet_rejects_for_ever_are_a_loop:
        RECREATES, still(thrown_away(&[TAINT; 5], "w1"), 8.0).end() => Said::Reproduced;
    a_taint_that_is_not_tolerated_has_two_names:
        RECREATES, deleted_first() => Said::Reproduced;
    pods_that_are_rejected_for_another_reason_are_another_failure:
        RECREATES, still(thrown_away(&["OutOfcpu"; 5], "w1"), 8.0).end()
            => Said::Inconclusive("for OutOfcpu, not for TaintToleration");
    one_pod_of_another_reason_makes_it_another_failure:
        RECREATES, still(thrown_away(&[TAINT, "OutOfcpu", TAINT, TAINT, TAINT], "w1"), 8.0).end()
            => Said::Inconclusive("for OutOfcpu");
    pods_that_are_rejected_elsewhere_are_another_failure:
        RECREATES, still(thrown_away(&[TAINT; 5], "w2"), 8.0).end() => Said::Inconclusive("on w2, not on w1");
    two_pods_that_were_thrown_away_before_one_was_ready_are_no_loop:
        RECREATES, one_gets_ready() => Said::Absent;
    a_change_of_what_is_wanted_begins_the_count_anew:
        RECREATES, fewer_are_wanted() => Said::Absent;
    three_pods_of_four_that_go_on_are_neither:
        RECREATES, still(thrown_away(&[TAINT; 3], "w1"), 5.0).end() => Said::Inconclusive("has begun");
    three_pods_of_four_are_no_loop_once_it_is_quiet:
        RECREATES, still(thrown_away(&[TAINT; 3], "w1"), 60.0).end() => Said::Absent;
    two_that_set_replicas_in_turns_oscillate:
        OSCILLATES, still(contested(3), 70.0).end() => Said::Reproduced;
    none_at_all_is_a_number_of_replicas_as_well:
        OSCILLATES, still(in_turns(&[(KEEPER, 0), (HPA, 5), (KEEPER, 0), (HPA, 5), (KEEPER, 0), (HPA, 5)]), 70.0).end()
            => Said::Reproduced;
    replicas_that_come_back_twice_are_no_oscillation_once_it_is_quiet:
        OSCILLATES, still(contested(2), 100.0).end() => Said::Absent;
    replicas_that_come_back_and_go_on_are_neither:
        OSCILLATES, still(contested(2), 45.0).end() => Said::Inconclusive("has begun");
    an_autoscaler_against_itself_is_not_the_named_oscillation:
        OSCILLATES, still(in_turns(&[(HPA, 3), (HPA, 5), (HPA, 3), (HPA, 5), (HPA, 3), (HPA, 5)]), 70.0).end()
            => Said::Inconclusive("by horizontal-pod-autoscaler, without keeper");
    replicas_that_only_rise_do_not_oscillate:
        OSCILLATES, still(in_turns(&[(KEEPER, 6), (HPA, 7), (KEEPER, 8), (HPA, 9)]), 100.0).end() => Said::Absent;
    replica_sets_that_no_write_explains_are_an_explosion:
        EXPLODES, still(replica_sets(3, false), 10.0).end() => Said::Reproduced;
    replica_sets_of_a_deployment_that_is_written_each_time_are_none:
        EXPLODES, still(replica_sets(5, true), 60.0).end() => Said::Absent;
    a_collision_count_that_grows_is_an_explosion:
        EXPLODES, still((1..=3).fold(web(1).deployment("web", 1, 1), |draft, n| {
            let draft = draft.at(f64::from(n)).asked((DEPLOYMENTS, "create replicasets", "web-1"), |r| r.code = 409);
            draft.workload("deployment", "web", |web| {
                web.wanted = 1;
                web.collisions = Some(i64::from(n));
            })
        }), 10.0).end() => Said::Reproduced;
    replica_sets_of_which_two_are_unexplained_and_go_on_are_neither:
        EXPLODES, still(replica_sets(2, false), 6.0).end() => Said::Inconclusive("has begun");
    the_pod_that_completes_a_loop_is_part_of_it:
        "failure: {rests: violated, as: recreate-loop, of: deployment/web, because: TaintToleration}",
        made_before_thrown_away(1, &[TAINT, "OutOfcpu"]) => Said::Inconclusive("for OutOfcpu, not for TaintToleration");
    a_pod_that_was_ready_is_none_of_those_that_are_thrown_away:
        "failure: {rests: violated, as: recreate-loop, of: deployment/web, at-least: 4 pods}", a_ready_one_goes() => Said::Inconclusive("has begun");
    what_is_wanted_when_the_question_begins_was_wanted_before:
        "failure: {rests: violated, as: recreate-loop, of: deployment/web, since: later}", made_before_thrown_away(2, &[TAINT]) => Said::Reproduced;
    who_clears_away_what_is_left_of_a_loop_did_not_make_it:
        "failure: {rests: violated, as: recreate-loop, of: deployment/web, by: [kubectl], at-least: 4 pods}",
        last_cleared_away_by(KUBECTL) => Said::Inconclusive("without kubectl");
    two_pods_of_four_that_go_on_are_neither:
        RECREATES, still(thrown_away(&[TAINT; 2], "w1"), 4.0).end() => Said::Inconclusive("has begun");
    one_pod_that_is_thrown_away_has_begun_nothing:
        RECREATES, still(thrown_away(&[TAINT; 1], "w1").at(3.0).pod("ready", Some("w1")).deployment("web", 1, 1), 4.0).end() => Said::Absent;
    replicas_that_go_a_long_way_are_told_by_its_beginning:
        OSCILLATES, still(contested(4), 90.0).end() => Said::Reproduced;
    who_makes_pods_makes_no_replica_sets:
        "failure: {rests: violated, as: replicaset-explosion, of: deployment/web, by: [replicaset-controller]}",
        still(replica_sets(2, false).at(3.5).request((RS, "create pods", "web-a")).pod("a", Some("w1")).at(4.0).replica_set("web-4", 0)
            .asked((DEPLOYMENTS, "create replicasets", "web-4"), replicas(0)).at(5.0).replica_set("web-5", 0)
            .asked((DEPLOYMENTS, "create replicasets", "web-5"), replicas(0)), 10.0).end() => Said::Inconclusive("without replicaset-controller");
    a_write_that_is_refused_explains_no_replica_set:
        EXPLODES, sets_after_refusals() => Said::Reproduced;
    without_an_audit_log_a_step_explains_a_replica_set:
        EXPLODES, unaudited_sets("patch deployment/web") => Said::Absent;
    a_step_that_only_waits_explains_none:
        EXPLODES, unaudited_sets("wait 1s") => Said::Reproduced;
    collisions_from_before_a_deployment_was_seen_do_not_grow:
        EXPLODES, collided_before() => Said::Absent;
}

#[test]
fn pods_that_are_thrown_away_are_counted_with_their_rate() {
    let judged = drawn(RECREATES, still(thrown_away(&[TAINT; 5], "w1"), 8.0).end());
    let facts = serde_json::json!({
        "distinct_pods": 5, "pods_per_min": 60.0, "max_terminating": 0, "first_eviction_s": 1.1
    });
    assert_eq!(serde_json::Value::Object(judged.facts), facts);
    // The fourth was made at 4 s, after three were thrown away.
    assert_eq!(judged.needed, Some(std::time::Duration::from_secs(4)));
    assert_eq!(
        judged.why,
        "deployment/web never rests: 5 pods, 60 a minute, one every 1.0 s, none ever ready (TaintToleration on w1)"
    );
    assert_eq!(
        judged.fight.as_deref(),
        Some(
            "replicaset-controller creates a pod → kubelet (played by kubeclash) rejects it on w1 (TaintToleration) → \
             taint-eviction-controller deletes it"
        )
    );
}

#[test]
fn an_oscillation_is_told_with_the_way_that_replicas_went() {
    let judged = drawn(OSCILLATES, still(contested(3), 70.0).end());
    let facts = serde_json::json!({
        "rounds": 3, "replicas": "5→3→5→3→5→3→5", "least_replicas": 3, "peak_replicas": 5, "first_change_s": 10.0
    });
    assert_eq!(serde_json::Value::Object(judged.facts), facts);
    assert_eq!(judged.needed, Some(std::time::Duration::from_secs(60)));
    assert_eq!(
        judged.fight.as_deref(),
        Some("keeper scales web 5→3 → horizontal-pod-autoscaler scales web 3→5")
    );
}

#[test]
fn an_explosion_is_told_with_what_was_written_before_it() {
    let judged = drawn(EXPLODES, still(replica_sets(4, false), 10.0).end());
    let facts = serde_json::json!({"replicasets": 4, "collisions": 0, "replicasets_per_min": 60.0});
    assert_eq!(serde_json::Value::Object(judged.facts), facts);
    assert_eq!(
        judged.why,
        "deployment/web never rests: 4 replica sets more than its changes explain, one every 1.0 s"
    );
}
