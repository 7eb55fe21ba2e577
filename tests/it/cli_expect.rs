//! Expectations from a file, arms that run several times, parts of all arms: what the command makes of them.

use std::fs;

use kubeclash::exit;
use rstest::rstest;
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox, ended};

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ended}")))
        .collect()
}

/// A file of expectations in the sandbox, and its path.
fn file(sandbox: &Sandbox, text: &str) -> String {
    let path = sandbox.path("expect.yaml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

const CURED: &str =
    "- case: c7\n  arm: broken\n  verdict: absent  # we hope\n  reason: it is said to be cured\n";

#[test]
fn all_mistakes_in_a_file_of_expectations_are_told_before_anything_is_fetched() {
    let sandbox = Sandbox::without_components();
    let path = file(
        &sandbox,
        "- case: c9\n  arm: broken\n  verdict: absent\n  reason: r\n- case: c7\n  arm: neither\n  verdict: absent\n",
    );
    let words = [
        format!("{path}:1: case: no case is called \"c9\""),
        format!("{path}:6: arm: \"neither\""),
        format!("{path}:5: reason: missing"),
    ];
    let words = words.each_ref().map(String::as_str);
    let mut command = sandbox.command(&["run", "c7", "--expect", &path]);
    command.env("KUBECLASH_CACHE", sandbox.path("cache"));
    ended(command).assert(exit::USAGE, &words);
    // The variable is the flag.
    let mut command = sandbox.command(&["run", "c7"]);
    command.env("KUBECLASH_EXPECT", &path);
    command.env("KUBECLASH_CACHE", sandbox.path("cache"));
    ended(command).assert(exit::USAGE, &words);
    assert!(!sandbox.path("cache").exists(), "something was fetched");
}

#[rstest]
#[case::no_file(&["--expect", "/there/is/none"], "\"/there/is/none\" can't be read")]
#[case::nothing_to_update(&["--update-expect"], "--expect <FILE>")]
#[case::no_times(&["--repeat", "0"], "--repeat")]
#[case::no_part(&["--shard", "3/2"], "there is no part 3 of 2")]
#[case::part_zero(&["--shard", "0/2"], "counted from 1")]
fn what_can_not_be_meant_is_told_by_its_flag(#[case] more: &[&str], #[case] word: &str) {
    let sandbox = Sandbox::without_components();
    let ended = sandbox.run(&[&["run", "c7"], more].concat());
    ended.assert(exit::USAGE, &[word]);
}

#[test]
fn an_empty_part_is_no_error_and_needs_nothing() {
    let sandbox = Sandbox::without_components();
    let mut command = sandbox.command(&["run", "c7", "--shard", "3/3"]);
    command.env("KUBECLASH_CACHE", sandbox.path("cache"));
    let ended = ended(command);
    ended.assert(exit::EXPECTED, &["shard 3/3 is empty: there are 2 arms"]);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_returned_failure_is_told_and_written_down_with_what_stands_there_kept() {
    let sandbox = Sandbox::new().await;
    let path = file(&sandbox, CURED);
    let arm = ["run", "c7", "--arm", "broken", "--expect", &path];
    let text = sandbox.run(&arm);
    text.assert(exit::DIFFERED, &[]);
    for words in [
        "reproduced, UNEXPECTED: returned, absent was expected",
        "expected  absent: it is said to be cured",
        "1 arm: 0 as expected, 1 returned",
    ] {
        assert!(text.stdout.contains(words), "no {words:?} in {text}");
    }
    let updated = sandbox.run(&[&arm[..], &["--update-expect", "--format", "json"]].concat());
    updated.assert(exit::EXPECTED, &["c7_taint_recreate_loop broken: now reproduced"]);
    assert_eq!(lines(&updated)[0]["change"], "returned");
    let now = fs::read_to_string(&path).unwrap();
    assert_eq!(now, CURED.replace("verdict: absent", "verdict: reproduced"));
    sandbox.assert_clean();
}

#[tokio::test]
async fn several_runs_of_an_arm_are_one_line() {
    let sandbox = Sandbox::new().await;
    let ended = sandbox.run(&[
        "run", "c7", "--arm", "broken", "--repeat", "2", "--format", "json",
    ]);
    ended.assert(exit::EXPECTED, &[]);
    let lines = lines(&ended);
    assert_eq!(lines.len(), 1, "{ended}");
    let arm = &lines[0];
    assert_eq!(
        (&arm["verdict"], &arm["ok"]),
        (&"reproduced".into(), &true.into())
    );
    let runs = arm["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_eq!(run["verdict"], "reproduced");
        let evidence = std::path::Path::new(run["evidence"].as_str().unwrap());
        assert!(evidence.join("timeline.jsonl").is_file(), "{run}");
    }
    let of = |end: &str| arm["spread"]["pods_per_min"][end].as_f64().unwrap();
    assert!(of("min") <= of("median") && of("median") <= of("max"), "{arm}");
    assert_eq!(arm["facts"]["pods_per_min"].as_f64(), Some(of("median")));
    sandbox.assert_clean();
}
