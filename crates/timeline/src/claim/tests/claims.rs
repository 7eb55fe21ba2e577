//! What a claim may say of any property: several at once, circumstances, what comes then; and the case's facts and premises.

use super::keeps_floor::{UNDERCUT, undercut};
use super::loops::in_turns;
use super::rests::settled;
use super::{HPA, KUBECTL, SCHEDULER, Said, keeps_spread, scales_with_load, still, web};
use crate::Timeline;
use crate::testing::Draft;

/// Two of three are lost from 10 s to 14 s, and one of them again from 20 s to 21 s.
fn dips() -> Timeline {
    let draft = web(3).at(1.0).deployment("web", 3, 3).at(2.0).mark("settled");
    let changes = [(10.0, 1), (14.0, 3), (20.0, 2), (21.0, 3)];
    let draft = changes.into_iter().fold(draft, |draft, (at, available)| {
        draft.at(at).deployment("web", 3, available)
    });
    still(draft, 30.0).end()
}

const MEASURED: &str = "
failure: {keeps-floor: violated, of: deployment/web, floor: 2}
facts:
  most: {most: {deployment/web: available}}
  fewest: {least: {deployment/web: available}, since: settled}
  at_the_end: {last: {deployment/web: available}}
  low_after_s: {first: {deployment/web: {available: '< 3'}}, since: settled}
  low_for_s: {longest: {deployment/web: {available: '< 3'}}}
  back_after_s: {first: {deployment/web: {available: 3}}, after: low_after_s}
";

const DIP_AND_LOOP: &str = "
failure:
  all:
    - {keeps-floor: violated, of: deployment/web, floor: 2}
    - {rests: violated, as: evict-loop, of: deployment/web}
";

/// A pod finds no node while two others run.
fn stuck() -> Draft {
    settled().pod("d", None).at(5.0).unschedulable("d")
}

/// A node that is closed and opened again while the skew lasts.
fn opened(draft: Draft) -> Draft {
    [(6.0, true), (7.0, false)]
        .into_iter()
        .fold(draft, |draft, (at, cordoned)| {
            draft
                .at(at)
                .asked((KUBECTL, "patch nodes", "w3"), |r| r.cordoned = Some(cordoned))
        })
}

const SINCE_STEPS: &str = "
failure: {keeps-floor: violated, of: deployment/web, floor: 2}
facts:
  low_after_s: {first: {deployment/web: {available: '< 3'}}}
  low_after_start_s: {first: {deployment/web: {available: '< 3'}}, since: started}
  at_the_end: {most: {deployment/web: available}, since: end}
";

/// A dip in a run whose only marks are its steps.
fn unmarked() -> Timeline {
    let steps = ["wait 1s", "apply 10-web.yaml", "start w1", "start descheduler"];
    let draft = Draft::new("t").nodes(&["w1"]).deployment("web", 4, 4);
    let draft = steps
        .into_iter()
        .zip([1.0, 2.0, 3.0, 4.0])
        .fold(draft, |draft, (step, at)| draft.at(at).step(step));
    still(draft.at(10.0).deployment("web", 4, 1), 30.0)
        .deployment("web", 4, 3)
        .end()
}

const RUNS: &str = "
failure: {keeps-floor: violated, of: deployment/web, floor: 2}
facts:
  most_running: {most: {deployment/web: running}}
";

/// Pods that run and go before the replica set is seen that they belong to.
fn set_is_seen_late() -> Timeline {
    let draft = Draft::new("t")
        .nodes(&["w1"])
        .mark("applied")
        .deployment("web", 2, 2);
    let draft = draft
        .owned_by("ReplicaSet", "web-1")
        .pods(&[("a", "w1"), ("b", "w1")])
        .at(10.0)
        .gone("a", "w1")
        .gone("b", "w1")
        .deployment("web", 2, 0);
    still(draft.at(11.0).replica_set("web-1", 2), 30.0).end()
}

const TO_NOTHING: &str = "
failure:
  keeps-floor: violated
  of: deployment/web
  what: wanted
  floor: hpa.min
  then: {back-at: hpa.max / 0}
";

const LOAD_OF_ANOTHER: &str = "
steps:
  - apply: 10-web.yaml
  - cpu: {of: deployment/other, all-pods: [{use: 400m}]}
failure: {scales-with-load: violated, as: over-scale, of: deployment/web, while: {no-load: true}}
";

const STEADY_LOAD: &str = "
steps:
  - apply: 10-web.yaml
  - cpu: {of: deployment/web, all-pods: [{use: 400m}]}
failure: {rests: violated, as: replica-oscillation, of: deployment/web, by: [horizontal-pod-autoscaler]}
";

/// A dip that ends without a request, while somebody else does something else.
fn mended_by_nobody() -> Timeline {
    let mut timeline = still(undercut(1, HPA), 30.0).end();
    for entry in &mut timeline.entries {
        if let crate::What::Request(request) = &mut entry.what
            && request.agent == HPA
        {
            request.agent = SCHEDULER.to_owned();
            request.resource = "pods/binding".to_owned();
        }
    }
    timeline
}

/// A pod comes and makes a skew when the watch begins, and goes when it ends.
fn skewed_from_mark_to_mark() -> Timeline {
    let draft = web(3)
        .at(1.0)
        .pods(&[("a", "w1"), ("c", "w2")])
        .deployment("web", 3, 3);
    let draft = draft.at(5.0).pod("b", Some("w1")).mark("maintained");
    still(draft.at(20.0).mark("again").terminating("b", "w1"), 30.0).end()
}

super::drawings! {
    a_case_has_numbers_of_its_own:
        MEASURED, dips() => Said::Reproduced;
    half_of_a_failure_is_neither_it_nor_its_absence:
        DIP_AND_LOOP, dips() => Said::Inconclusive("half of the failure is neither it nor its absence: deployment/web fell to 1 of 2");
    what_another_workload_suffers_is_told_whatever_should_have_held_of_the_named_one:
        "failure: {schedules: violated, of: deployment/other, while: {running: 3}}",
        still(stuck(), 30.0).end() => Said::Inconclusive("not of deployment/other");
    who_opens_a_node_again_has_a_hand_in_the_skew:
        "failure: {keeps-spread: violated, of: deployment/web, by: [kubectl], for: 30s}",
        still(opened(settled()), 60.0).end() => Said::Reproduced;
    steps_are_marks_as_well:
        SINCE_STEPS, unmarked() => Said::Reproduced;
    a_pod_is_its_workloads_before_its_replica_set_is_seen:
        RUNS, set_is_seen_late() => Said::Reproduced;
    a_share_of_nothing_is_no_number:
        TO_NOTHING, still(undercut(1, HPA), 30.0).end() => Said::Inconclusive("\"hpa.max / 0\" is no number");
    a_floor_that_nobody_can_read_is_told:
        "failure: {keeps-floor: violated, of: deployment/web, floor: some}", dips() => Said::Inconclusive("\"some\" is no floor");
    a_dip_that_ends_and_nothing_says_by_whom_is_neither:
        UNDERCUT, mended_by_nobody() => Said::Inconclusive("nothing says that horizontal-pod-autoscaler brought it back");
    the_load_of_another_workload_is_none:
        LOAD_OF_ANOTHER, scales_with_load::burst(6, 80, true) => Said::Reproduced;
    where_no_load_is_offered_none_was:
        "failure: {scales-with-load: violated, as: over-scale, of: deployment/web, while: {no-load: true}}",
        scales_with_load::burst(6, 80, true) => Said::Reproduced;
    a_load_that_stays_explains_no_oscillation:
        STEADY_LOAD, still(in_turns(&[(HPA, 3), (HPA, 5), (HPA, 3), (HPA, 5), (HPA, 3), (HPA, 5)]), 70.0).end() => Said::Reproduced;
    what_was_watched_for_as_long_as_a_failure_lasts_is_seen:
        "failure: {keeps-floor: violated, of: deployment/web, floor: 2, for: 60s}", still(settled(), 60.0).end() => Said::Absent;
    pods_that_come_when_a_skew_begins_and_go_when_it_ends_are_no_churn_meanwhile:
        keeps_spread::BETWEEN, skewed_from_mark_to_mark() => Said::Reproduced;
}
