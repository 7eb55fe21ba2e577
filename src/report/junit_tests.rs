use quick_junit::Report;

use super::*;
use crate::evidence::Evidence;
use crate::report::HarnessFailure;
use crate::report::tests::{c5, control, outcome, unexpected};
use kubeclash_timeline::Verdict;

fn arm(outcome: Outcome) -> Evidence {
    Evidence {
        timeline: Some(c5()),
        lacks: None,
        outcome,
    }
}

fn failure(id: &str, run: Option<u16>) -> HarnessFailure {
    HarnessFailure {
        of: Attempt::Arm {
            id: id.parse().unwrap(),
            run,
        },
        error: "failed to start \"etcd\": exited with 1\nlast line: …".to_owned(),
    }
}

fn material() -> Material {
    Material {
        arms: [outcome(), control(), unexpected()].map(arm).to_vec(),
        failures: vec![failure("c7_taint_recreate_loop broken", None)],
        took: Duration::from_millis(131_250),
        ..Material::default()
    }
}

fn read(xml: &str) -> Report {
    Report::deserialize_from_str(xml).unwrap_or_else(|e| panic!("{e}\n{xml}"))
}

fn status(test: &TestCase) -> (Option<NonSuccessKind>, String, String) {
    match &test.status {
        TestCaseStatus::Success { .. } => (None, String::new(), String::new()),
        TestCaseStatus::NonSuccess {
            kind, message, ty, ..
        } => {
            let text = |text: &Option<quick_junit::XmlString>| text.as_ref().unwrap().as_str().to_owned();
            (Some(*kind), text(message), text(ty))
        }
        TestCaseStatus::Skipped { .. } => panic!("nothing is skipped"),
    }
}

#[test]
fn a_suite_is_a_case_and_a_test_case_an_arm() {
    let report = read(&super::report(&material()));
    assert_eq!(report.name.unwrap().as_str(), "kubeclash");
    assert_eq!(
        (report.tests, report.failures, report.errors, report.skipped),
        (4, 1, 1, 0)
    );
    assert_eq!(report.time, Some(Duration::from_millis(131_250)));
    let names: Vec<(String, Vec<String>)> = report
        .test_suites
        .iter()
        .map(|suite| {
            let tests = suite.test_cases.iter();
            // nextest's convention: the class of a test case is its suite.
            let names = tests.map(|test| {
                assert_eq!(test.classname.as_ref().unwrap(), &suite.name);
                test.name.as_str().to_owned()
            });
            (suite.name.as_str().to_owned(), names.collect())
        })
        .collect();
    let names: Vec<(&str, Vec<&str>)> = names
        .iter()
        .map(|(suite, tests)| (suite.as_str(), tests.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        names,
        [
            ("c5_remove_duplicates_loop", vec!["broken", "control"]),
            ("c3_two_spread_keys", vec!["broken (with-hpa)"]),
            ("c7_taint_recreate_loop", vec!["broken"]),
        ]
    );
}

#[test]
fn an_unexpected_verdict_is_a_failure_and_a_broken_harness_an_error() {
    let report = read(&super::report(&material()));
    let tests: Vec<&TestCase> = report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases)
        .collect();
    assert_eq!(status(tests[0]).0, None);
    assert_eq!(
        status(tests[2]),
        (
            Some(NonSuccessKind::Failure),
            "inconclusive, UNEXPECTED: reproduced was expected".to_owned(),
            "inconclusive".to_owned()
        )
    );
    assert_eq!(
        status(tests[3]),
        (
            Some(NonSuccessKind::Error),
            "failed to start \"etcd\": exited with 1".to_owned(),
            "harness".to_owned()
        )
    );
    assert_eq!(tests[0].time, Some(Duration::from_millis(46_812)));
}

#[test]
fn what_broke_stands_in_its_own_case_and_arm_and_a_step_of_a_submission_among_its_like() {
    let mut material = material();
    material.arms.clear();
    // Not a word of it is looked into: a case may be called anything.
    material.failures = vec![
        failure("mine broken (a b)", Some(1)),
        failure("mine broken (a b)", Some(2)),
        HarnessFailure {
            of: Attempt::Step("c5 broken, new".to_owned()),
            error: "no results".to_owned(),
        },
    ];
    let report = read(&super::report(&material));
    let tests = report.test_suites.iter().flat_map(|suite| {
        let tests = suite.test_cases.iter();
        tests.map(|test| (suite.name.as_str(), test.name.as_str()))
    });
    assert_eq!(
        tests.collect::<Vec<_>>(),
        [
            ("mine", "broken (a b)"),
            ("mine", "broken (a b) #2"),
            ("submit", "c5 broken, new"),
        ]
    );
}

#[test]
fn cured_and_returned_are_told_apart_in_the_message() {
    let ended = |mut outcome: Outcome, verdict: Verdict| {
        outcome.verdict = verdict;
        status(&test(&outcome, "x")).1
    };
    assert_eq!(
        ended(outcome(), Verdict::Absent),
        "absent, UNEXPECTED: cured, reproduced was expected"
    );
    assert_eq!(
        ended(control(), Verdict::Reproduced),
        "reproduced, UNEXPECTED: returned, absent was expected"
    );
}

#[test]
fn why_fight_picture_and_facts_are_beside_a_test_case_and_its_components_are_properties() {
    let report = read(&super::report(&material()));
    let test = &report.test_suites[0].test_cases[0];
    let said = test.system_out.as_ref().unwrap().as_str();
    for words in [
        "reproduced: 4 evict → recreate rounds of web",
        "fight: descheduler RemoveDuplicates against kube-scheduler",
        "on kind-worker    ",
        "▲ watch",
        "facts: rounds 4 · period_s 10.003",
        "evidence: target/evidence/c5",
    ] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    let properties: Vec<(&str, &str)> = test
        .properties
        .iter()
        .map(|property| (property.name.as_str(), property.value.as_str()))
        .collect();
    assert_eq!(
        properties,
        [
            ("verdict", "reproduced"),
            ("expected", "reproduced"),
            ("provider", "local"),
            ("pace", "recorded"),
            ("build", "descheduler v0.36.0"),
            (
                "evidence",
                "target/evidence/c5_remove_duplicates_loop/broken/20260102-030405"
            ),
            ("descheduler", "v0.36.0"),
            ("descheduler.sha256", "ab"),
            ("descheduler.origin", "built from source"),
        ]
    );
}

#[test]
fn builds_and_repetitions_have_names_of_their_own() {
    let mut fork = outcome();
    fork.components.get_mut("descheduler").unwrap().sha256 = "cdefcdefcdef".to_owned();
    let mut material = material();
    material.arms = [outcome(), fork.clone(), fork].map(arm).to_vec();
    let report = read(&super::report(&material));
    let names: Vec<&str> = report.test_suites[0]
        .test_cases
        .iter()
        .map(|test| test.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "broken [descheduler v0.36.0 (ab)]",
            "broken [descheduler v0.36.0 (cdefcdef)]",
            "broken [descheduler v0.36.0 (cdefcdef)] #2",
        ]
    );
}

#[test]
fn what_xml_can_not_hold_is_left_out() {
    let mut hostile = unexpected();
    hostile.verdict =
        Verdict::Inconclusive("]]> <&\"'> \u{1b}[31mred\u{1b}[0m \u{0} \u{fffe} \u{8} ü".to_owned());
    let mut material = material();
    material.arms = vec![arm(hostile)];
    let xml = super::report(&material);
    let test = &read(&xml).test_suites[0].test_cases[0];
    let said = test.system_out.as_ref().unwrap().as_str();
    assert!(
        said.starts_with("inconclusive: ]]> <&\"'> red  \u{fffd}  ü\n"),
        "{said:?}"
    );
    assert!(!xml.contains(['\u{0}', '\u{8}', '\u{1b}', '\u{fffe}']));
}

/// The elements and attributes that the schema of the common readers (Jenkins' junit-10.xsd) knows, with nextest's
/// additions, and where: a reader that is strict takes no others.
const SCHEMA: [(&str, &str, &[&str]); 9] = [
    (
        "testsuites",
        "",
        &["name", "tests", "skipped", "failures", "errors", "time"],
    ),
    (
        "testsuite",
        "testsuites",
        &["name", "tests", "skipped", "errors", "failures", "time"],
    ),
    ("testcase", "testsuite", &["name", "classname", "time"]),
    ("properties", "testcase", &[]),
    ("property", "properties", &["name", "value"]),
    ("failure", "testcase", &["message", "type"]),
    ("error", "testcase", &["message", "type"]),
    ("system-out", "testcase", &[]),
    ("system-err", "testcase", &[]),
];

#[test]
fn only_what_the_common_schema_knows_is_used() {
    let xml = super::report(&material());
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml.as_str();
    let mut seen = 0;
    while let Some((before, after)) = rest.split_once('<') {
        let in_text = matches!(open.last(), Some(&"system-out" | &"failure" | &"error"));
        assert!(in_text || before.trim().is_empty(), "text in {open:?}: {before}");
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        let (_, parent, attributes) = SCHEMA
            .iter()
            .find(|(known, ..)| *known == name)
            .unwrap_or_else(|| panic!("<{name}>"));
        assert_eq!(open.last().copied().unwrap_or_default(), *parent, "<{name}>");
        for attribute in tag.split("=\"").filter_map(|part| part.rsplit(' ').next()) {
            let named = tag.contains(&format!(" {attribute}=\""));
            assert!(!named || attributes.contains(&attribute), "<{name} {attribute}>");
        }
        seen += 1;
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty() && seen > 20, "{seen}");
}
