use super::{SCHEDULER, Said, replicas, still, web};
use crate::testing::{Draft, node, seen};
use crate::{Timeline, What};

const STUCK: &str = "
failure:
  schedules: violated
  of: deployment/web
  because: pod topology spread constraints
  for: 5s
  while: {running: 2, room-elsewhere: true}
";

const SPREAD: &str =
    "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints. preemption: none.";
const CPU: &str = "0/3 nodes are available: 3 Insufficient cpu.";

/// Two run, and the third is refused with a message at 5 s.
fn refused(message: &str) -> Draft {
    web(3)
        .deployment("web", 3, 2)
        .at(1.0)
        .pods(&[("a", "w1"), ("b", "w2")])
        .pod("c", None)
        .at(5.0)
        .request((SCHEDULER, "patch pods/status", "web-c"))
        .refused("c", message)
}

/// A third pod that asks for more than any node has left.
fn too_large() -> Timeline {
    let draft = refused(SPREAD).pod_with("c", None, |pod| {
        pod.unschedulable = Some(SPREAD.to_owned());
        pod.cpu_request_m = 9_000;
    });
    still(draft, 30.0).end()
}

/// The same with the third node tainted, and the others closed.
fn nowhere_to_go(tolerated: bool) -> Timeline {
    let mut draft = refused(SPREAD);
    for name in ["w1", "w2", "w3"] {
        let mut state = node(name, 8_000);
        state.cordoned = name != "w3";
        state.taints = vec!["gpu=yes:NoSchedule".to_owned()];
        draft = draft.what(What::Node(seen(state)));
    }
    let draft = draft.pod_with("c", None, |pod| {
        pod.unschedulable = Some(SPREAD.to_owned());
        let value = if tolerated { "yes" } else { "no" };
        pod.tolerations = vec![crate::TolerationSeen {
            key: "gpu".to_owned(),
            value: Some(value.to_owned()),
            effect: "NoSchedule".to_owned(),
        }];
    });
    still(draft, 30.0).end()
}

/// Its node selector is met by no node, or by the third.
fn selects(value: &str) -> Timeline {
    let mut state = node("w3", 8_000);
    state.labels.insert("disk".to_owned(), "ssd".to_owned());
    let draft = refused(SPREAD)
        .what(What::Node(seen(state)))
        .pod_with("c", None, |pod| {
            pod.unschedulable = Some(SPREAD.to_owned());
            pod.node_selector.insert("disk".to_owned(), value.to_owned());
        });
    still(draft, 30.0).end()
}

super::drawings! {
    a_pod_that_waits_longer_than_the_longest_backoff_with_room_for_it_is_stuck:
        STUCK, still(refused(SPREAD), 15.0).end() => Said::Reproduced;
    a_pod_that_waits_less_long_is_not_stuck_yet:
        STUCK, still(refused(SPREAD), 14.9).end() => Said::Inconclusive("has begun and is not complete");
    a_pod_that_was_stuck_and_then_got_a_node_was_stuck:
        STUCK, still(still(refused(SPREAD), 15.0).at(16.0).pod("c", Some("w3")), 20.0).end() => Said::Reproduced;
    a_pod_that_gets_a_node_in_time_is_not_stuck:
        STUCK, still(refused(SPREAD).at(12.0).pod("c", Some("w3")), 30.0).end() => Said::Absent;
    a_pod_that_waits_for_another_reason_is_another_failure:
        STUCK, still(refused(CPU), 30.0).end() => Said::Inconclusive("3 Insufficient cpu., not for pod topology spread");
    a_pod_that_waits_for_two_reasons_in_turn_is_another_failure:
        STUCK, still(refused(SPREAD).at(8.0).refused("c", CPU), 30.0).end() => Said::Inconclusive("Insufficient cpu");
    a_pod_that_no_node_has_room_for_is_another_failure:
        STUCK, too_large() => Said::Inconclusive("not while all held that should");
    a_taint_that_is_not_tolerated_and_closed_nodes_leave_no_room:
        STUCK, nowhere_to_go(false) => Said::Inconclusive("not while all held that should");
    a_taint_that_is_tolerated_leaves_room:
        STUCK, nowhere_to_go(true) => Said::Reproduced;
    a_node_that_a_pod_does_not_ask_for_is_no_room:
        STUCK, selects("hdd") => Said::Inconclusive("not while all held that should");
    a_node_that_it_asks_for_is_room:
        STUCK, selects("ssd") => Said::Reproduced;
    that_another_number_runs_is_another_failure:
        STUCK, still(refused(SPREAD).pod("d", Some("w1")), 30.0).end() => Said::Inconclusive("not while all held that should");
    a_pod_of_another_workload_is_another_failure:
        "failure: {schedules: violated, of: deployment/other, because: pod topology spread constraints}",
        still(refused(SPREAD), 30.0).end() => Said::Inconclusive("not of deployment/other");
    a_pod_that_no_scheduler_looked_at_says_that_the_scheduler_hangs:
        STUCK, still(web(1).deployment("web", 1, 0).replica_set("web-1", 1).at(1.0).pod("a", None), 30.0).end()
            => Said::Inconclusive("neither bound nor refused");
    a_pod_may_be_asked_to_wait_longer:
        "failure: {schedules: violated, of: deployment/web, for: 30s}",
        still(refused(SPREAD), 34.9).end() => Said::Inconclusive("has begun");
    it_is_stuck_once_it_waited_as_long_as_was_asked:
        "failure: {schedules: violated, of: deployment/web, for: 30s}",
        still(refused(SPREAD), 35.0).end() => Said::Reproduced;
    a_pod_that_is_told_to_go_runs_no_more:
        STUCK, still(refused(SPREAD).pod("d", Some("w1")).at(6.0).terminating("d", "w1"), 30.0).end() => Said::Reproduced;
    what_is_written_after_a_pod_was_stuck_did_not_leave_it_so:
        "failure: {schedules: violated, of: deployment/web, by: [keeper]}",
        still(refused(SPREAD).at(20.0).asked(("keeper", "update deployments/scale", "web"), replicas(4)).deployment("web", 4, 2), 30.0).end()
            => Said::Inconclusive("without keeper");
    a_pod_that_asks_for_more_memory_than_any_node_has_is_another_failure:
        STUCK, still(["w1", "w2", "w3"].iter().fold(refused(SPREAD), |draft, name| {
            let mut state = node(name, 8_000);
            state.memory = 100;
            draft.what(What::Node(seen(state)))
        }).pod_with("c", None, |pod| {
            pod.unschedulable = Some(SPREAD.to_owned());
            pod.memory_request = 101;
        }), 30.0).end() => Said::Inconclusive("not while all held that should");
}

#[test]
fn a_stuck_pod_is_told_with_what_wanted_it_and_what_refused_it() {
    let drawing = super::Drawing {
        name: "stuck",
        scenario: super::scenario(STUCK),
        timeline: still(refused(SPREAD), 20.0).end(),
    };
    let judged = super::said(&drawing, &Said::Reproduced);
    let facts = serde_json::json!({"running": 2, "pending_since_s": 5.0, "pending_for_s": 15.0, "room_elsewhere": true});
    assert_eq!(serde_json::Value::Object(judged.facts), facts);
    assert_eq!(judged.needed, Some(std::time::Duration::from_secs(15)));
    assert_eq!(
        judged.fight.as_deref(),
        Some(
            "kubectl apply (played by kubeclash) writes web (3 replicas) → kube-scheduler refuses web-c: \
             \"0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints\""
        )
    );
}
