//! Absences of which nothing says that there was something that could have failed, or that anybody looked.

use super::keeps_floor::{DRAINED, UNDERCUT, apply, hpa, scaled};
use super::progresses::{DRAIN, drained};
use super::rests::{EVICTS, settled};
use super::scales_with_load::{self, UNDONE};
use super::{KUBECTL, Said, stays_up, still, web};
use crate::testing::{Draft, node, seen};
use crate::{Change, HpaSeen, Sighting, Timeline, What, WorkloadSeen};

fn nobody() -> Timeline {
    let draft = Draft::new("t").nodes(&["w1", "w2"]).mark("applied");
    still(draft, 60.0).end()
}

/// A deployment of that name in another namespace.
fn elsewhere() -> Timeline {
    let draft = Draft::new("t").nodes(&["w1"]).mark("applied");
    let draft = draft.workload("deployment", "web", |web| {
        web.namespace = "shop".to_owned();
        (web.wanted, web.replicas, web.available) = (3, 3, 3);
    });
    still(draft, 60.0).end()
}

fn deleted(draft: Draft, at: f64) -> Draft {
    draft.at(at).what(What::Workload(Sighting {
        change: Change::Gone,
        state: WorkloadSeen {
            kind: "deployment".to_owned(),
            namespace: "default".to_owned(),
            name: "web".to_owned(),
            wanted: 3,
            ..WorkloadSeen::default()
        },
    }))
}

fn gone_hpa(draft: Draft, at: f64) -> Draft {
    draft.at(at).what(What::Hpa(Sighting {
        change: Change::Gone,
        state: super::hpa_of_web(),
    }))
}

fn removed(name: &str) -> What {
    What::Node(Sighting {
        change: Change::Gone,
        state: node(name, 8_000),
    })
}

/// An autoscaler that never says anything.
fn dumb_hpa(draft: Draft) -> Draft {
    draft.what(What::Hpa(seen(HpaSeen {
        min: 1,
        max: 9,
        ..super::hpa_of_web()
    })))
}

/// A rollout that gets on by a pod at a time, and does not end.
fn slow(available: i64) -> Timeline {
    let draft = (0..3).fold(web(4), |draft, updated| {
        draft
            .at(20.0 * (updated + 1) as f64)
            .workload("deployment", "web", |web| {
                (web.wanted, web.replicas, web.available) = (4, 4, available);
                web.updated = updated;
            })
    });
    still(draft, 70.0).end()
}

/// The new pods are all there, and none of them gets available.
fn never_available() -> Timeline {
    let draft = web(4).at(5.0).workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.updated, web.available) = (4, 4, 0, 4);
    });
    let draft = draft.at(6.0).workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.updated, web.available) = (4, 4, 4, 0);
    });
    still(draft, 120.0).end()
}

/// A controller-manager that does not see a change.
fn behind() -> Timeline {
    let draft = settled().at(5.0).workload("deployment", "web", |web| {
        (web.wanted, web.replicas, web.available, web.behind) = (3, 3, 3, true);
    });
    still(draft, 60.0).end()
}

/// A kubelet that does not run what is bound to it.
fn not_run() -> Timeline {
    let draft = settled().at(5.0).pod_with("a", Some("w1"), |pod| {
        (pod.ready, pod.phase) = (false, "Pending".to_owned());
    });
    still(draft, 60.0).end()
}

/// Pods come and go all the time.
fn restless() -> Timeline {
    let draft = web(1).at(1.0).pod("p0", Some("w1")).deployment("web", 1, 1);
    let draft = (1..8).fold(draft, |draft, n| {
        let (old, new) = (format!("p{}", n - 1), format!("p{n}"));
        draft
            .at(f64::from(n) * 8.0)
            .request((super::RS, "delete pods", &format!("web-{old}")))
            .terminating(&old, "w1")
            .pod(&new, None)
            .at(f64::from(n) * 8.0 + 1.0)
            .gone(&old, "w1")
            .pod(&new, Some("w1"))
    });
    still(draft, 64.0).end()
}

const ENDS: &str = "failure: {progresses: violated, of: deployment/web}";
const RESTS: &str = "failure: {rests: violated, as: evict-loop, of: deployment/web}";
const SPREAD: &str = "failure: {keeps-spread: violated, of: deployment/web}";
const SPREAD_OVER_RACKS: &str = "failure: {keeps-spread: violated, of: deployment/web, over: rack}";

super::drawings! {
    a_workload_that_was_never_there_did_not_rest:
        EVICTS, nobody() => Said::Inconclusive("deployment/web was not there");
    nor_did_one_of_the_same_name_elsewhere:
        RESTS, elsewhere() => Said::Inconclusive("deployment/web was not there");
    a_workload_that_is_deleted_rests_in_another_way:
        RESTS, still(deleted(settled(), 10.0), 60.0).end() => Said::Inconclusive("deployment/web was not there at the end");
    a_workload_that_wants_no_pods_has_none_to_lose:
        RESTS, still(web(0).at(1.0).deployment("web", 0, 0), 60.0).end() => Said::Inconclusive("never wanted a pod");
    a_workload_of_another_size_is_another_experiment:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, while: {wanted: 5}}",
        still(settled(), 60.0).end() => Said::Inconclusive("never wanted 5");
    nodes_of_another_number_are_another_experiment:
        "failure: {rests: violated, as: evict-loop, of: deployment/web, while: {open-nodes: 5}}",
        still(settled(), 60.0).end() => Said::Inconclusive("never were 5 nodes open");
    what_takes_longer_than_it_was_watched_is_not_seen:
        "failure: {keeps-floor: violated, of: deployment/web, floor: 2, for: 90s}", still(settled(), 60.0).end()
            => Said::Inconclusive("watched for 60.0 s of a failure that lasts 90.0 s");
    where_the_second_mark_comes_first_nothing_was_watched:
        "failure: {keeps-floor: violated, of: deployment/web, floor: 2, from: late, to: early}",
        still(settled().at(20.0).mark("early").at(30.0).mark("late"), 60.0).end() => Said::Inconclusive("nothing was watched");
    a_promise_of_nothing_is_none:
        "failure: {keeps-floor: violated, of: deployment/web, floor: 0}", still(settled(), 60.0).end()
            => Said::Inconclusive("nothing was promised");
    a_node_that_shrinks_below_its_pods_is_asked_for_too_much:
        "failure: {fits: violated, of: deployment/web}", still(settled().at(5.0).what(What::Node(seen(node("w1", 3_000)))), 60.0).end()
            => Said::Inconclusive("at the end w1 is asked for more cpu than it has");
    a_node_that_vanishes_did_not_stay_up:
        stays_up::CASCADE, still(stays_up::settled().at(10.0).what(removed("w2")), 90.0).end() => Said::Inconclusive("w2 stopped");
    a_node_that_the_scenario_removes_may:
        stays_up::CASCADE, still(stays_up::settled().at(9.0).step("remove w2").at(10.0).what(removed("w2")), 90.0).end() => Said::Absent;
    a_floor_that_nobody_promised_is_not_kept:
        UNDERCUT, still(web(5).at(1.0).deployment("web", 5, 5), 30.0).end() => Said::Inconclusive("nothing was promised");
    nor_is_one_that_is_no_longer_promised:
        UNDERCUT, still(gone_hpa(scaled(), 10.0), 30.0).end() => Said::Inconclusive("nothing was promised");
    a_workload_that_is_below_its_floor_at_the_end_does_not_keep_it:
        DRAINED, still(web(3).at(1.0).deployment("web", 3, 1), 30.0).end() => Said::Inconclusive("1 of 2 that were promised");
    a_dip_from_before_the_mark_is_no_floor_that_is_kept:
        "failure: {keeps-floor: violated, of: deployment/web, what: wanted, floor: hpa.min, since: later}",
        still(apply(hpa(web(5).at(1.0).deployment("web", 5, 5), 3).at(10.0), 1).at(20.0).mark("later"), 30.0).end()
            => Said::Inconclusive("1 of 3 that were promised");
    without_an_autoscaler_nothing_scales_with_load:
        UNDONE, still(web(6).at(1.0).deployment("web", 6, 6), 60.0).end() => Said::Inconclusive("no autoscaler");
    an_autoscaler_that_says_nothing_scales_nothing:
        UNDONE, still(dumb_hpa(web(6).at(1.0).deployment("web", 6, 6)), 60.0).end() => Said::Inconclusive("never said how many");
    what_wanted_as_many_already_cannot_rise_to_it:
        "failure: {scales-with-load: violated, as: over-scale, of: deployment/web, up-to: 6}",
        still(scales_with_load::hpa(web(6).at(1.0).deployment("web", 6, 6), 6, 60), 60.0).end()
            => Said::Inconclusive("wanted 6 all the while");
    a_rollout_that_is_under_way_at_the_end_has_not_ended:
        ENDS, slow(4) => Said::Inconclusive("2 of 4 pods are of the newest template");
    nor_has_one_whose_pods_are_not_available:
        ENDS, never_available() => Said::Inconclusive("0 of 4 pods are available");
    where_nobody_begins_anything_nothing_ends:
        "failure: {progresses: violated, of: deployment/web, since: later}", still(settled().at(20.0).mark("later"), 60.0).end() => Said::Inconclusive("nothing was under way");
    a_drain_that_gave_up_has_not_ended:
        DRAIN, still(drained(KUBECTL, &[429; 2]), 120.0).end() => Said::Inconclusive("web-a was refused its eviction, and is still there");
    a_key_that_no_node_has_spreads_nothing:
        SPREAD_OVER_RACKS, still(settled(), 60.0).end() => Said::Inconclusive("no two open nodes differ in rack");
    pods_that_never_rest_have_no_spread:
        SPREAD, restless() => Said::Inconclusive("was never at rest for 30 s");
    a_node_that_stops_by_itself_did_not_stay_up:
        stays_up::CASCADE, still(stays_up::stops(stays_up::settled(), 10.0, "w2"), 90.0).end() => Said::Inconclusive("w2 stopped");
    a_node_that_the_scenario_stops_may:
        stays_up::CASCADE, still(stays_up::stops(stays_up::settled().at(9.0).step("stop w2"), 10.0, "w2"), 90.0).end() => Said::Absent;
    where_no_pod_is_bound_every_pod_fits:
        "failure: {fits: violated, of: deployment/web}", still(web(1).deployment("web", 1, 0), 60.0).end()
            => Said::Inconclusive("no pod of deployment/web was bound");
    a_controller_that_does_not_see_a_change_does_nothing_for_it:
        RESTS, behind() => Said::Inconclusive("has not seen the last change of deployment \"web\"");
    a_kubelet_that_runs_nothing_throws_nothing_away:
        RESTS, not_run() => Said::Inconclusive("neither ran nor rejected a pod");
    a_node_that_is_seen_twice_is_one:
        RESTS, still(settled().what(What::Node(seen(node("w1", 8_000)))), 60.0).end() => Said::Absent;
}
