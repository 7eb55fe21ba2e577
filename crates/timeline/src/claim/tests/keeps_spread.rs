use super::{SCHEDULER, Said, still, web};
use crate::testing::{Draft, node, seen};
use crate::{SpreadSeen, What};

pub(super) const BETWEEN: &str = "
failure:
  keeps-spread: violated
  of: deployment/web
  from: maintained
  to: again
  while: {no-churn: true, open-nodes: 3}
";

const ZONES: &str = "failure: {keeps-spread: violated, of: deployment/web, over: zone, for: 60s}";

/// Pods that stand so while it is watched from 5 s to 20 s.
fn watched(pods: &[(&str, &str)]) -> Draft {
    web(3)
        .at(1.0)
        .pods(pods)
        .deployment("web", 3, 3)
        .at(5.0)
        .mark("maintained")
}

fn over(draft: Draft) -> crate::Timeline {
    still(draft.at(20.0).mark("again"), 30.0).end()
}

const SKEWED: [(&str, &str); 3] = [("a", "w1"), ("b", "w1"), ("c", "w2")];
const EVEN: [(&str, &str); 3] = [("a", "w1"), ("b", "w2"), ("c", "w3")];

fn closed(name: &str) -> What {
    let mut state = node(name, 8_000);
    state.cordoned = true;
    What::Node(seen(state))
}

/// Nodes of zones A, A and B, and pods on them; the constraint allows a skew of so many.
fn zones(pods: &[(&str, &str)], max_skew: i64) -> Draft {
    let mut draft = web(4).at(1.0);
    for (name, zone) in [("w1", "A"), ("w2", "A"), ("w3", "B")] {
        let mut state = node(name, 8_000);
        state.labels.insert("zone".to_owned(), zone.to_owned());
        draft = draft.what(What::Node(seen(state)));
    }
    draft.pods(pods).workload("deployment", "web", |web| {
        web.wanted = 4;
        web.spread = vec![SpreadSeen {
            key: "zone".to_owned(),
            max_skew,
            selector: std::collections::BTreeMap::from([("app".to_owned(), "web".to_owned())]),
            ..SpreadSeen::default()
        }];
    })
}

const THREE_TO_ONE: [(&str, &str); 4] = [("a", "w1"), ("b", "w2"), ("c", "w2"), ("d", "w3")];

/// A scheduler binds them so, and after a minute somebody takes one of them away.
fn bound_so() -> Draft {
    let draft = THREE_TO_ONE.iter().fold(zones(&[], 1), |draft, (uid, node)| {
        draft
            .asked((SCHEDULER, "create pods/binding", &format!("web-{uid}")), |r| {
                r.node = Some((*node).to_owned());
            })
            .pod(uid, Some(node))
    });
    draft
        .at(62.0)
        .request(("descheduler", "create pods/eviction", "web-a"))
        .terminating("a", "w1")
}

/// An even spread, and on one node pods that do not count.
fn strangers() -> Draft {
    let draft = zones(&[("a", "w1"), ("d", "w3")], 1);
    let draft = draft.pod_with("elsewhere", Some("w1"), |pod| pod.namespace = "shop".to_owned());
    ["1", "2"].iter().fold(draft, |draft, n| {
        draft
            .pod_with(&format!("done-{n}"), Some("w1"), |pod| {
                pod.phase = "Succeeded".to_owned()
            })
            .pod_with(&format!("other-{n}"), Some("w1"), |pod| pod.labels.clear())
    })
}

super::drawings! {
    a_skew_that_lasts_from_mark_to_mark_is_one:
        BETWEEN, over(watched(&SKEWED)) => Said::Reproduced;
    pods_that_are_spread_evenly_have_none:
        BETWEEN, over(watched(&EVEN)) => Said::Absent;
    a_skew_that_ends_before_the_mark_is_none:
        BETWEEN, over(watched(&SKEWED).at(19.0).gone("b", "w1").pod("d", Some("w3"))) => Said::Absent;
    a_skew_with_pods_that_come_and_go_is_another_failure:
        BETWEEN, over(watched(&SKEWED).at(10.0).gone("a", "w1").pod("d", Some("w1")))
            => Said::Inconclusive("2 times a pod came or went meanwhile");
    a_skew_with_a_closed_node_is_another_failure:
        BETWEEN, over(watched(&SKEWED).at(10.0).what(closed("w2"))) => Said::Inconclusive("not while all held that should");
    a_closed_node_without_a_pod_is_no_empty_one:
        "failure: {keeps-spread: violated, of: deployment/web, from: maintained, to: again}",
        over(watched(&SKEWED).what(closed("w3"))) => Said::Absent;
    a_larger_skew_may_be_allowed:
        "failure: {keeps-spread: violated, of: deployment/web, max-skew: 2, from: maintained, to: again}",
        over(watched(&SKEWED)) => Said::Absent;
    before_the_second_mark_there_is_nothing_to_say:
        BETWEEN, still(watched(&SKEWED), 30.0).end() => Said::Inconclusive("the run ended before \"again\"");
    a_constraint_over_zones_counts_pods_by_zone:
        ZONES, still(zones(&THREE_TO_ONE, 1), 70.0).end() => Said::Reproduced;
    a_constraint_that_allows_as_much_is_kept:
        ZONES, still(zones(&THREE_TO_ONE, 2), 70.0).end() => Said::Absent;
    a_skew_that_has_begun_and_not_lasted_is_neither:
        ZONES, still(zones(&THREE_TO_ONE, 1), 60.0).end() => Said::Inconclusive("has begun");
    a_skew_while_pods_are_on_their_way_is_neither_one_nor_none:
        ZONES, still(zones(&THREE_TO_ONE, 1).at(50.0).pod("e", None).at(69.0).pod("e", Some("w3")), 70.0).end()
            => Said::Inconclusive("never at rest for 60 s");
    a_key_that_no_node_has_is_no_spread:
        "failure: {keeps-spread: violated, of: deployment/web, over: rack, for: 60s}",
        still(zones(&THREE_TO_ONE, 1), 70.0).end() => Said::Inconclusive("no two open nodes differ in rack");
    whoever_bound_the_pods_until_the_skew_was_complete_made_it:
        "failure: {keeps-spread: violated, of: deployment/web, over: zone, for: 60s, by: [kube-scheduler]}",
        still(bound_so(), 70.0).end() => Said::Reproduced;
    what_happened_after_a_skew_was_complete_did_not_make_it:
        "failure: {keeps-spread: violated, of: deployment/web, over: zone, for: 60s, by: [descheduler]}",
        still(bound_so(), 70.0).end() => Said::Inconclusive("by kube-scheduler, without descheduler");
    pods_that_have_finished_of_another_label_or_elsewhere_are_not_spread:
        ZONES, still(strangers(), 70.0).end() => Said::Absent;
    where_all_nodes_but_one_are_closed_there_is_nothing_to_spread_over:
        "failure: {keeps-spread: violated, of: deployment/web, from: maintained, to: again}",
        over(web(3).at(1.0).pods(&EVEN).deployment("web", 3, 3).what(closed("w2")).what(closed("w3")).at(5.0).mark("maintained"))
            => Said::Inconclusive("no two open nodes differ in kubernetes.io/hostname");
    a_rest_that_is_just_long_enough_shows_an_even_spread:
        "failure: {keeps-spread: violated, of: deployment/web}",
        still(web(3).at(1.0).pods(&EVEN[..2]).pod("c", None).at(30.0).pod("c", Some("w3")).deployment("web", 3, 3), 60.0).end()
            => Said::Absent;
    where_the_second_mark_comes_first_no_skew_lasted:
        "failure: {keeps-spread: violated, of: deployment/web, from: again, to: maintained}",
        over(watched(&SKEWED)) => Said::Inconclusive("nothing was watched");
    nor_did_one_between_two_marks_at_one_time:
        "failure: {keeps-spread: violated, of: deployment/web, from: maintained, to: again}",
        still(watched(&SKEWED).mark("again"), 30.0).end() => Said::Inconclusive("nothing was watched");
}
