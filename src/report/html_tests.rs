use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::evidence::Evidence;
use crate::report::Attempt;
use crate::report::tests::{c2, c5, control, outcome, unexpected};
use kubeclash_timeline::testing::Draft;

fn material() -> Material {
    let arm = |outcome, timeline, lacks| Evidence {
        outcome,
        timeline,
        lacks,
    };
    Material {
        arms: vec![
            arm(outcome(), Some(c5()), None),
            arm(control(), None, Some("there is no drawing: it is cut".to_owned())),
            arm(unexpected(), Some(c2()), None),
        ],
        failures: vec![HarnessFailure {
            of: Attempt::Step("c7 broken".to_owned()),
            error: "failed to start".to_owned(),
        }],
        left_out: vec!["left out: an older run".to_owned()],
        titles: [(outcome().id.case, "A <title>, & \"more\"".to_owned())].into(),
        took: Duration::from_secs(131),
    }
}

/// What stands in the page's data element.
fn embedded(page: &str) -> &str {
    let (_, rest) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    rest.split_once("</script>").unwrap().0
}

#[test]
fn the_data_is_that_of_the_run() {
    let data: Value = serde_json::from_str(&data(&material())).unwrap();
    assert_eq!(
        data["counts"],
        "4 arms: 2 as expected, 1 inconclusive, 1 failed; 2 min 11 s in all"
    );
    let keys: Vec<&String> = data["runs"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id", "case_id", "arm", "build", "outcome", "numbers", "times", "drawing"
        ]
    );
    let ids: Vec<&str> = data["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["c5-broken", "c5-control", "c3-broken-with-hpa"]);
    assert_eq!(
        data["runs"][0]["outcome"],
        serde_json::to_value(outcome()).unwrap()
    );
    assert_eq!(data["runs"][0]["drawing"]["pods"].as_array().unwrap().len(), 9);
    assert_eq!(data["runs"][1]["note"], "there is no drawing: it is cut");
    assert_eq!(data["builds"].as_array().unwrap().len(), 1);
    assert_eq!(data["builds"][0]["label"], "descheduler v0.36.0");
    assert_eq!(
        data["titles"]["c5_remove_duplicates_loop"],
        "A <title>, & \"more\""
    );
    assert_eq!(data["errors"][0][0], "c7 broken");
    assert_eq!(data["left_out"][0], "left out: an older run");
}

#[test]
fn a_drawing_is_written_as_short_as_it_can_be() {
    let timeline = Draft::new("c5")
        .nodes(&["w1"])
        .step("apply 10-web.yaml")
        .at(0.5)
        .pod("a", Some("w1"))
        .at(2.0)
        .mark("watch")
        .done();
    let text = serde_json::to_string(&Drawing::of(&timeline)).unwrap();
    assert_eq!(
        text,
        "{\"length_ms\":2000.0,\"nodes\":[{\"name\":\"w1\",\"lanes\":1,\"closed\":[]}],\
         \"pods\":[{\"name\":\"web-a\",\"node\":0,\"lane\":0,\"stages\":[[500.0,\"running\"]]}],\
         \"pods_left_out\":0,\"nodes_left_out\":0,\"panels\":[],\"evictions\":[],\
         \"marks\":[[2000.0,\"watch\"]],\"steps\":[[0.0,\"apply 10-web.yaml\"]],\"gaps\":[]}"
    );
}

#[test]
fn what_was_recorded_can_not_break_out_of_its_element() {
    let hostile = "</script><script>alert(1)</script><!--<script>{{style}}{{data}}\u{2028}]]>";
    let mut material = material();
    material.arms[0].outcome.seen = hostile.to_owned();
    material.arms[0].timeline = Some(Draft::new("c5").step(hostile).pod(hostile, Some(hostile)).done());
    material.failures[0].error = hostile.to_owned();
    let page = page(&material);
    let data = embedded(&page);
    assert!(!data.contains('<'), "{data}");
    let read: Value = serde_json::from_str(data).unwrap();
    assert_eq!(read["runs"][0]["outcome"]["why"], hostile);
    assert_eq!(read["runs"][0]["drawing"]["nodes"][0]["name"], hostile);
    assert_eq!(
        page.matches("<script").count(),
        2,
        "the data's and the page's own"
    );
    assert_eq!(page.matches("</script>").count(), 2);
    assert_eq!(page.matches("<style>").count(), 1);
}

#[test]
fn the_page_is_whole_and_asks_for_nothing_else() {
    let page = page(&material());
    for place in ["{{policy}}", "{{style}}", "{{script}}", "{{data}}"] {
        assert!(PAGE.contains(place) && !page.contains(place), "{place}");
    }
    assert!(page.contains("default-src 'none'"));
    // The policy's hashes are of what stands between the tags, to the byte.
    for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let text = page.split_once(open).unwrap().1.split_once(close).unwrap().0;
        assert!(page.contains(&digest(text)), "{open}");
    }
    let without_names = page.replace("http://www.w3.org/2000/svg", "");
    for word in [
        "http://",
        "https://",
        "url(//",
        "@import",
        "fetch(",
        "XMLHttpRequest",
    ] {
        assert!(!without_names.contains(word), "{word}");
    }
}

#[test]
fn the_scripts_make_text_and_never_html() {
    let all = [DRAW, PARTS, CASES, include_str!("load/page.js")].concat();
    for word in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ] {
        assert!(!all.contains(word), "{word}");
    }
}

#[test]
fn filling_in_does_not_look_into_what_was_filled_in() {
    assert_eq!(
        fill("a {{x}} b {{y}} c", &[("{{y}}", "{{x}}"), ("{{x}}", "{{y}}")]),
        "a {{y}} b {{x}} c"
    );
    assert_eq!(fill("a {{x}}", &[("{{x}}", "1"), ("{{z}}", "2")]), "a 1");
}
