use super::{Said, still, web};
use crate::timeline::drawn::{Draft, node, seen};
use crate::timeline::{SpreadSeen, What};

const BETWEEN: &str = "
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

fn over(draft: Draft) -> crate::timeline::Timeline {
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
}
