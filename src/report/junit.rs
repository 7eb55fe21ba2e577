//! JUnit's XML, as CI systems read it and nextest writes it: a suite a case, a test case an arm.
//!
//! An arm whose verdict is not the expected one is a failure, inconclusive ones included; what broke in the harness is
//! an error. Nothing is `skipped`: what should have run and did not is no lesser failure.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Attempt, Material, Style, arm_names, facts};
use crate::evidence::Outcome;

/// The columns of a picture in `system-out`.
const PICTURE: Style = Style {
    colour: false,
    unicode: true,
    width: 90,
};

/// A whole run as one document, ended by a newline.
#[must_use]
pub fn report(material: &Material) -> String {
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    let mut add = |case: &str, test: TestCase| {
        let at = suites
            .iter()
            .position(|(name, _)| name == case)
            .unwrap_or_else(|| {
                suites.push((case.to_owned(), TestSuite::new(text(case))));
                suites.len() - 1
            });
        suites[at].1.add_test_case(test);
    };
    let builds = material.builds();
    let mut names = Names::default();
    let arms = arm_names(&material.outcomes());
    for ((arm, build), name) in material.arms.iter().zip(&builds.of).zip(arms) {
        let outcome = &arm.outcome;
        let label = &builds.all[*build].label;
        let mut test = test(outcome, &names.next(&outcome.id.case, name));
        test.set_system_out(text(&said(material, outcome)));
        for (key, value) in properties(outcome, label) {
            test.add_property((text(&key), text(&value)));
        }
        add(&outcome.id.case, test);
    }
    for failure in &material.failures {
        let error = &failure.error;
        let (suite, name) = match &failure.of {
            Attempt::Arm { id, .. } => (id.case.as_str(), id.arm_name()),
            Attempt::Step(name) => ("submit", name.clone()),
        };
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type("harness")
            .set_message(text(error.lines().next().unwrap_or_default()))
            .set_description(text(error));
        let mut test = TestCase::new(text(&names.next(suite, name)), status);
        test.set_classname(text(suite));
        add(suite, test);
    }
    let mut report = Report::new("kubeclash");
    report.set_time(material.took);
    for (_, mut suite) in suites {
        let time: Duration = suite.test_cases.iter().filter_map(|test| test.time).sum();
        suite.set_time(time);
        report.add_test_suite(suite);
    }
    report.to_string().expect("text and numbers, written to memory") + "\n"
}

/// Names that have been given: a second run of the same arm is not taken for the first.
#[derive(Default)]
struct Names(BTreeMap<(String, String), usize>);

impl Names {
    fn next(&mut self, case: &str, name: String) -> String {
        let count = self.0.entry((case.to_owned(), name.clone())).or_default();
        *count += 1;
        if *count == 1 {
            name
        } else {
            format!("{name} #{count}")
        }
    }
}

fn test(outcome: &Outcome, name: &str) -> TestCase {
    let status = if outcome.ok() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let message = format!("{}, {}", outcome.verdict, outcome.expectation());
        status
            .set_type(outcome.verdict.name())
            .set_message(text(&message))
            .set_description(text(outcome.why()));
        status
    };
    let mut test = TestCase::new(text(name), status);
    test.set_classname(text(&outcome.id.case));
    test.set_time(Duration::from_millis(outcome.elapsed_ms));
    test
}

/// Why, who fought, the picture and the numbers: what a reader of the failure wants beside it.
fn said(material: &Material, outcome: &Outcome) -> String {
    let mut text = format!("{}: {}\n", outcome.verdict, outcome.why());
    if let Some(fight) = &outcome.fight {
        text.push_str(&format!("fight: {fight}\n"));
    }
    let picture = material.picture(outcome).map(|picture| picture.draw(&PICTURE));
    if let Some(picture) = picture.filter(|picture| !picture.is_empty()) {
        text.push_str(&format!("\n{picture}\n"));
    }
    if !outcome.facts.is_empty() {
        text.push_str(&format!("facts: {}\n", facts(outcome).join(" · ")));
    }
    text.push_str(&format!("evidence: {}\n", outcome.evidence.display()));
    text
}

fn properties(outcome: &Outcome, build: &str) -> Vec<(String, String)> {
    let mut properties = vec![
        ("verdict".to_owned(), outcome.verdict.to_string()),
        ("expected".to_owned(), outcome.expected.to_string()),
        ("provider".to_owned(), outcome.provider.clone()),
        ("pace".to_owned(), outcome.pace.to_string()),
        ("build".to_owned(), build.to_owned()),
        ("evidence".to_owned(), outcome.evidence.display().to_string()),
    ];
    for (name, component) in &outcome.components {
        properties.push((name.clone(), component.version.clone()));
        properties.push((format!("{name}.sha256"), component.sha256.clone()));
        properties.push((format!("{name}.origin"), component.origin.clone()));
    }
    properties
}

/// A text without what XML cannot hold; the library takes out control characters, and leaves these two.
fn text(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
