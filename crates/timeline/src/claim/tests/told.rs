//! What is told of every drawing, to be read: the judgement in words and numbers, and each violation of each property.

use std::fmt::Write;

use serde_json::Value;

use super::{Drawing, all_drawings};
use crate::History;
use crate::claim::{judge, pulse};
use crate::property::{Kind, Property, Question};

fn told(drawing: &Drawing) -> String {
    let Drawing {
        name,
        scenario,
        timeline,
    } = drawing;
    let judged = judge(&scenario.claims(), timeline);
    let mut text = format!("{name}\n  {}: {}\n", judged.verdict, judged.why);
    let mut line = |what: &str, value: String| writeln!(text, "  {what}: {value}").unwrap();
    if let Some(fight) = &judged.fight {
        line("fight", fight.clone());
    }
    line("time", format!("{:?} of {:?}", judged.needed, judged.watched));
    line("pulse", pulse(&scenario.claims(), timeline));
    line("facts", Value::from(judged.facts).to_string());
    let history = History::of(timeline);
    let anything = Question::default();
    for violation in Property::ALL
        .into_iter()
        .flat_map(|property| property.violations(&history, &anything))
    {
        line("shows", serde_json::to_string(&violation).unwrap());
    }
    text
}

#[test]
fn what_is_told_of_the_drawings_is_what_was_read_before() {
    let all: Vec<String> = all_drawings().iter().map(told).collect();
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("drawings", all.join("\n"));
    });
}

#[test]
fn properties_and_kinds_are_told_by_the_names_that_they_are_written_with() {
    let written = |name: serde_json::Result<Value>| name.unwrap().as_str().unwrap().to_owned();
    for property in Property::ALL {
        assert_eq!(property.to_string(), written(serde_json::to_value(property)));
    }
    for kind in Kind::ALL {
        assert_eq!(kind.to_string(), written(serde_json::to_value(kind)));
    }
}
