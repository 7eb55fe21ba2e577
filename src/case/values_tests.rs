use serde_json::{Value, json};

use super::super::tree::document;
use super::*;

fn bindings(values: &str) -> Bindings {
    let (node, flaws) = document(values);
    assert_eq!(flaws, []);
    let fields = node.unwrap().fields().to_vec();
    Bindings::new(fields.into_iter().map(|(key, value)| (key.name, value)).collect())
}

fn put(values: &str, text: &str, writing: Writing) -> (Value, Vec<String>) {
    let mut bindings = bindings(values);
    let node = bindings.put_into(&document(text).0.unwrap(), writing);
    let flaws = bindings.flaws.iter().map(|flaw| flaw.what.clone()).collect();
    (node.json(), flaws)
}

#[test]
fn a_value_is_the_whole_of_a_field_or_a_part_of_a_text() {
    let (node, flaws) = put(
        "{web: 10.yaml, count: 3, list: [a, b], none: nothing}",
        "apply: $web\ncount: $count\ntext: \"n=${count} of ${web}\"\nbare: ${count}\nquoted: '${count}'\n\
         items: [x, $list, $none, y]\nwhole: $list\nout: $none\n${web}: key\n",
        Writing::Case,
    );
    assert_eq!(flaws, [""; 0]);
    assert_eq!(
        node,
        json!({"apply": "10.yaml", "count": 3, "text": "n=3 of 10.yaml", "bare": 3, "quoted": "3",
               "items": ["x", "a", "b", "y"], "whole": ["a", "b"], "10.yaml": "key"})
    );
}

#[test]
fn what_nobody_declares_stays_as_it_is() {
    let (node, flaws) = put(
        "{web: x}",
        "[\"${other} $${web} ${\", $HOME, $$web, \"a $web\"]",
        Writing::Case,
    );
    assert_eq!(node, json!(["${other} ${web} ${", "$HOME", "$web", "a $web"]));
    assert_eq!(flaws, [""; 0]);
    let (node, flaws) = put(
        "{web: x}",
        "[$web, $other, $$web, '${web}', '$${web}']",
        Writing::Manifest,
    );
    assert_eq!(node, json!(["$web", "$other", "$$web", "x", "${web}"]));
    assert_eq!(flaws, [""; 0]);
}

#[test]
fn a_value_that_is_meant_and_not_there_is_told_with_the_nearest() {
    let (_, flaws) = put("{web: x}", "steps: [{apply: $wbe}]", Writing::Case);
    assert_eq!(
        flaws,
        ["steps[0].apply: no value is called \"$wbe\": did you mean \"$web\"?"]
    );
}

#[test]
fn values_may_be_made_of_values_but_not_of_themselves() {
    let (node, flaws) = put(
        "{policy: p.yaml, act: [{descheduler: {policy: $policy}}]}",
        "[$act, x]",
        Writing::Case,
    );
    assert_eq!(node, json!([{"descheduler": {"policy": "p.yaml"}}, "x"]));
    assert_eq!(flaws, [""; 0]);
    let (_, flaws) = put("{a: [$b], b: [$a]}", "[$a]", Writing::Case);
    assert!(flaws[0].contains("made of itself"), "{flaws:?}");
}

#[test]
fn what_comes_of_values_keeps_the_place_of_the_value() {
    let mut bindings = bindings("\n\nact: {wait: 3}\n");
    let node = bindings.put_into(&document("steps: [x, $act]").0.unwrap(), Writing::Case);
    let step = &node.get("steps").unwrap().items()[1];
    assert_eq!(step.get("wait").unwrap().place.to_string(), "3:13");
    assert_eq!(step.path.to_string(), "act");
    assert!(bindings.used.contains("act"));
}

#[test]
fn what_values_come_to_is_bounded() {
    let ten = |name: &str| vec![format!("${name}"); 12].join(", ");
    let mut list = "a: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    let mut text = format!("a: {}\n", "x".repeat(2_000));
    for (name, of) in [
        ("b", "a"),
        ("c", "b"),
        ("d", "c"),
        ("e", "d"),
        ("f", "e"),
        ("g", "f"),
    ] {
        list += &format!("{name}: [{}]\n", ten(of));
        text += &format!("{name}: \"{}\"\n", vec![format!("${{{of}}}"); 12].join(""));
    }
    assert!(put(&list, "[$g]", Writing::Case).1[0].contains("more than 200000 values"));
    let (_, flaws) = put(&text, "['${g}']", Writing::Case);
    assert!(flaws[0].contains("too long a text"), "{flaws:?}");
}
