use super::{RS, SCHEDULER, Said, still, web};
use crate::testing::{Draft, node, seen};
use crate::{Timeline, What};

const REJECTED: &str = "
failure: {fits: violated, as: rejection, of: deployment/web, on: w1, by: [second-scheduler], because: OutOfcpu, at-least: 2 pods}
";

const OVERCOMMITTED: &str =
    "failure: {fits: violated, as: overcommit, of: deployment/web, on: w1, because: cpu}";

/// Pods that are bound by somebody and rejected for a reason.
fn rejected(count: usize, binder: &str, reason: &str) -> Timeline {
    let draft = (0..count).fold(web(1).deployment("web", 1, 0), |draft, n| {
        let (uid, at) = (format!("p{n}"), 1.0 + n as f64);
        let name = format!("web-{uid}");
        draft
            .at(at)
            .request((RS, "create pods", &name))
            .pod(&uid, None)
            .at(at + 0.1)
            .asked((binder, "create pods/binding", &name), |r| {
                r.node = Some("w1".to_owned())
            })
            .at(at + 0.2)
            .request(("kubelet/kubeclash", "patch pods/status", &name))
            .rejected(&uid, "w1", reason)
    });
    still(draft.at(40.0).replica_set("web-1", 0), 60.0).end()
}

/// So many pods of 2000m on a node of 8000m.
fn crowded(count: usize) -> Draft {
    (0..count).fold(web(9).at(1.0), |draft, n| draft.pod(&format!("p{n}"), Some("w1")))
}

fn small(cpu: u64, memory: u64, pods: u64) -> What {
    let mut state = node("w1", cpu);
    (state.memory, state.pods) = (memory, pods);
    What::Node(seen(state))
}

/// Four pods fill a node, and somebody binds a fifth to it.
fn bound_last(binder: &str) -> Draft {
    crowded(4)
        .at(2.0)
        .request((RS, "create pods", "web-p4"))
        .pod("p4", None)
        .at(3.0)
        .asked((binder, "create pods/binding", "web-p4"), |r| {
            r.node = Some("w1".to_owned())
        })
        .pod("p4", Some("w1"))
}

super::drawings! {
    pods_that_a_kubelet_has_no_room_for_are_rejected:
        REJECTED, rejected(2, "second-scheduler/scheduler", "OutOfcpu") => Said::Reproduced;
    one_of_two_is_not_enough_once_it_is_quiet:
        REJECTED, rejected(1, "second-scheduler/scheduler", "OutOfcpu") => Said::Absent;
    pods_that_are_rejected_for_another_reason_are_another_failure:
        REJECTED, rejected(2, "second-scheduler/scheduler", "NodeAffinity") => Said::Inconclusive("for NodeAffinity, not for OutOfcpu");
    pods_that_another_scheduler_bound_are_another_failure:
        REJECTED, rejected(2, SCHEDULER, "OutOfcpu") => Said::Inconclusive("without second-scheduler");
    a_pod_that_failed_by_itself_is_no_rejection:
        REJECTED, rejected(3, "second-scheduler/scheduler", "DeadlineExceeded") => Said::Absent;
    a_node_that_is_asked_for_more_cpu_than_it_has_is_overcommitted:
        OVERCOMMITTED, still(crowded(5), 10.0).end() => Said::Reproduced;
    a_full_node_is_not:
        OVERCOMMITTED, still(crowded(4), 10.0).end() => Said::Absent;
    a_pod_that_has_finished_leaves_its_room:
        OVERCOMMITTED, still(crowded(4).pod_with("p0", Some("w1"), |pod| pod.phase = "Succeeded".to_owned()).pod("p9", Some("w1")), 10.0).end()
            => Said::Absent;
    a_pod_that_is_gone_leaves_its_room:
        OVERCOMMITTED, still(crowded(4).gone("p0", "w1").pod("p9", Some("w1")), 10.0).end() => Said::Absent;
    a_pod_that_terminates_keeps_its_room:
        OVERCOMMITTED, still(crowded(4).terminating("p0", "w1").pod("p9", Some("w1")), 10.0).end() => Said::Reproduced;
    places_for_pods_are_room_too_and_another_cause:
        OVERCOMMITTED, still(web(9).what(small(99_000, 0, 2)).at(1.0).pods(&[("a", "w1"), ("b", "w1"), ("c", "w1")]), 10.0).end()
            => Said::Inconclusive("for pods, not for cpu");
    memory_is_room_too:
        "failure: {fits: violated, as: overcommit, of: deployment/web, because: memory}",
        still(web(9).what(small(99_000, 100, 0)).at(1.0).pod_with("a", Some("w1"), |pod| pod.memory_request = 101), 10.0).end()
            => Said::Reproduced;
    a_node_that_is_just_filled_with_memory_and_pods_is_not:
        "failure: {fits: violated, of: deployment/web}",
        still(web(9).what(small(2_000, 100, 1)).at(1.0).pod_with("a", Some("w1"), |pod| pod.memory_request = 100), 10.0).end()
            => Said::Absent;
    another_node_is_another_failure:
        OVERCOMMITTED, still((0..5).fold(web(9).at(1.0), |draft, n| draft.pod(&format!("p{n}"), Some("w2"))), 10.0).end()
            => Said::Inconclusive("on w2, not on w1");
    pods_that_are_rejected_at_one_time_have_no_rate:
        "failure: {fits: violated, as: rejection, of: deployment/web, at-least: 3 pods}",
        still(web(3).at(1.0).rejected("a", "w1", "OutOfcpu").rejected("b", "w1", "OutOfcpu").rejected("c", "w2", "OutOfcpu"), 40.0).end()
            => Said::Reproduced;
    a_pod_that_was_ready_was_not_rejected:
        "failure: {fits: violated, as: rejection, of: deployment/web}",
        still(web(1).at(1.0).pod("a", Some("w1")).at(5.0).rejected("a", "w1", "NodeAffinity"), 40.0).end() => Said::Absent;
    a_node_that_was_asked_for_too_much_before_the_mark_and_still_is_neither:
        "failure: {fits: violated, as: overcommit, of: deployment/web, since: later}",
        still(crowded(5).at(5.0).mark("later").at(6.0).pod("p4", Some("w1")), 10.0).end()
            => Said::Inconclusive("at the end w1 is asked for more cpu than it has");
    each_node_is_told_once_that_is_asked_for_too_much:
        "failure: {fits: violated, as: overcommit, of: deployment/web, on: w2}",
        still((5..10).fold(crowded(5).at(2.0).gone("p4", "w1").at(3.0).pod("p4", Some("w1")).at(4.0), |draft, n| {
            draft.pod(&format!("p{n}"), Some("w2"))
        }), 10.0).end() => Said::Reproduced;
    whoever_bound_the_last_straw_overcommitted_the_node:
        "failure: {fits: violated, as: overcommit, of: deployment/web, by: [second-scheduler]}",
        still(bound_last("second-scheduler/scheduler"), 10.0).end() => Said::Reproduced;
    a_node_that_another_scheduler_overcommits_is_another_failure:
        "failure: {fits: violated, as: overcommit, of: deployment/web, by: [second-scheduler]}",
        still(bound_last(SCHEDULER), 10.0).end() => Said::Inconclusive("by kube-scheduler, without second-scheduler");
    pods_that_are_bound_after_the_time_that_is_asked_about_are_not_asked_about:
        "failure: {fits: violated, of: deployment/web, to: early}",
        still(web(1).at(1.0).pod("a", None).at(5.0).mark("early").at(6.0).pod("a", Some("w1")), 10.0).end()
            => Said::Inconclusive("no pod of deployment/web was bound");
    nor_are_pods_that_were_gone_before_it:
        "failure: {fits: violated, of: deployment/web, since: later}",
        still(web(1).at(1.0).pod("a", Some("w1")).at(3.0).gone("a", "w1").at(5.0).mark("later"), 10.0).end()
            => Said::Inconclusive("no pod of deployment/web was bound");
    a_memory_that_is_not_known_bounds_nothing:
        "failure: {fits: violated, of: deployment/web}",
        still(web(9).what(small(2_000, 0, 1)).at(1.0).pod_with("a", Some("w1"), |pod| pod.memory_request = 100), 10.0).end()
            => Said::Absent;
}
