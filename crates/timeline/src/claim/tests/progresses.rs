use super::{KUBECTL, RS, Said, still, web};
use crate::testing::{Draft, seen};
use crate::{BudgetSeen, Timeline, What};

pub(super) const QUOTA: &str = "
failure:
  progresses: violated
  as: deadlock
  of: deployment/web
  by: [replicaset-controller]
  because: exceeded quota
  for: 60s
  while: {wanted: 3, ready: 3}
";

pub(super) const DRAIN: &str = "
failure: {progresses: violated, of: deployment/web, by: [kubectl drain], because: disruption budget}
";

/// A rollout with one new pod of three, of which a second may not be made.
pub(super) fn rollout(refusal: &'static str) -> Draft {
    let of = |updated: i64| {
        move |web: &mut crate::WorkloadSeen| {
            (web.wanted, web.replicas, web.ready, web.available, web.updated) = (3, 3, 3, 3, updated);
            web.max_unavailable = Some(0);
        }
    };
    let draft = web(3)
        .at(1.0)
        .workload("deployment", "web", of(3))
        .at(10.0)
        .workload("deployment", "web", of(0));
    [11.0, 15.0, 30.0]
        .into_iter()
        .fold(draft.replica_set("web-2", 0), |draft, at| {
            draft.at(at).asked((RS, "create pods", ""), |r| {
                r.code = 403;
                r.refusal = Some(format!("Forbidden: pods \"web-2-x7k2p\" is forbidden: {refusal}"));
            })
        })
}

fn moved_on(draft: Draft) -> Timeline {
    let draft = draft.at(40.0).workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.ready, web.available, web.updated) = (3, 3, 3, 3, 3);
    });
    still(draft, 120.0).end()
}

pub(super) fn budget(draft: Draft) -> Draft {
    draft.what(What::Budget(seen(BudgetSeen {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        selector: std::collections::BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        floor: 3,
        healthy: 3,
        allowed: 0,
    })))
}

/// A pod whose eviction is answered so, every 5 s.
pub(super) fn drained(agent: &str, answers: &[u16]) -> Draft {
    let draft = budget(
        web(3)
            .at(1.0)
            .pods(&[("a", "w1"), ("b", "w2"), ("c", "w3")])
            .deployment("web", 3, 3),
    );
    answers.iter().enumerate().fold(draft, |draft, (n, &code)| {
        draft
            .at(10.0 + 5.0 * n as f64)
            .asked((agent, "create pods/eviction", "web-a"), |r| r.code = code)
    })
}

/// A rollout of which its controller says two things.
fn troubled() -> Draft {
    web(3).at(1.0).workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.updated) = (3, 3, 1);
        web.troubles = vec![
            "ReplicaFailure: FailedCreate: exceeded quota".to_owned(),
            "Progressing: ProgressDeadlineExceeded".to_owned(),
        ];
    })
}

/// Five pods of which three are wanted, all of the newest template.
fn too_many() -> Draft {
    let draft = web(3).at(1.0).pods(&[("a", "w1"), ("b", "w2")]);
    draft.workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.updated, web.available) = (3, 5, 3, 5);
    })
}

super::drawings! {
    a_rollout_whose_pods_may_not_be_made_is_a_deadlock:
        QUOTA, still(rollout("exceeded quota: web"), 80.0).end() => Said::Reproduced;
    one_that_stood_still_for_less_long_is_neither:
        QUOTA, still(rollout("exceeded quota: web"), 60.0).end() => Said::Inconclusive("has begun");
    one_that_moves_on_is_none:
        QUOTA, moved_on(rollout("exceeded quota: web")) => Said::Absent;
    one_that_is_refused_for_another_reason_is_another_failure:
        QUOTA, still(rollout("violates PodSecurity"), 80.0).end() => Said::Inconclusive("violates PodSecurity, not for exceeded quota");
    one_that_nobody_tries_is_no_deadlock_and_has_not_ended:
        QUOTA, still(web(3).at(1.0).workload("deployment", "web", |web| {
            (web.wanted, web.replicas, web.updated) = (3, 3, 0);
        }).at(2.0).replica_set("web-1", 0), 120.0).end() => Said::Inconclusive("0 of 3 pods are of the newest template");
    what_a_controller_says_is_wrong_is_a_reason:
        "failure: {progresses: violated, of: deployment/web, because: exceeded quota, for: 60s}",
        still(web(3).at(1.0).workload("deployment", "web", |web| {
            (web.wanted, web.replicas, web.updated) = (3, 3, 1);
            web.troubles = vec!["ReplicaFailure: FailedCreate: exceeded quota".to_owned()];
        }), 80.0).end() => Said::Reproduced;
    a_drain_that_a_budget_refuses_again_and_again_is_a_deadlock:
        DRAIN, still(drained(KUBECTL, &[429; 7]), 45.0).end() => Said::Reproduced;
    a_drain_that_is_granted_in_the_end_is_none:
        DRAIN, still(drained(KUBECTL, &[429, 429, 429, 201]), 120.0).end() => Said::Absent;
    a_drain_that_is_refused_and_still_tries_is_neither:
        DRAIN, still(drained(KUBECTL, &[429; 4]), 30.0).end() => Said::Inconclusive("has begun");
    a_drain_that_gave_up_early_is_neither:
        DRAIN, still(drained(KUBECTL, &[429; 4]), 120.0).end() => Said::Inconclusive("web-a was refused its eviction, and is still there");
    evictions_that_somebody_else_is_refused_are_another_failure:
        DRAIN, still(drained("descheduler", &[429; 7]), 45.0).end() => Said::Inconclusive("by descheduler, without kubectl drain");
    each_reason_that_a_controller_says_must_be_named:
        "failure: {progresses: violated, of: deployment/web, because: exceeded quota, for: 60s}",
        still(troubled(), 80.0).end() => Said::Inconclusive("for Progressing: ProgressDeadlineExceeded, not for exceeded quota");
    all_of_them_may_be:
        "failure: {progresses: violated, of: deployment/web, because: [exceeded quota, ProgressDeadlineExceeded], for: 60s}",
        still(troubled(), 80.0).end() => Said::Reproduced;
    a_rollout_that_begins_with_the_last_that_is_seen_has_not_stood_still:
        "failure: {progresses: violated, of: deployment/web}",
        still(web(3), 30.0).workload("deployment", "web", |web| {
            (web.wanted, web.replicas, web.updated) = (3, 3, 1);
            web.troubles = vec!["ReplicaFailure: FailedCreate".to_owned()];
        }).end() => Said::Inconclusive("1 of 3 pods are of the newest template");
    a_scale_down_whose_pods_may_not_be_deleted_is_a_deadlock:
        "failure: {progresses: violated, of: deployment/web, by: [replicaset-controller]}",
        still([10.0, 20.0, 30.0].into_iter().fold(too_many(), |draft, at| {
            draft.at(at).asked((RS, "delete pods", "web-a"), |r| r.code = 403)
        }), 60.0).end() => Said::Reproduced;
    a_scale_down_that_nobody_tries_is_no_deadlock_and_has_not_ended:
        "failure: {progresses: violated, of: deployment/web}",
        still(too_many(), 60.0).end() => Said::Inconclusive("5 of 3 pods are there");
    a_replica_set_rolls_nothing_out:
        "failure: {progresses: violated, of: replicaset/solo}",
        still(web(3).workload("replicaset", "solo", |set| {
            (set.wanted, set.replicas, set.available) = (3, 3, 3);
            set.troubles = vec!["ReplicaFailure: FailedCreate".to_owned()];
        }), 60.0).end() => Said::Inconclusive("nothing was under way");
    an_eviction_that_was_refused_before_the_mark_is_not_asked_about:
        "failure: {progresses: violated, of: deployment/web, since: later}",
        still(drained(KUBECTL, &[429; 7]).at(45.0).mark("later"), 60.0).end() => Said::Inconclusive("nothing was under way");
    a_drain_that_is_granted_after_it_stood_still_that_long_stood_still:
        DRAIN, still(drained(KUBECTL, &[429, 429, 429, 429, 429, 429, 429, 201]), 120.0).end() => Said::Reproduced;
    a_drain_that_stands_still_after_an_eviction_was_granted_is_a_deadlock:
        DRAIN, still(drained(KUBECTL, &[429, 201, 429, 429, 429, 429, 429, 429, 429]), 60.0).end() => Said::Reproduced;
    evictions_that_several_are_refused_are_nobodys_deadlock:
        DRAIN, still((0..5).fold(drained(KUBECTL, &[429; 2]), |draft, n| {
            draft.at(20.0 + 5.0 * f64::from(n)).asked(("descheduler", "create pods/eviction", "web-a"), |r| r.code = 429)
        }), 120.0).end() => Said::Inconclusive("web-a was refused its eviction, and is still there");
}

#[test]
fn a_deadlock_says_what_each_side_waits_for() {
    let fight = |claim: &str, timeline: Timeline| {
        let drawing = super::Drawing {
            name: "deadlock",
            scenario: super::scenario(claim),
            timeline,
        };
        super::said(&drawing, &Said::Reproduced).fight.unwrap()
    };
    assert_eq!(
        fight(QUOTA, still(rollout("exceeded quota: web"), 80.0).end()),
        "replicaset-controller is refused a creation (403) → deployment/web has 3 pods, 0 of them new and 3 available, and wants 3 \
         → its rolling update may take 0 away"
    );
    assert_eq!(
        fight(DRAIN, still(drained(KUBECTL, &[429; 7]), 45.0).end()),
        "kubectl drain (played by kubeclash) is refused an eviction of web-a (429) → web allows 0 of 3 healthy pods to go, and keeps 3"
    );
}
