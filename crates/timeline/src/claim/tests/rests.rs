use super::{KEEPER, KUBECTL, RS, SCHEDULER, Said, replicas, still, web};
use crate::testing::Draft;
use crate::{OwnerRef, Timeline};

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
        if let crate::What::Workload(seen) = &mut entry.what
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
        .retain(|entry| !matches!(entry.what, crate::What::Request(_)));
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
        if let crate::What::Pod(pod) = &mut entry.what
            && pod.state.terminating
        {
            pod.state.disruption = Some("PreemptionByScheduler".to_owned());
        }
    }
    timeline
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
}

pub(super) fn drawn(claim: &str, timeline: Timeline) -> crate::Judgement {
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
