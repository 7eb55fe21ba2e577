use super::{NODES, RS, SCHEDULER, Said, still, web};
use crate::testing::{Draft, node, seen};
use crate::{LivenessChange, Timeline, What};

pub(super) const CASCADE: &str = "failure: {stays-up: violated, as: cascade, of: nodes, at-least: 3 nodes}";
const TWO_NODES: &str = "failure: {stays-up: violated, as: cascade, of: nodes, at-least: 2 nodes}";
const RESTARTS: &str = "failure: {stays-up: violated, as: restarts, since: load}";

pub(super) fn stops(draft: Draft, at: f64, name: &str) -> Draft {
    let mut state = node(name, 8_000);
    state.ready = false;
    draft.at(at).what(What::Node(seen(state)))
}

/// A pod goes from a node that stopped, and another comes to the next.
pub(super) fn moves(draft: Draft, at: f64, old: (&str, &str), new: (&str, &str)) -> Draft {
    draft
        .at(at)
        .request((NODES, "delete pods", &format!("web-{}", old.0)))
        .terminating(old.0, old.1)
        .gone(old.0, old.1)
        .request((RS, "create pods", &format!("web-{}", new.0)))
        .request((SCHEDULER, "create pods/binding", &format!("web-{}", new.0)))
        .pod(new.0, Some(new.1))
}

pub(super) fn settled() -> Draft {
    web(1).at(1.0).pod("a", Some("w1")).deployment("web", 1, 1)
}

/// Two nodes stop, the second under the pod of the first.
fn two() -> Draft {
    stops(
        moves(stops(settled(), 10.0, "w1"), 15.0, ("a", "w1"), ("b", "w2")),
        20.0,
        "w2",
    )
}

/// The first node stops at 10 s, a pod of it comes to another at a time, and the second node stops at 20 s.
fn moved(at: f64, to: &str) -> Draft {
    let draft = moves(stops(settled(), 10.0, "w1"), at, ("a", "w1"), ("b", to));
    stops(draft, 20.0, "w2")
}

fn three() -> Draft {
    stops(moves(two(), 25.0, ("b", "w2"), ("c", "w3")), 30.0, "w3")
}

/// Three nodes stop, with a pod on each from the beginning.
fn apart() -> Draft {
    let draft = settled().pods(&[("b", "w2"), ("c", "w3")]);
    [("w1", 10.0), ("w2", 20.0), ("w3", 30.0)]
        .into_iter()
        .fold(draft, |draft, (name, at)| stops(draft, at, name))
}

fn kills(count: usize) -> Draft {
    (0..count).fold(web(1).mark("load"), |draft, n| {
        draft
            .at(10.0 * (n + 1) as f64)
            .what(What::Liveness(LivenessChange::ProbeFailed {
                in_a_row: 8,
                why: "timeout".to_owned(),
            }))
            .what(What::Liveness(LivenessChange::Killing { failures: 8 }))
    })
}

/// Killed twice, and back after two seconds in between.
fn comes_back() -> Timeline {
    let restarted = LivenessChange::Restarted {
        restarts: 1,
        pid: None,
    };
    let draft = kills(1)
        .at(12.0)
        .what(What::Liveness(restarted))
        .at(14.0)
        .what(What::Liveness(LivenessChange::Alive))
        .at(30.0)
        .what(What::Liveness(LivenessChange::Killing { failures: 8 }));
    still(draft, 60.0).end()
}

super::drawings! {
    nodes_that_stop_one_after_the_other_under_the_pods_of_the_last_are_a_cascade:
        CASCADE, still(three(), 60.0).end() => Said::Reproduced;
    two_of_three_nodes_are_neither_once_it_is_quiet:
        CASCADE, still(two(), 60.0).end() => Said::Inconclusive("w1 and w2 stopped");
    two_of_three_nodes_are_neither_while_it_goes_on:
        CASCADE, still(two(), 30.0).end() => Said::Inconclusive("has begun");
    nodes_that_stop_each_for_itself_are_no_cascade:
        CASCADE, still(apart(), 90.0).end() => Said::Inconclusive("w1 and w2 and w3 stopped");
    a_cascade_may_be_of_a_node:
        "failure: {stays-up: violated, as: cascade, of: node/w3, at-least: 2 nodes}",
        still(three(), 60.0).end() => Said::Inconclusive("not of node w3");
    an_api_server_that_is_killed_twice_is_in_a_loop:
        RESTARTS, still(kills(2), 60.0).end() => Said::Reproduced;
    one_kill_is_neither:
        RESTARTS, still(kills(1), 60.0).end() => Said::Inconclusive("has begun");
    without_a_kill_it_stays_up:
        RESTARTS, still(kills(0), 60.0).end() => Said::Absent;
    an_api_server_that_comes_back_says_how_long_that_took:
        RESTARTS, comes_back() => Said::Reproduced;
    a_cascade_may_be_of_one_workload:
        "failure: {stays-up: violated, as: cascade, of: deployment/web, at-least: 2 nodes}", still(two(), 60.0).end() => Said::Reproduced;
    a_cascade_of_another_workload_is_another_failure:
        "failure: {stays-up: violated, as: cascade, of: deployment/other, at-least: 2 nodes}",
        still(two(), 60.0).end() => Said::Inconclusive("not of deployment/other");
    a_node_that_stops_alone_is_no_cascade:
        TWO_NODES, still(stops(settled(), 10.0, "w1"), 20.0).end() => Said::Inconclusive("w1 stopped");
    a_node_to_which_no_pod_of_the_last_had_come_stops_for_itself:
        TWO_NODES, still(moved(15.0, "w3"), 60.0).end() => Said::Inconclusive("w1 and w2 stopped");
    a_pod_that_comes_at_the_instant_that_its_node_stops_did_not_stop_it:
        TWO_NODES, still(moved(20.0, "w2"), 60.0).end() => Said::Inconclusive("w1 and w2 stopped");
    a_pod_that_came_at_the_instant_that_the_last_node_stopped_came_not_for_that:
        TWO_NODES, still(moved(10.0, "w2"), 60.0).end() => Said::Inconclusive("w1 and w2 stopped");
    a_pod_that_went_before_its_node_stopped_did_not_stop_it:
        TWO_NODES, still(stops(moves(stops(settled(), 10.0, "w1"), 15.0, ("a", "w1"), ("b", "w2")).at(17.0).gone("b", "w2"), 20.0, "w2"), 60.0)
            .end() => Said::Inconclusive("w1 and w2 stopped");
    a_pod_that_goes_at_the_instant_that_its_node_stops_was_still_there:
        TWO_NODES, still(two().gone("b", "w2"), 60.0).end() => Said::Reproduced;
    a_step_that_stops_one_node_does_not_explain_another:
        TWO_NODES, still(stops(stops(settled().at(9.0).step("stop w1"), 10.0, "w2"), 20.0, "w1"), 60.0).end()
            => Said::Inconclusive("w2 stopped");
}
