use super::{DEPLOYMENTS, HPA, KUBECTL, NODES, RS, SCHEDULER, Said, replicas, still, web};
use crate::timeline::drawn::Draft;
use crate::timeline::{OwnerRef, Timeline};

pub(super) const DESCHEDULER: &str = "descheduler";

pub(super) const EVICTS: &str = "
failure:
  rests: violated
  as: evict-loop
  of: deployment/web
  by: [descheduler, kube-scheduler]
  because: RemoveDuplicates
  at-least: 3 rounds
  while: {wanted: 3}
";

pub(super) const EVICTS_IN_CYCLES: &str = "
steps: [{apply: 10-web.yaml}, {descheduler: {policy: policy.yaml, every: 10s}}]
failure: {rests: violated, as: evict-loop, of: deployment/web, by: [descheduler], at-least: 3 rounds}
";

const PREEMPTS: &str =
    "failure: {rests: violated, as: preemption-loop, of: deployment/web, by: [kube-scheduler]}";
pub(super) const SWAPS: &str =
    "failure: {rests: violated, as: placement-swap, of: deployment/web, by: [keeper]}";

/// Three pods, two of them on the first node.
pub(super) fn settled() -> Draft {
    web(3)
        .at(1.0)
        .pods(&[("a", "w1"), ("b", "w1"), ("c", "w2")])
        .deployment("web", 3, 3)
}

/// `old` goes at a time, as `take` says it, and `new` comes in its place two seconds later.
pub(super) fn round(
    draft: Draft,
    at: f64,
    old: &str,
    new: &str,
    node: &str,
    take: &impl Fn(Draft, &str) -> Draft,
) -> Draft {
    let (gone, made) = (format!("web-{old}"), format!("web-{new}"));
    take(draft.at(at), &gone)
        .at(at + 0.01)
        .terminating(old, "w1")
        .request((RS, "create pods", &made))
        .pod(new, None)
        .at(at + 1.5)
        .gone(old, "w1")
        .at(at + 2.0)
        .asked((SCHEDULER, "create pods/binding", &made), |r| {
            r.node = Some(node.to_owned())
        })
        .pod(new, Some(node))
}

pub(super) fn rounds(times: &[f64], node: &str, take: &impl Fn(Draft, &str) -> Draft) -> Draft {
    let names = ["a", "d", "e", "f", "g", "h"];
    let pairs = names.windows(2).zip(times);
    pairs.fold(settled(), |draft, (pair, &at)| {
        round(draft, at, pair[0], pair[1], node, take)
    })
}

pub(super) fn evict_for(why: &'static str) -> impl Fn(Draft, &str) -> Draft {
    move |draft, pod| {
        draft.asked((DESCHEDULER, "create pods/eviction", pod), |r| {
            r.why = Some(why.to_owned())
        })
    }
}

pub(super) fn by(agent: &'static str, what: &'static str) -> impl Fn(Draft, &str) -> Draft {
    move |draft, pod| draft.request((agent, what, pod))
}

fn three(take: &impl Fn(Draft, &str) -> Draft) -> Timeline {
    still(rounds(&[10.0, 20.0, 30.0], "w1", take), 40.0).end()
}

/// The same pods of another deployment, without anything that happens to `web`.
fn of_another() -> Timeline {
    let mut timeline = three(&evict_for("RemoveDuplicates"));
    let other = Draft::new("t").deployment("other", 3, 3).done();
    for entry in &mut timeline.entries {
        if let crate::timeline::What::Workload(seen) = &mut entry.what
            && seen.state.kind == "replicaset"
        {
            seen.state.owner = Some(OwnerRef {
                kind: "Deployment".to_owned(),
                name: "other".to_owned(),
                uid: String::new(),
            });
        }
    }
    timeline.entries.splice(0..0, other.entries);
    timeline
}

pub(super) fn without_requests(mut timeline: Timeline) -> Timeline {
    timeline
        .entries
        .retain(|entry| !matches!(entry.what, crate::timeline::What::Request(_)));
    timeline
}

/// Three evictions of a pod, each answered so.
fn refused(codes: [u16; 3]) -> Timeline {
    let refuse = |draft: Draft, (at, code): (f64, u16)| {
        draft
            .at(at)
            .asked((DESCHEDULER, "create pods/eviction", "web-a"), |r| {
                r.code = code;
                r.why = Some("RemoveDuplicates".to_owned());
            })
    };
    let refused = [10.0, 20.0, 30.0].into_iter().zip(codes).fold(settled(), refuse);
    still(refused, 40.0).end()
}

/// With a write of the workload between the first two attempts.
fn written_between(mut timeline: Timeline) -> Timeline {
    let write = Draft::new("t")
        .at(15.0)
        .asked((KUBECTL, "patch deployments", "web"), replicas(3))
        .done();
    timeline.insert(write.entries[0].clone());
    timeline
}

fn marked(mut timeline: Timeline, at: f64) -> Timeline {
    let mark = Draft::new("t").at(at).mark("later").done();
    timeline.insert(mark.entries[0].clone());
    timeline
}

/// A pod goes at the very mark, at which another has its place and the last one gets one; two rounds come after it.
fn moved_at_the_mark() -> Timeline {
    let draft = web(3).at(1.0).pods(&[("a", "w1"), ("b", "w1")]).pod("c", None);
    let draft = evict_for("RemoveDuplicates")(draft.deployment("web", 3, 2).at(10.0).mark("later"), "web-a");
    let draft = draft.terminating("a", "w1").pods(&[("d", "w1"), ("c", "w2")]);
    let draft = round(draft, 20.0, "d", "e", "w1", &evict_for("RemoveDuplicates"));
    still(
        round(draft, 30.0, "e", "f", "w1", &evict_for("RemoveDuplicates")),
        40.0,
    )
    .end()
}

/// A pod goes to an empty node, back, and there again.
fn to_and_fro() -> Timeline {
    let draft = settled()
        .round(10.0, ("a", "w1"), ("d", "w3"))
        .round(20.0, ("d", "w3"), ("e", "w1"))
        .round(30.0, ("e", "w1"), ("f", "w3"));
    still(draft, 40.0).end()
}

/// A deployment's own controller takes pods away and makes others, as in a rollout, and places come back.
fn rolled_out() -> Timeline {
    three(&by(RS, "delete pods"))
}

fn preempted() -> Timeline {
    let names = ["a", "d", "e", "f"];
    let draft = names
        .windows(2)
        .zip([10.0, 20.0, 30.0])
        .fold(settled(), |draft, (pair, at)| {
            let draft = draft.at(at).pod_with(pair[0], Some("w1"), |pod| {
                pod.disruption = Some("PreemptionByScheduler".to_owned())
            });
            let made = format!("web-{}", pair[1]);
            draft
                .request((SCHEDULER, "delete pods", &format!("web-{}", pair[0])))
                .pod_with(pair[0], Some("w1"), |pod| {
                    pod.terminating = true;
                    pod.disruption = Some("PreemptionByScheduler".to_owned());
                })
                .request((RS, "create pods", &made))
                .pod(pair[1], None)
                .at(at + 2.0)
                .gone(pair[0], "w1")
                .request((SCHEDULER, "create pods/binding", &made))
                .pod(pair[1], Some("w1"))
        });
    still(draft, 40.0).end()
}

/// The same, with the scheduler's condition on what is gone.
fn preempted_by_condition() -> Timeline {
    let mut timeline = preempted();
    for entry in &mut timeline.entries {
        if let crate::timeline::What::Pod(pod) = &mut entry.what
            && pod.state.terminating
        {
            pod.state.disruption = Some("PreemptionByScheduler".to_owned());
        }
    }
    timeline
}

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
            .what(crate::timeline::What::Pod(crate::timeline::Sighting {
                change: crate::timeline::Change::Gone,
                state: crate::timeline::PodSeen {
                    phase: "Failed".to_owned(),
                    ready: false,
                    reason: Some((*reason).to_owned()),
                    disruption: Some("DeletionByTaintManager".to_owned()),
                    owner: Some(OwnerRef {
                        kind: "ReplicaSet".to_owned(),
                        name: "web-1".to_owned(),
                        uid: "uid-web-1".to_owned(),
                    }),
                    ..crate::timeline::drawn::pod(&uid, Some(node))
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
        if let crate::timeline::What::Pod(pod) = &mut entry.what
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
        if let crate::timeline::What::Request(request) = &mut entry.what
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

pub(super) const KEEPER: &str = "keeper";

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
        if let crate::timeline::What::Request(request) = &mut entry.what
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
    pods_that_a_descheduler_evicts_and_the_scheduler_puts_back_are_a_loop:
        EVICTS, three(&evict_for("RemoveDuplicates")) => Said::Reproduced;
    two_rounds_are_no_loop_once_it_is_quiet:
        EVICTS, still(rounds(&[10.0, 20.0], "w1", &evict_for("RemoveDuplicates")), 60.0).end() => Said::Absent;
    two_rounds_that_go_on_are_no_rest:
        EVICTS, still(rounds(&[10.0, 20.0], "w1", &evict_for("RemoveDuplicates")), 30.0).end()
            => Said::Inconclusive("has begun and is not complete");
    a_placement_that_gets_better_and_stays_is_no_loop:
        EVICTS, still(rounds(&[10.0], "w3", &evict_for("RemoveDuplicates")), 60.0).end() => Said::Absent;
    a_loop_for_another_plugin_is_another_failure:
        EVICTS, three(&evict_for("LowNodeUtilization")) => Said::Inconclusive("for LowNodeUtilization, not for RemoveDuplicates");
    a_loop_of_which_nothing_says_why_is_not_the_named_one:
        EVICTS, three(&by(DESCHEDULER, "create pods/eviction")) => Said::Inconclusive("for no reason given");
    a_loop_by_somebody_else_is_another_failure:
        EVICTS, three(&|draft, pod| draft.asked((KUBECTL, "create pods/eviction", pod), |r| r.why = Some("RemoveDuplicates".to_owned())))
            => Said::Inconclusive("by kubectl drain (played by kubeclash), replicaset-controller, kube-scheduler, without descheduler");
    a_loop_of_another_workload_is_another_failure:
        EVICTS, of_another() => Said::Inconclusive("not of deployment/web");
    evictions_that_are_refused_again_and_again_are_no_rest:
        EVICTS, refused([429; 3]) => Said::Inconclusive("3 attempts to evict its pods are refused");
    a_loop_in_which_another_number_is_wanted_is_another_failure:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, while: {wanted: 4}}",
        three(&evict_for("RemoveDuplicates")) => Said::Inconclusive("not wanted 4 all the while");
    refused_evictions_are_a_loop_that_can_be_named:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, by: [descheduler], because: '429'}",
        refused([429; 3]) => Said::Reproduced;
    a_refusal_without_words_has_those_of_its_status:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, because: [403 Forbidden, 409 Conflict, 422 Unprocessable Entity]}",
        refused([403, 409, 422]) => Said::Reproduced;
    what_a_workloads_own_controller_takes_away_is_no_eviction:
        EVICTS, rolled_out() => Said::Absent;
    without_an_audit_log_the_placement_tells_the_loop_and_nobody_is_blamed:
        "failure: {rests: violated, as: placement-swap, of: deployment/web, by: [descheduler]}",
        without_requests(three(&evict_for("x"))) => Said::Reproduced;
    rounds_of_one_descheduling_cycle_are_one_round:
        EVICTS_IN_CYCLES, still(rounds(&[10.0, 12.5, 15.0], "w1", &evict_for("x")), 20.0).end()
            => Said::Inconclusive("has begun");
    rounds_of_a_cycle_each_are_a_loop:
        EVICTS_IN_CYCLES, three(&evict_for("x")) => Said::Reproduced;
    pods_that_are_preempted_and_put_back_are_a_preemption_loop:
        PREEMPTS, preempted() => Said::Reproduced;
    a_preemption_loop_is_no_evict_loop:
        EVICTS, preempted() => Said::Inconclusive("it is a preemption-loop, and no evict-loop");
    pods_that_a_controller_deletes_and_gets_back_swap_their_places:
        SWAPS, three(&by(KEEPER, "delete pods")) => Said::Reproduced;
    places_that_kubectl_swaps_are_not_the_controllers:
        SWAPS, three(&by(KUBECTL, "delete pods")) => Said::Inconclusive("without keeper");
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
    attempts_between_which_something_else_is_granted_are_a_loop:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, by: [descheduler], because: '429'}",
        written_between(refused([429; 3])) => Said::Reproduced;
    a_condition_says_why_a_pod_is_preempted:
        "failure: {rests: violated, as: preemption-loop, of: deployment/web, by: [kube-scheduler], because: PreemptionByScheduler}",
        preempted_by_condition() => Said::Reproduced;
    without_an_audit_log_a_condition_tells_the_preemption:
        PREEMPTS, without_requests(preempted_by_condition()) => Said::Reproduced;
    a_placement_that_is_there_when_the_question_begins_is_no_return:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, since: later}", moved_at_the_mark() => Said::Inconclusive("has begun");
    a_placement_that_comes_back_after_the_second_mark_is_not_asked_about:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, from: applied, to: later}",
        marked(three(&evict_for("RemoveDuplicates")), 31.0) => Said::Inconclusive("has begun");
    of_placements_that_come_back_as_often_the_first_is_told:
        "failure: {rests: violated, as: placement-swap, of: deployment/web, since: later}", marked(to_and_fro(), 5.0) => Said::Inconclusive("has begun");
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

fn drawn(claim: &str, timeline: Timeline) -> crate::verdict::Judgement {
    let drawing = super::Drawing {
        name: "figures",
        scenario: super::scenario(claim),
        timeline,
    };
    super::said(&drawing, &Said::Reproduced)
}

#[test]
fn a_loop_has_its_rounds_its_rate_its_period_and_its_placement() {
    let judged = drawn(EVICTS, three(&evict_for("RemoveDuplicates")));
    let facts = serde_json::json!({
        "rounds": 3, "evictions": 3, "evictions_per_min": 6.0, "placement": [2, 1, 0], "first_eviction_s": 10.01, "period_s": 10.0
    });
    assert_eq!(serde_json::Value::Object(judged.facts), facts);
    assert_eq!(judged.needed, Some(std::time::Duration::from_secs(32)));
    assert_eq!(judged.watched, std::time::Duration::from_secs(40));
    assert_eq!(
        judged.why,
        "deployment/web never rests: 3 rounds of evict and recreate, one every 10 s, each back at [2,1,0] (RemoveDuplicates)"
    );
    assert_eq!(
        judged.fight.as_deref(),
        Some(
            "descheduler evicts web-a from w1 (RemoveDuplicates) → replicaset-controller creates web-d → kube-scheduler binds it to w1"
        )
    );
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
