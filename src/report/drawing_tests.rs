use serde_json::json;

use super::*;
use crate::report::tests::{c2, c5};
use kubeclash_timeline::testing::{Draft, node, pod, s, seen};
use kubeclash_timeline::{Change, Entry, Sighting};

fn stages(bar: &Bar) -> Vec<(f64, Stage)> {
    bar.stages.clone()
}

#[test]
fn a_bar_has_the_stages_of_a_pods_life_since_the_first_step() {
    let mut bound = pod("a", Some("w1"));
    bound.phase = "Pending".to_owned();
    bound.ready = false;
    let drawing = Drawing::of(
        &Draft::new("c5")
            .nodes(&["w1"])
            .at(1.0)
            .step("apply 10-web.yaml")
            .at(2.0)
            .pod("a", None)
            .at(3.0)
            .what(What::Pod(seen(bound)))
            .at(4.0)
            .pod("a", Some("w1"))
            .at(5.0)
            .terminating("a", "w1")
            .at(6.0)
            .gone("a", "w1")
            .at(8.0)
            .mark("stop")
            .done(),
    );
    let bar = &drawing.pods[0];
    assert_eq!(
        stages(bar),
        [
            (1_000.0, Stage::Pending),
            (2_000.0, Stage::Bound),
            (3_000.0, Stage::Running),
            (4_000.0, Stage::Terminating),
        ]
    );
    assert_eq!((bar.gone, bar.node, bar.lane), (Some(5_000.0), 0, 0));
    assert_eq!(drawing.length_ms, 7_000.0);
    assert_eq!(drawing.steps, [(0.0, "apply 10-web.yaml".to_owned())]);
    assert_eq!(drawing.marks, [(7_000.0, "stop".to_owned())]);
}

#[test]
fn what_was_before_the_first_step_stands_at_it() {
    let drawing = Drawing::of(
        &Draft::new("c5")
            .pod("a", None)
            .at(1.0)
            .pod("a", Some("w1"))
            .deployment("web", 1, 1)
            .at(3.0)
            .step("taint")
            .at(4.0)
            .failed("a", "w1")
            .done(),
    );
    assert_eq!(
        stages(&drawing.pods[0]),
        [(0.0, Stage::Running), (1_000.0, Stage::Failed)]
    );
    assert_eq!(drawing.pods[0].reasons, ["TaintToleration"]);
    assert_eq!(drawing.panels[0].lines[0].points, [(0.0, 1)]);
}

/// Bars of one lane don't overlap, whatever came when.
fn assert_lanes_are_free(drawing: &Drawing) {
    for (at, a) in drawing.pods.iter().enumerate() {
        for b in &drawing.pods[at + 1..] {
            if (a.node, a.lane) == (b.node, b.lane) {
                let ends = a.gone.unwrap_or(drawing.length_ms);
                assert!(ends <= b.stages[0].0, "{a:?}\n{b:?}");
            }
        }
    }
    for bar in &drawing.pods {
        assert!(bar.lane < drawing.nodes[bar.node].lanes, "{bar:?}");
    }
}

#[test]
fn a_pod_that_comes_back_lies_in_the_lane_that_its_forerunner_left() {
    let drawing = Drawing::of(&c5());
    assert_lanes_are_free(&drawing);
    let names: Vec<Option<&str>> = drawing.nodes.iter().map(|node| node.name.as_deref()).collect();
    assert_eq!(
        names,
        [Some("kind-worker"), Some("kind-worker2"), Some("kind-worker10")]
    );
    // Three at once, and a fourth while the old one is on its way out.
    assert_eq!(drawing.nodes[0].lanes, 4);
    let lanes: Vec<usize> = ["f", "g", "h", "i"]
        .iter()
        .map(|uid| {
            let bar = drawing.pods.iter().find(|bar| bar.name == format!("web-{uid}"));
            bar.unwrap().lane
        })
        .collect();
    assert_eq!(lanes, [3, 0, 3, 0]);
}

#[test]
fn hundreds_of_short_lives_take_few_lanes() {
    let mut draft = Draft::new("c7").nodes(&["w1"]).step("apply");
    for at in 0..600 {
        let (uid, t) = (format!("p{at}"), f64::from(at) * 0.1);
        draft = draft.at(t).failed(&uid, "w1").at(t + 0.05).gone(&uid, "w1");
    }
    let drawing = Drawing::of(&draft.done());
    assert_eq!(drawing.pods.len(), 600);
    assert!(drawing.nodes[0].lanes <= 3, "{} lanes", drawing.nodes[0].lanes);
    assert_lanes_are_free(&drawing);
}

#[test]
fn more_pods_than_can_be_drawn_are_counted() {
    let mut draft = Draft::new("c7").step("apply");
    for at in 0..2_005 {
        draft = draft.pod(&format!("p{at}"), Some("w1"));
    }
    let drawing = Drawing::of(&draft.pod("p2004", None).done());
    assert_eq!((drawing.pods.len(), drawing.pods_left_out), (2_000, 5));
}

#[test]
fn a_pod_that_no_node_had_lies_in_the_last_row() {
    let drawing = Drawing::of(
        &Draft::new("c3")
            .nodes(&["w1", "w2"])
            .step("apply")
            .pod("a", Some("w2"))
            .unschedulable("b")
            .done(),
    );
    let names: Vec<Option<&str>> = drawing.nodes.iter().map(|node| node.name.as_deref()).collect();
    assert_eq!(names, [Some("w1"), Some("w2"), None]);
    let rows: Vec<usize> = drawing.pods.iter().map(|bar| bar.node).collect();
    assert_eq!(rows, [1, 2]);
    assert_eq!(drawing.pods[1].reasons, ["0/3 nodes are available"]);
    assert_eq!(drawing.nodes[0].lanes, 0, "an empty node is worth seeing");
}

#[test]
fn of_very_many_nodes_only_those_with_pods_have_a_row() {
    let names: Vec<String> = (0..40).map(|at| format!("w{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let drawing = Drawing::of(&Draft::new("h1").nodes(&names).pod("a", Some("w7")).done());
    assert_eq!((drawing.nodes.len(), drawing.nodes_left_out), (1, 39));
}

#[test]
fn an_eviction_is_a_deletion_that_somebody_else_asked_for() {
    let evicted = |change| {
        let mut state = pod("a", Some("w1"));
        state.disruption = Some("EvictionByEvictionAPI".to_owned());
        state.terminating = true;
        What::Pod(Sighting { change, state })
    };
    let drawing = Drawing::of(
        &Draft::new("c5")
            .step("watch")
            .pods(&[("b", "w1"), ("a", "w1")])
            .at(1.0)
            .what(evicted(Change::Seen))
            .at(2.0)
            .what(evicted(Change::Gone))
            .terminating("b", "w1")
            .done(),
    );
    let eviction = Eviction {
        t: 1_000.0,
        pod: 1,
        reason: "EvictionByEvictionAPI".to_owned(),
    };
    assert_eq!(drawing.evictions, [eviction]);
    let refused = {
        let mut state = pod("a", Some("w1"));
        state.disruption = Some("EvictionByEvictionAPI".to_owned());
        Drawing::of(&Draft::new("c5").step("watch").what(What::Pod(seen(state))).done())
    };
    assert_eq!(refused.evictions, [], "it was not told to go");
}

#[test]
fn a_node_is_shaded_while_it_takes_no_pods() {
    let mut cordoned = node("w1", 8_000);
    cordoned.cordoned = true;
    cordoned.taints = vec!["node.kubernetes.io/unschedulable:NoSchedule".to_owned()];
    let mut tainted = node("w2", 8_000);
    tainted.taints = vec!["key1=value1:NoExecute".to_owned()];
    let drawing = Drawing::of(
        &Draft::new("c6")
            .nodes(&["w1", "w2"])
            .step("drain")
            .at(1.0)
            .what(What::Node(seen(cordoned)))
            .at(3.0)
            .nodes(&["w1"])
            .at(4.0)
            .what(What::Node(seen(tainted)))
            .at(6.0)
            .mark("stop")
            .done(),
    );
    assert_eq!(
        drawing.nodes[0].closed,
        [(1_000.0, 3_000.0, "cordoned".to_owned())]
    );
    let tainted = "tainted key1=value1:NoExecute".to_owned();
    assert_eq!(drawing.nodes[1].closed, [(4_000.0, 6_000.0, tainted)]);
}

#[test]
fn numbers_of_one_name_share_a_panel() {
    let drawing = Drawing::of(&c2());
    let panels = serde_json::to_value(&drawing.panels).unwrap();
    assert_eq!(
        panels,
        json!([
            {"name": "web", "unit": "replicas", "top": 5, "lines": [
                {"what": "wanted", "points": [[0.0, 0], [200.0, 3], [25000.0, 5], [70500.0, 1], [85000.0, 3], [101000.0, 5]]},
                {"what": "ready", "points": [[0.0, 0], [3000.0, 3], [29000.0, 5], [72000.0, 1], [88000.0, 3], [104000.0, 5]]},
                {"what": "autoscaler wants", "points": [[0.0, 0], [3000.0, 3], [25000.0, 5], [85000.0, 3], [101000.0, 5]]},
            ]},
            {"name": "web", "unit": "CPU %", "top": 101, "lines": [
                {"what": "of the request", "points": [[0.0, 0], [25000.0, 101], [85000.0, 100]]},
            ]},
        ])
    );
}

#[test]
fn a_gap_is_drawn() {
    let drawing = Drawing::of(&Draft::new("c5").step("watch").at(2.0).gap("pods").done());
    let gap = "the watch on pods had a gap: too old resource version".to_owned();
    assert_eq!(drawing.gaps, [(2_000.0, gap)]);
}

#[test]
fn times_in_disorder_and_nothing_at_all_do_no_harm() {
    let empty = Drawing::of(&Draft::new("c5").done());
    assert_eq!(
        (empty.length_ms, empty.pods.len(), empty.nodes.len()),
        (0.0, 0, 0)
    );
    let mut timeline = c5();
    timeline.entries.reverse();
    timeline.entries.push(Entry {
        t: s(0.0),
        what: What::Mark("stop".to_owned()),
    });
    let drawing = Drawing::of(&timeline);
    assert_eq!(drawing.pods.len(), 9);
}
